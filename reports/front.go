package reports

import (
	"fmt"
	"strings"
)

// CoverageQueries are asked for every report: how completely each source
// arrived. Completeness is kept by the hour that the lines themselves name.
func CoverageQueries() []Query {
	return []Query{
		{Name: "coverage_entries", SQL: `SELECT source, sum(q.entries) AS entries
FROM entries_quarterly AS q
WHERE quarter >= {from:DateTime64(9)} AND quarter < {until:DateTime64(9)}
GROUP BY source
HAVING entries != 0
ORDER BY source`},
		{Name: "coverage_lines", SQL: `SELECT source, sum(received) AS lines, sum(rejected) AS rejections, sum(missing) AS missing
FROM completeness
WHERE hour >= toStartOfHour({from:DateTime64(9)}) AND hour < {until:DateTime64(9)}
GROUP BY source
ORDER BY source`},
		{Name: "coverage_gaps", SQL: `SELECT source, count() AS gaps
FROM findings
WHERE kind = 'gap' AND startsWith(control, 'GV-') AND source != '' AND time >= {from:DateTime64(9)} AND time < {until:DateTime64(9)}
GROUP BY source
ORDER BY source`},
		{Name: "coverage_expired", SQL: `SELECT class, sum(rows) AS removed
FROM expired
WHERE class IN ('entries', 'findings') AND first < {until:DateTime64(9)} AND last >= {from:DateTime64(9)}
  AND (chunk, version) NOT IN (SELECT chunk, version FROM superseded)
GROUP BY class
ORDER BY class`},
		{Name: "coverage", Table: "coverage"},
	}
}

func (b *builder) front() {
	f := &b.report.Front
	f.From, f.Until, f.Zone = b.period.From.UTC(), b.period.Until.UTC(), b.period.Zone
	f.GeneratedAt, f.Public, f.Checkpoint = b.in.Now.UTC(), b.in.Public, b.in.Checkpoint
	var gaps float64
	b.each("coverage", func(get func(string) any) {
		n := func(c string) uint64 { return uint64(number(get(c))) }
		f.Coverage = append(f.Coverage, Coverage{
			Source: raw(get("source")), Entries: n("entries"), Lines: n("lines"), Rejections: n("rejections"), Missing: n("missing"), Gaps: n("gaps"),
		})
		gaps += number(get("gaps"))
	})
	f.Share = b.share()
	f.Draft = b.common("draft")
	if b.in.Approved != "" {
		f.Draft = b.common("approved", "Name", b.in.Approved)
	}
	o := b.in.Map.Organisation
	contact := func(c Contact) string { return strings.Trim(c.Name+", "+c.Email, ", ") }
	add := func(id, s string) {
		if s == "" {
			s = b.common("undeclared")
		}
		f.Facts = append(f.Facts, Fact{Label: b.common("front." + id), Text: s})
	}
	add("citation", b.report.Citation)
	add("organisation", strings.Trim(o.Name+", "+o.Address, ", "))
	switch b.def.Law {
	case "lgpd":
		add("encarregado", contact(o.Encarregado))
	case "gdpr":
		add("dpo", contact(o.DPO))
	default:
		add("contact", contact(o.DPO))
	}
	add("period", b.common("period", "From", b.clock(b.period.From), "Until", b.clock(b.period.Until), "Zone", b.period.Zone))
	add("generated", b.clock(b.in.Now))
	add("generator", b.in.Generator)
	add("definition", fmt.Sprintf("%s v%d", b.def.Kind, b.def.Version))
	add("rules", b.in.RuleSet)
	add("map", b.in.Map.Version)
	add("sources", b.common("sources", "Sources", b.count(float64(len(f.Coverage))), "Coverage", b.coverageWords("coverage_entries"), "Gaps", b.count(gaps)))
	if words := b.expiredWords(); words != "" {
		add("expired", words)
	}
	add("checkpoint", b.checkpointLong())
	add("classification", b.common("class."+b.def.Classification))
	add("approval", f.Draft)
}

// expiredWords say what of the period was removed by its age, "" if nothing was.
func (b *builder) expiredWords() string {
	removed := map[string]float64{}
	b.each("coverage_expired", func(get func(string) any) { removed[raw(get("class"))] = number(get("removed")) })
	if len(removed) == 0 {
		return ""
	}
	return b.common("expired", "Entries", b.count(removed["entries"]), "Findings", b.count(removed["findings"]))
}

// coverageWords say how complete the data behind a query is.
func (b *builder) coverageWords(query string) string {
	e := b.report.EvidenceOf(query)
	switch {
	case e != nil && e.Source == "registers":
		return b.common("coverage.registers")
	case e != nil && e.Source == "map":
		return b.common("coverage.map")
	case b.report.Front.Share < 0:
		return b.common("coverage.none")
	}
	return b.common("coverage.share", "Share", b.percent(b.report.Front.Share))
}

// share is the part of all lines that were read and became entries, -1 if there
// are none.
func (b *builder) share() float64 {
	lines, rejections, missing := 0.0, 0.0, 0.0
	b.each("coverage", func(get func(string) any) {
		lines, rejections, missing = lines+number(get("lines")), rejections+number(get("rejections")), missing+number(get("missing"))
	})
	if lines+missing == 0 {
		return -1
	}
	return (lines - rejections) / (lines + missing)
}

func (b *builder) checkpointWords() string {
	if b.in.Checkpoint.Root == "" {
		return b.common("checkpoint.none")
	}
	return b.common("checkpoint.short", "Size", b.count(float64(b.in.Checkpoint.Size)))
}

func (b *builder) checkpointLong() string {
	c := b.in.Checkpoint
	if c.Root == "" {
		return b.common("checkpoint.none")
	}
	id := "checkpoint.unwitnessed"
	if c.Witnessed {
		id = "checkpoint.witnessed"
	}
	return b.common(id, "Size", b.count(float64(c.Size)), "Root", c.Root)
}

func (b *builder) back() {
	k := &b.report.Back
	for i := 1; i <= 6; i++ {
		k.Methodology = append(k.Methodology, b.common(fmt.Sprintf("method.%d", i)))
	}
	for _, id := range []string{"entry", "rejection", "finding", "gap", "pseudonym", "subjectday", "purpose", "checkpoint"} {
		k.Definitions = append(k.Definitions, Fact{Label: b.common("term." + id), Text: b.common("means." + id)})
	}
}

// words are the fixed words of the layout.
func (b *builder) words() map[string]string {
	out := map[string]string{}
	for _, id := range []string{"front", "contents", "figures", "evidence", "data", "missing", "methodology", "definitions", "queries", "query", "parameters", "rows", "sqlhash", "rowshash",
		"source.store", "source.registers", "source.map", "page", "internal", "more", "number", "value", "articles", "coverage", "what"} {
		out[id] = b.common("word." + id)
	}
	return out
}
