// Package transform is the stand-alone masker: it rewrites lines of JSON and
// text by a policy, outside of the pipeline. A field that the policy does not
// name is redacted.
//
// Unlike entries its output may have tokens that stay the same over time, that
// can be reversed, or that keep a format, under the keys of one domain; tokens
// of two domains never match. It stores nothing and reads no file. Callers are
// the command mask, the HTTP API and, for other formats through Place, masking/avro
// and masking/protobuf.
package transform

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/generalise"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/pseudonym"
	"github.com/tallystick/tallystick/masking/token"
)

// remembered is how many pseudonyms, and how many random tokens, are kept in
// memory with their values.
const remembered = 1 << 16

// maxRandom bounds the values that keep one random token each. Later values are
// redacted: a second token for one value would be worse than none.
const maxRandom = 1 << 20

// Masker rewrites lines. It is for one goroutine.
type Masker struct {
	policy   *Policy
	detector *detect.Detector
	byKind   []int // rule of the detector's kinds, or -1: redacted
	now      func() time.Time

	domain *keys.Domain // nil without keyed transforms
	maker  *pseudonym.Maker
	sealer *token.Sealer
	format *token.FF1
	random map[string]string

	counts  []Count // by rule; the last is for what no rule names
	matches []detect.Match
	decoded []byte // what the value that is looked at is decoded in
	json    walker
}

// Count is what one rule did. It holds no value.
type Count struct {
	// Rule is the field's path or found KIND; "" is for all that no rule names.
	Rule string
	// Values were there; Changed of them differ afterwards; Refused of them did
	// not fit the transform and were redacted.
	Values, Changed, Refused int
}

// New returns a masker. domain may be nil if the policy is not Keyed.
func New(p *Policy, d *detect.Detector, domain *keys.Domain) (*Masker, error) {
	if err := p.Fits(d); err != nil {
		return nil, err
	}
	m := &Masker{policy: p, detector: d, now: time.Now, domain: domain, maker: pseudonym.New(nil, remembered), random: map[string]string{}}
	for _, i := range d.Kinds() {
		m.byKind = append(m.byKind, p.forKind(i))
	}
	m.counts = make([]Count, len(p.rules)+1)
	for i, r := range p.rules {
		m.counts[i].Rule = r.name
	}
	if domain == nil {
		if p.Keyed() {
			return nil, errors.New("the policy has transforms with keys, and there are none")
		}
		return m, nil
	}
	if domain.Name != p.domain {
		return nil, fmt.Errorf("the keys are those of domain %s, the policy is for %s", domain.Name, p.domain)
	}
	var err error
	if m.sealer, err = token.NewSealer(domain.SealKey()); err != nil {
		return nil, err
	}
	m.format, err = token.NewFF1(domain.FormatKey(), 10)
	return m, err
}

// Counts are the rules' counts so far, in the order of the policy, without
// those that met nothing.
func (m *Masker) Counts() []Count {
	var out []Count
	for _, c := range m.counts {
		if c.Values > 0 {
			out = append(out, c)
		}
	}
	return out
}

// Line appends the masked line to dst. The line has no line break. An error is
// a *LineError; dst is then returned as it was.
func (m *Masker) Line(dst []byte, line string) ([]byte, error) {
	if i := firstOf(line); i < len(line) && line[i] == '{' {
		return m.object(dst, line)
	}
	return m.Text(dst, line), nil
}

func firstOf(s string) int {
	i := 0
	for i < len(s) && (s[i] == ' ' || s[i] == '\t') {
		i++
	}
	return i
}

func (m *Masker) count(rule int, changed, refused bool) {
	if rule < 0 {
		rule = len(m.counts) - 1
	}
	c := &m.counts[rule]
	c.Values++
	if changed {
		c.Changed++
	}
	if refused {
		c.Refused++
	}
}

// text rewrites what the detectors find in a text; name is its field's.
func (m *Masker) text(dst []byte, name, s string) []byte {
	m.matches = m.detector.Named(m.matches[:0], name, s)
	detect.Sort(m.matches)
	end := 0
	for i := range m.matches {
		f := &m.matches[i]
		if f.Start < end {
			if f.End <= end {
				continue // within the one before
			}
			f.Start = end // the rest of one that overlaps is redacted too
		}
		if f.Confidence < m.policy.confidence {
			continue
		}
		dst = append(dst, s[end:f.Start]...)
		dst = m.found(dst, f, s[f.Start:f.End])
		end = f.End
	}
	return append(dst, s[end:]...)
}

// found appends what becomes of a value that was found.
func (m *Masker) found(dst []byte, f *detect.Match, raw string) []byte {
	r := m.byKind[f.Index]
	if r < 0 {
		m.count(-1, true, false)
		return append(dst, plain.Redacted...)
	}
	t := &m.policy.rules[r].transform
	if t.op == dropField {
		m.count(r, true, false)
		return dst
	}
	value := raw
	if t.op != keepValue {
		value, m.decoded = detect.Decode(m.decoded, raw)
	}
	kind := t.kind
	if kind == "" {
		kind = string(f.Kind)
	}
	start := len(dst)
	dst, ok := m.apply(dst, t, kind, value)
	m.count(r, string(dst[start:]) != value, !ok)
	return dst
}

// apply appends what becomes of a value. ok is false if the value does not fit
// the transform and is redacted for that.
func (m *Masker) apply(dst []byte, t *transform, kind, v string) (_ []byte, ok bool) {
	switch t.op {
	case keepValue:
		return append(dst, v...), true
	case keepFirst, keepLast:
		if hasRunes(v, 2*t.n) {
			return appendPart(dst, v, t.n, t.op == keepFirst), true
		}
		if v == "" {
			return dst, true
		}
		return append(dst, plain.Redacted...), false // half of a short value is too much
	case pseudonymous:
		if v == "" {
			return dst, true
		}
		return append(dst, m.maker.Token(m.domain.Pseudonyms, kind, v)...), true
	case truncateAddress:
		return generalise.AppendNetwork(dst, v, t.n, t.m)
	}
	out, ok := m.made(t, kind, v)
	return append(dst, out...), ok
}

// made is apply for the transforms that make a new text.
func (m *Masker) made(t *transform, kind, v string) (out string, ok bool) {
	out = plain.Redacted
	switch t.op {
	case redactValue, dropField:
		return out, true
	case randomised:
		return m.randomToken(v)
	case coarseDate:
		out = generalise.Date(v, t.kind)
	case roundNumber:
		out = generalise.Number(v, t.edges[0])
	case band:
		out = generalise.Bands(v, t.edges)
	case ageBand:
		out = generalise.Age(v, t.edges, m.now())
	case coarsePlace:
		out = generalise.Place(v, t.n)
	case reversible:
		return m.seal(v), true
	case keepFormat:
		return m.keepFormat(kind, v)
	}
	return out, out != plain.Redacted
}

// hasRunes reports whether v has n characters or more; n is above 0.
func hasRunes(v string, n int) bool {
	for range v {
		if n--; n == 0 {
			return true
		}
	}
	return false
}

// appendPart keeps n characters at one end of v; three stars stand for the rest,
// however long that is.
func appendPart(dst []byte, v string, n int, first bool) []byte {
	if first {
		i := 0
		for range n {
			_, size := utf8.DecodeRuneInString(v[i:])
			i += size
		}
		return append(append(dst, v[:i]...), "***"...)
	}
	i := len(v)
	for range n {
		_, size := utf8.DecodeLastRuneInString(v[:i])
		i -= size
	}
	return append(append(dst, "***"...), v[i:]...)
}

// randomToken is a token that has nothing to do with the value. The masker
// remembers it, so that a value has one token until the masker ends.
func (m *Masker) randomToken(v string) (string, bool) {
	if t, ok := m.random[v]; ok {
		return t, true
	}
	if len(m.random) == maxRandom {
		return plain.Redacted, false
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	t := "r1." + base64.RawURLEncoding.EncodeToString(b[:])
	m.random[strings.Clone(v)] = t
	return t, true
}

// tokenVersion begins every reversible token.
const tokenVersion = "t1"

// seal is the reversible token of a value: t1.KEYID. and AES-SIV in base64url,
// bound to the domain.
func (m *Masker) seal(v string) string {
	var buf [512]byte
	sealed := m.sealer.Seal(buf[:0], []byte(v), []byte(m.domain.Name))
	out := make([]byte, 0, 16+2*len(sealed))
	out = append(out, tokenVersion...)
	out = append(out, '.')
	out = append(out, m.domain.SealID...)
	out = append(out, '.')
	return string(base64.RawURLEncoding.AppendEncode(out, sealed))
}

// keepFormat encrypts the digits of a value and leaves its other characters
// where they are.
func (m *Masker) keepFormat(kind, v string) (string, bool) {
	digits := make([]byte, 0, len(v))
	for i := range len(v) {
		if v[i]-'0' <= 9 {
			digits = append(digits, v[i])
		} else if v[i]|0x20 >= 'a' && v[i]|0x20 <= 'z' || v[i] >= 0x80 {
			return plain.Redacted, false // letters would stay clear
		}
	}
	e, err := m.format.Encrypt(string(digits), []byte(m.domain.Name+"\x00"+kind))
	if err != nil {
		return plain.Redacted, false
	}
	out := []byte(v)
	n := 0
	for i := range out {
		if out[i]-'0' <= 9 {
			out[i] = e[n]
			n++
		}
	}
	return string(out), true
}

// Restore replaces the domain's reversible tokens in a text by their values.
// Tokens that are not the domain's stay as they are.
func (m *Masker) Restore(s string) string {
	var out []byte
	prefix := tokenVersion + "." + m.domain.SealID + "."
	for {
		before, rest, ok := strings.Cut(s, prefix)
		out = append(out, before...)
		if !ok {
			return string(out)
		}
		end := 0
		for end < len(rest) && (rest[end]-'0' <= 9 || rest[end]|0x20 >= 'a' && rest[end]|0x20 <= 'z' || rest[end] == '-' || rest[end] == '_') {
			end++
		}
		sealed, err := base64.RawURLEncoding.DecodeString(rest[:end])
		if err == nil {
			var v []byte
			if v, err = m.sealer.Open(nil, sealed, []byte(m.domain.Name)); err == nil {
				out = append(out, v...)
			}
		}
		if err != nil {
			out = append(append(out, prefix...), rest[:end]...)
		}
		s = rest[end:]
	}
}
