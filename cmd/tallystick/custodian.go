package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/audit/custody"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) reencryptSend() *cobra.Command {
	var k keyFolder
	var card string
	cmd := &cobra.Command{Use: "send ENVELOPE --custodian CARD --keys DIR", Short: "Hand an envelope to its custodian", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e, err := readFile(args[0], grant.ParseEnvelope)
			if err != nil {
				return err
			}
			by, err := k.signer(c)
			if err != nil {
				return err
			}
			to, err := clients([]string{card}, by)
			if err != nil {
				return err
			}
			if err := refused(to[0].Keep(cmd.Context(), e)); err != nil {
				return err
			}
			fmt.Fprintf(c.out, "%s keeps its share of grant %s\n", to[0].name, e.Grant)
			return nil
		}}
	k.add(cmd)
	cmd.Flags().StringVar(&card, "custodian", "", "the custodian's card")
	_ = cmd.MarkFlagRequired("custodian")
	return cmd
}

func (c *cli) reencryptRevoke() *cobra.Command {
	var k keyFolder
	var cards []string
	var reason string
	cmd := &cobra.Command{Use: "revoke GRANT --reason TEXT --custodian CARD... --keys DIR", Short: "Let custodians delete their shares of a grant",
		Long: "GRANT is the number of a grant, or its file. A revocation works once all but threshold - 1 custodians have deleted, and takes\n" +
			"back nothing that was opened before. Exit code 1: not all of the custodians given have deleted.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := grantID(args[0])
			if err != nil {
				return err
			}
			d, err := grant.NewRevocation(grant.Revocation{Grant: id, Reason: reason})
			if err != nil {
				return err
			}
			by, err := k.signer(c)
			if err != nil {
				return err
			}
			if err := d.Sign(grant.ActRevoke, by); err != nil {
				return err
			}
			asked, err := clients(cards, by)
			if err != nil {
				return err
			}
			failed := false
			for _, a := range asked {
				if err := a.Revoke(cmd.Context(), d); err != nil {
					failed = true
					fmt.Fprintf(c.out, "%s: NOT deleted: %s\n", a.name, oneLine(err.Error()))
					continue
				}
				fmt.Fprintf(c.out, "%s: deleted\n", a.name)
			}
			if failed {
				return errNo
			}
			return nil
		}}
	k.add(cmd)
	cmd.Flags().StringArrayVar(&cards, "custodian", nil, "card of a custodian; all of them")
	cmd.Flags().StringVar(&reason, "reason", "", "why; it stands in the custodians' trails")
	_ = cmd.MarkFlagRequired("custodian")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

// grantID is the number of a grant, given as such or by its file.
func grantID(s string) (string, error) {
	if _, err := os.Stat(s); err != nil {
		return s, nil
	}
	g, err := readGrant(s)
	if err != nil {
		return "", err
	}
	return g.ID(), nil
}

func readGrant(path string) (*grant.Grant, error) {
	return readFile(path, func(b []byte) (*grant.Grant, error) {
		var g grant.Grant
		if json.Unmarshal(b, &g) != nil {
			return nil, errors.New("not the file of a grant")
		}
		return &g, nil
	})
}

// client is a client of a named custodian.
type client struct {
	*custody.Client
	name string
}

// clients makes a client of each custodian whose card is given.
func clients(cards []string, by grant.Signer) ([]client, error) {
	list, _, err := readCustodians(cards)
	if err != nil {
		return nil, err
	}
	var out []client
	for _, card := range list {
		k, err := card.Client(by)
		if err != nil {
			return nil, err
		}
		out = append(out, client{k, card.Name})
	}
	return out, nil
}

// refused gives a custodian's no a hint.
func refused(err error) error {
	var r *custody.Refusal
	if errors.As(err, &r) {
		return &text.Hint{Err: fmt.Errorf("the custodian refused: %w", err), Hint: "its trail has the reason " + r.Reason}
	}
	return err
}

// runCustodian runs a custodian until ctx ends.
func (c *cli) runCustodian(ctx context.Context, level string) (err error) {
	if c.configPath == "" {
		return &text.Hint{Err: errors.New("a custodian has its own configuration"), Hint: "tallystick run --target custodian --config custodian.yaml"}
	}
	k, err := services.OpenCustodian(ctx, c.configPath, c.passphrase, logger(c.err, level))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	fmt.Fprintf(c.out, "custodian: %s\n", k.Addr())
	return k.Run(ctx)
}
