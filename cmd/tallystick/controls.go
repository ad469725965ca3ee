package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) controlsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "controls", Short: "List, check and test controls"}
	cmd.AddCommand(
		&cobra.Command{Use: "list", Short: "List the controls with their articles", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			set, err := c.controls(nil)
			if err != nil {
				return err
			}
			for _, ctl := range set.Controls {
				fmt.Fprintf(c.out, "%-6s v%-3d %-9s %-9s %s\n", ctl.ID, ctl.Version, ctl.Kind, ctl.Severity, strings.Join(ctl.Articles(), "; "))
			}
			return nil
		}},
		&cobra.Command{Use: "check [FOLDER]", Short: "Check the built-in controls and those of a folder", Args: cobra.MaximumNArgs(1), RunE: func(_ *cobra.Command, args []string) error {
			set, err := c.controls(args)
			if err == nil {
				fmt.Fprintf(c.out, "ok, %d controls\n", len(set.Controls))
			}
			return err
		}},
		&cobra.Command{Use: "test [FOLDER]", Short: "Run the cases of the controls", Args: cobra.MaximumNArgs(1), RunE: func(_ *cobra.Command, args []string) error {
			set, err := c.controls(args)
			if err != nil {
				return err
			}
			ran, failed := set.Test()
			for _, f := range failed {
				fmt.Fprintln(c.out, "FAIL", f)
			}
			fmt.Fprintf(c.out, "%d cases, %d failed\n", ran, len(failed))
			if len(failed) > 0 {
				return errNo
			}
			return nil
		}})
	return cmd
}

// controls loads the built-in controls and those of the folder given, or of the
// configured one.
func (c *cli) controls(args []string) (*control.Set, error) {
	if len(args) == 1 {
		return services.LoadControls(args[0])
	}
	cfg, err := c.config()
	if err != nil {
		return nil, err
	}
	return services.LoadControls(cfg.Controls)
}
