package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

// credentials asks for the password of the account that --as names.
func (c *cli) credentials(as string) (services.Credentials, error) {
	if as == "" {
		return services.Credentials{}, &text.Hint{Err: errors.New("this act takes two people, each under an account of the console"), Hint: "--as NAME; the password comes by prompt or standard input"}
	}
	password, err := c.secret("Password", "password")
	return services.Credentials{Name: as, Password: password}, err
}

// requestKeyAct asks for an act that a second person approves.
func (c *cli) requestKeyAct(cmd *cobra.Command, r services.KeyActRequest, as string) (err error) {
	if r.Account, err = c.credentials(as); err != nil {
		return err
	}
	return c.withOperations(cmd.Context(), func(ops services.Operations) error {
		res, err := ops.RequestKeyAct(cmd.Context(), r)
		if err == nil {
			fmt.Fprintf(c.out, "request %d: %s\nanother person with the role key_officer decides: tallystick approve %d --as NAME, or in the console\n", res.Approval, res.Object, res.Approval)
		}
		return err
	})
}

func (c *cli) keysDestroy() *cobra.Command {
	var as, reason string
	cmd := &cobra.Command{
		Use: "destroy ID --reason TICKET --as NAME", Short: "Ask for a key to be destroyed before its time",
		Long: "A second person with the role key_officer approves; then the key is destroyed within a minute, for ever. It takes a key of\n" +
			"pseudonyms, or one of lines or webhooks that is no more in use. Make a new back-up of the keys afterwards and delete the old ones.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.requestKeyAct(cmd, services.KeyActRequest{ID: args[0], Reason: reason}, as)
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "a ticket; whoever approves reads it")
	cmd.Flags().StringVar(&as, "as", "", "your account")
	return cmd
}

func (c *cli) keysDelay() *cobra.Command {
	var as, reason, until string
	cmd := &cobra.Command{
		Use: "delay ID --until DAY --reason TICKET --as NAME", Short: "Ask for the scheduled destruction of a pseudonym key to be put off",
		Long: "A second person with the role key_officer approves. As long as the key lives, whoever holds it can test a guess against the\n" +
			"entries of its day.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			day, err := time.Parse(time.DateOnly, until)
			if err != nil {
				return &text.Hint{Err: errors.New("the day is not understood"), Hint: "--until 2027-03-31"}
			}
			return c.requestKeyAct(cmd, services.KeyActRequest{ID: args[0], Reason: reason, Until: day.AddDate(0, 0, 1)}, as)
		},
	}
	cmd.Flags().StringVar(&until, "until", "", "the last day on which the key exists")
	cmd.Flags().StringVar(&reason, "reason", "", "a ticket; whoever approves reads it")
	cmd.Flags().StringVar(&as, "as", "", "your account")
	return cmd
}

func (c *cli) approveCommand() *cobra.Command {
	var as string
	var deny bool
	cmd := &cobra.Command{
		Use: "approve N --as NAME", Short: "Decide on a request that takes two people", Args: cobra.ExactArgs(1),
		Long: "Whoever requested never decides. The console lists the requests under Approvals.",
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := strconv.ParseInt(args[0], 10, 64)
			if err != nil {
				return &text.Hint{Err: errors.New("the number of the request is not understood"), Hint: "tallystick approve 3 --as NAME"}
			}
			account, err := c.credentials(as)
			if err != nil {
				return err
			}
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				res, err := ops.Decide(cmd.Context(), services.DecideRequest{ID: n, Deny: deny, Account: account})
				if err == nil {
					fmt.Fprintf(c.out, "%s: %s\n", map[bool]string{false: "approved", true: "denied"}[deny], res.Object)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&as, "as", "", "your account")
	cmd.Flags().BoolVar(&deny, "deny", false, "deny it")
	return cmd
}
