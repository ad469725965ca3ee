package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/audit/ledger/witness"
	"github.com/tallystick/tallystick/internal/text"
)

func (c *cli) witnessCommand() *cobra.Command {
	var cfg witness.Config
	var listen string
	var keys []string
	cmd := &cobra.Command{
		Use:   "witness --dir DIR --name NAME --log KEYFILE",
		Short: "Run a witness: it cosigns the checkpoints of other machines' ledgers, each only if it continues the one before",
		Long: "Run it on a machine that whoever controls the ledger does not control. It speaks c2sp.org/tlog-witness at POST /add-checkpoint, keeps its key and the\n" +
			"newest checkpoint of each ledger in DIR, and sees no row of any record. It prints its public key, for ledger.witnesses in tallystick.yaml there.",
		Example: "  tallystick ledger witness --dir witness --name witness.example.org --log ledger.pub --listen 10.0.0.5:8083",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cfg.Dir == "" || cfg.Name == "" || len(keys) == 0 {
				return usage(cmd, errors.New("--dir, --name and --log are needed"))
			}
			for _, path := range keys {
				b, err := os.ReadFile(path)
				if err != nil {
					return fmt.Errorf("failed to read the key of a ledger: %w", err)
				}
				k, err := ledger.ParseKeyFile(b)
				if err != nil {
					return &text.Hint{Err: fmt.Errorf("%s: %w", path, err), Hint: "tallystick ledger key prints it, on the machine with the ledger"}
				}
				cfg.Logs = append(cfg.Logs, k)
			}
			w, err := witness.New(cfg)
			if err != nil {
				return &text.Hint{Err: err, Hint: "the name is fixed with the key in " + filepath.Join(cfg.Dir, "witness.key") + " and has no spaces and plus signs"}
			}
			return c.serveWitness(cmd.Context(), w, listen)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Dir, "dir", "", "folder of the key and the newest checkpoints")
	f.StringVar(&cfg.Name, "name", "", "name in the signatures, for example witness.example.org")
	f.StringArrayVar(&keys, "log", nil, "file with the public key of a ledger; may be given several times")
	f.StringVar(&listen, "listen", "127.0.0.1:8083", "address to listen on")
	return cmd
}

// serveWitness answers until ctx ends.
func (c *cli) serveWitness(ctx context.Context, w *witness.Witness, listen string) error {
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	srv := &http.Server{Handler: w, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10}
	defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
	fmt.Fprintln(c.out, w.Public())
	fmt.Fprintf(c.err, "witness at http://%s\n", ln.Addr())
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
