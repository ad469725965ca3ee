// Package law reads what laws say as data: which countries belong to the EEA
// or are adequate and when, how long answers may take, and thresholds.
//
// Every row has effective dates and a reference; a look-up takes the time that
// it is about, so a change of law is a new row and old periods keep their rule.
// It computes no due dates from calendars. Its callers are package enrich and
// the reports.
package law

import (
	"fmt"
	"slices"
	"time"

	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/schemas"
)

// The laws.
const (
	GDPR = "gdpr"
	CCPA = "ccpa"
	LGPD = "lgpd"
)

// Law is the content of schemas/law. It never changes once loaded.
type Law struct {
	// Version is the day to which the files are up to date.
	Version    string
	Deadlines  []Deadline
	Thresholds []Threshold

	eea      map[string][]Period
	adequacy map[string][]Adequacy // by law and country
}

// Adequacy is one decision for one country.
type Adequacy struct {
	Law, Country string
	// Condition says what else the importer must meet; "" means nothing.
	Condition string
	Reference string
	Period    Period
}

// Deadline is how long something may take.
type Deadline struct {
	ID  string `yaml:"id"`
	Law string `yaml:"law"`
	// Trigger is what begins it: received or aware.
	Trigger string `yaml:"trigger"`
	Length  int    `yaml:"length"`
	// Unit is hours, days, business-days or months.
	Unit string `yaml:"unit"`
	// Total is the length with an extension, 0 if there is none.
	Total int `yaml:"total"`
	// Calendar is whose holidays business days leave out.
	Calendar string `yaml:"calendar"`
	// Floor marks a least time to keep something instead of a most.
	Floor     bool   `yaml:"floor"`
	From      string `yaml:"from"`
	Until     string `yaml:"until"`
	Reference string `yaml:"reference"`

	period Period
}

// Threshold is a number above which a duty applies.
type Threshold struct {
	ID        string `yaml:"id"`
	Law       string `yaml:"law"`
	Value     uint64 `yaml:"value"`
	From      string `yaml:"from"`
	Until     string `yaml:"until"`
	Reference string `yaml:"reference"`

	period Period
}

// row is a row of territories.yaml and adequacy.yaml.
type row struct {
	Law       string   `yaml:"law"`
	Countries []string `yaml:"countries"`
	Condition string   `yaml:"condition"`
	From      string   `yaml:"from"`
	Until     string   `yaml:"until"`
	Reference string   `yaml:"reference"`
}

type file struct {
	Version    string      `yaml:"version"`
	EEA        []row       `yaml:"eea"`
	Adequacy   []row       `yaml:"adequacy"`
	Deadlines  []Deadline  `yaml:"deadlines"`
	Thresholds []Threshold `yaml:"thresholds"`
}

// Load reads the embedded files.
func Load() (*Law, error) {
	l := &Law{eea: map[string][]Period{}, adequacy: map[string][]Adequacy{}}
	for _, name := range []string{"law/territories.yaml", "law/adequacy.yaml", "law/deadlines.yaml"} {
		data, err := schemas.Law.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("failed to read the law tables: %w", err)
		}
		var f file
		doc, err := strictyaml.Decode(name, data, &f)
		if err != nil {
			return nil, err
		}
		if err := l.add(doc, &f); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *Law) add(doc *strictyaml.Doc, f *file) error {
	l.Version = max(l.Version, f.Version)
	for i, r := range f.EEA {
		p, err := NewPeriod(r.From, r.Until)
		if err != nil || r.Reference == "" {
			return doc.Fault(fmt.Sprintf("eea[%d]", i), "", "a row needs days and a reference")
		}
		for _, c := range r.Countries {
			l.eea[c] = append(l.eea[c], p)
		}
	}
	for i, r := range f.Adequacy {
		p, err := NewPeriod(r.From, r.Until)
		if err != nil || r.Reference == "" || r.Law != GDPR && r.Law != LGPD {
			return doc.Fault(fmt.Sprintf("adequacy[%d]", i), "", "a row needs a law, days and a reference")
		}
		for _, c := range r.Countries {
			l.adequacy[r.Law+c] = append(l.adequacy[r.Law+c], Adequacy{r.Law, c, r.Condition, r.Reference, p})
		}
	}
	units := []string{"hours", "days", "business-days", "months"}
	for i := range f.Deadlines {
		d := &f.Deadlines[i]
		var err error
		d.period, err = NewPeriod(d.From, d.Until)
		if err != nil || d.Reference == "" || d.Length <= 0 || !slices.Contains(units, d.Unit) {
			return doc.Fault(fmt.Sprintf("deadlines[%d]", i), "", "a deadline needs a length, a unit, days and a reference")
		}
	}
	for i := range f.Thresholds {
		t := &f.Thresholds[i]
		var err error
		if t.period, err = NewPeriod(t.From, t.Until); err != nil || t.Reference == "" {
			return doc.Fault(fmt.Sprintf("thresholds[%d]", i), "", "a threshold needs days and a reference")
		}
	}
	l.Deadlines, l.Thresholds = append(l.Deadlines, f.Deadlines...), append(l.Thresholds, f.Thresholds...)
	return nil
}

// InEEA reports whether a country belonged to the EEA at t.
func (l *Law) InEEA(country string, t time.Time) bool {
	for _, p := range l.eea[country] {
		if p.Contains(t) {
			return true
		}
	}
	return false
}

// Adequate returns the decision under a law, GDPR or LGPD, for a country that
// is in effect at t, or nil.
func (l *Law) Adequate(of, country string, t time.Time) *Adequacy {
	rows := l.adequacy[of+country]
	for i := range rows {
		if rows[i].Period.Contains(t) {
			return &rows[i]
		}
	}
	return nil
}

// Deadline returns the rule with an id that is in effect at t, or nil.
func (l *Law) Deadline(id string, t time.Time) *Deadline {
	for i := range l.Deadlines {
		if d := &l.Deadlines[i]; d.ID == id && d.period.Contains(t) {
			return d
		}
	}
	return nil
}

// Threshold returns the threshold with an id that is in effect at t, or nil.
func (l *Law) Threshold(id string, t time.Time) *Threshold {
	for i := range l.Thresholds {
		if x := &l.Thresholds[i]; x.ID == id && x.period.Contains(t) {
			return x
		}
	}
	return nil
}
