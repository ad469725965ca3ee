package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

// requestKeyAct asks for an act that a second person approves.
func (c *cli) requestKeyAct(cmd *cobra.Command, r services.KeyActRequest) (err error) {
	if r.User == "" {
		return &text.Hint{Err: errors.New("this act takes two people, each under an account of the console"), Hint: "--user NAME; the password comes by prompt or standard input"}
	}
	if r.Password, err = c.currentPassword(); err != nil {
		return err
	}
	return c.withRegisters(cmd.Context(), func(ops services.RegisterOperations) error {
		res, err := ops.RequestKeyAct(cmd.Context(), r)
		if err == nil {
			fmt.Fprintf(c.out, "approval %d: %s\nanother person with the role key_officer decides: tallystick approve %d --user NAME, or Approvals in the console\n", res.Approval, res.Object, res.Approval)
		}
		return err
	})
}

func (c *cli) keysDestroy() *cobra.Command {
	var r services.KeyActRequest
	cmd := &cobra.Command{
		Use: "destroy ID --reason TICKET --user NAME", Short: "Ask for a key to be destroyed before its time",
		Long: "A second person with the role key_officer approves; then the key is destroyed within a minute, for ever. It takes a key of\n" +
			"pseudonyms, or one of lines or webhooks that is no more in use. Make a new back-up of the keys afterwards and delete the old ones.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.ID = args[0]
			return c.requestKeyAct(cmd, r)
		},
	}
	cmd.Flags().StringVar(&r.Reason, "reason", "", "a ticket; whoever approves reads it")
	cmd.Flags().StringVar(&r.User, "user", "", "your account")
	return cmd
}

func (c *cli) keysDelay() *cobra.Command {
	var r services.KeyActRequest
	var until string
	cmd := &cobra.Command{
		Use: "delay ID --until DAY --reason TICKET --user NAME", Short: "Ask for the scheduled destruction of a pseudonym key to be put off",
		Long: "A second person with the role key_officer approves. As long as the key lives, whoever holds it can test a guess against the\n" +
			"entries of its day.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			day, err := time.Parse(time.DateOnly, until)
			if err != nil {
				return &text.Hint{Err: errors.New("the day is not understood"), Hint: "--until 2027-03-31"}
			}
			r.ID, r.Until = args[0], day.AddDate(0, 0, 1)
			return c.requestKeyAct(cmd, r)
		},
	}
	cmd.Flags().StringVar(&until, "until", "", "the last day on which the key exists")
	cmd.Flags().StringVar(&r.Reason, "reason", "", "a ticket; whoever approves reads it")
	cmd.Flags().StringVar(&r.User, "user", "", "your account")
	return cmd
}
