package transform

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/masking/detect"
)

// PolicyVersion is the version of the policy format.
const PolicyVersion = 1

// Policy says what becomes of each field of a JSON line and of what is found in
// text. schemas/masking/policy.schema.json describes the file.
type Policy struct {
	domain     string
	text       string // textDetect or textRedact
	confidence uint8
	rules      []rule
	root       *node       // of the field paths
	found      []foundRule // as written
}

// What becomes of lines that are no JSON objects.
const (
	textDetect = "detect"
	textRedact = "redact"
)

// rule is one line of the policy.
type rule struct {
	name string // FIELD PATH, or found KIND
	transform
}

// node is a step of a field path. Arrays are no steps: items.sku is the field
// sku of every element of items.
type node struct {
	children map[string]*node
	any      *node // the step *
	rule     int   // index, or -1
}

type foundRule struct {
	key  string // a kind, or the beginning of a category
	rule int
}

// policyFile is the YAML form.
type policyFile struct {
	Version    int               `yaml:"version"`
	Domain     string            `yaml:"domain"`
	Text       string            `yaml:"text"`
	Confidence int               `yaml:"confidence"`
	Fields     map[string]string `yaml:"fields"`
	Found      map[string]string `yaml:"found"`
}

var kindName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

var domainName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// ParsePolicy reads a policy. name is for messages.
func ParsePolicy(name string, data []byte) (*Policy, error) {
	var f policyFile
	doc, err := strictyaml.Decode(name, data, &f)
	if err != nil {
		return nil, err
	}
	switch {
	case f.Version != PolicyVersion:
		return nil, doc.Fault("version", "write version: 1", "version %d of the policy format is unknown", f.Version)
	case !domainName.MatchString(f.Domain):
		return nil, doc.Fault("domain", "use small letters, digits and dashes, as in partner-a", "%q is no name of a domain", f.Domain)
	case f.Text != "" && f.Text != textDetect && f.Text != textRedact:
		return nil, doc.Fault("text", "use detect or redact", "%q is nothing that can be done with text", f.Text)
	case f.Confidence < 0 || f.Confidence > 100:
		return nil, doc.Fault("confidence", "write it in percent", "a confidence of %d is not possible", f.Confidence)
	}
	p := &Policy{domain: f.Domain, text: f.Text, confidence: uint8(f.Confidence), root: &node{rule: -1}}
	if p.text == "" {
		p.text = textRedact
	}
	for _, path := range sortedKeys(f.Fields) {
		at := "fields." + path
		t, err := parseTransform(f.Fields[path])
		if err != nil {
			return nil, doc.Fault(at, transformsHint, "%s: %s", path, err.Error())
		}
		if err := p.root.add(path, len(p.rules)); err != nil {
			return nil, doc.Fault(at, "write it as user.email, with * for any name", "%q is no path of a field: %s", path, err.Error())
		}
		if t.kind == "" {
			t.kind = path[strings.LastIndexByte(path, '.')+1:]
		}
		p.rules = append(p.rules, rule{path, t})
	}
	for _, key := range sortedKeys(f.Found) {
		at := "found." + key
		t, err := parseTransform(f.Found[key])
		switch {
		case err != nil:
			return nil, doc.Fault(at, transformsHint, "%s: %s", key, err.Error())
		case t.op == inText:
			return nil, doc.Fault(at, transformsHint, "%s: detect is for fields, not for what was found", key)
		}
		p.found = append(p.found, foundRule{key, len(p.rules)})
		p.rules = append(p.rules, rule{"found " + key, t})
	}
	return p, nil
}

func sortedKeys(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// add enters a path.
func (n *node) add(path string, rule int) error {
	for step := range strings.SplitSeq(path, ".") {
		if step == "" {
			return fmt.Errorf("it has an empty step")
		}
		if n.rule >= 0 {
			return fmt.Errorf("a shorter path has a rule already")
		}
		next := n.any
		if step != "*" {
			next = n.children[step]
		}
		if next == nil {
			next = &node{rule: -1}
			if step == "*" {
				n.any = next
			} else {
				if n.children == nil {
					n.children = map[string]*node{}
				}
				n.children[step] = next
			}
		}
		n = next
	}
	if n.rule >= 0 || n.children != nil || n.any != nil {
		return fmt.Errorf("another path has a rule for it or within it")
	}
	n.rule = rule
	return nil
}

// Domain is the name of the policy's domain.
func (p *Policy) Domain() string { return p.domain }

// Keyed reports whether any transform needs the domain's keys.
func (p *Policy) Keyed() bool {
	return slices.ContainsFunc(p.rules, func(r rule) bool { return r.op == pseudonymous || r.op == reversible || r.op == keepFormat })
}

// Fits reports a kind or category that the detector does not know.
func (p *Policy) Fits(d *detect.Detector) error {
	for _, f := range p.found {
		if !slices.ContainsFunc(d.Kinds(), func(i detect.Info) bool { return f.fits(i) }) {
			return fmt.Errorf("no detector finds %q", f.key)
		}
	}
	return nil
}

// fits reports whether the rule is for a kind: by its name or its category.
func (f *foundRule) fits(i detect.Info) bool {
	return f.key == string(i.Kind) || f.key == i.Category || strings.HasPrefix(i.Category, f.key+".")
}

// forKind is the rule for a kind: the one with its name, else the longest
// category, else -1.
func (p *Policy) forKind(i detect.Info) int {
	best, length := -1, -1
	for k := range p.found {
		f := &p.found[k]
		if f.key == string(i.Kind) {
			return f.rule
		}
		if f.fits(i) && len(f.key) > length {
			best, length = f.rule, len(f.key)
		}
	}
	return best
}

// op is what a transform does.
type op uint8

const (
	keepValue op = iota
	dropField
	redactValue
	keepFirst
	keepLast
	pseudonymous
	randomised
	truncateAddress
	coarseDate
	roundNumber
	band
	ageBand
	coarsePlace
	reversible
	keepFormat
	inText
)

const transformsHint = "use keep, drop, redact, first N, last N, pseudonym [KIND], random, truncate [BITS [BITS6]], date year|quarter|month|day|hour, round STEP, " +
	"bands EDGE..., age EDGE..., place DECIMALS, token, format or detect"

// transform is what becomes of a value.
type transform struct {
	op    op
	n, m  int       // characters, bits, decimals
	edges []float64 // of bands; the step of round
	kind  string    // of a pseudonym, for fields their last step if it is not said; the unit of a date
}

func parseTransform(s string) (t transform, err error) {
	words := strings.Fields(s)
	if len(words) == 0 {
		return t, fmt.Errorf("it has no transform")
	}
	name, args := words[0], words[1:]
	ops := map[string]struct {
		op       op
		min, max int // arguments
	}{
		"keep": {keepValue, 0, 0}, "drop": {dropField, 0, 0}, "redact": {redactValue, 0, 0}, "first": {keepFirst, 1, 1}, "last": {keepLast, 1, 1},
		"pseudonym": {pseudonymous, 0, 1}, "random": {randomised, 0, 0}, "truncate": {truncateAddress, 0, 2}, "date": {coarseDate, 1, 1}, "round": {roundNumber, 1, 1},
		"bands": {band, 1, 64}, "age": {ageBand, 1, 64}, "place": {coarsePlace, 1, 1}, "token": {reversible, 0, 0}, "format": {keepFormat, 0, 0}, "detect": {inText, 0, 0},
	}
	o, ok := ops[name]
	if !ok {
		return t, fmt.Errorf("%q is no transform", name)
	}
	if len(args) < o.min || len(args) > o.max {
		return t, fmt.Errorf("%s takes %d to %d words, not %d", name, o.min, o.max, len(args))
	}
	t.op = o.op
	switch t.op {
	case keepFirst, keepLast:
		t.n, err = whole(args[0], 1, 64)
	case pseudonymous:
		if len(args) == 0 {
			break
		}
		if t.kind = args[0]; !kindName.MatchString(t.kind) {
			err = fmt.Errorf("%q is no name of a kind", t.kind)
		}
	case truncateAddress:
		t.n, t.m = 24, 48
		if len(args) > 0 {
			t.n, err = whole(args[0], 0, 31)
		}
		if len(args) > 1 && err == nil {
			t.m, err = whole(args[1], 0, 127)
		}
	case coarseDate:
		if t.kind = args[0]; !slices.Contains([]string{"year", "quarter", "month", "day", "hour"}, t.kind) {
			err = fmt.Errorf("%q is no unit of dates", t.kind)
		}
	case coarsePlace:
		t.n, err = whole(args[0], 0, 4)
	case roundNumber, band, ageBand:
		t.edges, err = growing(args)
		if err == nil && t.op == roundNumber && t.edges[0] <= 0 {
			err = fmt.Errorf("a step has to be above zero")
		}
	}
	return t, err
}

func whole(s string, from, to int) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < from || n > to {
		return 0, fmt.Errorf("%q is no whole number of %d to %d", s, from, to)
	}
	return n, nil
}

func growing(args []string) ([]float64, error) {
	var out []float64
	for i, a := range args {
		v, err := strconv.ParseFloat(a, 64)
		if err != nil || v != v || v > 1e12 || v < -1e12 {
			return nil, fmt.Errorf("%q is no number", a)
		}
		if i > 0 && v <= out[i-1] {
			return nil, fmt.Errorf("%s comes after a larger one", a)
		}
		out = append(out, v)
	}
	return out, nil
}
