package reports

import "slices"

// operationsTable is the record of operations as controller: one row per
// declared purpose, LGPD Art. 37 and ANPD's simplified model.
func operationsTable(b *builder) *Rows {
	uses := b.purposeUse()
	out := &Rows{Columns: []string{"process", "basis", "subject_types", "categories", "sensitive", "source", "systems", "security", "retention", "ripd", "reviewed", "entries"}}
	for _, p := range b.in.Map.Purposes {
		var names, security []string
		for _, s := range b.systemsOf(p.Key) {
			names = append(names, s.Name)
			if s.Security != "" && !slices.Contains(security, s.Security) {
				security = append(security, s.Security)
			}
		}
		sens := b.sensitive(p.Categories)
		if len(sens) == 0 {
			sens = []string{b.common("nosensitive")}
		}
		out.Rows = append(out.Rows, []any{p.Name, b.basisWord(p.LGPD), p.SubjectTypes, p.Categories, sens, b.or(p.Source), names, security, b.or(p.Retention), b.or(p.RIPD), p.Reviewed, uses[p.Key].entries})
	}
	return out
}

// or is s, or the word for what the data map does not declare.
func (b *builder) or(s string) string {
	if s == "" {
		return b.common("undeclared")
	}
	return s
}

// legitimateTable lists the purposes that rest on legitimate interest.
func legitimateTable(b *builder) *Rows {
	out := &Rows{Columns: []string{"process", "basis", "lia", "sensitive"}}
	for _, p := range b.in.Map.Purposes {
		if p.LGPD == "7-IX" {
			sens := "no"
			if len(b.sensitive(p.Categories)) > 0 {
				sens = "sensitive.conflict"
			}
			out.Rows = append(out.Rows, []any{p.Name, b.basisWord(p.LGPD), b.or(p.LIA), sens})
		}
	}
	return out
}

// childrenTable lists the purposes whose subjects are children or adolescents.
func childrenTable(b *builder) *Rows {
	out := &Rows{Columns: []string{"process", "subject_types", "basis", "retention"}}
	for _, p := range b.in.Map.Purposes {
		if slices.ContainsFunc(p.SubjectTypes, func(s string) bool { return slices.Contains(b.def.Children, s) }) {
			out.Rows = append(out.Rows, []any{p.Name, p.SubjectTypes, b.basisWord(p.LGPD), b.or(p.Retention)})
		}
	}
	return out
}

// divergencesTable compares what the data map declares with what entries show.
func divergencesTable(b *builder) *Rows {
	out := &Rows{Columns: []string{"divergence", "item", "declared", "entries"}}
	add := func(kind, item, declared string, n float64) {
		out.Rows = append(out.Rows, []any{kind, item, declared, n})
	}
	uses := b.purposeUse()
	purposes := map[string]Purpose{}
	for _, p := range b.in.Map.Purposes {
		purposes[p.Key] = p
		if uses[p.Key].entries == 0 {
			add("purpose.unused", p.Name, "yes", 0)
		}
	}
	for _, k := range keys(uses) {
		if _, ok := purposes[k]; !ok {
			name := k
			if k == "" {
				name = b.common("nopurpose")
			}
			add("purpose.undeclared", name, "no", uses[k].entries)
		}
	}
	b.each("observed_categories", func(get func(string) any) {
		p, ok := purposes[raw(get("purpose"))]
		if c := raw(get("category")); ok && !has(p.Categories, c) {
			add("category.undeclared", p.Name+": "+c, "no", number(get("entries")))
		}
	})
	seen := b.observedBy("observed_recipients", "recipient")
	for _, o := range b.in.Map.Organisations {
		delete(seen, o.Key)
	}
	for _, k := range keys(seen) {
		add("recipient.undeclared", k, "no", seen[k])
	}
	b.each("observed_transfers", func(get func(string) any) {
		if k := raw(get("transfer_kind")); k == "third" || k == "unknown" {
			add("country.undeclared", b.country(raw(get("dest_country"))), "no", number(get("entries")))
		}
	})
	b.each("observed_systems", func(get func(string) any) {
		if raw(get("system_key")) == "" {
			add("system.undeclared", raw(get("source")), "no", number(get("entries")))
		}
	})
	return out
}

func divergenceCounts(b *builder) *Rows {
	counts := map[string]float64{}
	for _, r := range divergencesTable(b).Rows {
		counts[raw(r[0])]++
	}
	out := &Rows{Columns: []string{"divergence", "divergences"}}
	for _, k := range keys(counts) {
		out.Rows = append(out.Rows, []any{k, counts[k]})
	}
	return out
}
