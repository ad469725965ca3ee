package reporter_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/reports/reportstest"
	"github.com/tallystick/tallystick/services/reporter"
)

type facts struct{}

func (facts) Map(string) reports.DataMap        { return reportstest.Map() }
func (facts) Controls(string) []reports.Control { return reportstest.Controls() }
func (facts) RuleSet() string                   { return "controls 3f2a9c01d4e5" }
func (facts) Checkpoint(context.Context) (reports.Checkpoint, error) {
	return reports.Checkpoint{Size: 118, Root: strings.Repeat("5af1", 16)}, nil
}

// register keeps runs, schedules, marks and the trail in memory. It is used by
// one goroutine at a time.
type register struct {
	runs      map[string]*registers.ReportRun
	schedules []registers.Schedule
	marks     map[string]time.Time
	acts      []string
	order     []string
	refuse    error // of the trail
}

func newRegister() *register {
	return &register{runs: map[string]*registers.ReportRun{}, marks: map[string]time.Time{}}
}

func (g *register) StartRun(_ context.Context, r registers.ReportRun) error {
	r.State, r.Started = "running", time.Now()
	g.runs[r.ID] = &r
	g.order = append(g.order, r.ID)
	return nil
}

func (g *register) FinishRun(_ context.Context, r registers.ReportRun) error {
	r.State, r.Started = "done", g.runs[r.ID].Started
	g.runs[r.ID] = &r
	return nil
}

func (g *register) FailRun(_ context.Context, id, problem string) error {
	g.runs[id].State, g.runs[id].Problem = "failed", problem
	return nil
}

func (g *register) FailUnfinishedRuns(context.Context) error {
	for _, r := range g.runs {
		if r.State == "running" {
			r.State = "failed"
		}
	}
	return nil
}

func (g *register) UnledgeredRuns(context.Context) ([]registers.ReportRun, error) {
	var out []registers.ReportRun
	for _, id := range g.order {
		r := g.runs[id]
		for _, f := range r.Files {
			if r.State == "done" && !f.Ledgered {
				out = append(out, *r)
				break
			}
		}
	}
	return out, nil
}

func (g *register) LedgerFile(_ context.Context, run, name string) error {
	for i, f := range g.runs[run].Files {
		if f.Name == name {
			g.runs[run].Files[i].Ledgered = true
		}
	}
	return nil
}

func (g *register) Schedules(context.Context) ([]registers.Schedule, error) { return g.schedules, nil }
func (g *register) ScheduleMark(_ context.Context, id string) (time.Time, error) {
	return g.marks[id], nil
}
func (g *register) MarkSchedule(_ context.Context, id string, at time.Time) error {
	g.marks[id] = at
	return nil
}
func (g *register) Record(_ context.Context, actor, act, object string, _ bool, _ string) error {
	if g.refuse != nil {
		return g.refuse
	}
	g.acts = append(g.acts, actor+" "+act+" "+object)
	return nil
}

type ledger struct {
	down    bool
	digests map[string]string
}

func (l *ledger) ReportDigest(_ context.Context, name string, sum [32]byte) error {
	if l.down {
		return errors.New("ledger is away")
	}
	l.digests[name] = hex.EncodeToString(sum[:])
	return nil
}

type broken struct{}

func (broken) Query(context.Context, string, map[string]string) (*reports.Rows, error) {
	return nil, errors.New("store is away")
}

func start(t *testing.T, g *register, cfg reporter.Config, edit func(*reporter.Deps)) *reporter.Reporter {
	t.Helper()
	c, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	def, err := reports.Lookup("lgpd-record")
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Dir == "" {
		cfg.Dir = filepath.Join(t.TempDir(), "reports")
	}
	cfg.Generator = "Tallystick test"
	d := reporter.Deps{
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry(), Catalogue: c, Store: reportstest.Store(def, false), Registers: broken{},
		Runs: g, Schedules: g, Trail: g, Facts: facts{},
	}
	if edit != nil {
		edit(&d)
	}
	r, err := reporter.New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRenderWritesFilesAndRecordsThem(t *testing.T) {
	g, l := newRegister(), &ledger{digests: map[string]string{}}
	r := start(t, g, reporter.Config{}, func(d *reporter.Deps) { d.Ledger = l })
	a, err := r.Render(context.Background(), reporter.Request{Kind: "lgpd-record", Period: reportstest.September(t), Actor: "os:test"})
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Files) != 4 {
		t.Fatalf("got %d files, want 4", len(a.Files))
	}
	for _, f := range a.Files {
		b, err := os.ReadFile(filepath.Join(a.Dir, f.Name))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(b)
		if hex.EncodeToString(sum[:]) != f.SHA256 || int64(len(b)) != f.Bytes || l.digests[a.Run+"/"+f.Name] != f.SHA256 {
			t.Errorf("%s: digest or size differ from the record", f.Name)
		}
	}
	run := g.runs[a.Run]
	if run.State != "done" || run.Language != "pt-BR" || run.CheckpointSize != 118 || run.Coverage < 0.9 {
		t.Errorf("run recorded as %+v", run)
	}
	if diff := cmp.Diff(g.acts, []string{"os:test report.render lgpd-record 2025-09"}); diff != "" {
		t.Errorf("trail (-got +want)\n%s", diff)
	}
}

func TestNothingWithoutTrail(t *testing.T) {
	g := newRegister()
	g.refuse = errors.New("trail is away")
	dir := filepath.Join(t.TempDir(), "reports")
	r := start(t, g, reporter.Config{Dir: dir}, nil)
	if _, err := r.Render(context.Background(), reporter.Request{Kind: "lgpd-record", Period: reportstest.September(t), Actor: "os:test"}); !errors.Is(err, g.refuse) {
		t.Fatalf("got %v, want the trail's error", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) || len(g.runs) != 0 {
		t.Fatal("something happened without the trail")
	}
}

func TestFailedRunLeavesNoFiles(t *testing.T) {
	g := newRegister()
	dir := filepath.Join(t.TempDir(), "reports")
	r := start(t, g, reporter.Config{Dir: dir}, func(d *reporter.Deps) { d.Store = broken{} })
	if _, err := r.Render(context.Background(), reporter.Request{Kind: "lgpd-record", Period: reportstest.September(t), Actor: "os:test"}); err == nil {
		t.Fatal("rendered without a store")
	}
	files, _ := os.ReadDir(dir)
	if len(files) != 0 {
		t.Errorf("left %d files", len(files))
	}
	for _, run := range g.runs {
		if run.State != "failed" || strings.Contains(run.Problem, "away") {
			t.Errorf("run recorded as %s: %s", run.State, run.Problem)
		}
	}
}

func TestRefusesBadRequests(t *testing.T) {
	r := start(t, newRegister(), reporter.Config{}, nil)
	good := reporter.Request{Kind: "lgpd-record", Period: reportstest.September(t), Actor: "os:test"}
	for _, tc := range []struct {
		name string
		edit func(*reporter.Request)
	}{
		{"kind", func(q *reporter.Request) { q.Kind = "gdpr-none" }},
		{"format", func(q *reporter.Request) { q.Formats = []string{"doc"} }},
		{"language", func(q *reporter.Request) { q.Lang = "fr" }},
		{"period", func(q *reporter.Request) { q.Period.Until = q.Period.From }},
		{"actor", func(q *reporter.Request) { q.Actor = "" }},
	} {
		q := good
		tc.edit(&q)
		if _, err := r.Render(context.Background(), q); err == nil {
			t.Errorf("%s: accepted", tc.name)
		}
	}
}

// daily is a schedule at six in the morning in UTC.
var daily = reporter.Schedule{Name: "daily", Kind: "lgpd-record", Cron: "0 6 * * *", Span: "day", Formats: []string{"json"}}

func periods(g *register) []string {
	var out []string
	for _, id := range g.order {
		r := g.runs[id]
		out = append(out, r.AskedBy+" "+r.From.Format(time.DateOnly)+" "+r.State)
	}
	return out
}

func TestScheduleFiresByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRegister()
		r := start(t, g, reporter.Config{Schedules: []reporter.Schedule{daily}}, nil)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(31 * time.Hour) // the bubble starts at midnight 2000-01-01
		synctest.Wait()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run returned %v", err)
		}
		for i, id := range g.order {
			if at, want := g.runs[id].Started, time.Date(2000, 1, 1+i, 6, 0, 0, 0, time.UTC); !at.Equal(want) {
				t.Errorf("run %d started at %s, want %s", i, at, want)
			}
		}
		if diff := cmp.Diff(periods(g), []string{"schedule:config:daily 1999-12-31 done", "schedule:config:daily 2000-01-01 done"}); diff != "" {
			t.Errorf("runs (-got +want)\n%s", diff)
		}
	})
}

func TestMissedScheduleRunsOnceAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRegister()
		g.schedules = []registers.Schedule{{ID: "s1", Kind: "lgpd-record", Cron: "0 6 * * *", Zone: "America/Sao_Paulo", Span: "day", Formats: []string{"csv"}}}
		g.marks["s1"] = time.Now().Add(-5 * 24 * time.Hour)
		r := start(t, g, reporter.Config{}, nil)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(time.Hour)
		synctest.Wait()
		cancel()
		<-done
		// The last missed time is 31 December, 06:00 in São Paulo: the day before.
		if diff := cmp.Diff(periods(g), []string{"schedule:s1 1999-12-30 done"}); diff != "" {
			t.Errorf("runs (-got +want)\n%s", diff)
		}
		if len(g.runs[g.order[0]].Files) != 1 {
			t.Error("want the one format of the schedule")
		}
	})
}

func TestFailingScheduleWaitsLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRegister()
		g.marks["config:daily"] = time.Now().Add(-48 * time.Hour)
		r := start(t, g, reporter.Config{Schedules: []reporter.Schedule{daily}}, func(d *reporter.Deps) { d.Store = broken{} })
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(3 * time.Hour)
		synctest.Wait()
		cancel()
		<-done
		if n := len(g.order); n < 3 || n > 10 {
			t.Errorf("tried %d times in three hours, want a few", n)
		}
	})
}

func TestDigestsAreOfferedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, l := newRegister(), &ledger{down: true, digests: map[string]string{}}
		r := start(t, g, reporter.Config{}, func(d *reporter.Deps) { d.Ledger = l })
		a, err := r.Render(context.Background(), reporter.Request{Kind: "lgpd-record", Period: reportstest.September(t), Actor: "os:test", Formats: []string{"json"}})
		if err != nil {
			t.Fatal(err)
		}
		l.down = false
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- r.Run(ctx) }()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		cancel()
		<-done
		if l.digests[a.Run+"/"+a.Files[0].Name] != a.Files[0].SHA256 || !g.runs[a.Run].Files[0].Ledgered {
			t.Error("the digest did not reach the ledger")
		}
	})
}

func TestRunClearsUnfinished(t *testing.T) {
	g := newRegister()
	_ = g.StartRun(context.Background(), registers.ReportRun{ID: "old"})
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, ".unfinished-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	r := start(t, g, reporter.Config{Dir: dir}, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 0 || g.runs["old"].State != "failed" {
		t.Errorf("left %v, run %s", left, g.runs["old"].State)
	}
}

func TestConfigValidate(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*reporter.Schedule)
		ok   bool
	}{
		{"good", func(*reporter.Schedule) {}, true},
		{"no name", func(s *reporter.Schedule) { s.Name = "" }, false},
		{"bad cron", func(s *reporter.Schedule) { s.Cron = "61 * * * *" }, false},
		{"bad zone", func(s *reporter.Schedule) { s.Zone = "Mars/Base" }, false},
		{"bad span", func(s *reporter.Schedule) { s.Span = "decade" }, false},
		{"bad kind", func(s *reporter.Schedule) { s.Kind = "x" }, false},
		{"bad format", func(s *reporter.Schedule) { s.Formats = []string{"xls"} }, false},
		{"bad language", func(s *reporter.Schedule) { s.Language = "de" }, false},
	} {
		s := daily
		tc.edit(&s)
		c := reporter.Config{Schedules: []reporter.Schedule{s}}
		if err := c.Validate(); (err == nil) != tc.ok {
			t.Errorf("%s: got %v", tc.name, err)
		}
	}
}
