package custody

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/evidence"
	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/reencrypt"
	"github.com/tallystick/tallystick/masking/seal"
)

// Transformer transforms capsules for a reader. Client is the one.
type Transformer interface {
	// Read returns a capsule fragment, which the caller verifies.
	Read(ctx context.Context, grant string, q *ReadRequest) ([]byte, error)
}

var _ Transformer = (*Client)(nil)

// Asked is a custodian that a reader asks.
type Asked struct {
	Name   string
	Client Transformer
}

// Reading is what a reader opens a bundle with, on the own machine.
type Reading struct {
	Bundle *evidence.Bundle
	Grant  *grant.Grant
	Pins   *grant.Pins
	Sign   grant.Signer
	Key    *reencrypt.PrivateKey
	// Custodians are asked for the capsules that the bundle has too few
	// fragments of.
	Custodians []Asked
	Now        func() time.Time
}

// Opened is an original in clear.
type Opened struct {
	Original *audit.Original
	Value    plain.Text
}

// Outcome is how a custodian answered for a capsule.
type Outcome struct {
	Custodian string
	Capsule   string
	Err       error // nil: a fragment that is valid
}

// ErrTooFew says that fewer custodians than the threshold answered rightly.
var ErrTooFew = errors.New("too few custodians answered with a valid fragment")

// Open verifies that everything in the bundle is in the ledger and that the
// grant is valid, asks custodians, verifies what each answers and opens the
// originals that the grant reaches. Valid fragments of as many custodians as the
// threshold suffice, whatever the others do. The fragments go into the bundle.
func (r *Reading) Open(ctx context.Context) ([]Opened, []Outcome, error) {
	checked, err := r.Bundle.Check(r.Pins.Ledger)
	if err != nil {
		return nil, nil, err
	}
	// The end date binds custodians, which know the time: what they transformed
	// before it opens after it.
	request, _, err := r.Pins.CheckGrant(r.Grant, time.Time{})
	if err != nil {
		return nil, nil, err
	}
	r.Bundle.Grant = r.Grant
	var outcomes []Outcome
	secrets := map[string]reencrypt.Secret{}
	for i := range r.Bundle.Capsules {
		b := &r.Bundle.Capsules[i]
		c := checked.Capsules[b.ID]
		if c.Class != request.Class {
			continue
		}
		secret, said, err := r.secret(ctx, c, b)
		outcomes = append(outcomes, said...)
		if err != nil {
			return nil, outcomes, fmt.Errorf("failed to open the capsule %s: %w", b.ID, err)
		}
		secrets[b.ID] = secret
	}
	var out []Opened
	for _, o := range checked.Originals {
		secret, ok := secrets[o.Capsule]
		if !ok {
			continue
		}
		v, err := seal.OpenOriginal(secret, o)
		if err != nil {
			return nil, outcomes, fmt.Errorf("failed to open %s of entry %s: %w", o.Field, o.Origin.EntryID(), err)
		}
		out = append(out, Opened{o, v})
	}
	return out, outcomes, nil
}

// secret opens a capsule with the fragments in the bundle, or with those of
// custodians.
func (r *Reading) secret(ctx context.Context, c *audit.Capsule, b *evidence.Capsule) (reencrypt.Secret, []Outcome, error) {
	parsed, err := reencrypt.ParseCapsule(c.Bytes)
	if err != nil {
		return reencrypt.Secret{}, nil, err
	}
	parties, err := r.Pins.Parties(r.Grant, c.Month)
	if err != nil {
		return reencrypt.Secret{}, nil, err
	}
	verify := func(raw []byte) (*reencrypt.VerifiedFragment, error) {
		f, err := reencrypt.ParseCapsuleFragment(raw)
		if err != nil {
			return nil, err
		}
		return f.Verify(parsed, parties)
	}
	var valid []*reencrypt.VerifiedFragment
	for _, raw := range b.Fragments {
		if v, err := verify(raw); err == nil {
			valid = append(valid, v)
		}
	}
	if len(valid) >= r.Grant.Threshold {
		secret, err := r.Key.Open(valid[:r.Grant.Threshold])
		return secret, nil, err
	}
	answers := r.ask(ctx, b)
	var out []Outcome
	valid, b.Fragments = nil, nil
	for i, a := range answers {
		var v *reencrypt.VerifiedFragment
		if a.err == nil {
			v, a.err = verify(a.fragment)
		}
		out = append(out, Outcome{r.Custodians[i].Name, b.ID, a.err})
		if a.err == nil && len(valid) < r.Grant.Threshold {
			valid, b.Fragments = append(valid, v), append(b.Fragments, a.fragment)
		}
	}
	if len(valid) < r.Grant.Threshold {
		return reencrypt.Secret{}, out, fmt.Errorf("%w: %d of the %d that it takes", ErrTooFew, len(valid), r.Grant.Threshold)
	}
	secret, err := r.Key.Open(valid)
	return secret, out, err
}

type fragment struct {
	fragment []byte
	err      error
}

// ask asks all custodians at once.
func (r *Reading) ask(ctx context.Context, b *evidence.Capsule) []fragment {
	out := make([]fragment, len(r.Custodians))
	var wg sync.WaitGroup
	for i, c := range r.Custodians {
		wg.Go(func() {
			read, err := grant.NewRead(r.Grant.ID(), b.ID, r.Now(), r.Sign)
			if err == nil {
				out[i].fragment, err = c.Client.Read(ctx, r.Grant.ID(), &ReadRequest{Read: *read, Proof: b.Proof})
			}
			out[i].err = err
		})
	}
	wg.Wait()
	return out
}
