package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/services"
)

// verifyFlags say what is verified against what.
type verifyFlags struct {
	checkpoint, from, to string
	since                bool
	proof, bundle        string
	log, key             string
}

func (c *cli) verifyCommand() *cobra.Command {
	var v verifyFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Recompute the record from the store and compare it with the ledger",
		Long: "Exit code 0: every row is as the ledger committed to it. 1: not so; of each table of a chunk the first changed, removed or added row is named.\n" +
			"Keep checkpoints elsewhere and give one with --checkpoint: only against it do a rollback and a fork show.\n" +
			"--from, --to and --since bound the rows that are recomputed, by when they became part of the record; the log is always checked whole.\n" +
			"--proof checks one file of tallystick ledger prove, --bundle one of tallystick reencrypt bundle, and --log the ledger's own files or a copy of them, with --key alone, on any machine.",
		Example: "  tallystick ledger verify\n" +
			"  tallystick ledger verify --checkpoint kept.txt --since\n" +
			"  tallystick ledger verify --from 2026-11-01 --to 2026-12-01\n" +
			"  tallystick ledger verify --proof entry.json --key ledger.pub",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := v.request(cmd)
			switch {
			case err != nil:
				return err
			case v.proof != "":
				return c.verifyProof(v.proof, v.key)
			case v.bundle != "":
				return c.verifyBundle(v.bundle, v.key)
			case v.log != "":
				return c.verifyLog(cmd.Context(), v.log, v.key, r.Checkpoint)
			}
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				bar := newProgress(c.err, "verify", "rows")
				res, err := ops.Verify(cmd.Context(), r, bar.show)
				bar.finish()
				if err != nil {
					return err
				}
				return c.printVerify(fmt.Sprintf("%d rows in %d chunks", res.Rows, res.Chunks), res)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&v.checkpoint, "checkpoint", "", "older checkpoint that the log must extend")
	f.BoolVar(&v.since, "since", false, "leave out the rows that --checkpoint covers")
	f.StringVar(&v.from, "from", "", "first day, YYYY-MM-DD, UTC")
	f.StringVar(&v.to, "to", "", "the day after the last, YYYY-MM-DD, UTC")
	f.StringVar(&v.proof, "proof", "", "file of tallystick ledger prove; nothing else is read")
	f.StringVar(&v.bundle, "bundle", "", "file of tallystick reencrypt bundle; nothing else is read")
	f.StringVar(&v.log, "log", "", "folder of a ledger or of a copy of it; only its files are checked, no row")
	f.StringVar(&v.key, "key", "", "file with the ledger's public key, for --proof, --bundle and --log")
	return cmd
}

// given counts the flags that have a value.
func given(values ...string) int {
	n := 0
	for _, v := range values {
		if v != "" {
			n++
		}
	}
	return n
}

// request checks the flags and reads what they name.
func (v *verifyFlags) request(cmd *cobra.Command) (services.VerifyRequest, error) {
	r := services.VerifyRequest{Since: v.since}
	if given(v.proof, v.bundle, v.log) != given(v.key) {
		return r, usage(cmd, errors.New("--key belongs to one of --proof, --bundle and --log"))
	}
	if v.since && v.checkpoint == "" {
		return r, usage(cmd, errors.New("--since needs the checkpoint since which to verify"))
	}
	if v.checkpoint != "" {
		b, err := os.ReadFile(v.checkpoint)
		if err != nil {
			return r, fmt.Errorf("failed to read the checkpoint: %w", err)
		}
		r.Checkpoint = b
	}
	for _, d := range []struct {
		flag, value string
		at          *time.Time
	}{{"--from", v.from, &r.From}, {"--to", v.to, &r.Until}} {
		if d.value == "" {
			continue
		}
		at, err := day(d.flag, d.value)
		if err != nil {
			return r, err
		}
		*d.at = at
	}
	return r, nil
}

func (c *cli) printVerify(what string, r *services.VerifyResult) error {
	fmt.Fprintf(c.out, "%s; checkpoint %d, root %s\n", what, r.Size, r.Root)
	if r.Pending > 0 {
		fmt.Fprintf(c.out, "%d more chunks are being written and have no leaf yet\n", r.Pending)
	}
	for _, w := range r.Witnesses {
		fmt.Fprintln(c.out, "witnessed by", w)
	}
	for _, w := range r.Silent {
		fmt.Fprintln(c.out, "witness", w, "has not answered")
	}
	if r.Unwitnessed {
		fmt.Fprintln(c.out, "unwitnessed: whoever controls this machine could have rewritten it")
	}
	for _, f := range r.Faults {
		fmt.Fprintln(c.out, "FAULT", f)
	}
	if !r.OK {
		return errNo
	}
	fmt.Fprintln(c.out, "verified")
	return nil
}

// verifyLog checks the files of a ledger without a data folder.
func (c *cli) verifyLog(ctx context.Context, dir, key string, kept []byte) error {
	k, err := os.ReadFile(key)
	if err != nil {
		return fmt.Errorf("failed to read the ledger's public key: %w", err)
	}
	r, err := services.VerifyLog(ctx, dir, k, kept)
	if err != nil {
		return err
	}
	return c.printVerify("the log alone", r)
}

// verifyProof checks a proof file without a data folder.
func (c *cli) verifyProof(proof, key string) error {
	p, err := os.ReadFile(proof)
	if err != nil {
		return fmt.Errorf("failed to read the proof: %w", err)
	}
	k, err := os.ReadFile(key)
	if err != nil {
		return fmt.Errorf("failed to read the ledger's public key: %w", err)
	}
	got, err := services.CheckProof(p, k)
	if errors.Is(err, services.ErrProof) {
		fmt.Fprintln(c.out, "FAULT", oneLine(err.Error()))
		return errNo
	}
	if err != nil {
		return err
	}
	if got.Entry == nil {
		fmt.Fprintf(c.out, "checkpoint %d continues checkpoint %d of %s\nverified\n", got.Checkpoint.Size, got.Old.Size, got.Checkpoint.Origin)
		return nil
	}
	e := got.Entry
	fmt.Fprintf(c.out, "entry %s is in the record of %s: row %d of %d in chunk %s, in the ledger since %s, under checkpoint %d\n", e.EntryID(), got.Checkpoint.Origin,
		e.Row+1, got.Leaf.Tables[ledger.TableEntries].Count, e.Chunk, got.Leaf.Time.Format(time.RFC3339), got.Checkpoint.Size)
	if err := c.printFields(e); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "verified")
	return nil
}

// printFields prints the fields of an entry that have a value, as JSON, so that
// no byte of them reaches the terminal as it is.
func (c *cli) printFields(e *audit.Entry) error {
	for i := range audit.EntryFields {
		f := &audit.EntryFields[i]
		v := value(f, e)
		if v == nil {
			continue
		}
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.out, "  %-20s %s\n", f.Name, b)
	}
	return nil
}
