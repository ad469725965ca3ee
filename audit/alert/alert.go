// Package alert groups findings and says them in words: one group per control
// and what the control groups by, and a notice whose first sentence tells who
// did what to whose data, where and when.
//
// It is pure: it keeps nothing and sends nothing. services/alerter keeps groups
// and outbox in the registers; package webhook sends. It sees findings only,
// which hold no clear value, and all its words come from the message catalogue.
package alert

import (
	"slices"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// Rules say when people hear of a group.
type Rules struct {
	Collect time.Duration // how long a new group gathers before the first notice
	Update  time.Duration // at least so long between two notices of a growing group
	Close   time.Duration // a group ends after so long without a finding
}

// DefaultRules are ten seconds, five minutes and half an hour.
func DefaultRules() Rules {
	return Rules{Collect: 10 * time.Second, Update: 5 * time.Minute, Close: 30 * time.Minute}
}

// Times are what Rules look at.
type Times struct {
	Opened   time.Time
	Changed  time.Time // when the newest finding came
	Notified time.Time // zero if people were not told yet
}

// Due says whether a notice is due now, and whether the group ends. A group that
// ends with news has both.
func (r Rules) Due(t Times, now time.Time) (notify, end bool) {
	end = now.Sub(t.Changed) >= r.Close
	if t.Notified.IsZero() {
		return end || now.Sub(t.Opened) >= r.Collect, end
	}
	news := t.Changed.After(t.Notified)
	return news && (end || now.Sub(t.Notified) >= r.Update), end
}

// Next is when Due will first say something of a group that does not change.
func (r Rules) Next(t Times) time.Time {
	end := t.Changed.Add(r.Close)
	next := end
	switch {
	case t.Notified.IsZero():
		next = t.Opened.Add(r.Collect)
	case t.Changed.After(t.Notified):
		next = t.Notified.Add(r.Update)
	}
	if end.Before(next) {
		return end
	}
	return next
}

// Group is what is told of some findings together. It is kept as JSON.
type Group struct {
	Control        string            `json:"control"`
	ControlVersion uint16            `json:"control_version"`
	Kind           audit.FindingKind `json:"kind"`
	Severity       audit.Severity    `json:"severity"` // the highest
	First          time.Time         `json:"first"`    // of the accesses
	Last           time.Time         `json:"last"`
	Findings       uint64            `json:"findings"`
	Entries        uint64            `json:"entries"`
	Subjects       uint64            `json:"subjects"`   // distinct
	Principals     uint64            `json:"principals"` // distinct
	// FirstFinding is the id of the earliest finding, for the evidence link.
	FirstFinding string `json:"first_finding"`
	// Principal, PrincipalKind, Label, System, Source and Resource are those of
	// all findings, or "" when they differ.
	Principal     string              `json:"principal,omitempty"`
	PrincipalKind audit.PrincipalKind `json:"principal_kind,omitempty"`
	Label         string              `json:"label,omitempty"`
	System        string              `json:"system,omitempty"`
	Source        string              `json:"source,omitempty"`
	Resource      string              `json:"resource,omitempty"`
	Sources       []string            `json:"sources,omitempty"`
	Categories    []string            `json:"categories,omitempty"`
	// Facts are the values that each fact had.
	Facts map[string][]string `json:"facts,omitempty"`
}

// maxValues bounds the lists of a group.
const maxValues = 20

// NewGroup is the empty group for a finding.
func NewGroup(f *audit.Finding) *Group {
	return &Group{
		Control: f.Control, ControlVersion: f.ControlVersion, Kind: f.Kind, Severity: f.Severity, First: f.Time, Last: f.Until,
		FirstFinding: f.ID, Principal: f.Principal, PrincipalKind: f.PrincipalKind, Label: f.PrincipalLabel,
		System: f.System, Source: f.Source, Resource: f.Resource,
	}
}

// Add counts a finding in. subjects and principals are how many of its own the
// group had not seen.
func (g *Group) Add(f *audit.Finding, subjects, principals uint64) {
	g.Findings++
	g.Entries += max(f.Count, 1)
	g.Subjects += subjects
	g.Principals += principals
	if f.Time.Before(g.First) {
		g.First, g.FirstFinding = f.Time, f.ID
	}
	if f.Until.After(g.Last) {
		g.Last = f.Until
	}
	if rank(f.Severity) > rank(g.Severity) {
		g.Severity = f.Severity
	}
	same(&g.Principal, f.Principal)
	same(&g.Label, f.PrincipalLabel)
	if f.PrincipalKind != g.PrincipalKind {
		g.PrincipalKind = ""
	}
	same(&g.System, f.System)
	same(&g.Source, f.Source)
	same(&g.Resource, f.Resource)
	g.Sources = with(g.Sources, f.Source)
	for _, c := range f.Categories {
		g.Categories = with(g.Categories, c)
	}
	for name, v := range f.Facts {
		if g.Facts == nil {
			g.Facts = map[string][]string{}
		}
		if _, ok := g.Facts[name]; !ok && len(g.Facts) >= maxValues {
			continue
		}
		for _, one := range strings.Split(v, ", ") {
			g.Facts[name] = with(g.Facts[name], one)
		}
	}
}

func same(have *string, v string) {
	if *have != v {
		*have = ""
	}
}

func with(list []string, v string) []string {
	i, ok := slices.BinarySearch(list, v)
	if ok || v == "" || len(list) >= maxValues {
		return list
	}
	return slices.Insert(list, i, v)
}

func rank(s audit.Severity) int {
	return slices.Index([]audit.Severity{audit.SeverityLow, audit.SeverityMedium, audit.SeverityHigh, audit.SeverityCritical}, s)
}

// Told reports whether people are told of the group at all: of violations, and
// of gaps from high on. Lower gaps wait in their queue.
func (g *Group) Told() bool {
	return g.Kind == audit.Violation || rank(g.Severity) >= rank(audit.SeverityHigh)
}

// Key is what a finding is grouped under, beside its control. by are names of
// entry fields as the control lists them; none means principal and system.
func Key(f *audit.Finding, by []string) string {
	if len(by) == 0 {
		by = []string{"principal_id", "system_key"}
	}
	parts := make([]string, len(by))
	for i, name := range by {
		switch name {
		case "principal_id":
			parts[i] = f.Principal
		case "system_key":
			parts[i] = f.System
		case "source":
			parts[i] = f.Source
		case "url_template":
			parts[i] = f.Resource
		case "purpose":
			parts[i] = f.Purpose
		default:
			parts[i] = f.Facts[name]
		}
	}
	return strings.Join(parts, "\x1f")
}
