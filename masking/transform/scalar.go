package transform

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
	"strings"
	"unsafe"

	"github.com/tallystick/tallystick/masking/plain"
)

// text reads a string with its quotes.
func (w *walker) text() (string, error) {
	start := w.p
	w.escaped = false
	for w.p = plainEnd(w.s, w.p+1); w.p < len(w.s); w.p = plainEnd(w.s, w.p+1) {
		switch c := w.s[w.p]; {
		case c == '"':
			w.p++
			return w.s[start:w.p], nil
		case c < 0x20:
			return "", w.fault("a control character stands in a string")
		case c == '\\':
			n := escapeLength(w.s[w.p:])
			if n == 0 {
				return "", w.fault("this is no escape of JSON")
			}
			w.p += n - 1
			w.escaped = true
		}
	}
	return "", w.fault("the line ends within a string")
}

// plainEnd is the offset of the first byte from i on that may be more than a
// letter of a string: a quote, a backslash or a control character. Eight bytes
// are looked at together.
func plainEnd(s string, i int) int {
	for b := unsafe.Slice(unsafe.StringData(s), len(s)); i+8 <= len(b); i += 8 {
		if hit := special(binary.LittleEndian.Uint64(b[i:])); hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	return i
}

// special has the high bit of the first byte of x that is a quote, a backslash or
// a control character. Bits above it may be wrong.
func special(x uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote, slash, control := x^'"'*ones, x^'\\'*ones, x&(0xe0*ones)
	return ((quote-ones)&^quote | (slash-ones)&^slash | (control-ones)&^control) & highs
}

func escapeLength(s string) int {
	if len(s) < 2 {
		return 0
	}
	if s[1] != 'u' {
		if strings.IndexByte(`"\/bfnrt`, s[1]) < 0 {
			return 0
		}
		return 2
	}
	if len(s) < 6 || strings.Trim(s[2:6], "0123456789abcdefABCDEF") != "" {
		return 0
	}
	return 6
}

// number reads a number (RFC 8259).
func (w *walker) number() (string, error) {
	s, start := w.s, w.p
	p, ok := start, true
	if s[p] == '-' {
		p++
	}
	whole := p
	p, ok = digits(s, p)
	ok = ok && (s[whole] != '0' || p == whole+1)
	if ok && p < len(s) && s[p] == '.' {
		p, ok = digits(s, p+1)
	}
	if ok && p < len(s) && s[p]|0x20 == 'e' {
		if p++; p < len(s) && (s[p] == '+' || s[p] == '-') {
			p++
		}
		p, ok = digits(s, p)
	}
	if !ok || p < len(s) && strings.IndexByte("+-.0123456789eE", s[p]) >= 0 {
		return "", w.fault("this is no number of JSON")
	}
	w.p = p
	return s[start:p], nil
}

// digits is where the digits from s[i] on end. ok is false if there are none.
func digits(s string, i int) (end int, ok bool) {
	for end = i; end < len(s) && s[end]-'0' <= 9; end++ {
	}
	return end, end > i
}

// unquote decodes a string that text has read.
func unquote(raw string) string {
	var s string
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		return plain.Redacted
	}
	return s
}

// appendQuoted appends a text as a JSON string.
func appendQuoted(dst, s []byte) []byte {
	if !literal(s) {
		b, err := json.Marshal(string(s))
		if err != nil {
			b = []byte(`"` + plain.Redacted + `"`)
		}
		return append(dst, b...)
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// literal reports whether a text can stand between quotes as it is: it is ASCII
// without quotes, backslashes and control characters.
func literal(s []byte) bool {
	const highs = 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if x := binary.LittleEndian.Uint64(s[i:]); special(x)|x&highs != 0 {
			return false
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}
