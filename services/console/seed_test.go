package console_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/retention"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/services/console"
)

// seeded is a store with days of plausible entries, findings and rejections up
// to now.
func seeded(t testing.TB, now time.Time, days, perDay int) *store.Store {
	t.Helper()
	s := storetest.Open(t)
	ctx := t.Context()
	r := rand.New(rand.NewPCG(7, 7))
	for d := range days {
		day := now.AddDate(0, 0, d-days).Add(24 * time.Hour)
		chunk := &audit.Chunk{ID: fmt.Sprintf("lines.v1-0-%d-abcdef01", d*perDay), Version: 1, From: int64(d * perDay), Until: int64((d + 1) * perDay), Opened: day, Salt: make([]byte, 32)}
		block := store.NewEntryBlock()
		var entries []audit.Entry
		for i := range perDay {
			e := seedEntry(r, day.Add(-time.Duration(r.IntN(86400))*time.Second), uint64((d*perDay+i)*180))
			e.Chunk, e.Version, e.Row = chunk.ID, 1, uint32(i)
			entries = append(entries, e)
			if err := block.Append(&e); err != nil {
				t.Fatal(err)
			}
		}
		findings := seedFindings(r, entries, chunk.ID)
		rejections := []audit.Rejection{{Origin: audit.Origin{Stream: "Zk3v-q8_Ab1Cd2Ef", Offset: uint64(d * 1000)}, Source: "shop", Format: "nginx:combined",
			Received: day.Add(-time.Minute), Reason: audit.ReasonSyntax, Column: 17, Expected: "[day/month/year", Length: 211}}
		chunk.Entries, chunk.Rejections, chunk.Findings = uint32(perDay), 1, uint32(len(findings))
		hours := []store.Completeness{
			{Source: "shop", Hour: day.Truncate(time.Hour).Add(-time.Hour), Missing: uint64(d % 3)},
		}
		for _, err := range []error{
			s.OpenChunk(ctx, chunk), s.InsertEntries(ctx, chunk, block), s.InsertRejections(ctx, chunk, rejections),
			s.InsertFindings(ctx, chunk, findings), s.InsertCompleteness(ctx, chunk, hours), s.CloseChunk(ctx, chunk),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if d < days-1 {
			if err := s.SetLeaf(ctx, chunk.ID, 1, uint64(d)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return s
}

type seedPrincipal struct{ id, kind, label string }

var seedPrincipals = []seedPrincipal{
	{"v1.y26a.Qm9vazE0YWdlbnQxNA", "staff", "Support (agent 14)"}, {"v1.y26a.aGVscGRlc2stMDMtMDA", "staff", "Support (agent 3)"},
	{"v1.y26a.YmF0Y2gtam9icy1uaWdodA", "service", "Batch jobs"}, {"v1.y26a.bWFpbGVyLWluYy0wMTA", "recipient", "Mailer"},
	{"v1.d1121.c2VsZi1jdXN0b21lci0x", "self", ""}, {"", "anonymous", ""}, {"v1.d1121.dW5rbm93bi1wZXJzb24", "unknown", ""},
}

func seedEntry(r *rand.Rand, at time.Time, offset uint64) audit.Entry {
	p := seedPrincipals[min(r.IntN(12), len(seedPrincipals)-1-r.IntN(3))]
	e := audit.Entry{
		SchemaVersion: audit.SchemaVersion, EventTime: at, IngestTime: at.Add(140 * time.Millisecond), Source: "shop", SourceFormat: "nginx:combined", TimeQuality: "zoned",
		Stream: "Zk3v-q8_Ab1Cd2Ef", Offset: offset, ParseStatus: "ok", Integrity: "ok",
		PrincipalID: p.id, PrincipalType: p.kind, PrincipalLabel: p.label, PrincipalAuth: "jwt", PrincipalVerified: p.kind != "anonymous", PrincipalOrg: "own",
		ClientIP: "203.0.113.0", PeerIP: "203.0.113.0", ClientCountry: []string{"DE", "BR", "US", "FR"}[r.IntN(4)], ClientApp: "Firefox 133",
		Protocol: "http", Operation: "GET", Method: "GET", Action: "read", ResourceType: "endpoint", SystemKey: "shop", URLTemplate: "/v1/customers/{customer_id}",
		Subjects: []string{fmt.Sprintf("v1.d%02d%02d.c3ViamVjdC%06dA", at.Month(), at.Day(), r.IntN(900))}, SubjectKinds: []string{"customer_id"}, SubjectCount: 1,
		SubjectCategories: []string{"customer"}, Categories: []string{"user.contact", "user.name"}, Purpose: "support", PurposeSource: "inferred", PurposeDocumented: true,
		LegalBasis: "6(1)(b)", ServiceCountry: "DE", TransferKind: "none", TLSVersion: "1.3", StatusCode: 200, Outcome: "allowed", BytesOut: 1840, DurationUS: 12400,
		Labels: map[string]string{"site": "berlin"}, Target: "/v1/customers/[customer_id]", Host: "api.shop.example", UserAgent: "Firefox 133", Carries: []string{"tls", "principal", "target", "outcome"},
	}
	switch r.IntN(20) {
	case 0, 1:
		e.Outcome, e.StatusCode, e.DenyBy = "denied", 403, "upstream"
	case 2:
		e.Outcome, e.StatusCode = "error", 502
	case 3:
		e.Outcome, e.StatusCode = "aborted", 499
	case 4, 5, 6, 7, 8:
		e.URLTemplate, e.Target, e.Subjects, e.SubjectKinds, e.SubjectCount, e.Categories, e.Purpose, e.PurposeSource, e.PurposeDocumented =
			"/products/{id}", "/products/[id]", nil, nil, 0, nil, "", "none", false
	case 9:
		e.SystemKey, e.Source, e.SourceFormat, e.Purpose, e.PurposeSource, e.PurposeDocumented = "crm", "gateway", "envoy:json", "", "none", false
	case 10:
		e.URLTemplate, e.Target, e.FoundKinds, e.FoundPlaces = "/search", "/search?email=[email]", []string{"email"}, []string{"query"}
	}
	return e
}

func seedFindings(r *rand.Rand, entries []audit.Entry, chunk string) []audit.Finding {
	var out []audit.Finding
	add := func(e *audit.Entry, kind audit.FindingKind, control string, severity audit.Severity, facts map[string]string) {
		out = append(out, audit.Finding{
			ID: control + "-" + e.EntryID(), Kind: kind, Control: control, ControlVersion: 1, Severity: severity, Time: e.EventTime, Until: e.EventTime,
			Detected: e.IngestTime.Add(time.Second), Source: e.Source, System: e.SystemKey, Principal: e.PrincipalID, PrincipalKind: audit.PrincipalKind(e.PrincipalType),
			PrincipalLabel: e.PrincipalLabel, Resource: e.URLTemplate, Purpose: e.Purpose, Categories: e.Categories, Subjects: e.Subjects, EntryID: e.EntryID(), Count: 1,
			Facts: facts, Chunk: chunk,
		})
	}
	for i := range entries {
		e := &entries[i]
		switch {
		case e.SystemKey == "crm" && r.IntN(3) == 0 && e.PrincipalType == "staff":
			add(e, audit.Violation, "AC-01", audit.SeverityHigh, map[string]string{"action": "read", "purpose_source": "none"})
		case len(e.FoundKinds) > 0 && r.IntN(6) == 0:
			add(e, audit.Violation, "EX-03", audit.SeverityMedium, map[string]string{"found_kinds": "email", "found_places": "query"})
		case e.PrincipalType == "unknown" && r.IntN(40) == 0:
			add(e, audit.Gap, "GP-02", audit.SeverityLow, map[string]string{"principal_auth": "basic"})
		case e.PrincipalType == "recipient" && r.IntN(60) == 0:
			add(e, audit.Violation, "TR-01", audit.SeverityCritical, map[string]string{"dest_country": "US", "transfer_kind": "third"})
		}
	}
	return out
}

// seedRegisters makes requests, a suppression, holds, a report run and a schedule.
func seedRegisters(t testing.TB, s *site) {
	t.Helper()
	ctx, now := t.Context(), time.Now().UTC()
	for _, by := range []string{"eli", "dana"} {
		if _, err := s.registers.RequestApproval(ctx, registers.Approval{Kind: "keys.destroy", Object: "site key 4", Role: registers.RoleAdministrator, RequestedBy: by, Reason: "rotation of November"}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.registers.Suppress(ctx, registers.Suppression{Control: "EX-03", System: "shop", Resource: "/search", Reason: "The search form moves to POST with release 4.2", By: "dana", Until: now.AddDate(0, 1, 0)}); err != nil {
		t.Fatal(err)
	}
	for _, h := range []retention.Hold{
		{Reason: "matter 2026-17, letter of the court of 3 November", Source: "shop", Class: retention.Entries, From: now.AddDate(0, -2, 0).Truncate(24 * time.Hour), Until: now.Truncate(24 * time.Hour)},
		{Reason: "inquiry of the authority", Subjects: []string{"v1.d1121.c2VsZi1jdXN0b21lci0x", "v1.d1120.c2VsZi1jdXN0b21lci0y"}},
		{Reason: "objection pending", Request: "DSR-7"},
		{Reason: "move to another host"},
	} {
		h.By = "dana"
		if _, err := s.registers.AddHold(ctx, h); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.registers.LiftHold(ctx, 4, "dana", "moved, and verified there"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.reports.Order(ctx, console.ReportOrder{Kind: "gdpr-accountability", Language: "en", From: now.AddDate(0, -1, 0), Until: now, By: "dana"}); err != nil {
		t.Fatal(err)
	}
	if err := s.reports.AddSchedule(ctx, console.ReportSchedule{Kind: "lgpd-record", Language: "pt-BR", Cron: "0 6 1 * *", By: "dana"}); err != nil {
		t.Fatal(err)
	}
}
