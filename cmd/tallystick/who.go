package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) whoCommand() *cobra.Command {
	var directory, reason string
	cmd := &cobra.Command{
		Use: "who PSEUDONYM --reason TICKET [--directory FILE.csv]", Short: "Find which line of the site's directory a principal's pseudonym stands for",
		Long: "Every value of the directory, and every principal that the data map names in full, is compared in memory under the key that made\n" +
			"the pseudonym, as long as that key exists. The trail has who asked for which pseudonym and why before it is compared; 30 an hour\n" +
			"at most. The instance answers with line numbers; what stands in them is printed from your file. Exit code 1: nobody matches.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			r := services.WhoRequest{Pseudonym: args[0], Reason: reason}
			if directory != "" {
				if r.Directory, err = os.ReadFile(directory); err != nil {
					return fmt.Errorf("failed to read the directory: %w", err)
				}
			}
			if len(r.Directory) > maxDirectory {
				return &text.Hint{Err: errors.New("the directory is larger than 32 MiB"), Hint: "give only the columns with the names that people sign in with"}
			}
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				res, err := ops.Who(cmd.Context(), r)
				if err != nil {
					return err
				}
				return c.printWho(res, r.Directory)
			})
		},
	}
	cmd.Flags().StringVar(&directory, "directory", "", "a CSV file of the site with the names that people sign in with")
	cmd.Flags().StringVar(&reason, "reason", "", "a ticket, for the trail")
	return cmd
}

// maxDirectory is in bytes; a request to the instance is bounded.
const maxDirectory = 32 << 20

func (c *cli) printWho(r *services.WhoResult, directory []byte) error {
	lines := bytes.Split(directory, []byte("\n"))
	for _, n := range r.Lines {
		if n <= len(lines) {
			fmt.Fprintf(c.out, "line %d: %s\n", n, bytes.TrimRight(lines[n-1], "\r"))
		}
	}
	for _, label := range r.Declared {
		fmt.Fprintf(c.out, "data map: %s\n", label)
	}
	if len(r.Lines)+len(r.Declared) == 0 {
		fmt.Fprintf(c.err, "nobody: none of %d values matches\n", r.Compared)
		return errNo
	}
	return nil
}
