package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/services"
)

func (c *cli) ledgerCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "ledger", Short: "Show, prove and verify the Merkle log over the record"}
	cmd.AddCommand(c.verifyCommand(), c.proveCommand(), c.witnessCommand(),
		c.checkpointCommand("checkpoint", "Print the newest signed checkpoint", func(r *services.CheckpointResult) string { return r.Note }),
		c.checkpointCommand("key", "Print the public key that checks the ledger's checkpoints and proofs", func(r *services.CheckpointResult) string { return r.Key + "\n" }))
	return cmd
}

func (c *cli) checkpointCommand(use, short string, show func(*services.CheckpointResult) string) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return c.withOperations(cmd.Context(), func(ops services.Operations) error {
			cp, err := ops.Checkpoint(cmd.Context())
			if err == nil {
				_, err = io.WriteString(c.out, show(cp))
			}
			return err
		})
	}}
}

func (c *cli) proveCommand() *cobra.Command {
	var since, out string
	cmd := &cobra.Command{
		Use:   "prove ENTRY_ID | --since CHECKPOINT [-o FILE]",
		Short: "Write a proof that an entry is in the record, or that the ledger continues an older checkpoint",
		Long: "The file needs nothing else but the ledger's public key to be checked: tallystick ledger verify --proof FILE --key FILE.\n" +
			"It holds the entry as it is stored, masked, and of no other entry more than a hash. An id that begins with - comes after --.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var r services.ProveRequest
			switch {
			case (len(args) == 1) == (since != ""):
				return usage(cmd, errors.New("give the id of an entry, or --since with an older checkpoint"))
			case since != "":
				b, err := os.ReadFile(since)
				if err != nil {
					return fmt.Errorf("failed to read the checkpoint: %w", err)
				}
				r.Checkpoint = b
			default:
				r.Entry = args[0]
			}
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				res, err := ops.Prove(cmd.Context(), r)
				if err != nil {
					return err
				}
				if out == "-" {
					_, err = c.out.Write(res.Proof)
					return err
				}
				if err := os.WriteFile(out, res.Proof, 0o600); err != nil {
					return fmt.Errorf("failed to write the proof: %w", err)
				}
				fmt.Fprintln(c.out, out)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&since, "since", "", "file with an older checkpoint")
	cmd.Flags().StringVarP(&out, "output", "o", "-", "file to write, - for standard output")
	return cmd
}
