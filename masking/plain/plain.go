// Package plain holds clear values as an opaque type.
//
// A Text prints, logs and marshals as [redacted] under every verb and encoder,
// also as an unexported field of another struct. Reading it needs a
// plainaccess.Token, so each reader is visible as an import. The package does
// not mask anything; that is package masking.
package plain

import (
	"fmt"
	"log/slog"
	"unsafe"

	"github.com/tallystick/tallystick/masking/plainaccess"
)

// Redacted is what every print of a clear value shows.
const Redacted = "[redacted]"

// Text is a clear value. The zero Text is empty and means "absent". It holds a
// pointer and a length instead of a string, so that fmt's reflection over a
// struct with an unexported Text shows an address and not the value.
type Text struct {
	p *byte
	n int
}

// New wraps s. It does not copy: s stays reachable as long as the Text does.
func New(s string) Text { return Text{p: unsafe.StringData(s), n: len(s)} }

// Reveal returns the clear value. Whoever calls it answers for where the value
// goes; see the list of permitted importers of plainaccess.
func (t Text) Reveal(plainaccess.Token) string {
	if t.n == 0 {
		return ""
	}
	return unsafe.String(t.p, t.n)
}

// Empty reports whether the value is absent or "".
func (t Text) Empty() bool { return t.n == 0 }

// Len is the length of the clear value in bytes.
func (t Text) Len() int { return t.n }

// String returns [redacted].
func (Text) String() string { return Redacted }

// Format prints [redacted] for every verb and flag.
func (Text) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(Redacted)) }

// MarshalText returns [redacted]; it serves JSON, YAML and XML encoders too.
func (Text) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// LogValue returns [redacted].
func (Text) LogValue() slog.Value { return slog.StringValue(Redacted) }
