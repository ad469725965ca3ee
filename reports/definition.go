package reports

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/templates"
)

// Definition is one report kind: law as data. It is one YAML file.
type Definition struct {
	Kind    string `yaml:"kind"`
	Version int    `yaml:"version"`
	// Law is gdpr, ccpa or lgpd.
	Law            string       `yaml:"law"`
	Language       string       `yaml:"language"`       // when none is asked for
	Classification string       `yaml:"classification"` // message id
	Queries        []Query      `yaml:"queries"`
	Principles     []Principle  `yaml:"principles"`
	Types          []string     `yaml:"types"`     // of requests, in the order of the table
	Actions        []string     `yaml:"actions"`   // controls that have a text of what to do
	Sensitive      []string     `yaml:"sensitive"` // prefixes of sensitive data categories
	Children       []string     `yaml:"children"`  // subject types of children and adolescents
	Sections       []SectionDef `yaml:"sections"`
}

// Query is one named question. Exactly one of SQL, Registers and Table is set.
type Query struct {
	Name      string `yaml:"name"`
	SQL       string `yaml:"sql"`       // over the store's views, ClickHouse
	Registers string `yaml:"registers"` // over the registers, portable SQL
	Table     string `yaml:"table"`     // a table that tables.go derives from the data map and other queries
}

// Principle is one row of the rating: a principle of the law and the controls
// that speak for it.
type Principle struct {
	ID       string   `yaml:"id"`
	Article  string   `yaml:"article"`
	Controls []string `yaml:"controls"`
	// Coverage rates the completeness of the sources instead of controls.
	Coverage bool `yaml:"coverage"`
}

// SectionDef is one section of a definition. Texts are in the message catalogue
// under report.KIND.*.
type SectionDef struct {
	ID           string      `yaml:"id"`
	Articles     []string    `yaml:"articles"`
	Internal     bool        `yaml:"internal"`
	Paragraphs   []string    `yaml:"paragraphs"`
	Numbers      []NumberDef `yaml:"numbers"`
	Charts       []ChartDef  `yaml:"charts"`
	Tables       []TableDef  `yaml:"tables"`
	NotEvidenced []string    `yaml:"notEvidenced"`
}

// NumberDef is a number: the column of the query's only row, or the sum of the
// column over the rows where every Where holds.
type NumberDef struct {
	ID     string            `yaml:"id"`
	Query  string            `yaml:"query"`
	Column string            `yaml:"column"`
	Where  map[string]string `yaml:"where"`
	// Of makes the number a share of another column's sum.
	Of string `yaml:"of"`
	As string `yaml:"as"` // count (default), percent, days
}

// ChartDef is a chart over a query. Kind is stacked, bars, share or heat.
type ChartDef struct {
	ID    string `yaml:"id"`
	Kind  string `yaml:"kind"`
	Query string `yaml:"query"`
	// X labels bars, columns and the heat map's columns; Y its rows; Series
	// splits stacked columns.
	X      string `yaml:"x"`
	Y      string `yaml:"y"`
	Series string `yaml:"series"`
	Value  string `yaml:"value"`
	// Axis fills the categories that have no row: days, hours, weekdays,
	// months or a list given in Fixed.
	Axis  string    `yaml:"axis"`
	Fixed []string  `yaml:"fixed"`
	Marks []MarkDef `yaml:"marks"`
}

// MarkDef is a reference line of a chart.
type MarkDef struct {
	At    float64 `yaml:"at"`
	Label string  `yaml:"label"` // message id below report.KIND.mark
}

// TableDef is a table over a query.
type TableDef struct {
	ID      string      `yaml:"id"`
	Query   string      `yaml:"query"`
	Columns []ColumnDef `yaml:"columns"`
}

// ColumnDef is one column. As is text (default), count, percent, days, day,
// time, word (translated), country, list (words), control, rate or text.
type ColumnDef struct {
	Name string `yaml:"name"`
	As   string `yaml:"as"`
}

// Definitions are the embedded definitions, by kind: read once a process, and
// not to be changed.
func Definitions() (map[string]*Definition, error) { return definitions() }

var definitions = sync.OnceValues(readDefinitions)

func readDefinitions() (map[string]*Definition, error) {
	names, err := fs.Glob(templates.Reports, "reports/*.yaml")
	if err != nil {
		return nil, err
	}
	out := map[string]*Definition{}
	for _, n := range names {
		b, err := fs.ReadFile(templates.Reports, n)
		if err != nil {
			return nil, err
		}
		d, err := ParseDefinition(path.Base(n), b)
		if err != nil {
			return nil, err
		}
		out[d.Kind] = d
	}
	return out, nil
}

// Lookup returns the definition of a kind, or an error that names the kinds.
func Lookup(kind string) (*Definition, error) {
	all, err := Definitions()
	if err != nil {
		return nil, err
	}
	if d := all[kind]; d != nil {
		return d, nil
	}
	kinds := make([]string, 0, len(all))
	for k := range all {
		kinds = append(kinds, k)
	}
	sort.Strings(kinds)
	return nil, &text.Hint{Err: fmt.Errorf("unknown report kind %q", kind), Hint: "use one of " + strings.Join(kinds, ", ")}
}

// ParseDefinition reads one definition strictly and checks its references.
func ParseDefinition(name string, b []byte) (*Definition, error) {
	var d Definition
	if err := yaml.NewDecoder(bytes.NewReader(b), yaml.Strict()).Decode(&d); err != nil {
		return nil, fmt.Errorf("failed to read report definition %s: %w", name, err)
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("report definition %s: %w", name, err)
	}
	return &d, nil
}

// sections are those of a version: the public one leaves internal sections out.
func (d *Definition) sections(public bool) []SectionDef {
	return slices.DeleteFunc(slices.Clone(d.Sections), func(s SectionDef) bool { return public && s.Internal })
}

// shown are the queries that the sections of a version need. The others are
// not asked, so that nothing of an internal section is in the public evidence.
func (d *Definition) shown(public bool) map[string]bool {
	out, reads := map[string]bool{}, map[string][]string{}
	for _, q := range append(CoverageQueries(), d.Queries...) {
		reads[q.Name] = tables[q.Table].from
	}
	var add func(name string)
	add = func(name string) {
		out[name] = true
		for _, n := range reads[name] {
			add(n)
		}
	}
	add("coverage")
	add("coverage_expired")
	for _, s := range d.sections(public) {
		for _, n := range s.Numbers {
			add(n.Query)
		}
		for _, c := range s.Charts {
			add(c.Query)
		}
		for _, t := range s.Tables {
			add(t.Query)
		}
	}
	return out
}

func (d *Definition) check() error {
	if d.Kind == "" || d.Version < 1 || d.Language == "" || d.Classification == "" {
		return errors.New("kind, version, language and classification are needed")
	}
	known := map[string]bool{}
	for _, q := range CoverageQueries() {
		known[q.Name] = true
	}
	for _, q := range d.Queries {
		n := 0
		for _, s := range []string{q.SQL, q.Registers, q.Table} {
			if s != "" {
				n++
			}
		}
		if q.Name == "" || n != 1 {
			return fmt.Errorf("query %q needs a name and exactly one of sql, registers and table", q.Name)
		}
		if known[q.Name] {
			return fmt.Errorf("query %q is there twice", q.Name)
		}
		if _, ok := tables[q.Table]; q.Table != "" && !ok {
			return fmt.Errorf("query %q uses the unknown table %q", q.Name, q.Table)
		}
		known[q.Name] = true
	}
	for _, s := range d.Sections {
		for _, n := range s.Numbers {
			if !known[n.Query] || n.Column == "" {
				return fmt.Errorf("number %s of section %s needs a known query and a column", n.ID, s.ID)
			}
		}
		for _, c := range s.Charts {
			if !known[c.Query] || c.X == "" || c.Value == "" {
				return fmt.Errorf("chart %s of section %s needs a known query, x and value", c.ID, s.ID)
			}
		}
		for _, t := range s.Tables {
			if !known[t.Query] || len(t.Columns) == 0 {
				return fmt.Errorf("table %s of section %s needs a known query and columns", t.ID, s.ID)
			}
		}
	}
	return nil
}
