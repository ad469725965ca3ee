package transform

import (
	"fmt"

	"github.com/tallystick/tallystick/masking/plain"
)

// Place is where a masker stands in a document that some other package reads:
// it says what the policy has for the value there. It is for one goroutine, as
// its masker is.
type Place struct {
	m *Masker
	n *node // nil: the policy does not name it
}

// Root is the place of a whole document.
func (m *Masker) Root() Place { return Place{m, m.policy.root} }

// Field is the place of a field. named is false where the policy does not have
// the name itself: it can be a person's, and is redacted where data has names.
func (p Place) Field(name string) (at Place, named bool) {
	switch {
	case p.n == nil:
		return p, false
	case p.n.rule >= 0:
		return p, true // keep, for all that is in it
	}
	if next := p.n.children[name]; next != nil {
		return Place{p.m, next}, true
	}
	return Place{p.m, p.n.any}, false
}

// Drops reports that the value goes without a trace, and counts it.
func (p Place) Drops() bool {
	if p.n == nil || p.n.rule < 0 || p.m.policy.rules[p.n.rule].op != dropField {
		return false
	}
	p.m.count(p.n.rule, true, false)
	return true
}

// Blanks reports that a rule for single values names what is an object, which
// goes as a whole then, and counts it.
func (p Place) Blanks() bool {
	if p.n == nil || p.n.rule < 0 {
		return false
	}
	op := p.m.policy.rules[p.n.rule].op
	if op == keepValue {
		return false
	}
	p.m.count(p.n.rule, true, op != redactValue && op != dropField)
	return true
}

// Keeps reports that the value stays as it is, whatever its type, and counts it.
func (p Place) Keeps() bool {
	if p.n == nil || p.n.rule < 0 || p.m.policy.rules[p.n.rule].op != keepValue {
		return false
	}
	p.m.count(p.n.rule, false, false)
	return true
}

// Value is what becomes of a single value, written as text; name is its field's.
func (p Place) Value(name, v string) string {
	if p.n == nil || p.n.rule < 0 {
		p.m.count(-1, true, false)
		return plain.Redacted
	}
	return p.m.single(p.n.rule, name, v)
}

// single applies a rule to a value.
func (m *Masker) single(rule int, name, v string) string {
	t := &m.policy.rules[rule].transform
	if t.op == inText {
		out := string(m.text(nil, name, v))
		m.count(rule, out != v, false)
		return out
	}
	var buf [128]byte
	out, ok := m.apply(buf[:0], t, t.kind, v)
	m.count(rule, string(out) != v, !ok)
	return string(out)
}

// Rule is a transform beside those for fields.
type Rule struct {
	name  string
	index int
	drop  bool
}

// Add adds a transform for a single value that is no field, such as a header.
// name is for counts and, if a pseudonym says no kind, its kind. It is called
// before New.
func (p *Policy) Add(name, transform string) (Rule, error) {
	t, err := parseTransform(transform)
	if err != nil {
		return Rule{}, fmt.Errorf("%s: %w; %s", name, err, transformsHint)
	}
	if t.kind == "" {
		t.kind = name
	}
	p.rules = append(p.rules, rule{name, t})
	return Rule{name, len(p.rules) - 1, t.op == dropField}, nil
}

// Apply is what becomes of a single value. keep is false if nothing does.
func (m *Masker) Apply(r Rule, v string) (out string, keep bool) {
	if r.drop {
		m.count(r.index, true, false)
		return "", false
	}
	return m.single(r.index, r.name, v), true
}

// Document appends a masked JSON document, which may be any value, to dst. An
// error is a *LineError; dst is then returned as it was.
func (m *Masker) Document(dst []byte, doc string) ([]byte, error) { return m.object(dst, doc) }

// Text appends a masked text to dst, by what the policy says of text.
func (m *Masker) Text(dst []byte, s string) []byte {
	if m.policy.text == textDetect {
		return m.text(dst, "", s)
	}
	if s == "" {
		return dst
	}
	m.count(-1, true, false)
	return append(dst, plain.Redacted...)
}

// Fleeting reports whether a transform gives tokens that end with the masker.
func (p *Policy) Fleeting() bool {
	for i := range p.rules {
		if p.rules[i].op == randomised {
			return true
		}
	}
	return false
}
