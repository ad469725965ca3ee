package grant

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

const (
	readKind       = "tallystick read v1"
	revocationKind = "tallystick revocation v1"
)

// Read is one request of a reader to a custodian: to transform one capsule.
type Read struct {
	Grant   string // ID of the request
	Capsule string // ID of the capsule
	Time    time.Time
	Nonce   string // 32 hex digits
}

var readFields = []string{"grant", "capsule", "time", "nonce"}

// NewRead makes and signs a read.
func NewRead(grant, capsule string, now time.Time, by Signer) (*Document, error) {
	nonce := make([]byte, 16)
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the program instead
	l := lines{kind: readKind}
	for i, v := range []string{grant, capsule, now.UTC().Format(time.RFC3339), hex.EncodeToString(nonce)} {
		l.add(readFields[i], v)
	}
	text, err := l.text()
	if err != nil {
		return nil, err
	}
	d := &Document{Text: text}
	return d, d.Sign(ActRead, by)
}

// CheckRead reads a read that the reader of card signed.
func CheckRead(d *Document, card *Card) (*Read, error) {
	f, err := parseLines(d.Text, readKind, readFields...)
	if err != nil {
		return nil, err
	}
	by, err := d.by(ActRead)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(by, []string{KeyText(card.Sign)}) {
		return nil, ErrReader
	}
	r := &Read{Grant: f["grant"], Capsule: f["capsule"], Nonce: f["nonce"]}
	if r.Time, err = time.Parse(time.RFC3339, f["time"]); err != nil {
		return nil, fmt.Errorf("%w: time is no time", ErrText)
	}
	return r, nil
}

// Revocation ends a grant before its time.
type Revocation struct {
	Grant  string
	Reason string
}

// NewRevocation is the text of a revocation, not signed yet.
func NewRevocation(r Revocation) (*Document, error) {
	l := lines{kind: revocationKind}
	l.add("grant", r.Grant)
	l.add("reason", r.Reason)
	text, err := l.text()
	return &Document{Text: text}, err
}

// CheckRevocation reads a revocation that a pinned person signed, and returns it
// with the name.
func (p *Pins) CheckRevocation(d *Document) (*Revocation, string, error) {
	f, err := parseLines(d.Text, revocationKind, "grant", "reason")
	if err != nil {
		return nil, "", err
	}
	by, err := p.signed(d, ActRevoke)
	if err != nil {
		return nil, "", err
	}
	if len(by) == 0 {
		return nil, "", ErrStranger
	}
	return &Revocation{Grant: f["grant"], Reason: f["reason"]}, p.Name(by[0]), nil
}
