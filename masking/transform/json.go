package transform

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

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
	escaped  bool // there is an escape in the string that was read last
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
	if w.escaped {
		name = unquote(raw)
	}
	var next *node
	known := false // the policy has the name, or keeps all names there are
	switch {
	case n == nil:
	case n.rule >= 0:
		next, known = n, true
	default:
		if next = n.children[name]; next != nil {
			known = true
		} else {
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
	if known && utf8.ValidString(raw) {
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
	if quoted && w.escaped {
		v = unquote(raw)
	}
	if t.op == inText {
		var buf [512]byte
		out := w.m.text(buf[:0], name, v)
		w.m.count(n.rule, string(out) != v, false)
		w.out = appendQuoted(w.out, out)
		return
	}
	var buf [128]byte
	out, ok := w.m.apply(buf[:0], t, t.kind, v)
	w.m.count(n.rule, string(out) != v, !ok)
	if !quoted && t.op == roundNumber && ok {
		w.out = append(w.out, out...)
		return
	}
	w.out = appendQuoted(w.out, out)
}
