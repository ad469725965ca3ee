package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/reencrypt"
)

// sealed is something that an officer sealed for one person.
type sealed struct {
	To         string `json:"to"` // fingerprint of the person's card
	Capsule    []byte `json:"capsule"`
	Ciphertext []byte `json:"ciphertext"`
}

// maxSealed bounds what is sealed at once, in bytes.
const maxSealed = 64 << 20

func (c *cli) reencryptSeal() *cobra.Command {
	var card, fingerprint, out string
	cmd := &cobra.Command{Use: "seal --to CARD --fingerprint HEX -o FILE", Short: "Seal standard input to a person, for example opened originals to the one whom they are about",
		Long:    "CARD is what tallystick reencrypt keygen made for that person. Compare the fingerprint with the person first.",
		Example: "  tallystick reencrypt open --bundle case.bundle --pins pins.yaml --keys DIR | tallystick reencrypt seal --to person.json --fingerprint HEX -o answer.sealed",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			r, err := readReader(card)
			if err != nil {
				return err
			}
			to, err := r.Card()
			if err != nil {
				return fmt.Errorf("%s: %w", card, err)
			}
			if fingerprint != r.Fingerprint() {
				return &text.Hint{Err: fmt.Errorf("the card %s has another fingerprint", card), Hint: "somebody may have exchanged the card: ask the person"}
			}
			clear, err := io.ReadAll(io.LimitReader(c.in, maxSealed+1))
			if err != nil {
				return fmt.Errorf("failed to read standard input: %w", err)
			}
			if len(clear) == 0 || len(clear) > maxSealed {
				return &text.Hint{Err: errors.New("standard input is empty, or larger than 64 MiB"), Hint: "tallystick reencrypt open ... | tallystick reencrypt seal ..."}
			}
			capsule, secret, err := to.Key.Encapsulate()
			if err != nil {
				return err
			}
			s := sealed{To: r.Fingerprint(), Capsule: capsule.Bytes()}
			if s.Ciphertext, err = secret.Seal(capsule, clear); err != nil {
				return err
			}
			return saveJSON(out, &s)
		}}
	f := cmd.Flags()
	f.StringVar(&card, "to", "", "the person's card")
	f.StringVar(&fingerprint, "fingerprint", "", "as the person read it to you")
	f.StringVarP(&out, "output", "o", "", "file to write")
	for _, n := range []string{"to", "fingerprint", "output"} {
		_ = cmd.MarkFlagRequired(n)
	}
	return cmd
}

func (c *cli) reencryptUnseal() *cobra.Command {
	var k keyFolder
	cmd := &cobra.Command{Use: "unseal FILE --keys DIR", Short: "Print what was sealed to you", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := readFile(args[0], func(b []byte) (*sealed, error) {
				var s sealed
				if json.Unmarshal(b, &s) != nil {
					return nil, grant.ErrText
				}
				return &s, nil
			})
			if err != nil {
				return err
			}
			store, _, err := keys.OpenFolder(k.dir, c.passphrase)
			if err != nil {
				return err
			}
			pair, err := store.Reencrypt(readerName)
			if err != nil {
				return err
			}
			key, _, err := pair.Primary()
			if err != nil {
				return err
			}
			clear, err := unseal(key, s)
			if err != nil {
				return &text.Hint{Err: fmt.Errorf("%s does not open: %w", args[0], err), Hint: "it was sealed to another card, or the file was changed"}
			}
			_, err = c.out.Write(clear)
			return err
		}}
	k.add(cmd)
	return cmd
}

func unseal(key *reencrypt.PrivateKey, s *sealed) ([]byte, error) {
	capsule, err := reencrypt.ParseCapsule(s.Capsule)
	if err != nil {
		return nil, err
	}
	secret, err := key.Decapsulate(capsule)
	if err != nil {
		return nil, err
	}
	return secret.Unseal(capsule, s.Ciphertext)
}
