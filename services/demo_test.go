package services_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/alert"
	"github.com/tallystick/tallystick/internal/demo"
	"github.com/tallystick/tallystick/services"
)

// seen is what of a finding both the demo's list and the store tell.
type seen struct {
	Control, Kind, Source, System string
	Time, Until                   time.Time
	Label, Resource               string
	Count                         int
}

func compareSeen(a, b seen) int {
	return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)))
}

// TestDemoFindingsAreTheSeededOnes: a month of the invented company gives the
// findings of its list and none besides, and the record verifies.
func TestDemoFindingsAreTheSeededOnes(t *testing.T) {
	s := newSite(t)
	folder := filepath.Join(s.dir, "demo")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := demo.Write(folder, demo.Options{Seed: 7, End: time.Now().UTC()}); err != nil {
		t.Fatal(err)
	}
	cfg, err := services.LoadConfig(filepath.Join(folder, "tallystick.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Console.Listen = s.cfg.Console.Listen
	s.cfg = cfg
	in := s.receive()
	s.start("ledger", "auditor")
	lines := 0
	for _, source := range []string{demo.Shop, demo.CRM, demo.Events} {
		sum := s.ingest(services.IngestRequest{Files: []string{demo.Path(folder, source)}, Format: "auto", Source: source})
		if sum.Rejections != 0 || sum.Duplicates != 0 || sum.Lines != sum.Entries {
			t.Errorf("%s: %+v", source, sum)
		}
		lines += countLines(t, demo.Path(folder, source))
	}
	if got := s.count("SELECT count() FROM entries"); got != lines {
		t.Errorf("%d entries of %d lines", got, lines)
	}
	s.stop()

	// The rest comes with the next start: windowed findings, tickets, the tail.
	s.open(services.Targets...)
	in.trust(s)
	s.run()
	want := expected(t, filepath.Join(folder, "expected.json"))
	wait(t, "the windowed findings", func() bool {
		return s.count("SELECT count() FROM findings WHERE control = 'DN-01'") >= count(want, "DN-01")
	})
	got := stored(s)
	for i := range min(len(got), len(want)) { // a gap is about one thing, and the list names no other
		if want[i].Kind == "gap" && want[i].Resource == "" {
			got[i].Resource = ""
		}
		if want[i].Kind == "gap" && want[i].Label == "" {
			got[i].Label = ""
		}
	}
	if d := gocmp.Diff(got, want); d != "" {
		t.Errorf("findings (-got +want):\n%s", d)
	}
	wait(t, "a ticket of each group of violations", func() bool {
		groups, findings := violationGroups(s)
		return findings == len(want)-2 && len(in.all()) == groups // two gaps wait in their queue
	})
	if repeated, refused := in.receiver.Counts(); repeated != 0 || refused != 0 {
		t.Errorf("%d notices came twice, %d without a valid signature", repeated, refused)
	}
	live(t, s, folder, len(want))
	if v := s.verify(); !v.OK || v.Rows < uint64(lines) {
		t.Errorf("verify: %+v", v)
	}
}

// live lets the company go on until a violation, and compares the tail's
// entries with the lines that are there.
func live(t *testing.T, s *site, folder string, findings int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- demo.Live(ctx, folder, 50) }()
	wait(t, "a violation among the live lines", func() bool { return s.count("SELECT count() FROM findings") > findings })
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	lines := 0
	for _, source := range []string{demo.Shop, demo.CRM, demo.Events} {
		lines += countLines(t, demo.Path(folder, source))
	}
	s.waitCount(lines, "SELECT count() FROM entries")
	s.waitCount(0, openChunks)
}

// violationGroups counts the groups of violations and their findings.
func violationGroups(s *site) (groups, findings int) {
	s.t.Helper()
	list, err := s.app.Registers().AlertGroups(context.Background(), 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, row := range list {
		var g alert.Group
		if err := json.Unmarshal(row.Body, &g); err != nil {
			s.t.Fatal(err)
		}
		if g.Kind == audit.Violation {
			groups++
			findings += int(g.Findings)
		}
	}
	return groups, findings
}

func count(list []seen, control string) (n int) {
	for _, f := range list {
		if f.Control == control {
			n++
		}
	}
	return n
}

// expected reads the demo's own list.
func expected(t *testing.T, path string) []seen {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []demo.Finding
	if err := json.Unmarshal(b, &list); err != nil {
		t.Fatal(err)
	}
	var out []seen
	for _, f := range list {
		out = append(out, seen{f.Control, f.Kind, f.Source, f.System, f.Time.UTC(), f.Until.UTC(), f.Label, f.Resource, f.Count})
	}
	slices.SortFunc(out, compareSeen)
	return out
}

// stored reads the findings of the store.
func stored(s *site) []seen {
	s.t.Helper()
	var out []seen
	for _, r := range s.rows("SELECT control, kind, source, system, time, until, principal_label, resource, count FROM findings") {
		n, err := strconv.Atoi(r[8])
		if err != nil {
			s.t.Fatal(err)
		}
		f := seen{Control: r[0], Kind: r[1], Source: r[2], System: r[3], Label: r[6], Resource: r[7], Count: n}
		for i, to := range []*time.Time{&f.Time, &f.Until} {
			if *to, err = time.Parse(time.RFC3339Nano, r[4+i]); err != nil {
				s.t.Fatal(err)
			}
		}
		out = append(out, f)
	}
	slices.SortFunc(out, compareSeen)
	return out
}

func countLines(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "\n")
}
