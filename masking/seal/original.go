package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
	"github.com/tallystick/tallystick/masking/reencrypt"
)

// ErrNoVaultKey says that there is no signed vault key of the class and month,
// so that the original is not kept.
var ErrNoVaultKey = errors.New("no vault key")

// VaultKeys knows the public keys that originals are sealed to.
type VaultKeys interface {
	// Key returns the delegator's public key of a class and month and its id,
	// nil if there is none. Who signed it is settled before.
	Key(class, month string) (*reencrypt.PublicKey, string)
}

// Originals seals the originals of one chunk: one encapsulation per vault class
// and month, one AEAD per original. What it sealed it can't open again once it
// is gone. It is used by one goroutine at a time.
type Originals struct {
	keys    VaultKeys
	chunk   string
	version uint16
	slots   []*slot // few: classes times months of a chunk
	months  [2]month
	aad     []byte
}

// slot is the data key of a class and month. Without a vault key it has none.
type slot struct {
	class, month string
	aead         tink.AEAD
	capsule      audit.Capsule
}

// month remembers the text of a month.
type month struct {
	number int // year * 12 + month
	text   string
}

// NewOriginals returns the sealer of a chunk.
func NewOriginals(k VaultKeys, chunk string, version uint16) *Originals {
	return &Originals{keys: k, chunk: chunk, version: version}
}

// Seal seals one original of entry e. ErrNoVaultKey says that there is no key to
// seal it to; Original.Class and Month are set then too.
func (o *Originals) Seal(e *audit.Entry, u *audit.Unsealed) (audit.Original, error) {
	out := audit.Original{
		Origin: audit.Origin{Stream: e.Stream, Generation: e.Generation, Offset: e.Offset},
		Class:  u.Class, Month: o.month(e.EventTime), Field: u.Field, Chunk: o.chunk, Version: o.version,
	}
	s, err := o.slot(u.Class, out.Month)
	if err != nil {
		return out, err
	}
	if s.aead == nil {
		return out, ErrNoVaultKey
	}
	o.aad = originalContext(o.aad[:0], out.Origin, u.Field)
	if out.Sealed, err = s.aead.Encrypt([]byte(u.Value.Reveal(plainaccess.Token{})), o.aad); err != nil {
		return out, fmt.Errorf("failed to seal an original: %w", err)
	}
	c := &s.capsule
	out.Capsule = c.ID
	if c.Originals == 0 || e.EventTime.Before(c.First) {
		c.First = e.EventTime
	}
	if e.EventTime.After(c.Last) {
		c.Last = e.EventTime
	}
	c.Originals++
	return out, nil
}

// Capsules are the capsules of the originals sealed so far.
func (o *Originals) Capsules() []audit.Capsule {
	var out []audit.Capsule
	for _, s := range o.slots {
		if s.capsule.Originals > 0 {
			out = append(out, s.capsule)
		}
	}
	return out
}

func (o *Originals) month(t time.Time) string {
	y, m, _ := t.UTC().Date()
	n := y*12 + int(m)
	for _, k := range o.months {
		if k.number == n && k.text != "" {
			return k.text
		}
	}
	o.months[1] = o.months[0]
	o.months[0] = month{n, t.UTC().Format("2006-01")}
	return o.months[0].text
}

func (o *Originals) slot(class, month string) (*slot, error) {
	for _, s := range o.slots {
		if s.class == class && s.month == month {
			return s, nil
		}
	}
	s := &slot{class: class, month: month}
	if to, id := o.keys.Key(class, month); to != nil {
		capsule, secret, err := to.Encapsulate()
		if err != nil {
			return nil, fmt.Errorf("failed to make the data key of originals: %w", err)
		}
		if s.aead, err = dataKey(secret, class, month, o.chunk, o.version); err != nil {
			return nil, err
		}
		s.capsule = audit.Capsule{ID: CapsuleID(capsule.Bytes()), Class: class, Month: month, Delegator: to.Bytes(), KeyID: id,
			Bytes: capsule.Bytes(), Chunk: o.chunk, Version: o.version}
	}
	o.slots = append(o.slots, s)
	return s, nil
}

// CapsuleID is audit.Capsule.ID of a capsule's bytes.
func CapsuleID(capsule []byte) string {
	sum := sha256.Sum256(capsule)
	return hex.EncodeToString(sum[:8])
}

// dataKey is AES-256-GCM under HKDF-SHA256 of what the capsule carries.
func dataKey(secret reencrypt.Secret, class, month, chunk string, version uint16) (tink.AEAD, error) {
	key, err := secret.Key("tallystick originals v1\x00" + class + "\x00" + month + "\x00" + chunk + "\x00" + strconv.Itoa(int(version)))
	if err != nil {
		return nil, fmt.Errorf("failed to derive the data key of originals: %w", err)
	}
	return subtle.NewAESGCM(key)
}

// originalContext appends the associated data of an original: no ciphertext can
// stand in for another.
func originalContext(dst []byte, o audit.Origin, field string) []byte {
	dst = append(dst, o.Stream...)
	dst = append(dst, '-')
	dst = strconv.AppendUint(dst, uint64(o.Generation), 10)
	dst = append(dst, '-')
	dst = strconv.AppendUint(dst, o.Offset, 10)
	dst = append(dst, 0)
	return append(dst, field...)
}

// OpenOriginal opens an original with the secret of its capsule, on the machine
// of whoever was granted to read it.
func OpenOriginal(secret reencrypt.Secret, o *audit.Original) (plain.Text, error) {
	a, err := dataKey(secret, o.Class, o.Month, o.Chunk, o.Version)
	if err != nil {
		return plain.Text{}, err
	}
	b, err := a.Decrypt(o.Sealed, originalContext(nil, o.Origin, o.Field))
	if err != nil {
		return plain.Text{}, ErrSealed
	}
	return plain.New(string(b)), nil
}
