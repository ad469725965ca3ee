package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) userCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Accounts of the console"}
	var roles []string
	add := &cobra.Command{Use: "add NAME --role ROLE", Short: "Add an account; the password comes by prompt or standard input", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.account(cmd.Context(), services.UserRequest{Name: args[0], Roles: roles}, services.RegisterOperations.AddUser)
		}}
	add.Flags().StringSliceVar(&roles, "role", []string{"officer"}, "officer, auditor, engineer, key_officer, administrator; may be given again")
	cmd.AddCommand(add, &cobra.Command{Use: "reset NAME", Short: "Set a new password", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.account(cmd.Context(), services.UserRequest{Name: args[0]}, services.RegisterOperations.ResetPassword)
		}})
	return cmd
}

func (c *cli) account(ctx context.Context, r services.UserRequest, act func(services.RegisterOperations, context.Context, services.UserRequest) error) error {
	var err error
	if r.Password, err = c.password(); err != nil {
		return err
	}
	return c.withNewRegisters(ctx, func(ops services.RegisterOperations) error { return act(ops, ctx, r) })
}

// password reads a password twice from the terminal, or one line of standard
// input where there is no terminal.
func (c *cli) password() (string, error) {
	return c.ask("password", "Password: ", "Again: ")
}

// currentPassword reads the password of an account once.
func (c *cli) currentPassword() (string, error) { return c.ask("password", "Password: ") }

// passphrase reads the passphrase of a folder or a back-up once.
func (c *cli) passphrase() (string, error) { return c.ask("passphrase", "Passphrase: ") }

// ask reads a secret as one line of standard input, or from a terminal as the
// same answer to each prompt. What follows the line is there for the next reader.
func (c *cli) ask(what string, prompts ...string) (string, error) {
	f, ok := c.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := c.line()
		if err == nil && line == "" {
			err = &text.Hint{Err: fmt.Errorf("no %s on standard input", what), Hint: "run it in a terminal, or give the " + what + " as one line"}
		}
		return line, err
	}
	var got []string
	for _, prompt := range prompts {
		fmt.Fprint(c.err, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.err)
		if err != nil {
			return "", err
		}
		got = append(got, string(b))
	}
	if got[0] != got[len(got)-1] {
		return "", &text.Hint{Err: errors.New("the two passwords differ"), Hint: "try again"}
	}
	return got[0], nil
}

// longestLine is in bytes.
const longestLine = 4096

// line reads one line of standard input, and nothing beyond it.
func (c *cli) line() (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) < longestLine; {
		n, err := c.in.Read(b)
		if n == 1 && b[0] == '\n' || errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("failed to read standard input: %w", err)
		}
		line = append(line, b[:n]...)
	}
	return strings.TrimRight(string(line), "\r"), nil
}
