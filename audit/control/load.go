package control

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/strictyaml"
)

// Set are the controls of an installation, sorted by id. It never changes once
// loaded and is safe for concurrent use.
type Set struct {
	Controls []*Control

	byID   map[string]*Control
	perRow []*Control // those with expressions
	digest string
}

// compiled is what a per-entry control becomes. All are nil otherwise.
type compiled struct {
	applies, evidenced, violation predicate
	severities                    []severity
	facts, key                    []*audit.EntryField
	sql                           SQL
}

type severity struct {
	when predicate
	to   audit.Severity
}

var (
	idForm     = regexp.MustCompile(`^[A-Z]{2,4}-[0-9]{2,3}$`)
	reasonForm = regexp.MustCompile(`^[a-z][a-z-]*$`)
	kinds      = []string{string(audit.Violation), string(audit.Gap)}
	severities = []string{string(audit.SeverityLow), string(audit.SeverityMedium), string(audit.SeverityHigh), string(audit.SeverityCritical)}
	carried    = []string{"tls", "purpose", "principal", "target", "outcome"}
	// grouped are the fields that every finding of an entry shows.
	grouped   = []string{"principal_id", "system_key", "source", "url_template", "purpose"}
	textParts = []string{"title", "summary", "why", "do"}
)

// Load reads every *.yaml of the file systems, shipped controls first, and
// checks them. Errors name file, line and column and come with a hint.
func Load(from ...fs.FS) (*Set, error) {
	s := &Set{byID: map[string]*Control{}}
	hash := sha256.New()
	for _, fsys := range from {
		var names []string
		err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && path.Ext(name) == ".yaml" {
				names = append(names, name)
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("failed to list the controls: %w", err)
		}
		sort.Strings(names)
		for _, name := range names {
			data, err := fs.ReadFile(fsys, name)
			if err != nil {
				return nil, fmt.Errorf("failed to read a control: %w", err)
			}
			c, err := parse(name, data)
			if err != nil {
				return nil, err
			}
			if known := s.byID[c.ID]; known != nil {
				return nil, fmt.Errorf("%s: the id %s is in %s already", name, c.ID, known.file)
			}
			fmt.Fprintf(hash, "%s %d\n", name, len(data))
			hash.Write(data)
			s.byID[c.ID] = c
			s.Controls = append(s.Controls, c)
		}
	}
	sort.Slice(s.Controls, func(i, j int) bool { return s.Controls[i].ID < s.Controls[j].ID })
	for _, c := range s.Controls {
		if c.compiled.applies != nil {
			s.perRow = append(s.perRow, c)
		}
	}
	s.digest = hex.EncodeToString(hash.Sum(nil)[:6])
	return s, nil
}

// Control returns the control with an id, or nil.
func (s *Set) Control(id string) *Control { return s.byID[id] }

// Digest identifies the set in chunk versions: 12 hex digits.
func (s *Set) Digest() string { return s.digest }

// Windowed are the controls that are queries on a schedule.
func (s *Set) Windowed() []*Control {
	var out []*Control
	for _, c := range s.Controls {
		if c.Window != nil {
			out = append(out, c)
		}
	}
	return out
}

// checker applies the rules of the file format; it stops at the first fault.
type checker struct {
	c   *Control
	doc *strictyaml.Doc
	err error
}

func parse(name string, data []byte) (*Control, error) {
	c := &Control{file: name}
	doc, err := strictyaml.Decode(name, data, c)
	if err != nil {
		return nil, err
	}
	k := &checker{c: c, doc: doc}
	for _, rules := range []func(){k.head, k.form, k.expressions, k.fields, k.window, k.reasons, k.texts, k.cases} {
		if rules(); k.err != nil {
			return nil, k.err
		}
	}
	return c, nil
}

func (k *checker) fail(path, hint, format string, args ...any) {
	if k.err == nil {
		k.err = k.doc.Fault(path, hint, format, args...)
	}
}

func (k *checker) oneOf(path, value string, allowed []string) {
	if !slices.Contains(allowed, value) {
		k.fail(path, "use one of: "+strings.Join(allowed, ", "), "%q is not a value of %s", value, path[strings.LastIndexByte(path, '.')+1:])
	}
}

func (k *checker) head() {
	if !idForm.MatchString(k.c.ID) {
		k.fail("id", "for example AC-01", "%q is not an id of two to four capital letters, a dash and two or three digits", k.c.ID)
	}
	if k.c.Version == 0 {
		k.fail("version", "write version: 1", "version is missing; it counts from 1")
	}
	k.oneOf("kind", k.c.Kind, kinds)
	k.oneOf("severity", k.c.Severity, severities)
	if len(k.c.Articles()) == 0 {
		k.fail("law", `write law: {gdpr: ["Art. 32(1)(a)"]}`, "law is missing; a control serves at least one article")
	}
}

// form checks that the control is of exactly one of the three forms.
func (k *checker) form() {
	n := 0
	for _, is := range []bool{k.c.Applies != "" || k.c.Violation != "", k.c.Window != nil, len(k.c.Raised) > 0} {
		if is {
			n++
		}
	}
	if n != 1 {
		k.fail("id", "give it applies and violation, or window, or raised", "a control is asked of each entry, or a query on a schedule, or raised by the program: exactly one of them")
	}
}

func (k *checker) expressions() {
	c := k.c
	for i, n := range c.Needs {
		k.oneOf(fmt.Sprintf("needs[%d]", i), n, carried)
	}
	if c.Applies == "" && c.Violation == "" {
		return
	}
	if c.Applies == "" || c.Violation == "" {
		k.fail("id", "write both", "a control that is asked of each entry needs applies and violation")
		return
	}
	evidenced := make([]string, 0, len(c.Needs)+1)
	for _, n := range c.Needs {
		evidenced = append(evidenced, fmt.Sprintf("%q in carries", n))
	}
	if c.Evidenced != "" {
		if _, _, err := compileExpression(c.Evidenced); err != nil {
			k.fail("evidenced", "", "evidenced: %s", err)
			return
		}
		evidenced = append(evidenced, "("+c.Evidenced+")")
	}
	if len(evidenced) == 0 {
		evidenced = []string{"true"}
	}
	x := &c.compiled
	var applies, seen, wrong string
	x.applies, applies = k.compile("applies", c.Applies)
	x.evidenced, seen = k.compile("evidenced", strings.Join(evidenced, " and "))
	x.violation, wrong = k.compile("violation", c.Violation)
	x.sql = SQL{Applies: applies, Evidenced: "(" + applies + ") AND (" + seen + ")"}
	x.sql.Violation = x.sql.Evidenced + " AND (" + wrong + ")"
	for i, r := range c.SeverityWhen {
		path := fmt.Sprintf("severity_when[%d]", i)
		k.oneOf(path+".severity", r.Severity, severities)
		when, _ := k.compile(path+".when", r.When)
		x.severities = append(x.severities, severity{when, audit.Severity(r.Severity)})
	}
}

func (k *checker) compile(path, src string) (predicate, string) {
	p, sql, err := compileExpression(src)
	if err != nil {
		k.fail(path, "the fields are listed by: tallystick sql \"DESCRIBE entries\"", "%s: %s", path, err)
	}
	return p, sql
}

// fields checks facts, group and key against the fields of an entry.
func (k *checker) fields() {
	for _, list := range []struct {
		path   string
		names  []string
		closed bool
		into   *[]*audit.EntryField
	}{
		{"facts", k.c.Facts, true, &k.c.compiled.facts}, {"group", k.c.Group, false, nil}, {"key", k.c.Key, false, &k.c.compiled.key},
	} {
		for i, name := range list.names {
			path := fmt.Sprintf("%s[%d]", list.path, i)
			f := fieldByName(name)
			switch {
			case f == nil:
				k.fail(path, "the fields are listed by: tallystick sql \"DESCRIBE entries\"", "%q is not a field of an entry", name)
			case list.closed && (f.Kind == audit.Text || f.Kind == audit.Texts || f.Kind == audit.Map || f.Kind == audit.Time):
				k.fail(path, "copy only fields with few values, such as client_country", "%s can't be a fact: it has many values", name)
			case list.path == "key" && f.Str == nil:
				k.fail(path, "use a field that holds one text", "%s can't be a key", name)
			case list.into != nil:
				*list.into = append(*list.into, f)
			}
		}
	}
	perEntry := k.c.Applies != ""
	for i, name := range k.c.Group {
		if perEntry && !slices.Contains(grouped, name) && !slices.Contains(k.c.Facts, name) {
			k.fail(fmt.Sprintf("group[%d]", i), "add it to facts, or group by: "+strings.Join(grouped, ", "), "a finding does not show %s", name)
		}
	}
	if k.c.Kind == string(audit.Gap) && perEntry && len(k.c.Key) == 0 {
		k.fail("kind", "write key: [system_key, url_template]", "a gap needs a key: it is one finding per key")
	}
	if len(k.c.Key) > 0 && (!perEntry || k.c.Kind != string(audit.Gap)) {
		k.fail("key", "remove it", "key belongs to gaps that are asked of each entry")
	}
}

func (k *checker) window() {
	w := k.c.Window
	if w == nil {
		return
	}
	if w.Every.bad != "" || w.Every.Duration == 0 {
		k.fail("window.every", "for example 1m", "%q is not a duration", w.Every.bad)
	}
	for _, need := range []string{"{from:DateTime64(9, 'UTC')}", "{until:DateTime64(9, 'UTC')}", "entries"} {
		if !strings.Contains(w.SQL, need) {
			k.fail("window.sql", "see docs/reference/controls.md", "the query does not use %s", need)
		}
	}
}

func (k *checker) reasons() {
	for i, r := range k.c.Raised {
		path := fmt.Sprintf("raised[%d]", i)
		if !reasonForm.MatchString(r.Reason) {
			k.fail(path+".reason", "for example source-silent", "%q is not a reason of lower-case letters and dashes", r.Reason)
		}
		k.oneOf(path+".kind", r.Kind, kinds)
		k.oneOf(path+".severity", r.Severity, severities)
	}
}

func (k *checker) texts() {
	for part := range k.c.Texts {
		if !slices.Contains(textParts, part) {
			k.fail("texts."+part, "use one of: "+strings.Join(textParts, ", "), "%q is not a text of a control", part)
		}
	}
}
