package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) initCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "init LOG...",
		Short: "Draft tallystick.yaml and datamap.yaml from real logs",
		Long: "Recognises the format of each log, says which controls it can and can't evidence and what to add to the\n" +
			"proxy's configuration for the rest, and drafts both files. Nothing is stored and nothing is overwritten.",
		Example: "  tallystick init /var/log/nginx/access.log /var/log/kafka/kafka-authorizer.log",
		Args:    cobra.MinimumNArgs(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.init(cmd.Context(), dir, args) },
	}
	cmd.Flags().StringVar(&dir, "dir", ".", "folder for the two files")
	return cmd
}

func (c *cli) init(ctx context.Context, dir string, logs []string) error {
	files := []string{filepath.Join(dir, "tallystick.yaml"), filepath.Join(dir, "datamap.yaml")}
	for _, f := range files {
		if _, err := os.Stat(f); err == nil {
			return &text.Hint{Err: fmt.Errorf("%s is there already, and init overwrites nothing", f), Hint: "move it away, or give another folder with --dir"}
		}
	}
	survey, err := services.Survey(ctx, logs)
	if err != nil {
		return err
	}
	for _, l := range survey.Logs {
		c.printLog(l)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("failed to make the folder: %w", err)
	}
	for i, b := range [][]byte{survey.Config(), survey.DataMap()} {
		if err := os.WriteFile(files[i], b, 0o644); err != nil {
			return fmt.Errorf("failed to write %s: %w", files[i], errors.Unwrap(err))
		}
		fmt.Fprintln(c.out, "wrote", files[i])
	}
	fmt.Fprintln(c.out, "next: tallystick run, then replace what is marked DECIDE in the data map")
	return nil
}

func (c *cli) printLog(l services.SurveyedLog) {
	fmt.Fprintf(c.out, "%s\n  format    %s (%.0f %% of %d lines: %s)\n", l.Path, l.Format, 100*l.Share, l.Lines, l.Why)
	if l.Rejected > 0 {
		fmt.Fprintf(c.out, "  rejected  %d lines; tallystick parse --format %s %s shows where\n", l.Rejected, l.Format, l.Path)
	}
	fmt.Fprintf(c.out, "  evidences %s\n", strings.Join(l.Evidenced, " "))
	if len(l.Missing) > 0 {
		fmt.Fprintf(c.out, "  can't     %s\n", strings.Join(slices.Compact(l.Missing), ", "))
	}
	if l.Advice != "" {
		fmt.Fprintf(c.out, "  to add the rest, in the server's configuration:\n    %s\n", strings.ReplaceAll(l.Advice, "\n", "\n    "))
	}
	if l.Warning != "" {
		fmt.Fprintf(c.out, "  warning   %s\n", l.Warning)
	}
}
