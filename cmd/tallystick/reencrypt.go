package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/audit/custody"
	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/services"
)

// readerName is the keyset of a reader's key pair.
const readerName = "reader"

func (c *cli) reencryptCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "reencrypt", Short: "Read masked originals again, with a grant and several custodians"}
	cmd.AddCommand(c.reencryptKeygen(), c.reencryptConfirm(), c.reencryptRequest(), c.reencryptApprove(), c.reencryptRegister(), c.reencryptGrant(),
		c.reencryptSend(), c.reencryptRevoke(), c.reencryptBundle(), c.reencryptOpen(), c.reencryptSeal(), c.reencryptUnseal())
	return cmd
}

func (c *cli) reencryptKeygen() *cobra.Command {
	var k keyFolder
	var name, out string
	cmd := &cobra.Command{Use: "keygen --keys DIR --name NAME -o CARD", Short: "Make a reader's keys and card", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			s, err := k.create(c, keys.RolePerson)
			if err != nil {
				return err
			}
			sign, err := s.PersonSigner()
			if err != nil {
				return err
			}
			pair, err := s.CreateReencrypt(readerName)
			if err != nil {
				return err
			}
			key, _, err := pair.Primary()
			if err != nil {
				return err
			}
			r, err := grant.NewReader(name, sign, key)
			if err != nil {
				return err
			}
			if err := saveJSON(out, r); err != nil {
				return err
			}
			fmt.Fprintf(c.out, "%sfingerprint: %s\n", r.Text, r.Fingerprint())
			return nil
		}}
	k.addNew(cmd)
	cmd.Flags().StringVar(&name, "name", "", "who the reader is: a person and an office")
	cmd.Flags().StringVarP(&out, "output", "o", "reader.json", "the card, with the proof that you hold its keys")
	_ = cmd.MarkFlagRequired("name")
	return cmd
}

func (c *cli) reencryptConfirm() *cobra.Command {
	var k keyFolder
	var fingerprint string
	cmd := &cobra.Command{Use: "confirm CARD --fingerprint HEX --keys DIR", Short: "Confirm that a reader is who the card says",
		Long: "Compare the fingerprint with the reader on another way than the one on which the card came, then give it here.",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := readReader(args[0])
			if err != nil {
				return err
			}
			if _, err := r.Card(); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if fingerprint != r.Fingerprint() {
				return &text.Hint{Err: fmt.Errorf("the card %s has another fingerprint", args[0]), Hint: "somebody may have exchanged the card: ask the reader"}
			}
			by, err := k.signer(c)
			if err != nil {
				return err
			}
			if err := r.Sign(grant.ActConfirm, by); err != nil {
				return err
			}
			return replaceJSON(args[0], r)
		}}
	k.add(cmd)
	cmd.Flags().StringVar(&fingerprint, "fingerprint", "", "as the reader read it to you")
	_ = cmd.MarkFlagRequired("fingerprint")
	return cmd
}

func (c *cli) reencryptRequest() *cobra.Command {
	var k keyFolder
	var card, from, until, ends, out string
	var r grant.Request
	cmd := &cobra.Command{
		Use:   "request --reader CARD --class CLASS --from DATE --until DATE --purpose TEXT --ground TEXT --ticket TEXT --ends TIME --keys DIR -o FILE",
		Short: "Ask for a grant: sign what is to be read, why and until when", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			reader, err := readReader(card)
			if err != nil {
				return err
			}
			r.Reader = reader.Fingerprint()
			for _, t := range []struct {
				flag, value string
				to          *time.Time
			}{{"from", from, &r.From}, {"until", until, &r.Until}, {"ends", ends, &r.Ends}} {
				if *t.to, err = parseTime(t.value); err != nil {
					return &text.Hint{Err: fmt.Errorf("--%s: not a date or time", t.flag), Hint: "--" + t.flag + " 2026-11-21 or 2026-11-21T12:00:00Z"}
				}
			}
			d, err := grant.NewRequest(r)
			if err != nil {
				return err
			}
			by, err := k.signer(c)
			if err != nil {
				return err
			}
			if err := d.Sign(grant.ActRequest, by); err != nil {
				return err
			}
			fmt.Fprint(c.out, d.Text)
			return saveJSON(out, d)
		}}
	k.add(cmd)
	f := cmd.Flags()
	f.StringVar(&card, "reader", "", "the reader's card")
	f.StringVar(&r.Class, "class", "", "vault class")
	f.StringVar(&from, "from", "", "first day or moment of the entries, UTC")
	f.StringVar(&until, "until", "", "the day or moment after the last")
	f.StringVar(&r.Purpose, "purpose", "", "what for")
	f.StringVar(&r.Ground, "ground", "", "legal ground, for example GDPR Art. 58(1)(e)")
	f.StringVar(&r.Ticket, "ticket", "", "number of the case")
	f.StringVar(&ends, "ends", "", "when custodians stop")
	f.IntVar(&r.Transforms, "transforms", 100, "how many capsules each custodian transforms at most")
	f.IntVar(&r.PerHour, "per-hour", 20, "and how many of them in an hour")
	f.StringVarP(&out, "output", "o", "request.json", "the signed request")
	for _, n := range []string{"reader", "class", "from", "until", "purpose", "ground", "ticket", "ends"} {
		_ = cmd.MarkFlagRequired(n)
	}
	return cmd
}

// parseTime reads a day or a moment, UTC.
func parseTime(s string) (time.Time, error) {
	if t, err := time.Parse("2006-01-02", s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, s)
}

func (c *cli) reencryptApprove() *cobra.Command {
	var k keyFolder
	cmd := &cobra.Command{Use: "approve REQUEST --keys DIR", Short: "Read a request and sign that you approve it",
		Long: "Two people approve, neither the requester nor the reader. What you sign is the text that is printed.",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := readDocument(args[0])
			if err != nil {
				return err
			}
			if _, err := grant.ParseRequest(d.Text); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			by, err := k.signer(c)
			if err != nil {
				return err
			}
			if err := d.Sign(grant.ActApprove, by); err != nil {
				return err
			}
			fmt.Fprint(c.out, d.Text)
			return replaceJSON(args[0], d)
		}}
	k.add(cmd)
	return cmd
}

func (c *cli) reencryptRegister() *cobra.Command {
	return &cobra.Command{Use: "register FILE", Short: "Register a confirmed reader or an approved request with the installation",
		Long: "The signatures are checked against vault.pins, and the act is in the trail. What a custodian does for a grant that is not\n" +
			"registered is a finding of EX-04.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("failed to read the file: %w", err)
			}
			if !json.Valid(b) {
				return fmt.Errorf("%s: %w", args[0], grant.ErrText)
			}
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				r, err := ops.RegisterGrant(cmd.Context(), services.GrantDocument{Document: b})
				if err == nil {
					fmt.Fprintf(c.out, "%s %s is registered\n", r.Kind, r.ID)
				}
				return err
			})
		}}
}

// granting is what the key officer makes a grant of.
type granting struct {
	officer                  officerFlags
	pins, request, card, out string
	custodians               []string
	threshold                int
}

func (c *cli) reencryptGrant() *cobra.Command {
	var g granting
	cmd := &cobra.Command{
		Use:   "grant --store DIR --half FILE --half FILE --pins FILE --request FILE --reader CARD --custodian CARD... --threshold 2 -o DIR",
		Short: "Make the key fragments of an approved request: the key officer, offline if need be",
		Long: "Each custodian gets an envelope that only it opens; DIR/grant.json is for the reader. The act is in the trail of the store\n" +
			"before a fragment is written, and a request is granted once.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.makeGrant(cmd.Context(), &g) },
	}
	g.officer.add(cmd)
	f := cmd.Flags()
	f.StringVar(&g.pins, "pins", "", "the key officer's file of pinned keys")
	f.StringVar(&g.request, "request", "", "the approved request")
	f.StringVar(&g.card, "reader", "", "the confirmed reader's card")
	f.StringArrayVar(&g.custodians, "custodian", nil, "card of a custodian; one each")
	f.IntVar(&g.threshold, "threshold", 2, "how many custodians it takes, at least 2")
	f.StringVarP(&g.out, "output", "o", "", "folder to make")
	for _, n := range []string{"pins", "request", "reader", "custodian", "output"} {
		_ = cmd.MarkFlagRequired(n)
	}
	return cmd
}

// makeGrant checks the request and writes grant and envelopes. What it does, or
// refuses, is in the trail of the store first.
func (c *cli) makeGrant(ctx context.Context, g *granting) (err error) {
	s, err := g.officer.open()
	if err != nil {
		return err
	}
	p, err := grant.ReadPins(g.pins)
	if err != nil {
		return err
	}
	d, err := readDocument(g.request)
	if err != nil {
		return err
	}
	reader, err := readReader(g.card)
	if err != nil {
		return err
	}
	cards, to, err := readCustodians(g.custodians)
	if err != nil {
		return err
	}
	pair, err := s.Reencrypt(signerName)
	if err != nil {
		return err
	}
	signer, _, err := pair.Primary()
	if err != nil {
		return err
	}
	trail, err := registers.Open(ctx, filepath.Join(g.officer.store, "trail.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, trail.Close()) }()
	made, envelopes, err := p.Make(d, reader, s, signer, g.threshold, to, time.Now())
	if err != nil {
		return errors.Join(err, trail.Record(ctx, "officer", "grant.make", "grant "+grant.ID(d.Text), false, "not valid"))
	}
	if err := trail.Grant(ctx, made.ID(), p.Signed(d)); err != nil {
		return err
	}
	return c.writeGrant(g.out, made, cards, envelopes)
}

func (c *cli) writeGrant(dir string, g *grant.Grant, cards []*custody.Card, envelopes []grant.Envelope) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("failed to make the folder: %w", err)
	}
	if err := saveJSON(filepath.Join(dir, "grant.json"), g); err != nil {
		return err
	}
	for i := range envelopes {
		if err := saveJSON(filepath.Join(dir, "share-"+cards[i].Name+".json"), &envelopes[i]); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "grant: %s\n%d of %d custodians\n", g.ID(), g.Threshold, len(envelopes))
	return nil
}

func readDocument(path string) (*grant.Document, error) { return readFile(path, grant.ParseDocument) }
func readReader(path string) (*grant.Reader, error)     { return readFile(path, grant.ParseReader) }

func readFile[T any](path string, parse func([]byte) (*T, error)) (*T, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read the file: %w", err)
	}
	v, err := parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}

// readCustodians reads the cards of custodians.
func readCustodians(paths []string) ([]*custody.Card, []grant.Custodian, error) {
	var cards []*custody.Card
	var out []grant.Custodian
	seen := map[string]bool{}
	for _, path := range paths {
		card, err := custody.ReadCard(path)
		if err != nil {
			return nil, nil, err
		}
		if seen[card.Key] || seen[card.Name] {
			return nil, nil, &text.Hint{Err: fmt.Errorf("%s: the custodian is there twice", path), Hint: "give each custodian's card once; two fragments in one hand are one hand"}
		}
		seen[card.Key], seen[card.Name] = true, true
		to, err := card.Recipient()
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		cards, out = append(cards, card), append(out, to)
	}
	return cards, out, nil
}

// replaceJSON writes a file anew, whole or not at all.
func replaceJSON(path string, v any) error {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return durable.Replace(path, append(b, '\n'), 0o644)
}
