package main

import (
	"fmt"
	"os"

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
	var checkpoint string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Recompute the record from the store and compare it with the ledger",
		Long: "Exit code 0: every row is as the ledger committed to it. 1: not so; the first changed, removed or added row is named.\n" +
			"Keep checkpoints elsewhere and give one with --checkpoint: only against it do a rollback and a fork show.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var r services.VerifyRequest
			if checkpoint != "" {
				b, err := os.ReadFile(checkpoint)
				if err != nil {
					return fmt.Errorf("failed to read the checkpoint: %w", err)
				}
				r.Checkpoint = b
			}
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				bar := newProgress(c.err, "verify")
				res, err := ops.Verify(cmd.Context(), r, bar.show)
				bar.finish()
				if err != nil {
					return err
				}
				return c.printVerify(res)
			})
		},
	}
	cmd.Flags().StringVar(&checkpoint, "checkpoint", "", "older checkpoint that the log must extend")
	return cmd
}

func (c *cli) printVerify(r *services.VerifyResult) error {
	fmt.Fprintf(c.out, "%d rows in %d chunks; checkpoint %d, root %s\n", r.Rows, r.Chunks, r.Size, r.Root)
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
