package reports

import (
	"slices"
	"sort"
	"strings"
	"time"
)

// derived is a table that is computed from the data map and other answers.
type derived struct {
	from []string // names of the queries that it reads; none: the data map alone
	rows func(*builder) *Rows
}

// tables are the derived tables, by the name that definitions use.
var tables = map[string]derived{
	"coverage":            {[]string{"coverage_entries", "coverage_lines", "coverage_gaps"}, coverageTable},
	"principles":          {[]string{"findings_by_control", "carried", "coverage_lines", "coverage_gaps"}, principlesTable},
	"recipients":          {[]string{"observed_recipients"}, recipientsTable},
	"transfers":           {[]string{"observed_transfers"}, transfersTable},
	"retention":           {nil, retentionTable},
	"suppressions":        {[]string{"suppressions_rows"}, suppressionsTable},
	"controls":            {[]string{"findings_by_control"}, controlsTable},
	"remediation":         {[]string{"findings_by_control"}, remediationTable},
	"purposes":            {[]string{"observed_purposes"}, purposesTable},
	"basis":               {[]string{"observed_purposes"}, basisTable},
	"rights":              {[]string{"requests_rows"}, rightsTable},
	"request_metrics":     {[]string{"requests_by_type", "requests_median"}, metricsTable},
	"request_denials":     {[]string{"requests_denied"}, denialsTable},
	"request_buckets":     {[]string{"requests_days"}, bucketsTable},
	"agents":              {nil, agentsTable},
	"operations":          {[]string{"observed_purposes"}, operationsTable},
	"legitimate_interest": {nil, legitimateTable},
	"children":            {nil, childrenTable},
	"divergences":         {[]string{"observed_purposes", "observed_categories", "observed_recipients", "observed_transfers", "observed_systems"}, divergencesTable},
	"divergence_counts":   {[]string{"observed_purposes", "observed_categories", "observed_recipients", "observed_transfers", "observed_systems"}, divergenceCounts},
	"systems":             {nil, systemsTable},
}

// each calls f with a reader of every row of a query.
func (b *builder) each(query string, f func(get func(string) any)) {
	rows := b.rows[query]
	if rows == nil {
		return
	}
	for i := range rows.Rows {
		f(func(c string) any { return rows.get(i, c) })
	}
}

func coverageTable(b *builder) *Rows {
	type counts struct{ entries, lines, rejections, missing, gaps float64 }
	by := map[string]*counts{}
	at := func(get func(string) any) *counts {
		s := raw(get("source"))
		if by[s] == nil {
			by[s] = &counts{}
		}
		return by[s]
	}
	b.each("coverage_entries", func(get func(string) any) { at(get).entries += number(get("entries")) })
	b.each("coverage_gaps", func(get func(string) any) { at(get).gaps += number(get("gaps")) })
	b.each("coverage_lines", func(get func(string) any) {
		c := at(get)
		c.lines, c.rejections, c.missing = number(get("lines")), number(get("rejections")), number(get("missing"))
	})
	out := &Rows{Columns: []string{"source", "entries", "lines", "rejections", "missing", "share", "gaps"}}
	for _, s := range keys(by) {
		c := by[s]
		if c.lines == 0 {
			c.lines = c.entries + c.rejections
		}
		share := any(nil)
		if c.lines+c.missing > 0 {
			share = (c.lines - c.rejections) / (c.lines + c.missing)
		}
		out.Rows = append(out.Rows, []any{s, c.entries, c.lines, c.rejections, c.missing, share, c.gaps})
	}
	return out
}

// found is what findings say about one control.
type found struct {
	violations, serious, gaps, entries float64
}

func (b *builder) findings() map[string]found {
	out := map[string]found{}
	b.each("findings_by_control", func(get func(string) any) {
		id := raw(get("control"))
		f := out[id]
		n := number(get("findings"))
		if raw(get("kind")) == "gap" {
			f.gaps += n
		} else {
			f.violations += n
			f.entries += number(get("accesses"))
			if s := raw(get("severity")); s == "high" || s == "critical" {
				f.serious += n
			}
		}
		out[id] = f
	})
	return out
}

// principlesTable rates each principle: red for a violation of high or critical
// severity, amber for other violations, gaps or partial evidence, green for
// none with full evidence, grey where nothing in force speaks for it.
func principlesTable(b *builder) *Rows {
	finds := b.findings()
	carried := map[string]float64{}
	b.each("carried", func(get func(string) any) { carried[raw(get("fact"))] = number(get("share")) })
	out := &Rows{Columns: []string{"principle", "article", "rate", "controls", "violations", "gaps", "evidenced"}}
	for _, p := range b.def.Principles {
		var in []string
		var f found
		share, known := 1.0, false
		for _, id := range p.Controls {
			i := slices.IndexFunc(b.in.Controls, func(c Control) bool { return c.ID == id })
			if i < 0 {
				continue
			}
			in, known = append(in, id), true
			for _, n := range b.in.Controls[i].Needs {
				share = min(share, carried[n])
			}
			f.violations, f.serious, f.gaps = f.violations+finds[id].violations, f.serious+finds[id].serious, f.gaps+finds[id].gaps
		}
		if p.Coverage {
			share = b.share()
			known = share >= 0
			b.each("coverage", func(get func(string) any) { f.gaps += number(get("gaps")) })
		}
		rate, evidenced := "grey", any(nil)
		if known {
			evidenced = share
			switch {
			case f.serious > 0:
				rate = "red"
			case share == 0:
				rate = "grey"
			case f.violations > 0 || f.gaps > 0 || share < 1:
				rate = "amber"
			default:
				rate = "green"
			}
		}
		out.Rows = append(out.Rows, []any{p.ID, p.Article, rate, in, f.violations, f.gaps, evidenced})
	}
	return out
}

func controlsTable(b *builder) *Rows {
	finds := b.findings()
	out := &Rows{Columns: []string{"control", "version", "severity", "articles", "violations", "gaps"}}
	for _, c := range b.in.Controls {
		f := finds[c.ID]
		out.Rows = append(out.Rows, []any{c.ID, uint64(c.Version), c.Severity, c.Articles, f.violations, f.gaps})
	}
	sort.Slice(out.Rows, func(i, j int) bool { return raw(out.Rows[i][0]) < raw(out.Rows[j][0]) })
	return out
}

// suppressionsTable lists what was accepted for a time that touches the period.
func suppressionsTable(b *builder) *Rows {
	out := &Rows{Columns: []string{"control", "system_key", "resource", "one_principal", "reason", "made_by", "made_day", "last_day"}}
	day := func(ms float64) string {
		return time.UnixMilli(int64(ms)).In(b.loc).Format(time.DateOnly)
	}
	b.each("suppressions_rows", func(get func(string) any) {
		end := number(get("until"))
		if ended := number(get("ended_at")); ended > 0 {
			end = min(end, ended)
		}
		one := "no"
		if raw(get("principal")) != "" {
			one = "yes"
		}
		out.Rows = append(out.Rows, []any{raw(get("control")), raw(get("system_key")), raw(get("resource")), one, raw(get("reason")), raw(get("made_by")),
			day(number(get("made_at"))), day(end - 1)})
	})
	return out
}

// remediationTable lists the controls with violations, worst first.
func remediationTable(b *builder) *Rows {
	out := &Rows{Columns: []string{"control", "severity", "findings", "accesses", "action"}}
	rank := map[string]int{"critical": 0, "high": 1, "medium": 2, "low": 3}
	b.each("findings_by_control", func(get func(string) any) {
		if raw(get("kind")) != "violation" {
			return
		}
		id := raw(get("control"))
		action := b.t("action.default")
		if slices.Contains(b.def.Actions, id) {
			action = b.t("action." + id)
		}
		out.Rows = append(out.Rows, []any{id, raw(get("severity")), get("findings"), get("accesses"), action})
	})
	sort.SliceStable(out.Rows, func(i, j int) bool {
		a, c := rank[raw(out.Rows[i][1])], rank[raw(out.Rows[j][1])]
		if a != c {
			return a < c
		}
		return number(out.Rows[i][2]) > number(out.Rows[j][2])
	})
	return out
}

// has reports whether an item, or a parent of it, is in a list of fideslang keys.
func has(list []string, key string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return key == p || strings.HasPrefix(key, p+".") })
}

// sensitive are the categories that the definition calls sensitive.
func (b *builder) sensitive(categories []string) []string {
	var out []string
	for _, c := range categories {
		if has(b.def.Sensitive, c) {
			out = append(out, c)
		}
	}
	return out
}

// status says whether something with an end date is in force at the end of the period.
func (b *builder) status(ref string, until time.Time) string {
	switch {
	case ref == "":
		return "missing"
	case !until.IsZero() && until.AddDate(0, 0, 1).Before(b.period.Until):
		return "expired"
	}
	return "declared"
}

func keys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
