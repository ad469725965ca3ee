// Package pseudonym makes the tokens that stand for people in entries:
// "v1.KEYID." and the base64url of the first 16 bytes of HMAC-SHA-256 over the
// value's kind, a zero byte and the normalised value.
//
// Without the key a token says nothing, and a guess cannot be confirmed; the
// same value has the same token as long as the key is the same. Which key a
// value takes (of the day or of the year) is for package masking to decide; the
// keys themselves belong to masking/keys.
package pseudonym

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/tallystick/tallystick/masking/keys"
)

// Version begins every token.
const Version = "v1"

// Keys are the pseudonym keys by domain and time.
type Keys interface {
	// Day returns the key of the UTC day of t. It fails only when the key
	// store does not answer.
	Day(ctx context.Context, domain string, t time.Time) (*keys.PRF, error)
	// Year returns the key of the calendar year of t.
	Year(ctx context.Context, domain string, t time.Time) (*keys.PRF, error)
}

var _ Keys = (*keys.DayKeys)(nil)

// Maker makes tokens and remembers recent ones. It is safe for concurrent use.
type Maker struct {
	keys  Keys
	cache *cache
}

// New returns a maker that remembers about size tokens with their values, in
// memory only. A maker without keys has only the method Token.
func New(k Keys, size int) *Maker { return &Maker{keys: k, cache: newCache(size)} }

// Batch makes the tokens of one batch of lines: it asks for each key once as
// long as the day does not change. It is for one goroutine.
type Batch struct {
	m   *Maker
	ctx context.Context //nolint:containedctx // a Batch lives within one call
	day,
	year held
}

// held is the key that was asked for last.
type held struct {
	domain string
	period int64
	prf    *keys.PRF
}

// Begin returns a Batch for one call of a stage.
func (m *Maker) Begin(ctx context.Context) Batch { return Batch{m: m, ctx: ctx} }

// Day is the token of a value under the domain's key of the UTC day of t. An
// absent value has no token.
func (b *Batch) Day(domain, kind, value string, t time.Time) (string, error) {
	if value == "" {
		return "", nil
	}
	period := t.Unix() / 86400
	if b.day.prf == nil || b.day.period != period || b.day.domain != domain {
		prf, err := b.m.keys.Day(b.ctx, domain, t)
		if err != nil {
			return "", err
		}
		b.day = held{domain, period, prf}
	}
	return b.m.token(b.day.prf, kind, value), nil
}

// Year is Day with the key of the calendar year.
func (b *Batch) Year(domain, kind, value string, t time.Time) (string, error) {
	if value == "" {
		return "", nil
	}
	period := int64(t.UTC().Year())
	if b.year.prf == nil || b.year.period != period || b.year.domain != domain {
		prf, err := b.m.keys.Year(b.ctx, domain, t)
		if err != nil {
			return "", err
		}
		b.year = held{domain, period, prf}
	}
	return b.m.token(b.year.prf, kind, value), nil
}

// Token is the token of a value under a key that the caller holds, remembered.
func (m *Maker) Token(prf *keys.PRF, kind, value string) string { return m.token(prf, kind, value) }

// token looks the token up or makes it.
func (m *Maker) token(prf *keys.PRF, kind, value string) string {
	hash := m.cache.hash(prf, kind, value)
	if t, ok := m.cache.get(hash, prf, kind, value); ok {
		return t
	}
	t := Token(prf, kind, value)
	m.cache.put(hash, prf, kind, value, t)
	return t
}

// Token computes a token.
func Token(prf *keys.PRF, kind, value string) string {
	var in [256]byte
	msg := append(in[:0], kind...)
	msg = append(msg, 0)
	msg = append(msg, Normalise(kind, value)...)
	var sum [32]byte
	digest := prf.Sum(sum[:0], msg)[:16]
	var out [64]byte
	t := append(out[:0], Version...)
	t = append(t, '.')
	t = append(t, prf.ID...)
	t = append(t, '.')
	t = base64.RawURLEncoding.AppendEncode(t, digest)
	return string(t)
}
