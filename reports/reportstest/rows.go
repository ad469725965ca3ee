package reportstest

import (
	"fmt"
	"time"

	"github.com/tallystick/tallystick/reports"
)

func table(columns []string, rows ...[]any) *reports.Rows {
	return &reports.Rows{Columns: columns, Rows: rows}
}

func cols(names ...string) []string { return names }

// rows are the fixed rows by query name.
func rows() map[string]*reports.Rows {
	at := func(d, h int) time.Time { return time.Date(2025, 9, d, h, 14, 5, 0, time.UTC) }
	out := map[string]*reports.Rows{
		"coverage_entries": table(cols("source", "entries"), []any{"broker", uint64(2210)}, []any{"edge", uint64(48120)}, []any{"shop", uint64(91044)}),
		"coverage_lines":   table(cols("source", "lines", "rejections", "missing"), []any{"broker", uint64(2210), uint64(0), uint64(0)}, []any{"edge", uint64(48150), uint64(30), uint64(0)}, []any{"shop", uint64(91250), uint64(206), uint64(12)}),
		"coverage_expired": table(cols("class", "removed")),
		"coverage_gaps":    table(cols("source", "gaps"), []any{"shop", uint64(2)}),
		"summary": table(cols("entries", "personal", "documented", "stated", "inferred", "undocumented", "special", "other", "denied", "unknown", "named", "verified", "tls_stated", "tls_current", "mtls"),
			[]any{uint64(141374), uint64(60412), uint64(60000), uint64(18230), uint64(41770), uint64(412), uint64(322), uint64(60090), uint64(1180), uint64(96), uint64(52140), uint64(51800), uint64(50330), uint64(50011), uint64(8120)}),
		"people":  table(cols("subject_days"), []any{uint64(30511)}),
		"systems": table(cols("systems"), []any{uint64(4)}),
		"findings_by_control": table(cols("control", "kind", "severity", "findings", "accesses", "subject_days", "first", "last"),
			[]any{"AC-01", "violation", "high", uint64(37), uint64(412), uint64(143), at(4, 8), at(29, 17)},
			[]any{"DN-01", "violation", "high", uint64(3), uint64(71), uint64(0), at(11, 2), at(22, 3)},
			[]any{"EX-03", "violation", "high", uint64(58), uint64(58), uint64(44), at(1, 6), at(30, 19)},
			[]any{"GV-03", "gap", "medium", uint64(2), uint64(0), uint64(0), at(8, 1), at(8, 4)},
			[]any{"TL-01", "violation", "critical", uint64(6), uint64(319), uint64(90), at(2, 9), at(27, 12)},
			[]any{"TR-01", "violation", "critical", uint64(1), uint64(24), uint64(24), at(16, 10), at(16, 11)}),
		"findings_total": table(cols("violations", "gaps"), []any{uint64(105), uint64(2)}),
		"carried": table(cols("fact", "entries", "share"), []any{"outcome", uint64(141374), 1.0}, []any{"principal", uint64(141374), 1.0},
			[]any{"purpose", uint64(48120), 0.3404}, []any{"target", uint64(139164), 0.9844}, []any{"tls", uint64(50330), 0.356}),
		"formats": table(cols("source", "source_format", "entries", "partial", "doubtful", "first", "last"),
			[]any{"broker", "kafka:authorizer", uint64(2210), uint64(0), uint64(0), at(1, 0), at(30, 21)},
			[]any{"edge", "envoy:json", uint64(48120), uint64(4), uint64(0), at(1, 0), at(30, 21)},
			[]any{"shop", "nginx:combined", uint64(91044), uint64(11), uint64(7), at(1, 0), at(30, 21)}),
		"role_category": table(cols("principal_type", "category", "entries", "subject_days"),
			[]any{"anonymous", "user.contact.email", uint64(14), uint64(14)},
			[]any{"recipient", "user.contact", uint64(3120), uint64(2950)}, []any{"recipient", "user.name", uint64(3120), uint64(2950)},
			[]any{"self", "user.contact", uint64(41800), uint64(21800)}, []any{"self", "user.financial.bank_account", uint64(2210), uint64(2100)}, []any{"self", "user.name", uint64(40120), uint64(21790)},
			[]any{"service", "user.behavior.purchase_history", uint64(9110), uint64(8040)}, []any{"service", "user.contact", uint64(2500), uint64(2200)},
			[]any{"staff", "user.contact", uint64(3610), uint64(2880)}, []any{"staff", "user.health_and_medical", uint64(322), uint64(120)}, []any{"staff", "user.name", uint64(3300), uint64(2600)}),
		"by_system": table(cols("system_key", "entries", "personal", "denied", "subject_days"),
			[]any{"shop", uint64(91044), uint64(44020), uint64(480), uint64(21800)}, []any{"crm", uint64(40110), uint64(7110), uint64(610), uint64(5200)},
			[]any{"", uint64(8010), uint64(0), uint64(60), uint64(0)}, []any{"events", uint64(2210), uint64(9282), uint64(30), uint64(8040)}),
		"observed_purposes": table(cols("purpose", "purpose_source", "entries", "special"),
			[]any{"", "none", uint64(388), uint64(0)}, []any{"[redacted]", "stated", uint64(24), uint64(0)}, []any{"analytics", "inferred", uint64(9110), uint64(0)},
			[]any{"support", "inferred", uint64(32660), uint64(0)}, []any{"support", "stated", uint64(18000), uint64(322)}, []any{"newsletter", "stated", uint64(230), uint64(0)}),
		"observed_categories": table(cols("purpose", "category", "entries"),
			[]any{"analytics", "user.behavior.purchase_history", uint64(9110)}, []any{"analytics", "user.contact", uint64(41)}, []any{"support", "user.contact.email", uint64(50660)}),
		"special":             table(cols("principal_type", "purpose", "entries", "documented", "subject_days"), []any{"staff", "support", uint64(322), uint64(322), uint64(120)}),
		"observed_recipients": table(cols("recipient", "entries"), []any{"mailer", uint64(3120)}, []any{"payco", uint64(88)}),
		"observed_transfers": table(cols("recipient", "dest_country", "transfer_kind", "entries"),
			[]any{"mailer", "US", "safeguard", uint64(3096)}, []any{"mailer", "IN", "third", uint64(24)}, []any{"payco", "FR", "eea", uint64(88)}),
		"observed_systems": table(cols("system_key", "source", "entries"), []any{"", "shop", uint64(8010)}, []any{"crm", "edge", uint64(40110)}, []any{"events", "broker", uint64(2210)}, []any{"shop", "shop", uint64(91044)}),
		"sensitivity":      table(cols("sensitivity", "entries"), []any{"data.personal", uint64(60090)}, []any{"data.sensitive", uint64(322)}),
		"tls":              table(cols("tls", "entries"), []any{"1.0", uint64(211)}, []any{"1.2", uint64(12011)}, []any{"1.3", uint64(38000)}, []any{"tls.none", uint64(108)}, []any{"tls.unstated", uint64(91044)}),
		"authentication": table(cols("principal_type", "principal_auth", "entries", "verified", "mtls"),
			[]any{"recipient", "mtls", uint64(3120), uint64(3120), uint64(3120)}, []any{"self", "jwt", uint64(41000), uint64(41000), uint64(0)},
			[]any{"service", "sasl", uint64(2210), uint64(2210), uint64(0)}, []any{"staff", "basic", uint64(5810), uint64(5470), uint64(0)}),
		"denials": table(cols("system_key", "deny_by", "denied"), []any{"crm", "proxy", uint64(610)}, []any{"shop", "upstream", uint64(480)}, []any{"", "proxy", uint64(60)}, []any{"events", "authz", uint64(30)}),
	}
	out["by_day"], out["findings_by_day"] = table(cols("day", "outcome", "entries")), table(cols("day", "kind", "findings"))
	for d := 1; d <= 30; d++ {
		day := fmt.Sprintf("2025-09-%02d", d)
		n := uint64(4200 + 700*(d%7) - 13*d)
		out["by_day"].Rows = append(out["by_day"].Rows, []any{day, "allowed", n}, []any{day, "denied", uint64(30 + d%5*9)}, []any{day, "error", uint64(d % 4 * 40)})
		if d%3 == 0 {
			out["findings_by_day"].Rows = append(out["findings_by_day"].Rows, []any{day, "violation", uint64(d%9 + 2)})
		}
	}
	out["findings_by_day"].Rows = append(out["findings_by_day"].Rows, []any{"2025-09-08", "gap", uint64(2)})
	out["by_hour"] = table(cols("hour", "weekday", "entries"))
	for w := 1; w <= 7; w++ {
		for h := range 24 {
			n := 20 + (24-max(h-13, 13-h))*14/max(1, w-4)
			out["by_hour"].Rows = append(out["by_hour"].Rows, []any{uint8(h), uint8(w), uint64(n)})
		}
	}
	return out
}

// Controls are the controls in force of the inputs.
func Controls() []reports.Control {
	return []reports.Control{
		{ID: "AC-01", Version: 1, Title: "Access without documented purpose", Severity: "high", Kind: "violation", Needs: []string{"principal", "outcome"}, Articles: []string{"GDPR 5(1)(b)", "CCPA 1798.100(c)", "LGPD 6-I"}},
		{ID: "DN-01", Version: 1, Title: "Burst of denied accesses", Severity: "high", Kind: "violation", Needs: []string{"outcome"}, Articles: []string{"GDPR 32", "LGPD 46"}, Windowed: true},
		{ID: "EX-03", Version: 2, Title: "Personal data in a URL", Severity: "high", Kind: "violation", Needs: []string{"target"}, Articles: []string{"GDPR 5(1)(f)", "LGPD 46"}},
		{ID: "TL-01", Version: 1, Title: "TLS below 1.2", Severity: "critical", Kind: "violation", Needs: []string{"tls"}, Articles: []string{"GDPR 32(1)(a)", "CCPA 1798.100(e)", "LGPD 46"}},
		{ID: "TR-01", Version: 1, Title: "Transfer without safeguard", Severity: "critical", Kind: "violation", Needs: []string{"principal"}, Articles: []string{"GDPR 44-49", "LGPD 33"}},
	}
}

// Map is the data map of the inputs.
func Map() reports.DataMap {
	day := func(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }
	return reports.DataMap{
		Version: "4be1c07a9f32",
		Organisation: reports.Organisation{
			Key: "own", Name: "Aurora Outdoor GmbH", Country: "DE", Address: "Musterweg 1, 20095 Hamburg",
			DPO:         reports.Contact{Name: "Data protection office", Email: "dpo@aurora.example"},
			Encarregado: reports.Contact{Name: "Ana Souza", Email: "encarregado@aurora.example"},
		},
		Systems: []reports.System{
			{Key: "crm", Name: "CRM", Country: "DE", Security: "TLS 1.2+, MFA, pseudonymised logs"},
			{Key: "shop", Name: "Web shop", Country: "DE", Security: "TLS 1.2+, WAF"},
			{Key: "events", Name: "Event stream", Country: "IE", Security: "SASL, TLS"},
		},
		Purposes: []reports.Purpose{
			{Key: "support", Name: "Atendimento ao cliente", DataUse: "essential.service.operations.support", GDPR: "6(1)(b)", LGPD: "7-V", Business: "performing services",
				Categories: []string{"user.contact", "user.name", "user.health_and_medical"}, SubjectTypes: []string{"customer"}, Retention: "24 months after the last order", From: day(2025, 1, 1), Reviewed: day(2025, 9, 1), Source: "the person", RIPD: "RIPD-03"},
			{Key: "analytics", Name: "Product analytics", DataUse: "analytics", GDPR: "6(1)(f)", LGPD: "7-IX", Categories: []string{"user.behavior"}, SubjectTypes: []string{"customer"}, Retention: "13 months", Reviewed: day(2024, 6, 1), LIA: "LIA-2025-02"},
			{Key: "newsletter", Name: "Newsletter", DataUse: "marketing.communications.email", GDPR: "6(1)(a)", LGPD: "7-I", Categories: []string{"user.contact.email"}, SubjectTypes: []string{"customer", "prospect"}, Source: "the person"},
			{Key: "payroll", Name: "Payroll", GDPR: "6(1)(c)", LGPD: "7-II", Categories: []string{"user.financial", "user.employment"}, SubjectTypes: []string{"employee"}, Retention: "10 years", Source: "the person"},
		},
		Resources: []reports.Resource{
			{System: "crm", Categories: []string{"user.contact"}, Purposes: []string{"support"}},
			{System: "shop", Categories: []string{"user.contact.email"}, Purposes: []string{"support", "newsletter"}},
			{System: "events", Categories: []string{"user.behavior.purchase_history"}, Purposes: []string{"analytics"}},
		},
		Organisations: []reports.Party{
			{Key: "mailer", Name: "Mailer Inc.", Type: "processor", Country: "US", Contract: "DPA-2025-11", ContractUntil: day(2027, 12, 31)},
			{Key: "oldhost", Name: "Oldhost SARL", Type: "processor", Country: "FR", Contract: "DPA-2021-03", ContractUntil: day(2025, 3, 31)},
		},
		Transfers: []reports.Transfer{
			{Organisation: "mailer", Country: "US", Mechanism: "scc", Instrument: "SCC 2021/914 module 2", From: day(2024, 11, 1), Until: day(2027, 12, 31), TIA: day(2025, 6, 20)},
		},
	}
}
