// Package control evaluates controls over masked entries and makes findings.
//
// A control is a YAML file: what it asks (applies, evidenced, violation as
// expressions over the fields of an entry), which articles it serves, how
// severe it is, and cases that show it fire, not fire, at its edge and without
// evidence. For each entry it answers pass, violation or not evidenced; a gap
// control raises one finding per key instead of one per entry. Windowed
// controls are SQL that the alerter runs on a schedule; raised ones have
// no expression and are used by the auditor for faults of the record itself.
//
// The expressions use the syntax of expr-lang/expr: the names of
// audit.EntryFields, and, or, not, ==, !=, <, <=, >, >=, in, len() and
// found(KINDS, PLACES). They compile to Go closures and to SQL of the same
// meaning, so reports count exactly what was evaluated. Measured on a Xeon
// shared by others: 0.26 us a line for the six per-entry controls that ship;
// for the applies expression of AC-01 alone 19 ns with closures, 345 ns in
// expr's VM, 660 ns in cel-go.
//
// The package sees no Event and no clear value. Its callers are the auditor,
// the alerter, reports and the CLI.
package control

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// Control is one control file; the comments of its fields are the reference.
type Control struct {
	// ID is like AC-01. Texts for people are messages control.ID.title,
	// .summary, .why and .do, unless Texts has them.
	ID string `yaml:"id"`
	// Version counts up whenever the meaning changes.
	Version uint16 `yaml:"version"`
	// Kind is violation or gap.
	Kind string `yaml:"kind"`
	// Severity is low, medium, high or critical.
	Severity string `yaml:"severity"`
	// SeverityWhen raises or lowers it; the first that holds wins.
	SeverityWhen []SeverityRule `yaml:"severity_when"`
	Law          Law            `yaml:"law"`
	// Needs are what a format must carry for the control to be evidenced: tls,
	// purpose, principal, target, outcome. It is added to Evidenced.
	Needs []string `yaml:"needs"`
	// Applies says which entries the control is about.
	Applies string `yaml:"applies"`
	// Evidenced says for which of them the question can be answered; empty
	// means whenever Needs are carried.
	Evidenced string `yaml:"evidenced"`
	// Violation says which of those are violations, or gaps.
	Violation string `yaml:"violation"`
	// Facts are fields copied to a finding; only such with closed values.
	Facts []string `yaml:"facts"`
	// Group are the fields by which alerts are grouped.
	Group []string `yaml:"group"`
	// Key are the fields that make a gap one finding.
	Key []string `yaml:"key"`
	// Window makes the control a query on a schedule.
	Window *Window `yaml:"window"`
	// Raised are the reasons for which the program itself raises the control.
	Raised []Reason `yaml:"raised"`
	// Texts are messages of a site's own controls: title, summary, why, do,
	// each by language.
	Texts map[string]map[string]string `yaml:"texts"`
	// Cases are run by Set.Test.
	Cases []Case `yaml:"cases"`

	file     string
	compiled compiled
}

// Law are references with article or section: what a finding and a report cite.
type Law struct {
	GDPR []string `yaml:"gdpr"`
	CCPA []string `yaml:"ccpa"`
	LGPD []string `yaml:"lgpd"`
}

// SeverityRule sets another severity where an expression holds.
type SeverityRule struct {
	When     string `yaml:"when"`
	Severity string `yaml:"severity"`
}

// Reason is one reason to raise a control.
type Reason struct {
	Reason   string `yaml:"reason"`
	Kind     string `yaml:"kind"`
	Severity string `yaml:"severity"`
}

// Window is a query on a schedule.
type Window struct {
	// Every is how often the alerter runs it.
	Every Duration `yaml:"every"`
	// SQL reads the view entries with the parameters from and until
	// (DateTime64(9, 'UTC'), half-open: what begins in it is returned, once)
	// and returns the columns of Row by their names.
	SQL string `yaml:"sql"`
}

// Duration is written 1m or 30s.
type Duration struct {
	time.Duration
	bad string
}

// SetScalar parses the duration; the loader reports a bad one.
func (d *Duration) SetScalar(s string) {
	v, err := time.ParseDuration(s)
	if err != nil || v <= 0 {
		d.bad = s
	}
	d.Duration = v
}

// Answer is what a control says about an entry.
type Answer uint8

// The answers.
const (
	NotApplicable Answer = iota
	Pass
	NotEvidenced
	Violation
)

// String is the word used in cases: none, pass, not-evidenced, violation.
func (a Answer) String() string { return [...]string{"none", "pass", "not-evidenced", "violation"}[a] }

// Answer evaluates a per-entry control. Windowed and raised ones answer
// NotApplicable.
func (c *Control) Answer(e *audit.Entry) Answer {
	x := &c.compiled
	switch {
	case x.applies == nil || !x.applies(e):
		return NotApplicable
	case !x.evidenced(e):
		return NotEvidenced
	case x.violation(e):
		return Violation
	}
	return Pass
}

// SQL are the conditions of a per-entry control over the view entries. Each
// includes the one before it: Violation is a subset of Evidenced, and that of
// Applies. All are empty for windowed and raised controls.
type SQL struct{ Applies, Evidenced, Violation string }

// SQL returns the conditions.
func (c *Control) SQL() SQL { return c.compiled.sql }

// Articles are all references in one list: "GDPR Art. 5(1)(b)".
func (c *Control) Articles() []string {
	var out []string
	for _, l := range []struct {
		name string
		refs []string
	}{{"GDPR ", c.Law.GDPR}, {"CCPA ", c.Law.CCPA}, {"LGPD ", c.Law.LGPD}} {
		for _, r := range l.refs {
			out = append(out, l.name+r)
		}
	}
	return out
}

// Message is the id of one of the control's texts in the catalogue: title,
// summary, why or do.
func (c *Control) Message(part string) string { return "control." + c.ID + "." + part }

// FindingID is the id of the finding of a control for an entry id or a key.
func FindingID(control string, key ...string) string {
	sum := sha256.Sum256([]byte(control + "\x00" + strings.Join(key, "\x00")))
	return base32.StdEncoding.EncodeToString(sum[:])[:20]
}

// Row is what a windowed query returns for one finding.
type Row struct {
	// Key identifies the finding together with control, system and From.
	Key            string
	Principal      string
	PrincipalType  string
	PrincipalLabel string
	Source         string
	System         string
	Count          uint64
	From, Until    time.Time
	EntryID        string
	// Facts are the remaining columns, by name.
	Facts map[string]string
}

// WindowFinding makes the finding of a row.
func (c *Control) WindowFinding(r Row, detected time.Time) audit.Finding {
	return audit.Finding{
		ID:   FindingID(c.ID, r.Key, r.System, r.From.UTC().Format(time.RFC3339Nano)),
		Kind: audit.FindingKind(c.Kind), Control: c.ID, ControlVersion: c.Version, Severity: audit.Severity(c.Severity),
		Time: r.From.UTC(), Until: r.Until.UTC(), Detected: detected.UTC(), Source: r.Source, System: r.System,
		Principal: r.Principal, PrincipalKind: audit.PrincipalKind(r.PrincipalType), PrincipalLabel: r.PrincipalLabel,
		EntryID: r.EntryID, Count: r.Count, Facts: r.Facts,
	}
}

// Fault is what the program reports about the record itself.
type Fault struct {
	// Reason is one of the control's reasons.
	Reason string
	// Key identifies the fault: the same key is the same finding.
	Key         []string
	Source      string
	System      string
	Time, Until time.Time
	Count       uint64
	Chunk       string
	// Facts hold counts and closed words only, no value of a line.
	Facts map[string]string
}

// Raise makes the finding of a control that the program itself raises.
func (s *Set) Raise(id string, f Fault, detected time.Time) (audit.Finding, error) {
	c := s.Control(id)
	if c == nil {
		return audit.Finding{}, fmt.Errorf("failed to raise control %s: there is no such control", id)
	}
	for _, r := range c.Raised {
		if r.Reason != f.Reason {
			continue
		}
		facts := map[string]string{"reason": f.Reason}
		for k, v := range f.Facts {
			facts[k] = v
		}
		if f.Until.IsZero() {
			f.Until = f.Time
		}
		return audit.Finding{
			ID:   FindingID(c.ID, append([]string{f.Reason}, f.Key...)...),
			Kind: audit.FindingKind(r.Kind), Control: c.ID, ControlVersion: c.Version, Severity: audit.Severity(r.Severity),
			Time: f.Time.UTC(), Until: f.Until.UTC(), Detected: detected.UTC(), Source: f.Source, System: f.System,
			Count: f.Count, Facts: facts, Chunk: f.Chunk,
		}, nil
	}
	return audit.Finding{}, fmt.Errorf("failed to raise control %s: it has no reason %q", id, f.Reason)
}
