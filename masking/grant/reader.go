package grant

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"

	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/reencrypt"
)

const readerKind = "tallystick reader v1"

// Card says who a reader is and which keys are theirs.
type Card struct {
	Name string
	Sign ed25519.PublicKey    // signs read requests
	Key  *reencrypt.PublicKey // what originals are re-encrypted to
}

// Reader is a card with its proofs: Document is signed by the reader and by
// who confirms, Proof is by the reader's Key.
type Reader struct {
	Document
	Proof []byte `json:"proof"`
}

// NewReader makes and signs the card of a reader.
func NewReader(name string, sign Signer, key *reencrypt.PrivateKey) (*Reader, error) {
	l := lines{kind: readerKind}
	l.add("name", name)
	l.add("sign", KeyText(sign.Public()))
	l.add("key", base64.StdEncoding.EncodeToString(key.Public().Bytes()))
	text, err := l.text()
	if err != nil {
		return nil, err
	}
	r := &Reader{Document: Document{Text: text}}
	if err := r.Sign(actReader, sign); err != nil {
		return nil, err
	}
	if r.Proof, err = key.Sign(message(actReader, text)); err != nil {
		return nil, err
	}
	return r, nil
}

// ParseReader reads the JSON of a reader. Nothing of it is checked.
func ParseReader(b []byte) (*Reader, error) {
	var r Reader
	if err := decode(b, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// Fingerprint names the reader: the ID of the card.
func (r *Reader) Fingerprint() string { return ID(r.Text) }

// Card checks that the reader has the private halves of both keys.
func (r *Reader) Card() (*Card, error) {
	f, err := parseLines(r.Text, readerKind, "name", "sign", "key")
	if err != nil {
		return nil, err
	}
	c := &Card{Name: f["name"]}
	if c.Sign, err = keys.ParsePublic(f["sign"]); err != nil {
		return nil, fmt.Errorf("%w: sign is no key", ErrText)
	}
	raw, err := base64.StdEncoding.DecodeString(f["key"])
	if err != nil {
		return nil, fmt.Errorf("%w: key is no key", ErrText)
	}
	if c.Key, err = reencrypt.NewPublicKey(raw); err != nil {
		return nil, err
	}
	by, err := r.by(actReader)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(by, f["sign"]) || c.Key.Verify(message(actReader, r.Text), r.Proof) != nil {
		return nil, ErrUnproven
	}
	return c, nil
}

// CheckReader returns the card of a reader whom a pinned person confirmed, and
// the name of that person. Nobody confirms the own card.
func (p *Pins) CheckReader(r *Reader) (*Card, string, error) {
	c, err := r.Card()
	if err != nil {
		return nil, "", err
	}
	by, err := p.signed(&r.Document, ActConfirm)
	if err != nil {
		return nil, "", err
	}
	by = slices.DeleteFunc(by, func(k string) bool { return k == KeyText(c.Sign) })
	if len(by) == 0 {
		return nil, "", ErrConfirmed
	}
	return c, p.Name(by[0]), nil
}
