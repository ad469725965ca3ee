package control_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/schemas"
)

var update = flag.Bool("update", false, "write the .err files anew")

func shipped(t testing.TB) *control.Set {
	t.Helper()
	s, err := control.Load(schemas.Controls)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestShippedCases(t *testing.T) {
	s := shipped(t)
	ran, failed := s.Test()
	for _, f := range failed {
		t.Error(f)
	}
	if ran < 40 {
		t.Errorf("only %d cases ran", ran)
	}
	for _, c := range s.Controls {
		if c.Applies == "" {
			continue
		}
		answers := map[string]bool{}
		edge := false
		for _, one := range c.Cases {
			answers[one.Answer] = true
			edge = edge || strings.HasPrefix(one.Name, "edge: ")
		}
		if !answers["violation"] || !answers["pass"] || !edge || !answers["not-evidenced"] && c.ID != "GP-01" {
			t.Errorf("%s: cases %v, edge %v", c.ID, answers, edge)
		}
	}
}

// A case that expects something else must fail, or Test proves nothing.
func TestFailingCase(t *testing.T) {
	data, err := schemas.Controls.ReadFile("controls/TL-01.yaml")
	if err != nil {
		t.Fatal(err)
	}
	wrong := strings.Replace(string(data), `{name: TLS 1.3, answer: pass`, `{name: TLS 1.3, answer: violation`, 1)
	s, err := control.Load(fstest.MapFS{"TL-01.yaml": {Data: []byte(wrong)}})
	if err != nil {
		t.Fatal(err)
	}
	_, failed := s.Test()
	if len(failed) != 1 || failed[0].String() != "TL-01: TLS 1.3: got pass, want violation" {
		t.Fatal(failed)
	}
}

func TestShippedTexts(t *testing.T) {
	c, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range text.Languages {
		p := c.For(lang)
		for _, x := range shipped(t).Controls {
			for _, part := range []string{"title", "summary", "why", "do"} {
				id := x.Message(part)
				if got := p.N(id, 2, map[string]any{}); strings.HasPrefix(got, "!") {
					t.Errorf("%s: message %s is missing", lang, id)
				}
			}
			for _, r := range x.Raised {
				if id := x.Message("reason." + r.Reason); strings.HasPrefix(p.T(id, nil), "!") {
					t.Errorf("%s: message %s is missing", lang, id)
				}
			}
		}
	}
}

func TestFaults(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d cases, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			_, err = control.Load(fstest.MapFS{"XX-01.yaml": {Data: data}})
			if err == nil {
				t.Fatal("no error")
			}
			got := "error: " + err.Error() + "\nhint: " + text.HintOf(err) + "\n"
			golden := strings.TrimSuffix(f, ".yaml") + ".err"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Fatalf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSameIDTwice(t *testing.T) {
	data, err := schemas.Controls.ReadFile("controls/TL-01.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = control.Load(schemas.Controls, fstest.MapFS{"mine.yaml": {Data: data}})
	if err == nil || !strings.Contains(err.Error(), "mine.yaml") || !strings.Contains(err.Error(), "controls/TL-01.yaml") {
		t.Fatal(err)
	}
}

func batch(entries ...audit.Entry) *audit.Batch {
	for i := range entries {
		entries[i].Offset = uint64(i)
	}
	return &audit.Batch{Entries: entries, Events: make([]audit.Event, len(entries))}
}

func TestStageViolations(t *testing.T) {
	e := control.BaseEntry()
	e.PurposeDocumented, e.Purpose, e.Subjects, e.ClientIP = false, "", []string{"v1.a.b"}, "203.0.113.0/24"
	skipped, rejected, fine := e, e, control.BaseEntry()
	skipped.Skip = true
	b := batch(e, skipped, rejected, fine, e)
	b.Events[2].Rejected = true
	stage := control.NewStage(shipped(t), nil)
	if err := stage.Process(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	if len(b.Findings) != 2 {
		t.Fatalf("%d findings", len(b.Findings))
	}
	got := b.Findings[0]
	if got.Detected.IsZero() {
		t.Error("no detection time")
	}
	got.Detected = time.Time{}
	want := audit.Finding{
		ID: control.FindingID("AC-01", b.Entries[0].EntryID()), Kind: audit.Violation, Control: "AC-01", ControlVersion: 1, Severity: audit.SeverityHigh,
		Time: e.EventTime, Until: e.EventTime, Source: "case", System: "crm", Principal: "v1.case.principal", PrincipalKind: audit.KindStaff,
		PrincipalLabel: "Support", Resource: e.URLTemplate, Categories: []string{"user.contact"}, Subjects: []string{"v1.a.b"},
		EntryID: "case-0-0", Count: 1, Facts: map[string]string{"action": "read", "purpose_source": "stated"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
	if len(got.ID) != 20 || got.ID == b.Findings[1].ID {
		t.Errorf("ids %s and %s", got.ID, b.Findings[1].ID)
	}
}

func TestStageGaps(t *testing.T) {
	e := control.BaseEntry()
	e.ResourceDeclared, e.Categories, e.URLTemplate = false, nil, "GET /export"
	other := e
	other.URLTemplate = "GET /import"
	stage := control.NewStage(shipped(t), nil)
	run := func(entries ...audit.Entry) []audit.Finding {
		b := batch(entries...)
		if err := stage.Process(context.Background(), b); err != nil {
			t.Fatal(err)
		}
		return b.Findings
	}
	first := run(e, e, other, e)
	if len(first) != 2 || first[0].Kind != audit.Gap || first[0].Control != "GP-01" {
		t.Fatalf("%+v", first)
	}
	if again := run(e); len(again) != 1 || again[0].ID != first[0].ID {
		t.Fatalf("a batch that is retried lost its gap: %+v", again)
	}
	stage.Stored(first)
	if again := run(e, other); len(again) != 0 {
		t.Fatalf("a stored gap came again: %+v", again)
	}
	if restarted := control.NewStage(shipped(t), []string{first[0].ID}); restarted != nil {
		b := batch(e, other)
		if err := restarted.Process(context.Background(), b); err != nil || len(b.Findings) != 1 || b.Findings[0].ID != first[1].ID {
			t.Fatalf("%v %+v", err, b.Findings)
		}
	}
}

func TestRaise(t *testing.T) {
	s, at := shipped(t), control.CaseStart
	f, err := s.Raise("GV-03", control.Fault{Reason: "broken-chain", Key: []string{"tap1", "7"}, Source: "shop", Time: at, Count: 3, Facts: map[string]string{"sequence": "7"}}, at)
	if err != nil {
		t.Fatal(err)
	}
	if f.Kind != audit.Violation || f.Severity != audit.SeverityCritical || f.Facts["reason"] != "broken-chain" || f.Facts["sequence"] != "7" || f.Until != at {
		t.Fatalf("%+v", f)
	}
	silent, err := s.Raise("GV-03", control.Fault{Reason: "source-silent", Time: at}, at)
	if err != nil || silent.Kind != audit.Gap || silent.ID == f.ID {
		t.Fatalf("%v %+v", err, silent)
	}
	for id, reason := range map[string]string{"GV-03": "no-such", "XX-99": "broken-chain", "AC-01": "broken-chain"} {
		if _, err := s.Raise(id, control.Fault{Reason: reason}, at); err == nil {
			t.Errorf("%s %s: no error", id, reason)
		}
	}
}

func TestWindowFinding(t *testing.T) {
	c := shipped(t).Control("DN-01")
	r := control.Row{Key: "p", Principal: "p", PrincipalType: "staff", System: "crm", Count: 20, From: control.CaseStart, Until: control.CaseStart.Add(time.Minute)}
	a, b := c.WindowFinding(r, control.CaseStart), c.WindowFinding(r, control.CaseStart.Add(time.Hour))
	if a.ID != b.ID || a.Count != 20 || a.Kind != audit.Violation || a.Severity != audit.SeverityHigh {
		t.Fatalf("%+v", a)
	}
	r.From = r.From.Add(time.Second)
	if c.WindowFinding(r, control.CaseStart).ID == a.ID {
		t.Fatal("another burst has the same id")
	}
}

func BenchmarkStage(b *testing.B) {
	stage := control.NewStage(shipped(b), nil)
	entries := make([]audit.Entry, 1000)
	for i := range entries {
		entries[i] = control.BaseEntry()
		if i%4 == 0 {
			entries[i].PrincipalType, entries[i].PrincipalOrg, entries[i].TransferKind = "recipient", "mailer", "safeguard"
		}
		if i%3 == 0 {
			entries[i].FoundKinds, entries[i].FoundPlaces = []string{"ipv4"}, []string{"query"}
		}
	}
	bt := batch(entries...)
	b.ReportAllocs()
	for b.Loop() {
		bt.Findings = bt.Findings[:0]
		if err := stage.Process(context.Background(), bt); err != nil || len(bt.Findings) != 0 {
			b.Fatal(err, len(bt.Findings))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/line")
}
