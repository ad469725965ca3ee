package reports

import "slices"

// use is what was observed of one purpose or recipient.
type use struct {
	entries, stated, inferred, special float64
}

func (b *builder) purposeUse() map[string]use {
	out := map[string]use{}
	b.each("observed_purposes", func(get func(string) any) {
		k := raw(get("purpose"))
		u, n := out[k], number(get("entries"))
		u.entries += n
		u.special += number(get("special"))
		switch raw(get("purpose_source")) {
		case "stated":
			u.stated += n
		case "inferred":
			u.inferred += n
		}
		out[k] = u
	})
	return out
}

// basis is a purpose's legal basis under the report's law.
func (b *builder) basis(p Purpose) string {
	if b.def.Law == "lgpd" {
		return p.LGPD
	}
	return p.GDPR
}

func purposesTable(b *builder) *Rows {
	uses := b.purposeUse()
	out := &Rows{Columns: []string{"purpose", "basis", "entries", "stated", "inferred"}}
	for _, p := range b.in.Map.Purposes {
		u := uses[p.Key]
		delete(uses, p.Key)
		out.Rows = append(out.Rows, []any{p.Name, b.basisWord(b.basis(p)), u.entries, u.stated, u.inferred})
	}
	for _, k := range keys(uses) {
		u, name := uses[k], k
		if k == "" {
			name = b.common("nopurpose")
		}
		out.Rows = append(out.Rows, []any{name, b.common("undeclared"), u.entries, u.stated, u.inferred})
	}
	return out
}

// basisWord is a legal basis with its article, "" as undeclared.
func (b *builder) basisWord(s string) string {
	if s == "" {
		return b.common("undeclared")
	}
	return b.word("basis." + b.def.Law + "." + s)
}

// basisTable counts declared purposes and observed entries by legal basis.
func basisTable(b *builder) *Rows {
	uses := b.purposeUse()
	type counts struct{ purposes, entries float64 }
	by := map[string]counts{}
	for _, p := range b.in.Map.Purposes {
		c := by[b.basis(p)]
		c.purposes++
		c.entries += uses[p.Key].entries
		by[b.basis(p)] = c
	}
	out := &Rows{Columns: []string{"basis", "purposes", "entries"}}
	for _, k := range keys(by) {
		out.Rows = append(out.Rows, []any{b.basisWord(k), by[k].purposes, by[k].entries})
	}
	return out
}

// observedBy sums a query's entries by one column.
func (b *builder) observedBy(query, column string) map[string]float64 {
	out := map[string]float64{}
	b.each(query, func(get func(string) any) { out[raw(get(column))] += number(get("entries")) })
	return out
}

func recipientsTable(b *builder) *Rows {
	seen := b.observedBy("observed_recipients", "recipient")
	out := &Rows{Columns: []string{"recipient", "type", "country", "contract", "contract_until", "status", "entries"}}
	for _, o := range b.in.Map.Organisations {
		out.Rows = append(out.Rows, []any{o.Name, o.Type, o.Country, o.Contract, o.ContractUntil, b.status(o.Contract, o.ContractUntil), seen[o.Key]})
		delete(seen, o.Key)
	}
	for _, k := range keys(seen) {
		out.Rows = append(out.Rows, []any{k, "", "", "", nil, "undeclared", seen[k]})
	}
	return out
}

func transfersTable(b *builder) *Rows {
	type route struct{ recipient, country string }
	seen, kinds := map[route]float64{}, map[route]string{}
	var order []route
	b.each("observed_transfers", func(get func(string) any) {
		r := route{raw(get("recipient")), raw(get("dest_country"))}
		if _, ok := seen[r]; !ok {
			order = append(order, r)
		}
		seen[r] += number(get("entries"))
		kinds[r] = raw(get("transfer_kind"))
	})
	out := &Rows{Columns: []string{"recipient", "country", "transfer_kind", "mechanism", "instrument", "until", "tia", "status", "entries"}}
	names := map[string]string{}
	for _, o := range b.in.Map.Organisations {
		names[o.Key] = o.Name
	}
	name := func(k string) string {
		if n := names[k]; n != "" {
			return n
		}
		return k
	}
	for _, t := range b.in.Map.Transfers {
		r := route{t.Organisation, t.Country}
		out.Rows = append(out.Rows, []any{name(t.Organisation), t.Country, kinds[r], b.mechanism(t.Mechanism), t.Instrument, t.Until, t.TIA, b.status(t.Instrument, t.Until), seen[r]})
		delete(seen, r)
	}
	for _, r := range order {
		n, ok := seen[r]
		if !ok {
			continue
		}
		status := "missing"
		if k := kinds[r]; k == "eea" || k == "adequate" || k == "none" {
			status = "notneeded"
		}
		out.Rows = append(out.Rows, []any{name(r.recipient), r.country, kinds[r], "", "", nil, nil, status, n})
	}
	return out
}

func (b *builder) mechanism(s string) string {
	if s == "" {
		return ""
	}
	return b.word("mechanism." + b.def.Law + "." + s)
}

func retentionTable(b *builder) *Rows {
	out := &Rows{Columns: []string{"purpose", "categories", "retention"}}
	for _, p := range b.in.Map.Purposes {
		r := p.Retention
		if r == "" {
			r = b.common("undeclared")
		}
		out.Rows = append(out.Rows, []any{p.Name, p.Categories, r})
	}
	return out
}

func systemsTable(b *builder) *Rows {
	out := &Rows{Columns: []string{"system", "country", "security"}}
	for _, s := range b.in.Map.Systems {
		sec := s.Security
		if sec == "" {
			sec = b.common("undeclared")
		}
		out.Rows = append(out.Rows, []any{s.Name, s.Country, sec})
	}
	return out
}

// agentsTable are the processing agent and its officers, LGPD Art. 37 and 41.
func agentsTable(b *builder) *Rows {
	o := b.in.Map.Organisation
	out := &Rows{Columns: []string{"what", "text"}}
	for _, f := range []struct{ id, s string }{
		{"controller", o.Name}, {"address", o.Address}, {"country", b.country(o.Country)},
		{"encarregado", o.Encarregado.Name}, {"encarregado_email", o.Encarregado.Email}, {"dpo", o.DPO.Name}, {"dpo_email", o.DPO.Email},
	} {
		if f.s == "" {
			f.s = b.common("undeclared")
		}
		out.Rows = append(out.Rows, []any{b.word("agent." + f.id), f.s})
	}
	return out
}

// systemsOf are the systems with a resource for a purpose.
func (b *builder) systemsOf(purpose string) []System {
	var out []System
	for _, s := range b.in.Map.Systems {
		if slices.ContainsFunc(b.in.Map.Resources, func(r Resource) bool { return r.System == s.Key && slices.Contains(r.Purposes, purpose) }) {
			out = append(out, s)
		}
	}
	return out
}
