package console

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/alert"
	"github.com/tallystick/tallystick/internal/text"
)

// alertTexts gives the sentences of alerts the titles of controls.
type alertTexts struct {
	s *Console
	p *text.Printer
}

// Text returns title, why or do of a control.
func (t alertTexts) Text(control, part, _ string) string {
	c := t.s.explain(control, t.p)
	switch part {
	case "title":
		return c.Name
	case "why":
		return c.Why
	case "do":
		return c.Do
	}
	return ""
}

// Articles returns nothing: sentences name none.
func (alertTexts) Articles(string) []string { return nil }

// sentence says what a group of findings is about in the words of alerts,
// without its severity and its period, which stand beside it.
func (s *Console) sentence(g *alert.Group, p *text.Printer) string {
	c := alert.Composer{Text: p, Controls: alertTexts{s, p}, Names: s.deps.Names}
	out := c.Sentence(g, time.Time{})
	severity := p.T("alerts.severity."+string(g.Severity), nil)
	out = strings.TrimLeft(strings.TrimPrefix(out, severity), ":, ")
	if i := strings.LastIndex(out, ", "+p.Date(g.First.UTC())); i >= 0 {
		out = out[:i]
	}
	first, size := utf8.DecodeRuneInString(out)
	return string(unicode.ToUpper(first)) + out[size:]
}

// alertGroup is a finding as the group of itself.
func alertGroup(f record) *alert.Group {
	one := &audit.Finding{
		ID: f.Str("id"), Kind: audit.FindingKind(f.Str("kind")), Control: f.Str("control"), Severity: audit.Severity(f.Str("severity")),
		Time: f.Time("time"), Until: f.Time("until"), Source: f.Str("source"), System: f.Str("system"), Principal: f.Str("principal"),
		PrincipalKind: audit.PrincipalKind(f.Str("principal_kind")), PrincipalLabel: f.Str("principal_label"), Resource: f.Str("resource"),
		Categories: f.Strs("categories"), Count: f.Uint("count"), Facts: f.Map("facts"),
	}
	g := alert.NewGroup(one)
	g.Add(one, uint64(len(f.Strs("subjects"))), min(1, uint64(len(one.Principal))))
	return g
}

// sentenceFacts are the facts that sentences use.
var sentenceFacts = []string{"action", "subject_categories", "found_kinds", "tls_version", "recipient", "dest_country", "reason"}

// groupedFacts selects the values of the facts that sentences use.
func groupedFacts() string {
	var b strings.Builder
	for _, name := range sentenceFacts {
		b.WriteString(", groupUniqArray(20)(facts['" + name + "']) AS fact_" + name)
	}
	return b.String()
}

// alertGroup is the group in the words of alerts.
func (g *group) alertGroup(row record) *alert.Group {
	out := &alert.Group{
		Control: g.Control, Kind: audit.FindingKind(g.Kind), Severity: audit.Severity(g.Severity), First: g.First, Last: g.Last, Findings: g.Findings,
		Entries: g.Entries, Subjects: g.People, Principals: g.Principals, Principal: g.Principal, PrincipalKind: audit.PrincipalKind(g.Who),
		Label: g.Label, System: g.System, Source: g.Source, Sources: []string{g.Source}, Categories: row.Strs("all_categories"), Facts: map[string][]string{},
	}
	if len(g.Resources) == 1 {
		out.Resource = g.Resources[0]
	}
	for _, name := range sentenceFacts {
		for _, v := range row.Strs("fact_" + name) {
			for _, one := range strings.Split(v, ", ") {
				if one != "" {
					out.Facts[name] = append(out.Facts[name], one)
				}
			}
		}
	}
	return out
}
