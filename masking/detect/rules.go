package detect

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"strings"

	"github.com/tallystick/tallystick/internal/strictyaml"
)

// RulesVersion is the version of the format of rules files.
const RulesVersion = 1

// Bounds of a rules file's patterns. Go's regexp takes time linear in the text,
// so a bound on the program and on the matches bounds the whole.
const (
	maxDetectors = 32
	maxPattern   = 512
	maxProgram   = 2000 // instructions
	maxPerText   = 256  // matches of one detector in one text
)

// Rules are a user's own detectors and the values that are no findings.
type Rules struct {
	id        string
	countries []string
	off       []Kind
	custom    []custom
	allow     []allowance
}

// rulesFile is the YAML form.
type rulesFile struct {
	Version   int            `yaml:"version"`
	Countries []string       `yaml:"countries"`
	Off       []string       `yaml:"off"`
	Detectors []detectorRule `yaml:"detectors"`
	Allow     []allowRule    `yaml:"allow"`
}

type detectorRule struct {
	Kind       string   `yaml:"kind"`
	Category   string   `yaml:"category"`
	Pattern    string   `yaml:"pattern"`
	Names      []string `yaml:"names"`
	Confidence int      `yaml:"confidence"`
}

type allowRule struct {
	Kind     string   `yaml:"kind"`
	Values   []string `yaml:"values"`
	Domains  []string `yaml:"domains"`
	Networks []string `yaml:"networks"`
}

// custom is a detector of a rules file.
type custom struct {
	info       Info
	pattern    *regexp.Regexp
	literal    string // that every match begins with; may be ""
	names      []string
	confidence uint8
	index      uint8 // in the detector's Kinds
}

// allowance is what the allow-list has for one kind.
type allowance struct {
	kind     Kind
	values   map[string]bool
	domains  []string
	networks []netip.Prefix
}

var kindName = regexp.MustCompile(`^[a-z][a-z0-9_]{1,31}$`)

// ParseRules reads a rules file. name is for messages.
func ParseRules(name string, data []byte) (*Rules, error) {
	var f rulesFile
	doc, err := strictyaml.Decode(name, data, &f)
	if err != nil {
		return nil, err
	}
	if f.Version != RulesVersion {
		return nil, doc.Fault("version", "write version: 1", "version %d of the format of rules is unknown", f.Version)
	}
	if len(f.Detectors) > maxDetectors {
		return nil, doc.Fault("detectors", "leave the rarest out", "%d detectors are more than the %d that are allowed", len(f.Detectors), maxDetectors)
	}
	sum := sha256.Sum256(data)
	r := &Rules{id: fmt.Sprintf("%x", sum[:6]), countries: f.Countries}
	for i, c := range f.Countries {
		if _, ok := countryOf(c); !ok {
			return nil, doc.Fault(fmt.Sprintf("countries[%d]", i), "use "+strings.Join(Countries(), ", "), "no detector knows the country %q", c)
		}
	}
	for i, k := range f.Off {
		if _, ok := idOf(Kind(k)); !ok {
			return nil, doc.Fault(fmt.Sprintf("off[%d]", i), "the kinds are "+strings.Join(Names(), ", "), "there is no detector %q", k)
		}
		r.off = append(r.off, Kind(k))
	}
	for i := range f.Detectors {
		if err := r.detector(doc, fmt.Sprintf("detectors[%d]", i), &f.Detectors[i]); err != nil {
			return nil, err
		}
	}
	for i := range f.Allow {
		if err := r.allowance(doc, fmt.Sprintf("allow[%d]", i), &f.Allow[i]); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// ID is the first 12 hex digits of the file's SHA-256.
func (r *Rules) ID() string { return r.id }

func (r *Rules) detector(doc *strictyaml.Doc, at string, f *detectorRule) error {
	switch _, builtIn := idOf(Kind(f.Kind)); {
	case builtIn:
		return doc.Fault(at+".kind", "choose another name", "%q is a built-in detector", f.Kind)
	case !kindName.MatchString(f.Kind):
		return doc.Fault(at+".kind", "use small letters, digits and underscores, as in employee_no", "%q is no name of a kind", f.Kind)
	case f.Category != "user" && !strings.HasPrefix(f.Category, "user."):
		return doc.Fault(at+".category", "use a fideslang key such as user.unique_id", "%q is no category of personal data", f.Category)
	case f.Pattern == "" && len(f.Names) == 0:
		return doc.Fault(at, "add pattern or names", "the detector %s has neither a pattern nor names of fields", f.Kind)
	case f.Confidence < 0 || f.Confidence > 100:
		return doc.Fault(at+".confidence", "write it in percent", "a confidence of %d is not possible", f.Confidence)
	}
	c := custom{info: Info{Kind: Kind(f.Kind), Category: f.Category, Group: f.Kind}, confidence: uint8(f.Confidence)}
	if f.Confidence == 0 {
		c.confidence = 70
	}
	for _, n := range f.Names {
		c.names = append(c.names, squeeze(n))
	}
	if f.Pattern != "" {
		var err error
		if c.pattern, err = bounded(f.Pattern); err != nil {
			return doc.Fault(at+".pattern", "Go's syntax: https://pkg.go.dev/regexp/syntax", "%s", err.Error())
		}
		c.literal, _ = c.pattern.LiteralPrefix()
	}
	r.custom = append(r.custom, c)
	return nil
}

// bounded compiles a pattern whose program is not too large and that does not
// match nothing.
func bounded(pattern string) (*regexp.Regexp, error) {
	if len(pattern) > maxPattern {
		return nil, fmt.Errorf("the pattern has %d characters; %d are allowed", len(pattern), maxPattern)
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, err
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, err
	}
	if len(prog.Inst) > maxProgram {
		return nil, fmt.Errorf("the pattern repeats too much: %d steps; %d are allowed", len(prog.Inst), maxProgram)
	}
	re, err := regexp.Compile(pattern)
	if err == nil && re.MatchString("") {
		return nil, fmt.Errorf("the pattern matches the empty text and so everything")
	}
	return re, err
}

func (r *Rules) allowance(doc *strictyaml.Doc, at string, f *allowRule) error {
	a := allowance{kind: Kind(f.Kind), values: map[string]bool{}}
	_, builtIn := idOf(a.kind)
	known := builtIn || f.Kind == ""
	for i := range r.custom {
		known = known || r.custom[i].info.Kind == a.kind
	}
	if !known {
		return doc.Fault(at+".kind", "the kinds are "+strings.Join(Names(), ", "), "there is no detector %q", f.Kind)
	}
	if len(f.Values)+len(f.Domains)+len(f.Networks) == 0 {
		return doc.Fault(at, "add values, domains or networks", "the rule allows nothing")
	}
	for _, v := range f.Values {
		a.values[strings.ToLower(v)] = true
	}
	for _, d := range f.Domains {
		a.domains = append(a.domains, strings.ToLower(strings.TrimPrefix(d, "@")))
	}
	for i, n := range f.Networks {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return doc.Fault(fmt.Sprintf("%s.networks[%d]", at, i), "write it as 10.0.0.0/8", "%q is no network", n)
		}
		a.networks = append(a.networks, p)
	}
	r.allow = append(r.allow, a)
	return nil
}

// allowed reports whether the allow-list has a value.
func (d *Detector) allowed(k Kind, v string) bool {
	for i := range d.allow {
		a := &d.allow[i]
		if a.kind != "" && a.kind != k {
			continue
		}
		if a.values[strings.ToLower(v)] {
			return true
		}
		for _, domain := range a.domains {
			if at := strings.LastIndexByte(v, '@'); at >= 0 && (strings.EqualFold(v[at+1:], domain) || len(v) > at+1+len(domain) && strings.EqualFold(v[len(v)-len(domain)-1:], "."+domain)) {
				return true
			}
		}
		if len(a.networks) == 0 || k != IPv4 && k != IPv6 {
			continue
		}
		if addr, err := netip.ParseAddr(v); err == nil {
			for _, n := range a.networks {
				if n.Contains(addr) {
					return true
				}
			}
		}
	}
	return false
}

// find appends the detector's matches in the text of sc that enter none of
// dst[base:].
func (c *custom) find(dst []Match, base int, sc *scanner) []Match {
	s := sc.s
	if c.pattern != nil && (c.literal == "" || strings.Contains(s, c.literal)) {
		for _, at := range c.pattern.FindAllStringIndex(s, maxPerText) {
			dst = c.add(dst, base, sc, at[0], at[1])
		}
	}
	if len(c.names) == 0 {
		return dst
	}
	if sc.name != "" && c.names[0] != "" && c.isNamed(sc.name) && s != "" {
		dst = c.add(dst, base, sc, 0, len(s))
	}
	for i, n := 0, 0; i < len(s) && n < maxPerText; i++ {
		if s[i] != '=' && s[i] != ':' {
			continue
		}
		end := i
		if end > 0 && (s[end-1] == '"' || s[end-1] == '\'') {
			end--
		}
		start := end
		for start > 0 && end-start < maxName && (isAlnum(s[start-1]) || s[start-1] == '_' || s[start-1] == '-') {
			start--
		}
		if start == end || !c.isNamed(s[start:end]) {
			continue
		}
		from := i + 1
		for from < len(s) && (s[from] == ' ' || s[from] == '"' || s[from] == '\'') && from-i < 5 {
			from++
		}
		to := from
		for to < len(s) && !ends[s[to]] {
			to++
		}
		if to > from && !placeholder(s[from:to]) {
			dst = c.add(dst, base, sc, from, to)
			n++
		}
	}
	return dst
}

// isNamed reports whether a name of a field is one of the detector's.
func (c *custom) isNamed(name string) bool {
	name = squeeze(name)
	for _, n := range c.names {
		if n == name {
			return true
		}
	}
	return false
}

// squeeze is a name in small letters without separators.
func squeeze(s string) string {
	return strings.ToLower(strings.NewReplacer("_", "", "-", "", ".", "", " ", "").Replace(s))
}

func (c *custom) add(dst []Match, base int, sc *scanner, start, end int) []Match {
	for _, m := range dst[base:] {
		if m.Start < end && start < m.End {
			return dst
		}
	}
	if len(sc.d.allow) > 0 && sc.d.allowed(c.info.Kind, sc.s[start:end]) {
		return dst
	}
	return append(dst, Match{Kind: c.info.Kind, Start: start, End: end, Index: c.index, Confidence: c.confidence})
}
