package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/audit/custody"
	"github.com/tallystick/tallystick/audit/evidence"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plainaccess"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) reencryptBundle() *cobra.Command {
	var out, reason string
	cmd := &cobra.Command{Use: "bundle ENTRY... --reason TICKET -o FILE", Short: "Write entries with their sealed originals and proofs to a bundle",
		Example: `  tallystick reencrypt bundle --reason CASE-7 -o case-7.bundle $(tallystick sql --format csv "SELECT event_id FROM entries WHERE status_code = 403" | tail -n +2)`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				res, err := ops.Evidence(cmd.Context(), services.EvidenceRequest{Entries: args, Reason: reason})
				if err != nil {
					return err
				}
				if err := writeNew(out, res.Data); err != nil {
					return err
				}
				fmt.Fprintf(c.out, "%d entries, %d sealed originals under %d capsules\n", res.Entries, res.Originals, res.Capsules)
				return nil
			})
		}}
	cmd.Flags().StringVarP(&out, "output", "o", "", "file to write")
	cmd.Flags().StringVar(&reason, "reason", "", "why; it stands in the trail")
	_ = cmd.MarkFlagRequired("output")
	_ = cmd.MarkFlagRequired("reason")
	return cmd
}

// writeNew writes a file that is not there yet, for its owner only.
func writeNew(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return &text.Hint{Err: fmt.Errorf("the file %s exists", path), Hint: "give another path, or move the file away"}
	}
	if err != nil {
		return fmt.Errorf("failed to write %s: %w", path, err)
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Close())
}

func (c *cli) reencryptOpen() *cobra.Command {
	var k keyFolder
	var bundle, file, pins, save string
	var cards []string
	cmd := &cobra.Command{Use: "open --bundle FILE --pins FILE --keys DIR [--grant FILE --custodian CARD...]", Short: "Open the originals of a bundle, on the reader's own machine",
		Long: "It verifies that everything in the bundle is in the ledger, asks the custodians, verifies what each of them answers and\n" +
			"prints the originals: entry, field and value, with tabs between. As many custodians as the threshold suffice. --save writes\n" +
			"the bundle with what they answered: it opens again for the same reader without them. Exit code 1: too few answered.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := c.reading(bundle, file, pins, &k, cards)
			if err != nil {
				return err
			}
			opened, outcomes, err := r.Open(cmd.Context())
			for _, o := range outcomes {
				if o.Err != nil {
					fmt.Fprintf(c.err, "%s: no valid fragment of capsule %s: %s\n", o.Custodian, o.Capsule, oneLine(o.Err.Error()))
				}
			}
			if errors.Is(err, custody.ErrTooFew) {
				fmt.Fprintln(c.err, oneLine(err.Error()))
				return errNo
			}
			if err != nil {
				return err
			}
			for _, o := range opened {
				fmt.Fprintf(c.out, "%s\t%s\t%s\n", o.Original.Origin.EntryID(), o.Original.Field, o.Value.Reveal(plainaccess.Token{}))
			}
			if save == "" {
				return nil
			}
			var b strings.Builder
			if err := r.Bundle.Write(&b); err != nil {
				return err
			}
			return writeNew(save, []byte(b.String()))
		}}
	k.add(cmd)
	f := cmd.Flags()
	f.StringVar(&bundle, "bundle", "", "the bundle")
	f.StringVar(&file, "grant", "", "file of the grant (default the one in the bundle)")
	f.StringVar(&pins, "pins", "", "your file of pinned keys")
	f.StringArrayVar(&cards, "custodian", nil, "card of a custodian to ask; all of them")
	f.StringVar(&save, "save", "", "write the bundle with the fragments")
	_ = cmd.MarkFlagRequired("bundle")
	_ = cmd.MarkFlagRequired("pins")
	return cmd
}

func (c *cli) reading(bundle, file, pins string, k *keyFolder, cards []string) (*custody.Reading, error) {
	r := &custody.Reading{Now: time.Now}
	var err error
	if r.Pins, err = grant.ReadPins(pins); err != nil {
		return nil, err
	}
	if r.Bundle, err = readFile(bundle, evidence.Read); err != nil {
		return nil, err
	}
	r.Grant = r.Bundle.Grant
	if file != "" {
		if r.Grant, err = readGrant(file); err != nil {
			return nil, err
		}
	}
	if r.Grant == nil {
		return nil, &text.Hint{Err: errors.New("the bundle has no grant in it"), Hint: "give the file that the key officer sent you with --grant"}
	}
	s, _, err := keys.OpenFolder(k.dir, c.passphrase)
	if err != nil {
		return nil, err
	}
	sign, err := s.PersonSigner()
	if err != nil {
		return nil, err
	}
	r.Sign = sign
	pair, err := s.Reencrypt(readerName)
	if err != nil {
		return nil, err
	}
	if r.Key, _, err = pair.Primary(); err != nil {
		return nil, err
	}
	asked, err := clients(cards, sign)
	for _, a := range asked {
		r.Custodians = append(r.Custodians, custody.Asked{Name: a.name, Client: a})
	}
	return r, err
}
