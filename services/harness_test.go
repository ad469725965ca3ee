package services_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit/alert/webhook"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/services"
)

// libchdb holds one data folder a process, so the tests of this package run one
// after the other, and each closes its site before the next one opens.

// site is one installation in a folder of its own.
type site struct {
	t    *testing.T
	dir  string
	cfg  *services.Config
	app  *services.App
	log  *lockedBuffer
	end  context.CancelFunc
	done chan error
	step func(string) error // of erasures, before each step
}

// lockedBuffer is a writer that several goroutines use.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// newSite makes a folder with a configuration that is still to be completed.
func newSite(t *testing.T) *site {
	t.Helper()
	storetest.Need(t)
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	s := &site{t: t, dir: dir, cfg: services.DefaultConfig(dir), log: &lockedBuffer{}}
	s.cfg.Console.Listen = "127.0.0.1:0"
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("log of the site:\n%.8000s", s.log.String())
		}
	})
	return s
}

// start runs the targets, all by default.
func (s *site) start(targets ...string) {
	s.t.Helper()
	if len(targets) == 0 {
		targets = services.Targets
	}
	s.open(targets...)
	s.run()
}

func (s *site) open(targets ...string) {
	s.t.Helper()
	app, err := services.New(context.Background(), services.BeforeErasureSteps(services.Options{
		Config: s.cfg, Targets: targets, Version: "test", Logger: slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}, s.step))
	if err != nil {
		s.t.Fatal(err)
	}
	app.Registers().SetPasswordCost(registers.PasswordCost{Passes: 1, Memory: 64, Lanes: 1})
	s.app = app
}

func (s *site) run() {
	ctx, cancel := context.WithCancel(context.Background())
	s.end, s.done = cancel, make(chan error, 1)
	go func() { s.done <- s.app.Run(ctx) }()
}

// stop ends the site as a signal would.
func (s *site) stop() {
	s.t.Helper()
	if s.app == nil {
		return
	}
	if s.end != nil {
		s.end()
		if err := <-s.done; err != nil {
			s.t.Errorf("run: %v", err)
		}
	}
	if err := s.app.Close(); err != nil {
		s.t.Errorf("close: %v", err)
	}
	s.app, s.end = nil, nil
}

// write makes a file of the site and returns its path.
func (s *site) write(name string, lines ...string) string {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(joinLines(lines)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

// appendTo adds lines to a file.
func (s *site) appendTo(path string, lines ...string) {
	s.t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = io.WriteString(f, joinLines(lines))
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func joinLines(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// ingest puts a file through the pipeline.
func (s *site) ingest(r services.IngestRequest) *services.IngestSummary {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	sum, err := s.app.Ingest(ctx, r, func(services.Progress) {})
	if err != nil {
		s.t.Fatal(err)
	}
	return sum
}

// rows asks the store.
func (s *site) rows(sql string) [][]string {
	s.t.Helper()
	res, err := s.app.Query(context.Background(), services.QueryRequest{SQL: sql})
	if err != nil {
		s.t.Fatalf("%s: %v", sql, err)
	}
	return res.Rows
}

// count is the one number that a statement answers.
func (s *site) count(sql string) int {
	s.t.Helper()
	rows := s.rows(sql)
	if len(rows) != 1 || len(rows[0]) != 1 {
		s.t.Fatalf("%s: %d rows", sql, len(rows))
	}
	n, err := strconv.Atoi(rows[0][0])
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// verify recomputes the record.
func (s *site) verify() *services.VerifyResult {
	s.t.Helper()
	res, err := s.app.Verify(context.Background(), services.VerifyRequest{}, func(services.Progress) {})
	if err != nil {
		s.t.Fatal(err)
	}
	return res
}

// pause is how long a poll waits, the longer the more often it has asked: each
// question to the store costs the processor as much as what it waits for.
func pause(asked int) time.Duration {
	return min(time.Duration(20*(asked+1))*time.Millisecond, 200*time.Millisecond)
}

// wait polls until ok or a deadline.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for asked := 0; !ok(); asked++ {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		time.Sleep(pause(asked))
	}
}

// waitCount waits until a statement answers n, as long as the answer changes.
func (s *site) waitCount(n int, sql string) {
	s.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for last, asked := -1, 0; ; asked++ {
		if asked > 0 {
			time.Sleep(pause(asked))
		}
		got := s.count(sql)
		switch {
		case got == n:
			return
		case got != last:
			last, deadline = got, time.Now().Add(30*time.Second)
		case time.Now().After(deadline):
			s.dump()
			s.t.Fatalf("%s: %d, want %d", sql, got, n)
		}
	}
}

// dump logs where the site's parts stand.
func (s *site) dump() {
	for _, sql := range []string{
		"SELECT partition, max(until), countIf(state = 'open'), countIf(state = 'closed') FROM chunks GROUP BY partition",
		"SELECT stream, generation, min(from), max(until), sum(until - from), uniqExact(boot), count() FROM stream_ranges GROUP BY stream, generation",
		"SELECT facts['reason'], facts, source, detected FROM findings WHERE control = 'GV-03'",
		"SELECT reason, count() FROM rejections GROUP BY reason",
	} {
		s.t.Log(sql, s.rows(sql))
	}
	families, err := s.app.Metrics().Gather()
	if err != nil {
		s.t.Log(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "tallystick_tap") || strings.HasPrefix(f.GetName(), "tallystick_auditor") {
			s.t.Log(f.String())
		}
	}
}

// tickets is a receiver of webhooks that keeps every body beside the tickets.
type tickets struct {
	url string

	mu       sync.Mutex
	bodies   [][]byte
	receiver *webhook.Receiver
}

// receive opens the receiver and configures it; its secret is known after open.
func (s *site) receive() *tickets {
	s.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	r := &tickets{url: "http://" + ln.Addr().String() + "/"}
	srv := &http.Server{Handler: r, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = srv.Serve(ln) }()
	s.t.Cleanup(func() { _ = srv.Close() })
	s.cfg.Alerts.Webhooks = []services.WebhookConfig{{Name: "tickets", URL: r.url, AllowPrivate: true}}
	return r
}

// trust gives the receiver the installation's secret.
func (r *tickets) trust(s *site) {
	s.t.Helper()
	secret, err := s.app.ReceiverSecret()
	if err != nil {
		s.t.Fatal(err)
	}
	w, err := webhook.NewReceiver(secret)
	if err != nil {
		s.t.Fatal(err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.receiver == nil {
		r.receiver = w
	}
}

func (r *tickets) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil || r.receiver == nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	var head bytes.Buffer
	_ = req.Header.Write(&head)
	r.bodies = append(r.bodies, append(head.Bytes(), body...))
	req.Body = io.NopCloser(bytes.NewReader(body))
	r.receiver.ServeHTTP(w, req)
}

func (r *tickets) all() []webhook.Ticket {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.receiver.Tickets()
}

func (r *tickets) received() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([][]byte(nil), r.bodies...)
}

// combined is a line of nginx's combined format.
func combined(at time.Time, addr, user, request string, status int, referer, agent string) string {
	return fmt.Sprintf(`%s - %s [%s] "%s" %d 512 "%s" "%s"`, addr, user, at.UTC().Format("02/Jan/2006:15:04:05 -0700"), request, status, referer, agent)
}

// page is an ordinary line.
func page(at time.Time, n int) string {
	return combined(at, fmt.Sprintf("192.0.2.%d", n%250+1), "-", fmt.Sprintf("GET /products/%d HTTP/1.1", n), 200, "-", "curl/8.5.0")
}

// pages are ordinary lines, one a second.
func pages(from time.Time, first, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = page(from.Add(time.Duration(i)*time.Second), first+i)
	}
	return out
}
