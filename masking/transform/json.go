package transform

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/tallystick/tallystick/masking/plain"
)

// maxDepth is how deep objects and arrays may be nested.
const maxDepth = 64

// LineError says why a line could not be masked. It holds no value.
type LineError struct {
	Column int // from 1, in bytes
	Reason string
}

func (e *LineError) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Reason) }

// walker rewrites one JSON object while it reads it.
type walker struct {
	m   *Masker
	s   string
	p   int
	out []byte
	// skipping says that what is read is not written, and not counted.
	skipping bool
}

// object appends a masked JSON object to dst.
func (m *Masker) object(dst []byte, line string) ([]byte, error) {
	w := &m.json
	*w = walker{m: m, s: line, out: dst}
	w.space()
	err := w.value(m.policy.root, "", 0)
	if err == nil {
		if w.space(); w.p < len(w.s) {
			err = w.fault("nothing more is expected here")
		}
	}
	if err != nil {
		return dst, err
	}
	return w.out, nil
}

func (w *walker) fault(reason string) error { return &LineError{w.p + 1, reason} }

func (w *walker) space() {
	for w.p < len(w.s) {
		switch w.s[w.p] {
		case ' ', '\t', '\r', '\n':
			w.p++
		default:
			return
		}
	}
}

// value rewrites the value at p. n is the policy's node for it, nil if the
// policy does not name it; name is that of its field.
func (w *walker) value(n *node, name string, depth int) error {
	if w.p == len(w.s) {
		return w.fault("the line ends within a value")
	}
	if depth == maxDepth {
		return w.fault(fmt.Sprintf("it is nested deeper than %d levels", maxDepth))
	}
	switch c := w.s[w.p]; {
	case c == '{' || c == '[':
		if n != nil && n.rule >= 0 && w.m.policy.rules[n.rule].op != keepValue && c == '{' {
			return w.blank(n.rule, depth)
		}
		if c == '{' {
			return w.members(n, depth)
		}
		return w.elements(n, name, depth)
	case c == '"':
		raw, err := w.text()
		if err != nil {
			return err
		}
		w.leaf(n, name, raw, raw[1:len(raw)-1], true)
		return nil
	case c == '-' || c-'0' <= 9:
		raw, err := w.number()
		if err != nil {
			return err
		}
		w.leaf(n, name, raw, raw, false)
		return nil
	}
	for _, word := range [...]string{"null", "true", "false"} {
		if strings.HasPrefix(w.s[w.p:], word) {
			w.p += len(word)
			if word == "null" {
				w.out = append(w.out, word...)
				return nil
			}
			w.leaf(n, name, word, word, false)
			return nil
		}
	}
	return w.fault("this is no JSON value")
}

// blank puts [redacted] in the place of a whole object, which a rule for single
// values names.
func (w *walker) blank(rule, depth int) error {
	start := len(w.out)
	if err := w.skip(depth); err != nil {
		return err
	}
	op := w.m.policy.rules[rule].op
	w.m.count(rule, true, op != redactValue && op != dropField)
	w.out = append(append(append(w.out[:start], '"'), plain.Redacted...), '"')
	return nil
}

// skip reads a value and writes nothing.
func (w *walker) skip(depth int) error {
	start, before := len(w.out), w.skipping
	w.skipping = true
	err := w.value(nil, "", depth)
	w.out, w.skipping = w.out[:start], before
	return err
}

// members rewrites an object.
func (w *walker) members(n *node, depth int) error {
	w.p++
	w.out = append(w.out, '{')
	start, unnamed := len(w.out), 0
	for first := true; ; first = false {
		w.space()
		if w.p < len(w.s) && w.s[w.p] == '}' && first {
			break
		}
		if w.p == len(w.s) || w.s[w.p] != '"' {
			return w.fault("the name of a field is expected here")
		}
		raw, err := w.text()
		if err != nil {
			return err
		}
		w.space()
		if w.p == len(w.s) || w.s[w.p] != ':' {
			return w.fault("a colon is expected here")
		}
		w.p++
		w.space()
		if err := w.member(n, raw, depth, len(w.out) > start, &unnamed); err != nil {
			return err
		}
		if w.space(); w.p < len(w.s) && w.s[w.p] == ',' {
			w.p++
			continue
		}
		break
	}
	if w.p == len(w.s) || w.s[w.p] != '}' {
		return w.fault("a comma or } is expected here")
	}
	w.p++
	w.out = append(w.out, '}')
	return nil
}

// member rewrites one field of an object; raw is its name in quotes, unnamed how
// many names of the object were redacted.
func (w *walker) member(n *node, raw string, depth int, comma bool, unnamed *int) error {
	name := raw[1 : len(raw)-1]
	if strings.IndexByte(name, '\\') >= 0 {
		name = unquote(raw)
	}
	next, whole := (*node)(nil), n != nil && n.rule >= 0
	if whole {
		next = n // keep, for all that is in it
	} else if n != nil {
		if next = n.children[name]; next == nil {
			next = n.any
		}
	}
	if next != nil && next.rule >= 0 && w.m.policy.rules[next.rule].op == dropField {
		w.m.count(next.rule, true, false)
		return w.skip(depth + 1)
	}
	if comma {
		w.out = append(w.out, ',')
	}
	// A name that the policy does not have can be a person's.
	if (whole || n != nil && n.children[name] != nil) && utf8.ValidString(raw) {
		w.out = append(w.out, raw...)
	} else {
		*unnamed++
		w.out = append(w.out, '"')
		w.out = append(w.out, plain.Redacted...)
		if *unnamed > 1 { // a name stands once in an object
			w.out = append(w.out, ' ')
			w.out = strconv.AppendInt(w.out, int64(*unnamed), 10)
		}
		w.out = append(w.out, '"')
	}
	w.out = append(w.out, ':')
	return w.value(next, name, depth+1)
}

// elements rewrites an array: every element is as if it stood alone.
func (w *walker) elements(n *node, name string, depth int) error {
	w.p++
	w.out = append(w.out, '[')
	for first := true; ; first = false {
		w.space()
		if w.p < len(w.s) && w.s[w.p] == ']' && first {
			break
		}
		if !first {
			w.out = append(w.out, ',')
		}
		if err := w.value(n, name, depth+1); err != nil {
			return err
		}
		if w.space(); w.p < len(w.s) && w.s[w.p] == ',' {
			w.p++
			continue
		}
		break
	}
	if w.p == len(w.s) || w.s[w.p] != ']' {
		return w.fault("a comma or ] is expected here")
	}
	w.p++
	w.out = append(w.out, ']')
	return nil
}

// leaf rewrites a single value; raw is its JSON, v the same without quotes.
func (w *walker) leaf(n *node, name, raw, v string, quoted bool) {
	if w.skipping {
		return
	}
	if n == nil || n.rule < 0 {
		w.m.count(-1, true, false)
		w.out = append(append(append(w.out, '"'), plain.Redacted...), '"')
		return
	}
	t := &w.m.policy.rules[n.rule].transform
	if t.op == keepValue {
		w.m.count(n.rule, false, false)
		if !utf8.ValidString(raw) {
			raw = strings.ToValidUTF8(raw, "\ufffd")
		}
		w.out = append(w.out, raw...)
		return
	}
	if quoted && strings.IndexByte(v, '\\') >= 0 {
		v = unquote(raw)
	}
	if t.op == inText {
		var buf [512]byte
		out := w.m.text(buf[:0], name, v)
		w.m.count(n.rule, string(out) != v, false)
		w.out = appendQuoted(w.out, string(out))
		return
	}
	out, ok := w.m.apply(t, t.kind, v)
	w.m.count(n.rule, out != v, !ok)
	if !quoted && t.op == roundNumber && ok {
		w.out = append(w.out, out...)
		return
	}
	w.out = appendQuoted(w.out, out)
}

// text reads a string with its quotes.
func (w *walker) text() (string, error) {
	start := w.p
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
		}
	}
	return "", w.fault("the line ends within a string")
}

// plainEnd is the offset of the first byte from i on that may be more than a
// letter of a string: a quote, a backslash or a control character. Eight bytes
// are looked at together.
func plainEnd(s string, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for ; i+8 <= len(b); i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		quote, slash, control := x^'"'*ones, x^'\\'*ones, x&(0xe0*ones)
		if hit := ((quote-ones)&^quote | (slash-ones)&^slash | (control-ones)&^control) & highs; hit != 0 {
			return i + bits.TrailingZeros64(hit)>>3
		}
	}
	return i
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
	start := w.p
	for w.p < len(w.s) && strings.IndexByte("+-.0123456789eE", w.s[w.p]) >= 0 {
		w.p++
	}
	raw := w.s[start:w.p]
	if !json.Valid(unsafe.Slice(unsafe.StringData(raw), len(raw))) {
		w.p = start
		return "", w.fault("this is no number of JSON")
	}
	return raw, nil
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
func appendQuoted(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x80 {
			b, err := json.Marshal(s)
			if err != nil {
				b = []byte(`"` + plain.Redacted + `"`)
			}
			return append(dst, b...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
