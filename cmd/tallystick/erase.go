package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tallystick/tallystick/audit/erased"
	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

// erasing are the flags of erase.
type erasing struct {
	request, user, file, language string
	dryRun, yes, more, json       bool

	password string
	ids      []services.Identifier // nil until they are read
}

func (c *cli) eraseCommand() *cobra.Command {
	var f erasing
	cmd := &cobra.Command{
		Use:   "erase --request N [--user NAME] [--dry-run] [--identifiers FILE]",
		Short: "Erase a person, as a request of the register asks",
		Long: "Takes away what ties the record to a person: links, sealed originals, and stored reports that show the person's pseudonyms.\n" +
			"Entries and the ledger stay; old proofs still hold. Lines from before bring nothing back, lines from after are findings of RT-01.\n\n" +
			"The first call is made under an account with the role officer. It asks for its password and for the person's identifiers, one KIND:VALUE a\n" +
			"line: email:..., customer_id:..., user:... for a user name. Both come by prompt or standard input, the password as its first line; the\n" +
			"identifiers may come from a file of mode 0600 instead, and never as arguments. It shows what there is and, once confirmed, asks for the\n" +
			"approval of a second person: /approvals of the console, or tallystick approve. A running instance erases as soon as it is approved; without\n" +
			"one, call erase again. Each later call shows how the erasure stands and, at the end, the answer for the person; it needs no account.",
		Example: "  tallystick erase --request DSR-7 --user ana --dry-run\n  tallystick erase --request DSR-7 --user ana --identifiers person.txt --yes\n  tallystick erase --request DSR-7 --language pt-BR",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.request == "" {
				return &text.Hint{Err: errors.New("--request is missing"), Hint: "give the id of the request in the register: tallystick erase --request DSR-7"}
			}
			if f.dryRun || f.file != "" && f.file != "-" { // before anything is opened
				if err := c.asked(&f); err != nil {
					return err
				}
			}
			return c.withNewOperations(cmd.Context(), func(ops services.Operations) error { return c.erase(cmd.Context(), ops, f) })
		},
	}
	g := cmd.Flags()
	g.StringVar(&f.request, "request", "", "id of the request in the register of requests")
	g.StringVar(&f.user, "user", "", "your account, which asks for the erasure")
	g.BoolVar(&f.dryRun, "dry-run", false, "only show what there is")
	g.StringVar(&f.file, "identifiers", "", "file of mode 0600 with the person's identifiers, one KIND:VALUE a line; - is standard input")
	g.BoolVar(&f.yes, "yes", false, "do not ask for confirmation")
	g.BoolVar(&f.more, "more", false, "erase further identifiers of a request that is done")
	g.BoolVar(&f.json, "json", false, "print the answer as JSON")
	g.StringVar(&f.language, "language", "en", "of the answer: en or pt-BR")
	return cmd
}

func (c *cli) erase(ctx context.Context, ops services.Operations, f erasing) error {
	if !f.dryRun {
		res, err := ops.Erase(ctx, services.EraseRequest{Request: f.request, Language: f.language})
		if err != nil {
			return err
		}
		again := f.more && (res.Answer.State == erased.StateDone || res.Answer.State == erased.StateRefused)
		if res.Answer.State != "" && !again {
			return c.printErasure(res, f.json)
		}
	}
	if f.ids == nil {
		if err := c.asked(&f); err != nil {
			return err
		}
	}
	order := services.EraseRequest{Request: f.request, Identifiers: f.ids, DryRun: true, Language: f.language, User: f.user, Password: f.password}
	found, err := ops.Erase(ctx, order)
	if err != nil {
		return err
	}
	if f.dryRun {
		return c.printErasure(found, f.json)
	}
	for _, l := range found.Lines {
		fmt.Fprintln(c.err, l)
	}
	if !f.yes {
		if err := c.confirm(f.request); err != nil {
			return err
		}
	}
	order.DryRun = false
	res, err := ops.Erase(ctx, order)
	if err != nil {
		return err
	}
	return c.printErasure(res, f.json)
}

func (c *cli) printErasure(r *services.EraseResult, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(c.out)
		e.SetIndent("", "  ")
		return e.Encode(r.Answer)
	}
	for _, l := range r.Lines {
		fmt.Fprintln(c.out, l)
	}
	return nil
}

// asked reads who asks, and about whom.
func (c *cli) asked(f *erasing) (err error) {
	if f.user == "" {
		return &text.Hint{
			Err:  errors.New("an erasure takes two people, each under an account of the console"),
			Hint: "--user NAME; the password comes by prompt or as the first line of standard input, before the identifiers",
		}
	}
	if f.password, err = c.currentPassword(); err != nil {
		return err
	}
	f.ids, err = c.identifiers(f.file)
	return err
}

// maxIdentifiers is how many bytes of identifiers are read.
const maxIdentifiers = 1 << 20

// identifiers reads the person's identifiers, one KIND:VALUE a line.
func (c *cli) identifiers(file string) ([]services.Identifier, error) {
	in := c.in
	switch f, ok := c.in.(*os.File); {
	case file != "" && file != "-":
		b, err := private.Read("the file of identifiers", file)
		if err != nil {
			return nil, err
		}
		in = bytes.NewReader(b)
	case ok && term.IsTerminal(int(f.Fd())):
		fmt.Fprintln(c.err, "Identifiers of the person, one KIND:VALUE a line, such as email:... or user:...; an empty line ends.")
	}
	var out []services.Identifier
	lines := bufio.NewScanner(io.LimitReader(in, maxIdentifiers))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			if in == c.in && file == "" {
				break
			}
			continue
		}
		kind, value, ok := strings.Cut(line, ":")
		kind, value = strings.TrimSpace(kind), strings.TrimSpace(value)
		if !ok || kind == "" || value == "" {
			return nil, &text.Hint{Err: fmt.Errorf("line %d of the identifiers is not KIND:VALUE", n), Hint: "write email:, customer_id: or another kind of subject of the data map before the value, or user: before a user name"}
		}
		out = append(out, services.Identifier{Kind: kind, Value: value})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("failed to read the identifiers: %w", err)
	}
	if len(out) == 0 {
		return nil, &text.Hint{Err: errors.New("no identifiers were given"), Hint: "give them on standard input or with --identifiers FILE, one KIND:VALUE a line"}
	}
	return out, nil
}

// confirm asks for the request's id once more.
func (c *cli) confirm(request string) error {
	f, ok := c.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return &text.Hint{Err: errors.New("the erasure was not confirmed"), Hint: "run it in a terminal, or give --yes after looking at --dry-run"}
	}
	fmt.Fprintf(c.err, "This can't be undone. Write %s to ask for the approval of a second person: ", request)
	var got [128]byte
	n, err := f.Read(got[:])
	if err != nil || strings.TrimSpace(string(got[:n])) != request {
		return &text.Hint{Err: errors.New("the erasure was not confirmed"), Hint: "nothing was changed; run it again"}
	}
	return nil
}

func (c *cli) approveCommand() *cobra.Command {
	var req services.DecideRequest
	var deny bool
	cmd := &cobra.Command{
		Use:   "approve N --user NAME [--deny]",
		Short: "Decide as a second person on what waits for one",
		Long: "Approves or denies an act that needs a second person, under an account with the role for it. The account's password comes by prompt or\n" +
			"standard input. Whoever requested does not approve. The console lists what waits under /approvals.",
		Example: "  tallystick approve 12 --user bea",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if req.ID, err = strconv.ParseInt(args[0], 10, 64); err != nil {
				return &text.Hint{Err: fmt.Errorf("%q is not the number of an approval", args[0]), Hint: "the console lists them under /approvals"}
			}
			if req.User == "" {
				return &text.Hint{Err: errors.New("--user is missing"), Hint: "give the account that decides: tallystick approve " + args[0] + " --user NAME"}
			}
			if req.Password, err = c.currentPassword(); err != nil {
				return err
			}
			req.Approve = !deny
			return c.withNewOperations(cmd.Context(), func(ops services.Operations) error {
				if err := ops.Decide(cmd.Context(), req); err != nil {
					return err
				}
				fmt.Fprintln(c.out, map[bool]string{true: "approved", false: "denied"}[req.Approve])
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&req.User, "user", "", "name of the account that decides")
	cmd.Flags().BoolVar(&deny, "deny", false, "deny it")
	return cmd
}
