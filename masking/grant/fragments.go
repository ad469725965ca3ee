package grant

import (
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/reencrypt"
)

// Grant is what a reader is given: the approved request and the vault keys it
// is about. It holds no secret.
type Grant struct {
	Request   Document        `json:"request"`
	Reader    Reader          `json:"reader"`
	Threshold int             `json:"threshold"`
	Vault     []keys.VaultKey `json:"vault"`
}

// Share is what one custodian is given, sealed to its inbox.
type Share struct {
	Grant
	// Fragments belong to Vault, one each. They are secret.
	Fragments [][]byte `json:"fragments"`
}

// Envelope is a share on its way.
type Envelope struct {
	Grant     string `json:"grant"`     // ID of the request
	Custodian string `json:"custodian"` // its public key, base64
	Sealed    []byte `json:"sealed"`
}

// Custodian is whom a share goes to.
type Custodian struct {
	Key   ed25519.PublicKey // names it and is its TLS key
	Inbox tink.HybridEncrypt
}

// ID names the grant.
func (g *Grant) ID() string { return ID(g.Request.Text) }

// Delegators opens the delegator key pairs of a class and month.
type Delegators interface {
	Reencrypt(name string) (*keys.ReencryptKeys, error)
	CreateVaultKey(class, month string) (keys.VaultKey, error)
}

// Make is what the key officer does with an approved request: fragments of the
// delegator key of each month, threshold t, one share for each custodian.
func (p *Pins) Make(d *Document, reader *Reader, store Delegators, signer *reencrypt.PrivateKey, t int, to []Custodian, now time.Time) (*Grant, []Envelope, error) {
	r, card, err := p.CheckApproved(d, reader, now)
	if err != nil {
		return nil, nil, err
	}
	if t < 2 || t > len(to) {
		return nil, nil, ErrThreshold
	}
	g := &Grant{Request: *d, Reader: *reader, Threshold: t}
	fragments := make([][][]byte, len(to))
	for _, month := range r.Months {
		pairs, err := store.Reencrypt(keys.VaultName(r.Class, month))
		if err != nil {
			return nil, nil, fmt.Errorf("failed to open the delegator key of %s %s: %w", r.Class, month, err)
		}
		pair, _, err := pairs.Primary()
		if err != nil {
			return nil, nil, err
		}
		public, err := store.CreateVaultKey(r.Class, month) // signs the public half of the one that is there
		if err != nil {
			return nil, nil, err
		}
		list, err := pair.Grant(card.Key, signer, t, len(to), reencrypt.BindBoth)
		if err != nil {
			return nil, nil, fmt.Errorf("failed to make fragments: %w", err)
		}
		g.Vault = append(g.Vault, public)
		for i, f := range list {
			fragments[i] = append(fragments[i], f.Bytes())
		}
	}
	out := make([]Envelope, len(to))
	for i, c := range to {
		if out[i], err = seal(&Share{Grant: *g, Fragments: fragments[i]}, c); err != nil {
			return nil, nil, err
		}
	}
	return g, out, nil
}

func seal(s *Share, to Custodian) (Envelope, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return Envelope{}, err
	}
	e := Envelope{Grant: s.ID(), Custodian: KeyText(to.Key)}
	if e.Sealed, err = to.Inbox.Encrypt(b, e.context()); err != nil {
		return Envelope{}, fmt.Errorf("failed to seal a share: %w", err)
	}
	return e, nil
}

func (e *Envelope) context() []byte {
	return []byte("tallystick share v1\x00" + e.Grant + "\x00" + e.Custodian)
}

// ParseEnvelope reads the JSON of an envelope.
func ParseEnvelope(b []byte) (*Envelope, error) {
	var e Envelope
	if err := decode(b, &e); err != nil {
		return nil, err
	}
	return &e, nil
}

// Open opens an envelope with the custodian's inbox. The share is not checked.
func (e *Envelope) Open(self ed25519.PublicKey, inbox tink.HybridDecrypt) (*Share, error) {
	if e.Custodian != KeyText(self) {
		return nil, ErrNotForThis
	}
	b, err := inbox.Decrypt(e.Sealed, e.context())
	if err != nil {
		return nil, ErrNotForThis
	}
	var s Share
	if err := decode(b, &s); err != nil {
		return nil, err
	}
	if s.ID() != e.Grant {
		return nil, ErrNotForThis
	}
	return &s, nil
}

// CheckGrant checks all that is public of a grant.
func (p *Pins) CheckGrant(g *Grant, now time.Time) (*Request, *Card, error) {
	r, card, err := p.CheckApproved(&g.Request, &g.Reader, now)
	if err != nil {
		return nil, nil, err
	}
	if g.Threshold < 2 {
		return nil, nil, ErrThreshold
	}
	var months []string
	for i := range g.Vault {
		v := &g.Vault[i]
		if err := v.Verify(p.officer()); err != nil {
			return nil, nil, err
		}
		if v.Class != r.Class {
			return nil, nil, ErrFragments
		}
		months = append(months, v.Month)
	}
	if !slices.Equal(months, r.Months) {
		return nil, nil, ErrFragments
	}
	return r, card, nil
}

// CheckShare is what a custodian does once, on receipt: a valid grant, and a
// fragment for each of its months that the officer's signer signed.
func (p *Pins) CheckShare(s *Share, now time.Time) (*Request, *Card, error) {
	r, card, err := p.CheckGrant(&s.Grant, now)
	if err != nil {
		return nil, nil, err
	}
	if len(s.Fragments) != len(s.Vault) {
		return nil, nil, ErrFragments
	}
	for i := range s.Fragments {
		parties, err := p.parties(&s.Vault[i], card)
		if err != nil {
			return nil, nil, err
		}
		f, err := reencrypt.ParseKeyFragment(s.Fragments[i])
		if err == nil {
			err = f.Verify(parties)
		}
		if err == nil && f.Binding() != reencrypt.BindBoth {
			err = ErrFragments
		}
		if err != nil {
			return nil, nil, fmt.Errorf("the fragment of %s: %w", s.Vault[i].Month, err)
		}
	}
	return r, card, nil
}

func (p *Pins) parties(v *keys.VaultKey, card *Card) (reencrypt.Parties, error) {
	signer, err := p.signer()
	if err != nil {
		return reencrypt.Parties{}, err
	}
	delegator, err := reencrypt.NewPublicKey(v.Key)
	return reencrypt.Parties{Signer: signer, Delegator: delegator, Receiver: card.Key}, err
}

// Parties are the keys that capsule fragments of a month are verified against,
// after CheckGrant.
func (p *Pins) Parties(g *Grant, month string) (reencrypt.Parties, error) {
	card, err := g.Reader.Card()
	if err != nil {
		return reencrypt.Parties{}, err
	}
	for i := range g.Vault {
		if g.Vault[i].Month == month {
			return p.parties(&g.Vault[i], card)
		}
	}
	return reencrypt.Parties{}, ErrFragments
}
