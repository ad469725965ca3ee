// Command tallystick is the whole product in one binary: the services, chosen
// with run --target, and the acts of officers, engineers and auditors on the
// command line. It parses flags, prints and sets the exit code; everything else
// is in package services.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

// version is set by the linker.
var version = "dev"

// errNo ends a command whose answer is no: it has printed why. Exit code 1.
var errNo = errors.New("no")

func main() { os.Exit(run()) }

// run is main without the exit, for the tests.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &cli{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	root := c.root()
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNo):
		return 1
	}
	fmt.Fprintf(c.err, "error: %s\n", oneLine(err.Error()))
	if h := text.HintOf(err); h != "" {
		fmt.Fprintf(c.err, "hint: %s\n", oneLine(h))
	} else {
		fmt.Fprintf(c.err, "hint: %s\n", "see `tallystick help`, or the page docs/how-to/troubleshoot.md")
	}
	return 2
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// cli holds what every command shares.
type cli struct {
	in       io.Reader
	out, err io.Writer

	configPath string
	dataPath   string
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "tallystick",
		Short:         "Who accessed whose personal data, for which purpose, from where, and was it allowed",
		SilenceErrors: true,
		SilenceUsage:  true,
		Version:       version,
	}
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetIn(c.in)
	root.PersistentFlags().StringVar(&c.configPath, "config", "", "configuration file (default tallystick.yaml in this folder, if it is there)")
	root.PersistentFlags().StringVar(&c.dataPath, "data", "", "data folder (default data beside the configuration)")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &text.Hint{Err: err, Hint: "tallystick help " + strings.TrimPrefix(cmd.CommandPath(), "tallystick ")}
	})
	root.AddCommand(c.runCommand(), c.initCommand(), c.ingestCommand(), c.parseCommand(), c.sqlCommand(), c.reportCommand(),
		c.ledgerCommand(), c.controlsCommand(), c.datamapCommand(), c.requestsCommand(), c.configCommand(), c.userCommand(),
		c.docsCommand(), c.versionCommand())
	return root
}

// config reads the configuration that the flags name.
func (c *cli) config() (*services.Config, error) {
	path := c.configPath
	if path == "" {
		if _, err := os.Stat("tallystick.yaml"); err == nil {
			path = "tallystick.yaml"
		}
	}
	var cfg *services.Config
	var err error
	if path == "" {
		cfg = services.DefaultConfig(".")
	} else if cfg, err = services.LoadConfig(path); err != nil {
		return nil, err
	}
	if c.dataPath != "" {
		cfg.Data = c.dataPath
	}
	return cfg, nil
}

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "Print the version", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		fmt.Fprintln(c.out, "tallystick", version)
		return nil
	}}
}
