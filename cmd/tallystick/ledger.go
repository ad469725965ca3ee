package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/services"
)

func (c *cli) ledgerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "Show and verify the Merkle log over the record"}
	cmd.AddCommand(c.verifyCommand(), &cobra.Command{Use: "checkpoint", Short: "Print the newest signed checkpoint", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				cp, err := ops.Checkpoint(cmd.Context())
				if err == nil {
					_, err = fmt.Fprint(c.out, cp.Note)
				}
				return err
			})
		}})
	return cmd
}

func (c *cli) verifyCommand() *cobra.Command {
	var checkpoint, from, to string
	var since bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Recompute the record from the store and compare it with the ledger",
		Long: "Exit code 0: every row is as the ledger committed to it. 1: not so; of each table of a chunk the first changed, removed or added row is named.\n" +
			"Keep checkpoints elsewhere and give one with --checkpoint: only against it do a rollback and a fork show.\n" +
			"--from, --to and --since bound the rows that are recomputed, by when they became part of the record; the log is always checked whole.",
		Example: "  tallystick ledger verify\n" +
			"  tallystick ledger verify --checkpoint kept.txt --since\n" +
			"  tallystick ledger verify --from 2026-11-01 --to 2026-12-01",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := services.VerifyRequest{Since: since}
			if since && checkpoint == "" {
				return usage(cmd, errors.New("--since needs the checkpoint since which to verify"))
			}
			if checkpoint != "" {
				b, err := os.ReadFile(checkpoint)
				if err != nil {
					return fmt.Errorf("failed to read the checkpoint: %w", err)
				}
				r.Checkpoint = b
			}
			for _, d := range []struct {
				flag, value string
				at          *time.Time
			}{{"--from", from, &r.From}, {"--to", to, &r.Until}} {
				if d.value == "" {
					continue
				}
				at, err := day(d.flag, d.value)
				if err != nil {
					return err
				}
				*d.at = at
			}
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				bar := newProgress(c.err, "verify", "rows")
				res, err := ops.Verify(cmd.Context(), r, bar.show)
				bar.finish()
				if err != nil {
					return err
				}
				return c.printVerify(res)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&checkpoint, "checkpoint", "", "older checkpoint that the log must extend")
	f.BoolVar(&since, "since", false, "leave out the rows that --checkpoint covers")
	f.StringVar(&from, "from", "", "first day, YYYY-MM-DD, UTC")
	f.StringVar(&to, "to", "", "the day after the last, YYYY-MM-DD, UTC")
	return cmd
}

func (c *cli) printVerify(r *services.VerifyResult) error {
	fmt.Fprintf(c.out, "%d rows in %d chunks; checkpoint %d, root %s\n", r.Rows, r.Chunks, r.Size, r.Root)
	if r.Pending > 0 {
		fmt.Fprintf(c.out, "%d more chunks are being written and have no leaf yet\n", r.Pending)
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
