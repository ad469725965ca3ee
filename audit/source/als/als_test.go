package als_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/data/accesslog/v3"
	accesslogservice "github.com/envoyproxy/go-control-plane/envoy/service/accesslog/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/als"
)

// rig is what a reader tells, and an Envoy's admin interface.
type rig struct {
	t     *testing.T
	admin *httptest.Server

	mu       sync.Mutex
	requests int // that the Envoy counted
	uptime   int
	now      time.Time
	gaps     []source.Gap
	counts   map[string]int
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, counts: map[string]int{}, now: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)}
	r.admin = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r.mu.Lock()
		defer r.mu.Unlock()
		_, _ = fmt.Fprintf(w, `{"stats":[{"name":"http.shop.downstream_rq_total","value":%d},{"name":"http.shop.downstream_rq_active","value":0},{"name":"server.uptime","value":%d}]}`, r.requests, r.uptime)
	}))
	t.Cleanup(r.admin.Close)
	return r
}

func (r *rig) deps(clock func() time.Time) source.Deps {
	return source.Deps{
		Name:   func(parts ...string) string { return strings.Join(parts, "/") },
		Logger: slog.New(slog.DiscardHandler), Clock: clock,
		Gap:   func(g source.Gap) { r.mu.Lock(); r.gaps = append(r.gaps, g); r.mu.Unlock() },
		Count: func(outcome string, n int) { r.mu.Lock(); r.counts[outcome] += n; r.mu.Unlock() },
	}
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) lost() (n uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range r.gaps {
		n += g.Lines
	}
	return n
}

func (r *rig) open(clock func() time.Time, change ...func(*als.Config)) *als.Reader {
	r.t.Helper()
	cfg := als.Config{Source: "shop", Listen: "127.0.0.1:0", MaxMessage: 64 << 10}
	for _, c := range change {
		c(&cfg)
	}
	a, err := als.Open(cfg, r.deps(clock))
	if err != nil {
		r.t.Fatal(err)
	}
	return a
}

// serving makes the first call of Next, from which on entries are taken.
func serving(t *testing.T, a *als.Reader) *als.Reader {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Next(ctx); err == nil {
		t.Fatal("entries came from nowhere")
	}
	return a
}

// dial opens a stream.
func dial(t *testing.T, a *als.Reader) (accesslogservice.AccessLogService_StreamAccessLogsClient, func()) {
	t.Helper()
	conn, err := grpc.NewClient(a.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := accesslogservice.NewAccessLogServiceClient(conn).StreamAccessLogs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return stream, func() { _ = conn.Close() }
}

func message(n int) *accesslogservice.StreamAccessLogsMessage {
	entries := make([]*accesslogv3.HTTPAccessLogEntry, n)
	for i := range entries {
		entries[i] = request(corev3.RequestMethod_GET, fmt.Sprintf("/v1/customers/%d", i), 200)
	}
	return &accesslogservice.StreamAccessLogsMessage{
		Identifier: &accesslogservice.StreamAccessLogsMessage_Identifier{LogName: "tap", Node: &corev3.Node{Id: "t1"}},
		LogEntries: &accesslogservice.StreamAccessLogsMessage_HttpLogs{HttpLogs: &accesslogservice.StreamAccessLogsMessage_HTTPAccessLogEntries{LogEntry: entries}},
	}
}

// take reads runs until n lines came.
func take(t *testing.T, a *als.Reader, n int, ack bool) (runs []*source.Run) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for n > 0 {
		run, err := a.Next(ctx)
		if err != nil {
			t.Fatalf("%d lines are missing: %v", n, err)
		}
		n -= len(run.Lines)
		if !ack {
			runs = append(runs, run)
		} else if err := a.Ack(run); err != nil {
			t.Fatal(err)
		}
	}
	return runs
}

func TestEntriesBecomeLines(t *testing.T) {
	defer noneLeft(t)
	r := newRig(t)
	a := serving(t, r.open(time.Now))
	defer closed(t, a)
	stream, hangUp := dial(t, a)
	defer hangUp()
	m := message(50)
	for range 2 { // the second without an identifier
		if err := stream.Send(m); err != nil {
			t.Fatal(err)
		}
		m = &accesslogservice.StreamAccessLogsMessage{LogEntries: &accesslogservice.StreamAccessLogsMessage_TcpLogs{TcpLogs: &accesslogservice.StreamAccessLogsMessage_TCPAccessLogEntries{
			LogEntry: []*accesslogv3.TCPAccessLogEntry{{CommonProperties: common()}, {CommonProperties: &accesslogv3.AccessLogCommon{AccessLogType: accesslogv3.AccessLogType_TcpPeriodic}}},
		}}}
	}
	if _, err := stream.CloseAndRecv(); err != nil {
		t.Errorf("the stream ended with %v", err)
	}
	take(t, a, 52, true)
	await(t, "the counts", func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.counts["http"] == 50 && r.counts["tcp"] == 1 && r.counts["intermediate"] == 1
	})
}

// While there is no room an open stream is held, and nothing of it is lost; a
// new one is refused.
func TestNoRoom(t *testing.T) {
	defer noneLeft(t)
	r := newRig(t)
	a := serving(t, r.open(time.Now))
	defer closed(t, a)
	stream, hangUp := dial(t, a)
	defer hangUp()
	if err := stream.Send(message(100)); err != nil {
		t.Fatal(err)
	}
	out := take(t, a, 100, false) // nothing is acknowledged
	sent := 100
	var mu sync.Mutex
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 800 {
			if err := stream.Send(message(100)); err != nil {
				t.Errorf("an open stream was not held: %v", err)
				return
			}
			mu.Lock()
			sent += 100
			mu.Unlock()
		}
	}()
	await(t, "there is no room", a.Full)
	late, bye := dial(t, a)
	defer bye()
	if _, err := late.CloseAndRecv(); status.Code(err) != codes.Unavailable {
		t.Errorf("a stream without room got %v", err)
	}
	for _, run := range out {
		if err := a.Ack(run); err != nil {
			t.Fatal(err)
		}
	}
	take(t, a, 80_000, true)
	<-done
	if sent != 80_100 {
		t.Errorf("%d entries were sent", sent)
	}
}

func TestTooLargeMessage(t *testing.T) {
	defer noneLeft(t)
	r := newRig(t)
	a := serving(t, r.open(time.Now))
	defer closed(t, a)
	stream, hangUp := dial(t, a)
	defer hangUp()
	_ = stream.Send(message(1000))
	if _, err := stream.CloseAndRecv(); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("got %v", err)
	}
	if r.mu.Lock(); r.counts["message_too_large"] != 1 {
		t.Errorf("counted %v", r.counts)
	}
	r.mu.Unlock()
}

func TestPortInUse(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	if _, err := als.Open(als.Config{Source: "shop", Listen: ln.Addr().String()}, newRig(t).deps(time.Now)); err == nil {
		t.Error("no error")
	}
}

// The sum of the gaps is what was lost, whatever happens: entries that never
// arrive, that the tap took and lost, that became durable without anyone being
// told, kills of the tap, and looks at any time.
func TestGapsSumUpToTheLoss(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { lossy(t, rand.New(rand.NewPCG(seed, 1))) })
	}
}

func lossy(t *testing.T, rnd *rand.Rand) {
	r := newRig(t)
	dir := t.TempDir()
	durable := map[string]uint64{} // what the record has, by stream
	a := (*als.Reader)(nil)
	start := func() {
		a = r.open(r.clock, func(c *als.Config) {
			c.Book, c.Admin = filepath.Join(dir, "counts"), []string{r.admin.URL}
			c.Poll = time.Hour // the test looks
			c.Durable = func(_ context.Context, stream string) (uint64, bool, error) { return durable[stream], true, nil }
		})
	}
	start()
	var w als.Watch
	look := func() {
		t.Helper()
		if err := a.Look(t.Context(), &w); err != nil {
			t.Fatal(err)
		}
	}
	pass := func(d time.Duration) { r.mu.Lock(); r.now = r.now.Add(d); r.mu.Unlock() }
	look() // the counting begins
	var lost uint64
	record := func(run *source.Run) { durable[run.Stream] = run.Next }
	for range 30 {
		n := 1 + rnd.IntN(20)
		r.mu.Lock()
		r.requests += n
		r.mu.Unlock()
		arrive := n
		if rnd.IntN(3) == 0 {
			arrive = rnd.IntN(n + 1)
		}
		lost += uint64(n - arrive)
		for range arrive {
			if err := a.Put(t.Context(), true); err != nil {
				t.Fatal(err)
			}
		}
		pass(time.Duration(rnd.IntN(3000)) * time.Millisecond)
		if rnd.IntN(2) == 0 {
			look()
		}
		if arrive == 0 {
			continue
		}
		pass(time.Second)
		run, err := a.Inlet().Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		a.Hand(run)
		switch rnd.IntN(6) {
		case 0: // killed before the lines were durable
			lost += uint64(len(run.Lines))
		case 1: // killed after that, and before it was acknowledged
			record(run)
		default:
			record(run)
			if err := a.Ack(run); err != nil {
				t.Fatal(err)
			}
			continue
		}
		a.Kill()
		start()
		w = als.Watch{}
	}
	for range 5 {
		pass(6 * time.Second)
		look()
	}
	if got := r.lost(); got != lost {
		t.Errorf("gaps tell of %d lost entries, %d are lost: %v", got, lost, r.gaps)
	}
	ids := map[string]bool{}
	for _, g := range r.gaps {
		id := fmt.Sprint(g.Stream, g.Generation, g.Offset)
		if ids[id] || g.Kind != source.GapMissing || g.Source != "shop" {
			t.Errorf("gap %+v", g)
		}
		ids[id] = true
	}
	a.Kill()
}

func closed(t *testing.T, a *als.Reader) {
	t.Helper()
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		runtime.Gosched()
	}
}

// noneLeft wants no goroutine of the package to run on.
func noneLeft(t *testing.T) {
	t.Helper()
	await(t, "the goroutines end", func() bool {
		b := make([]byte, 1<<20)
		b = b[:runtime.Stack(b, true)]
		return !strings.Contains(string(b), "source/als.(*")
	})
}
