// Command tallystick is the whole product in one binary: the services, chosen
// with run --target, and the acts of officers, engineers and auditors on the
// command line. It parses flags, prints and sets the exit code; everything else
// is in package services.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

// version is set by the linker.
var version = "dev"

// errNo ends a command whose answer is no: it has printed why. Exit code 1.
var errNo = errors.New("no")

func main() {
	os.Exit(run())
}

// run is main without the exit, for the tests.
func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c := &cli{out: os.Stdout, err: os.Stderr}
	var err error
	if c.in, err = ownStdin(); err != nil {
		fmt.Fprintf(c.err, "error: %s\nhint: start it with a standard input, such as < /dev/null\n", oneLine(err.Error()))
		return 2
	}
	root := c.root()
	err = root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errNo):
		return 1
	}
	fmt.Fprintf(c.err, "error: %s\nhint: %s\n", oneLine(err.Error()), oneLine(cmp.Or(text.HintOf(err), hint(err))))
	return 2
}

// hint is the next thing to try after an error that brings none of its own.
func hint(err error) string {
	var fault *strictyaml.Error
	switch {
	case errors.As(err, &fault):
		return fmt.Sprintf("correct line %d of %s, then try again", fault.Line, fault.File)
	case errors.Is(err, fs.ErrPermission):
		return "run it as the user who may, or change the mode with chmod"
	case errors.Is(err, fs.ErrNotExist):
		return "check the path with ls -l"
	case errors.Is(err, syscall.EADDRINUSE):
		return "stop what listens there, or choose another address with --listen"
	case errors.Is(err, context.Canceled):
		return "it was interrupted; what was stored before is kept, and running it again repeats nothing"
	}
	return "docs/how-to/troubleshoot.md explains the usual causes; with --log-level debug the log says more"
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
		return usage(cmd, err)
	})
	root.AddCommand(c.runCommand(), c.initCommand(), c.ingestCommand(), c.replayCommand(), c.parseCommand(), c.detectCommand(), c.maskCommand(), c.sqlCommand(), c.reportCommand(),
		c.ledgerCommand(), c.controlsCommand(), c.datamapCommand(), c.requestsCommand(), c.holdCommand(), c.configCommand(), c.userCommand(), c.keysCommand(), c.whoCommand(), c.reencryptCommand(), c.eraseCommand(), c.approveCommand(),
		c.docsCommand(), c.versionCommand())
	checkArguments(root)
	return root
}

// usage is a misuse of a command; the hint is how it is used.
func usage(cmd *cobra.Command, err error) error {
	return &text.Hint{Err: err, Hint: cmd.UseLine() + "; more with tallystick help " + strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "tallystick"), " ")}
}

// checkArguments makes every command refuse arguments that it does not take,
// and a command of commands refuse to do nothing.
func checkArguments(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		checkArguments(sub)
	}
	cmd.DisableFlagsInUseLine = true
	check := cmd.Args
	switch {
	case cmd.HasSubCommands():
		cmd.Args, cmd.RunE = cobra.ArbitraryArgs, chooseCommand
	case check != nil:
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usage(cmd, fmt.Errorf("%s: %w", cmd.CommandPath(), err))
			}
			return nil
		}
	}
}

// chooseCommand says which commands there are under cmd.
func chooseCommand(cmd *cobra.Command, args []string) error {
	var names []string
	for _, sub := range cmd.Commands() {
		if !sub.Hidden && sub.Name() != "completion" && sub.Name() != "help" {
			names = append(names, sub.Name())
		}
	}
	if len(args) == 0 {
		if !cmd.HasParent() {
			return cmd.Help()
		}
		return &text.Hint{Err: fmt.Errorf("%s needs one more word", cmd.CommandPath()), Hint: cmd.CommandPath() + " " + strings.Join(names, "|")}
	}
	cmd.SuggestionsMinimumDistance = 2
	if like := cmd.SuggestionsFor(args[0]); len(like) > 0 {
		names = like
	}
	return &text.Hint{Err: fmt.Errorf("%s has no command %q", cmd.CommandPath(), args[0]), Hint: cmd.CommandPath() + " " + strings.Join(names, "|")}
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
