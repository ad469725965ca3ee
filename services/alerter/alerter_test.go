package alerter_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/alert"
	"github.com/tallystick/tallystick/audit/alert/webhook"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/schemas"
	"github.com/tallystick/tallystick/services/alerter"
)

const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="

var start = time.Date(2026, 11, 21, 10, 2, 0, 0, time.UTC)

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// noStore has no rows and takes findings.
type noStore struct{ inserted []audit.Finding }

func (*noStore) Select(context.Context, string, ...any) (*store.Result, error) {
	return &store.Result{}, nil
}

func (s *noStore) InsertOtherFindings(_ context.Context, _ string, fs []audit.Finding) error {
	s.inserted = append(s.inserted, fs...)
	return nil
}

// idle consumes nothing until the end.
type idle struct{}

func (idle) Consume(ctx context.Context, _, _ string, _ func(context.Context, *broker.Partition) error) error {
	<-ctx.Done()
	return nil
}

type names struct{}

func (names) System(key string) string       { return strings.ToUpper(key) }
func (names) Organisation(key string) string { return key }

func open(t *testing.T, path string) *registers.DB {
	t.Helper()
	db, err := registers.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func build(t *testing.T, db *registers.DB, now func() time.Time, st alerter.Store, receivers ...alert.Notifier) *alerter.Alerter {
	t.Helper()
	set, err := control.Load(schemas.Controls)
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	if st == nil {
		st = &noStore{}
	}
	a, err := alerter.New(alerter.Config{Language: "en", BaseURL: "https://audit.example"}, alerter.Deps{
		Groups: db, Outbox: db, Consumer: idle{}, Store: st, Controls: set, Receivers: receivers, Catalogue: catalogue, Names: names{},
		Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// reads are findings of one agent who reads customers' contact data.
func reads(from, until int) []audit.Finding {
	var fs []audit.Finding
	for i := from; i < until; i++ {
		at := start.Add(time.Duration(i) * 29 * time.Minute / 142)
		fs = append(fs, audit.Finding{
			ID: fmt.Sprintf("F%04d", i), Kind: audit.Violation, Control: "AC-01", ControlVersion: 1, Severity: audit.SeverityHigh, Time: at, Until: at,
			Detected: at, Source: "crm-proxy", System: "crm", Principal: "v1.y7.AbCdEfGhIjKlMnOpQrStUv", PrincipalKind: audit.KindStaff,
			PrincipalLabel: "Support (agent 14)", Resource: "/v1/customers/{customer_id}", Categories: []string{"user.contact"},
			Subjects: []string{fmt.Sprintf("v1.d1.%d", i)}, Count: 1, Facts: map[string]string{"action": "read", "subject_categories": "customer"},
		})
	}
	return fs
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func hook(t *testing.T, url string) *webhook.Webhook {
	t.Helper()
	w, err := webhook.New(webhook.Config{Name: "tickets", URL: url, Secret: secret, AllowPrivate: true})
	must(t, err)
	t.Cleanup(w.Close)
	return w
}

// gate lets a receiver be down.
type gate struct {
	http.Handler
	mu   sync.Mutex
	down bool
}

func (g *gate) set(down bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = down
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	down := g.down
	g.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	g.Handler.ServeHTTP(w, r)
}

// TestAlertSurvivesRestartAndArrivesOnce groups 143 findings, half of them
// twice, restarts at every step, has the receiver down at first, and loses the
// note of a delivery that succeeded.
func TestAlertSurvivesRestartAndArrivesOnce(t *testing.T) {
	ctx, c := context.Background(), &clock{at: start.Add(time.Hour)}
	path := filepath.Join(t.TempDir(), "registers.db")
	r, err := webhook.NewReceiver(secret)
	must(t, err)
	g := &gate{Handler: r, down: true}
	srv := httptest.NewServer(g)
	defer srv.Close()
	w := hook(t, srv.URL)
	restart := func() *alerter.Alerter { return build(t, open(t, path), c.now, nil, w) }

	must(t, restart().Handle(ctx, reads(0, 80)))
	a := restart()
	must(t, a.Handle(ctx, reads(40, 143)))
	must(t, a.Tick(ctx))
	if _, err := a.DeliverDue(ctx, w); err != nil || len(r.Tickets()) != 0 {
		t.Fatalf("told before its time: %v, %v", r.Tickets(), err)
	}
	c.add(11 * time.Second)
	must(t, restart().Tick(ctx))
	pause, err := restart().DeliverDue(ctx, w)
	if err != nil || pause == 0 || len(r.Tickets()) != 0 {
		t.Fatalf("receiver down: pause %v, error %v", pause, err)
	}
	g.set(false)
	c.add(10 * time.Second)
	lossy := open(t, path)
	b := build(t, lossy, c.now, nil, w)
	must(t, lossy.Close())
	if _, err := b.DeliverDue(ctx, w); err == nil {
		t.Fatal("a closed register is no error")
	}
	for range 3 {
		_, err = restart().DeliverDue(ctx, w)
		must(t, err)
		must(t, restart().Tick(ctx))
		c.add(time.Minute)
	}
	tickets := r.Tickets()
	if len(tickets) != 1 || tickets[0].Notices != 1 {
		t.Fatalf("tickets %+v", tickets)
	}
	want := "High: Support (agent 14) read 143 customers' contact data in CRM with no documented purpose, 10:02-10:31 UTC"
	if diff := cmp.Diff(tickets[0].Summary, want); diff != "" {
		t.Errorf("(-got +want)\n%s", diff)
	}
	for _, part := range []string{"Control AC-01: Access without a documented purpose (GDPR Art. 5(1)(b);", "Why it matters: ", "What to do: ", "https://audit.example/findings/F0000", "How complete crm-proxy is"} {
		if !strings.Contains(tickets[0].Text, part) {
			t.Errorf("no %q in\n%s", part, tickets[0].Text)
		}
	}
}

// unsettled loses the note of the first delivery.
type unsettled struct {
	*registers.DB
	lost bool
}

func (u *unsettled) SettleMessage(ctx context.Context, m registers.OutboxMessage) error {
	if !u.lost {
		u.lost = true
		return errors.New("killed here")
	}
	return u.DB.SettleMessage(ctx, m)
}

func TestDeliveredButNotNotedIsCountedOnce(t *testing.T) {
	ctx, c := context.Background(), &clock{at: start}
	db := open(t, filepath.Join(t.TempDir(), "registers.db"))
	r, err := webhook.NewReceiver(secret)
	must(t, err)
	srv := httptest.NewServer(r)
	defer srv.Close()
	w := hook(t, srv.URL)
	a := build(t, db, c.now, nil, w)
	must(t, a.Handle(ctx, reads(0, 3)))
	c.add(time.Minute)
	must(t, a.Tick(ctx))
	set, err := control.Load(schemas.Controls)
	must(t, err)
	catalogue, err := text.Load()
	must(t, err)
	b, err := alerter.New(alerter.Config{}, alerter.Deps{
		Groups: db, Outbox: &unsettled{DB: db}, Consumer: idle{}, Store: &noStore{}, Controls: set, Receivers: []alert.Notifier{w}, Catalogue: catalogue,
		Logger: slog.New(slog.DiscardHandler), Now: c.now,
	})
	must(t, err)
	if _, err := b.DeliverDue(ctx, w); err == nil {
		t.Fatal("no error")
	}
	_, err = b.DeliverDue(ctx, w)
	must(t, err)
	again, refused := r.Counts()
	if len(r.Tickets()) != 1 || r.Tickets()[0].Notices != 1 || again != 1 || refused != 0 {
		t.Errorf("tickets %+v, %d again, %d refused", r.Tickets(), again, refused)
	}
}

func TestGroupingAndSuppression(t *testing.T) {
	ctx, c := context.Background(), &clock{at: start}
	db := open(t, filepath.Join(t.TempDir(), "registers.db"))
	a := build(t, db, c.now, nil)
	if _, err := db.Suppress(ctx, registers.Suppression{Control: "AC-01", System: "wiki", Reason: "migration", By: "officer", Until: time.Now().AddDate(0, 1, 0)}); err != nil {
		t.Fatal(err)
	}
	fs := reads(0, 6)
	fs[1].System = "erp"                                           // another system
	fs[2].Principal, fs[2].PrincipalLabel = "v1.y7.other", "Batch" // another principal
	fs[3].System = "wiki"                                          // suppressed
	fs[4].Control, fs[4].Facts = "EX-03", map[string]string{}      // grouped by system and resource,
	fs[5].Control, fs[5].Principal = "EX-03", "v1.y7.somebody"     // whoever it was
	fs = append(fs, fs[0], audit.Finding{ID: "G", Kind: audit.Gap, Control: "GP-01", Severity: audit.SeverityMedium, System: "crm"})
	must(t, a.Handle(ctx, fs))
	c.add(time.Minute)
	must(t, a.Tick(ctx))
	groups, err := db.AlertGroups(ctx, 100)
	must(t, err)
	got := map[string]string{}
	for _, g := range groups {
		var body alert.Group
		must(t, json.Unmarshal(g.Body, &body))
		got[g.Control+" "+strings.ReplaceAll(g.Key, "\x1f", "|")] = fmt.Sprintf("%d findings, suppressed by %d, told %v", body.Findings, g.Suppressed, !g.Notified.IsZero() && g.Notices > 0)
	}
	want := map[string]string{
		"AC-01 v1.y7.AbCdEfGhIjKlMnOpQrStUv|crm":             "1 findings, suppressed by 0, told true",
		"AC-01 v1.y7.AbCdEfGhIjKlMnOpQrStUv|erp":             "1 findings, suppressed by 0, told true",
		"AC-01 v1.y7.other|crm":                              "1 findings, suppressed by 0, told true",
		"AC-01 v1.y7.AbCdEfGhIjKlMnOpQrStUv|wiki|suppressed": "1 findings, suppressed by 1, told false",
		"EX-03 crm|/v1/customers/{customer_id}":              "2 findings, suppressed by 0, told true",
	}
	for k := range got {
		if strings.HasPrefix(k, "GP-01") {
			want[k] = "1 findings, suppressed by 0, told false"
		}
	}
	if diff := cmp.Diff(got, want); diff != "" || len(got) != 6 {
		t.Errorf("(-got +want)\n%s", diff)
	}
}

func TestGroupUpdatesAndEnds(t *testing.T) {
	ctx, c := context.Background(), &clock{at: start}
	db := open(t, filepath.Join(t.TempDir(), "registers.db"))
	n := &notifier{}
	a := build(t, db, c.now, nil, n)
	for minute := range 12 { // a finding each minute
		must(t, a.Handle(ctx, reads(minute, minute+1)))
		for range 60 {
			c.add(time.Second)
			must(t, a.Tick(ctx))
		}
	}
	c.add(29 * time.Minute)
	must(t, a.Tick(ctx))
	must(t, a.Handle(ctx, reads(50, 51))) // after the end: a new group
	c.add(time.Minute)
	must(t, a.Tick(ctx))
	_, err := a.DeliverDue(ctx, n)
	must(t, err)
	want := []string{"1 finding.opened 1", "1 finding.updated 6", "1 finding.updated 11", "1 finding.updated 12", "2 finding.opened 1"}
	if diff := cmp.Diff(n.told, want); diff != "" {
		t.Errorf("(-got +want)\n%s", diff)
	}
}

// notifier notes what it is told; it fails while fail is set.
type notifier struct {
	mu   sync.Mutex
	fail error
	told []string
	at   []time.Time
}

func (n *notifier) Name() string   { return "notes" }
func (n *notifier) Target() string { return "memory" }

func (n *notifier) Notify(_ context.Context, _ string, body []byte) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.at = append(n.at, time.Now())
	if n.fail != nil {
		return true, n.fail
	}
	var m alert.Notice
	if err := json.Unmarshal(body, &m); err != nil {
		return false, err
	}
	n.told = append(n.told, fmt.Sprintf("%s %s %d", m.Data.Group, m.Type, m.Data.Findings))
	return false, nil
}

// TestRunTimes runs the loops in a bubble of time: the notice comes ten seconds
// after the first finding, and tries follow the schedule.
func TestRunTimes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registers.db")
	synctest.Test(t, func(t *testing.T) {
		db, err := registers.Open(context.Background(), path)
		must(t, err)
		defer func() { _ = db.Close() }()
		n := &notifier{fail: errors.New("down")}
		a := build(t, db, time.Now, nil, n)
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error)
		go func() { done <- a.Run(ctx) }()
		begin := time.Now()
		must(t, a.Handle(ctx, reads(0, 2)))
		time.Sleep(25 * time.Second)
		n.mu.Lock()
		n.fail = nil
		tries := len(n.at)
		first := n.at[0].Sub(begin)
		n.mu.Unlock()
		if tries != 2 || first < 10*time.Second || first > 12*time.Second {
			t.Errorf("%d tries, the first after %v", tries, first)
		}
		time.Sleep(time.Minute)
		cancel()
		must(t, <-done)
		if diff := cmp.Diff(n.told, []string{"1 finding.opened 2"}); diff != "" {
			t.Errorf("(-got +want)\n%s", diff)
		}
	})
}

func TestGoneReceiverIsLeftAlone(t *testing.T) {
	ctx, c := context.Background(), &clock{at: start}
	db := open(t, filepath.Join(t.TempDir(), "registers.db"))
	n := &notifier{fail: alert.ErrGone}
	a := build(t, db, c.now, nil, n)
	must(t, a.Handle(ctx, reads(0, 1)))
	c.add(time.Minute)
	must(t, a.Tick(ctx))
	for range 3 {
		_, err := a.DeliverDue(ctx, n)
		must(t, err)
	}
	if len(n.at) != 1 {
		t.Errorf("asked %d times", len(n.at))
	}
}

// messages is a partition of findings.
type messages struct {
	list      []broker.Message
	committed int64
	done      context.CancelFunc
}

func (m *messages) Fetch(ctx context.Context) (broker.Message, error) {
	if len(m.list) == 0 {
		if m.committed == 4 {
			m.done()
		}
		<-ctx.Done()
		return broker.Message{}, ctx.Err()
	}
	first := m.list[0]
	m.list = m.list[1:]
	return first, nil
}

func (m *messages) Commit(_ context.Context, next int64) error {
	m.committed = next
	return nil
}

func TestConsumeCommitsAfterGrouping(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	db := open(t, filepath.Join(t.TempDir(), "registers.db"))
	a := build(t, db, (&clock{at: start}).now, nil)
	p := &messages{done: cancel}
	for i, f := range reads(0, 3) {
		b, err := json.Marshal(f)
		must(t, err)
		p.list = append(p.list, broker.Message{Value: b, Offset: int64(i)})
	}
	p.list = append(p.list, broker.Message{Value: []byte("no finding"), Offset: 3})
	must(t, a.Consume(ctx, p))
	groups, err := db.AlertGroups(context.Background(), 10)
	must(t, err)
	if p.committed != 4 || len(groups) != 1 || !strings.Contains(string(groups[0].Body), `"findings":3`) {
		t.Errorf("committed %d, groups %d", p.committed, len(groups))
	}
}

// TestKilledGrouping kills a process that groups findings, again and again; each
// counts once in the end.
func TestKilledGrouping(t *testing.T) {
	const findings = 400
	if path := os.Getenv("ALERTER_TEST_REGISTERS"); path != "" {
		a := build(t, open(t, path), (&clock{at: start}).now, nil)
		for i := 0; i < findings; i += 10 {
			must(t, a.Handle(context.Background(), reads(i, i+10)))
			fmt.Println("step")
		}
		fmt.Println("complete")
		return
	}
	path := filepath.Join(t.TempDir(), "registers.db")
	exe, err := os.Executable()
	must(t, err)
	for n := range 6 {
		cmd := exec.Command(exe, "-test.run", "^TestKilledGrouping$")
		cmd.Env = append(os.Environ(), "ALERTER_TEST_REGISTERS="+path)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		for k := 0; lines.Scan() && (n == 5 || k < 1+8*n); k++ {
			if lines.Text() == "complete" {
				break
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	groups, err := open(t, path).AlertGroups(context.Background(), 10)
	must(t, err)
	var g alert.Group
	must(t, json.Unmarshal(groups[0].Body, &g))
	if len(groups) != 1 || g.Findings != findings || g.Subjects != findings {
		t.Errorf("%d groups, %d findings, %d subjects", len(groups), g.Findings, g.Subjects)
	}
}

func BenchmarkHandle(b *testing.B) {
	db, err := registers.Open(context.Background(), filepath.Join(b.TempDir(), "registers.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	set, err := control.Load(schemas.Controls)
	if err != nil {
		b.Fatal(err)
	}
	catalogue, err := text.Load()
	if err != nil {
		b.Fatal(err)
	}
	a, err := alerter.New(alerter.Config{}, alerter.Deps{
		Groups: db, Outbox: db, Consumer: idle{}, Store: &noStore{}, Controls: set, Catalogue: catalogue, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		if err := a.Handle(context.Background(), reads(n, n+500)); err != nil {
			b.Fatal(err)
		}
		n += 500
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "findings/s")
}
