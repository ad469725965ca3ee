package reporter_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/reports/reportstest"
	"github.com/tallystick/tallystick/schemas"
	"github.com/tallystick/tallystick/services/reporter"
)

const datamapYAML = `
organisation: {name: Aurora Outdoor GmbH, country: DE, address: "Musterweg 1", dpo: {name: Data protection office, email: dpo@aurora.example}}
systems:
- {key: crm, name: CRM, country: DE, security: TLS 1.2+}
- {key: shop, name: Web shop, country: DE}
purposes:
- key: support
  name: {en: Customer support, pt-BR: Atendimento ao cliente}
  data_use: essential.service.operations.support
  legal_basis: {gdpr: "6(1)(b)", lgpd: "7-V"}
  categories: [user.contact]
  subject_types: [customer]
  retention: 24 months
  from: 2025-01-01
- {key: analytics, name: Analytics, data_use: analytics, legal_basis: {gdpr: "6(1)(f)", lgpd: "7-IX"}, categories: [user.behavior], subject_types: [customer], lia: LIA-1}
resources:
- {system: crm, match: "GET /v1/customers/{subject:customer_id}", categories: [user.contact], subject_types: [customer], purposes: [support]}
organisations:
- {key: mailer, name: Mailer Inc., type: processor, country: US, contract: DPA-1, contract_until: 2027-12-31}
transfers:
- {organisation: mailer, country: US, mechanism: scc, instrument: SCC 2021/914, from: 2024-11-01, until: 2027-12-31}
`

// entries are 400 accesses around September 2025 in Berlin, some outside.
func entries() []audit.Entry {
	start := time.Date(2025, 8, 31, 20, 0, 0, 0, time.UTC)
	var out []audit.Entry
	for i := range 400 {
		e := audit.Entry{
			SchemaVersion: audit.SchemaVersion, EventTime: start.Add(time.Duration(i) * 107 * time.Minute), IngestTime: start.Add(time.Duration(i) * 107 * time.Minute),
			Source: []string{"edge", "shop"}[i%2], SourceFormat: []string{"envoy:json", "nginx:combined"}[i%2], Stream: "AAAAAAAAAAAAAAAA", Offset: uint64(i * 100),
			ParseStatus: "ok", Integrity: []string{"ok", "ok", "ambiguous"}[i%3], PrincipalType: []string{"staff", "self", "service", "recipient", "anonymous", "unknown"}[i%6],
			Protocol: "http", SystemKey: []string{"crm", "shop", ""}[i%3], Outcome: []string{"allowed", "allowed", "allowed", "denied", "error"}[i%5],
			Carries: []string{"outcome", "target", "principal"}, Chunk: "lines.v1-0-0-00000000", Version: 1, Row: uint32(i),
		}
		if e.PrincipalType != "anonymous" {
			e.PrincipalID, e.PrincipalVerified, e.PrincipalAuth = fmt.Sprintf("v1.k.%d", i%17), i%4 != 0, "basic"
		}
		if i%2 == 0 {
			e.TLSVersion, e.Carries = []string{"1.3", "1.2", "1.0", "none"}[i/2%4], append(e.Carries, "tls")
		}
		if i%3 != 2 {
			e.Categories = []string{"user.contact"}
			if i%21 == 0 {
				e.Categories, e.SpecialCategory = append(e.Categories, "user.health_and_medical"), true
			}
			e.Subjects = []string{fmt.Sprintf("v1.d%d.%d", e.EventTime.YearDay(), i%13)}
			e.SubjectCount = 1
			switch i % 4 {
			case 0:
				e.Purpose, e.PurposeSource, e.PurposeDocumented = "support", "stated", true
			case 1, 2:
				e.Purpose, e.PurposeSource, e.PurposeDocumented = "support", "inferred", true
			default:
				e.PurposeSource = "none"
			}
			if e.PrincipalType == "recipient" {
				e.Recipient, e.DestCountry, e.TransferKind = "mailer", []string{"US", "IN"}[i%2], []string{"safeguard", "third"}[i%2]
			}
		}
		if e.Outcome == "denied" {
			e.DenyBy = "proxy"
		}
		out = append(out, e)
	}
	return out
}

func findings() []audit.Finding {
	var out []audit.Finding
	for i := range 30 {
		at := time.Date(2025, 8, 31, 21, 0, 0, 0, time.UTC).Add(time.Duration(i) * 26 * time.Hour)
		f := audit.Finding{
			ID: fmt.Sprintf("f%02d", i), Kind: audit.Violation, Control: []string{"AC-01", "TL-01", "EX-03"}[i%3], ControlVersion: 1, Severity: []audit.Severity{"high", "critical", "high"}[i%3],
			Time: at, Until: at, Detected: at, Source: "edge", System: "crm", Count: uint64(i%4 + 1), Subjects: []string{fmt.Sprintf("v1.d%d.%d", at.YearDay(), i%13)},
			Chunk: "lines.v1-0-0-00000000",
		}
		if i%10 == 9 {
			f.Kind, f.Control, f.Severity, f.Source = audit.Gap, "GV-03", audit.SeverityMedium, "shop"
		}
		out = append(out, f)
	}
	return out
}

// seed fills a store with entries, findings, rejections and completeness.
func seed(t *testing.T) *store.Store {
	t.Helper()
	ctx := context.Background()
	s := storetest.Open(t)
	c := &audit.Chunk{ID: "lines.v1-0-0-00000000", Version: 1, Opened: time.Now().UTC()}
	b := store.NewEntryBlock()
	for _, e := range entries() {
		if err := b.Append(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.InsertEntries(ctx, c, b); err != nil {
		t.Fatal(err)
	}
	if err := s.InsertFindings(ctx, c, findings()); err != nil {
		t.Fatal(err)
	}
	reprocess(t, s)
	var complete []store.Completeness
	for i := range 24 * 31 {
		complete = append(complete, store.Completeness{Source: "edge", Hour: time.Date(2025, 8, 31, 20+i, 0, 0, 0, time.UTC), Received: 10, Missing: uint64(i % 2), Rejected: uint64(i % 5 / 4)})
	}
	if err := s.InsertCompleteness(ctx, c, complete); err != nil {
		t.Fatal(err)
	}
	return s
}

// reprocess stores a chunk of entries as a parser of before read them, and then as
// entries has them: what was counted of the first is taken off.
func reprocess(t *testing.T, s *store.Store) {
	t.Helper()
	for v := uint16(1); v <= 2; v++ {
		c := &audit.Chunk{ID: "lines.v1-1-0-00000000", Version: v, Opened: time.Now().UTC(), Salt: []byte("0123456789abcdef")}
		b := store.NewEntryBlock()
		for i, e := range entries()[:90] {
			e.Chunk, e.Version, e.Row, e.Stream = c.ID, v, uint32(i), "BBBBBBBBBBBBBBBB"
			if v == 1 {
				e.Outcome, e.SystemKey, e.Categories, e.Purpose, e.TLSVersion, e.PrincipalID = "unknown", "gone", []string{"user.gone"}, "gone", "0.9", "v1.k.gone"
				e.Recipient, e.DestCountry, e.DenyBy, e.PrincipalType, e.SpecialCategory = "gone", "XX", "gone", "gone", true
			}
			if err := b.Append(&e); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.InsertEntries(t.Context(), c, b); err != nil {
			t.Fatal(err)
		}
		if v == 2 {
			if err := errors.Join(s.TakeOff(t.Context(), c), s.CloseChunk(t.Context(), c), s.Supersede(t.Context(), c.ID, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func build(t *testing.T, kind string, s *store.Store, db *registers.DB) *reports.Report {
	t.Helper()
	return over(t, kind, s, db, reportstest.September(t))
}

// over builds a report over a period.
func over(t *testing.T, kind string, s *store.Store, db *registers.DB, p reports.Period) *reports.Report {
	t.Helper()
	c, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	def, err := reports.Lookup(kind)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "datamap.yaml")
	if err := os.WriteFile(path, []byte(datamapYAML), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := datamap.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	controls, err := control.Load(schemas.Controls)
	if err != nil {
		t.Fatal(err)
	}
	r, err := reports.Build(context.Background(), def, p, reports.Inputs{
		Store: reporter.OverStore(s), Registers: reporter.OverRegisters(db), Map: reporter.FromMap(m, def.Language), Controls: reporter.FromControls(controls, c, def.Language),
		Now: reportstest.Now, Generator: "Tallystick test", RuleSet: controls.Digest(), Catalogue: c,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func values(r *reports.Report) map[string]float64 {
	out := map[string]float64{}
	for _, s := range r.Sections {
		for _, n := range s.Numbers {
			out[n.ID] = n.Value
		}
	}
	return out
}

// one answers a query that returns one number.
func one(t *testing.T, s *store.Store, what string) float64 {
	t.Helper()
	res, err := s.Select(context.Background(), "SELECT toFloat64("+what)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return res.Rows[0][0].(float64)
}

// september is the period as plain SQL, written by hand.
const (
	eventSeptember = "event_time >= '2025-08-31 22:00:00' AND event_time < '2025-09-30 22:00:00'"
	timeSeptember  = "time >= '2025-08-31 22:00:00' AND time < '2025-09-30 22:00:00'"
)

// TestPlainSQL holds reports over one seeded record to plain SQL over it.
func TestPlainSQL(t *testing.T) {
	s, db := seed(t), reportstest.Registers(t)
	t.Run("numbers", func(t *testing.T) { numbersEqual(t, s, db) })
	t.Run("tables", func(t *testing.T) { tablesEqual(t, s, db) })
	t.Run("sums", func(t *testing.T) { tablesAddUp(t, s, db) })
}

func numbersEqual(t *testing.T, s *store.Store, db *registers.DB) {
	entry := func(what, where string) float64 {
		if where != "" {
			where = " AND (" + where + ")"
		}
		return one(t, s, what+") FROM entries WHERE "+eventSeptember+where)
	}
	finding := func(where string) float64 {
		return one(t, s, "count()) FROM findings_all WHERE "+timeSeptember+" AND "+where)
	}
	request := func(where string) float64 {
		_, rows, err := db.Select(context.Background(), "SELECT COUNT(*) FROM requests WHERE "+where+" AND received_month = '2025-09'", nil)
		if err != nil {
			t.Fatal(err)
		}
		return float64(rows[0][0].(int64))
	}
	const personal = "length(categories) > 0"
	all, pers := entry("count()", ""), entry("count()", personal)
	named, tls := entry("count()", "principal_id != ''"), entry("count()", "tls_version != ''")
	want := map[string]map[string]float64{
		"gdpr-accountability": {
			"entries": all, "personal": pers, "subject_days": entry("length(arrayDistinct(groupArray(subjects[1])))", "length(subjects) = 1"),
			"violations": finding("kind = 'violation'"), "gaps": finding("kind = 'gap'"), "systems": entry("count(DISTINCT system_key)", "system_key != ''"),
			"documented": entry("count()", personal+" AND purpose_documented = 1"), "documented_share": entry("count()", personal+" AND purpose_documented = 1") / pers,
			"stated": entry("count()", personal+" AND purpose_source = 'stated'"), "inferred": entry("count()", personal+" AND purpose_source = 'inferred'"),
			"undocumented": entry("count()", personal+" AND purpose_documented = 0"), "special": entry("count()", "special_category = 1"),
			"tls_stated": tls / all, "tls_current": entry("count()", "tls_version = '1.2' OR tls_version = '1.3'") / tls, "mtls": 0,
			"denied": entry("count()", "outcome = 'denied'"), "denied_share": entry("count()", "outcome = 'denied'") / all,
			"unknown": entry("count()", "principal_type = 'unknown'"), "verified": entry("count()", "principal_id != '' AND principal_verified = 1") / named,
			"received": request("law = 'gdpr'"), "late": 1, "overdue": 1,
		},
		"ccpa-metrics": {
			"received": request("law = 'ccpa'"), "complied": request("law = 'ccpa' AND outcome = 'complied'"), "partial": request("law = 'ccpa' AND outcome = 'partial'"),
			"denied": request("law = 'ccpa' AND outcome = 'denied'"), "open": request("law = 'ccpa' AND outcome = 'open'"),
			"late45": request("law = 'ccpa' AND responded_day > received_day + 45 AND extended_day IS NULL"), "late90": request("law = 'ccpa' AND responded_day > received_day + 90"),
			"extended": request("law = 'ccpa' AND extended_day IS NOT NULL"), "gpc": request("law = 'ccpa' AND manner = 'gpc'"), "agent": request("law = 'ccpa' AND manner = 'agent'"),
		},
		"lgpd-record": {
			"entries": pers, "stated": entry("count()", personal+" AND purpose_source = 'stated'"), "inferred": entry("count()", personal+" AND purpose_source = 'inferred'"),
			"undocumented": entry("count()", personal+" AND purpose_documented = 0"), "special": entry("count()", "special_category = 1"),
			"subject_days": entry("length(arrayDistinct(groupArray(subjects[1])))", personal),
		},
	}
	if all == 400 || all == 0 {
		t.Fatalf("%v of 400 entries are in the period: the test cannot tell its bounds", all)
	}
	for kind, numbers := range want {
		r := build(t, kind, s, db)
		if diff := cmp.Diff(values(r), numbers, cmpopts.EquateApprox(1e-12, 0)); diff != "" {
			t.Errorf("%s: numbers (-got +want)\n%s", kind, diff)
		}
		for _, sec := range r.Sections {
			for _, n := range sec.Numbers {
				if e := r.EvidenceOf(n.Query); e == nil || e.SQL == "" || len(e.Rows) == 0 {
					t.Errorf("%s: number %s has no query or rows", kind, n.ID)
				}
			}
		}
	}
}

// tablesEqual holds each table over entries to plain SQL, in a zone whose days
// begin at half past an hour.
func tablesEqual(t *testing.T, s *store.Store, db *registers.DB) {
	p, err := reports.ParsePeriod("2025-09-01", "2025-09-21", "Asia/Kolkata")
	if err != nil {
		t.Fatal(err)
	}
	const personal = " AND length(categories) > 0"
	queries := map[string]map[string][2]string{ // columns and the rest, after the period
		"gdpr-accountability": {
			"by_day":            {"toString(toDate(event_time, 'Asia/Kolkata')) AS d, outcome, count()", " GROUP BY d, outcome ORDER BY d, outcome"},
			"by_hour":           {"toHour(event_time, 'Asia/Kolkata') AS h, toDayOfWeek(event_time, 0, 'Asia/Kolkata') AS w, count()", personal + " GROUP BY w, h ORDER BY w, h"},
			"role_category":     {"principal_type, arrayJoin(categories) AS c, count(), uniqExactArray(subjects)", " GROUP BY principal_type, c ORDER BY principal_type, c"},
			"by_system":         {"system_key, count() AS n, countIf(length(categories) > 0), countIf(outcome = 'denied'), uniqExactArray(subjects)", " GROUP BY system_key ORDER BY n DESC, system_key"},
			"special":           {"principal_type, purpose, count(), countIf(purpose_documented), uniqExactArray(subjects)", " AND special_category GROUP BY principal_type, purpose ORDER BY principal_type, purpose"},
			"observed_purposes": {"purpose, purpose_source, count(), countIf(special_category)", personal + " GROUP BY purpose, purpose_source ORDER BY purpose, purpose_source"},
			"observed_transfers": {"recipient, dest_country, transfer_kind, count()",
				personal + " AND recipient != '' AND dest_country != '' GROUP BY recipient, dest_country, transfer_kind ORDER BY recipient, dest_country, transfer_kind"},
			"authentication":   {"principal_type, principal_auth, count(), countIf(principal_verified), countIf(mtls_verified)", " AND principal_id != '' GROUP BY principal_type, principal_auth ORDER BY principal_type, principal_auth"},
			"denials":          {"system_key, deny_by, count() AS n", " AND outcome = 'denied' GROUP BY system_key, deny_by ORDER BY n DESC, system_key, deny_by"},
			"formats":          {"source, source_format, count(), countIf(parse_status != 'ok'), countIf(integrity != 'ok'), min(event_time), max(event_time)", " GROUP BY source, source_format ORDER BY source, source_format"},
			"coverage_entries": {"source, count()", " GROUP BY source ORDER BY source"},
		},
		"lgpd-record": {
			"observed_categories": {"purpose, arrayJoin(categories) AS c, count()", " AND purpose != '' GROUP BY purpose, c ORDER BY purpose, c"},
			"observed_systems":    {"system_key, source, count()", " GROUP BY system_key, source ORDER BY system_key, source"},
			"sensitivity":         {"if(special_category, 'data.sensitive', 'data.personal') AS x, count()", personal + " GROUP BY x ORDER BY x"},
		},
	}
	for kind, tables := range queries {
		r := over(t, kind, s, db, p)
		for name, q := range tables {
			res, err := s.Select(t.Context(), "SELECT "+q[0]+" FROM entries WHERE event_time >= '2025-08-31 18:30:00' AND event_time < '2025-09-21 18:30:00'"+q[1])
			if err != nil {
				t.Fatal(err)
			}
			want := make([][]string, len(res.Rows))
			for i, row := range res.Rows {
				for _, v := range row {
					if at, ok := v.(time.Time); ok {
						v = at.Format(time.RFC3339)
					}
					want[i] = append(want[i], fmt.Sprint(v))
				}
			}
			if diff := cmp.Diff(r.EvidenceOf(name).Rows, want); diff != "" || len(want) == 0 {
				t.Errorf("%s of %s (-got +want)\n%s", name, kind, diff)
			}
		}
	}
}

func tablesAddUp(t *testing.T, s *store.Store, db *registers.DB) {
	r := build(t, "gdpr-accountability", s, db)
	v := values(r)
	sums := map[string]float64{}
	for _, q := range []struct{ query, column string }{{"by_day", "entries"}, {"purposes", "entries"}, {"tls", "entries"}, {"by_hour", "entries"}, {"observed_purposes", "entries"}, {"coverage", "entries"}} {
		e := r.EvidenceOf(q.query)
		for _, row := range e.Rows {
			for i, c := range e.Columns {
				if c == q.column {
					var f float64
					if _, err := fmt.Sscan(row[i], &f); err != nil {
						t.Fatal(err)
					}
					sums[q.query] += f
				}
			}
		}
	}
	want := map[string]float64{"by_day": v["entries"], "tls": v["entries"], "coverage": v["entries"], "purposes": v["personal"], "by_hour": v["personal"], "observed_purposes": v["personal"]}
	if diff := cmp.Diff(sums, want); diff != "" {
		t.Errorf("sums (-got +want)\n%s", diff)
	}
	// Received lines of edge: 10 an hour; every second hour lacks one, every fifth has one rejected.
	if r.Front.Share <= 0.9 || r.Front.Share >= 1 {
		t.Errorf("coverage is %v, want what the completeness table says", r.Front.Share)
	}
	if strings.Contains(r.Front.Draft, "Approved") {
		t.Error("nobody approved the report")
	}
}
