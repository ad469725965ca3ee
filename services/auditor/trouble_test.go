package auditor_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// wire is the way to the store. It fails as long as fails says so.
type wire struct {
	next http.RoundTripper

	mu    sync.Mutex
	fails func(sql string) (*http.Response, error, bool)
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fails != nil {
		if res, err, failed := w.fails(r.URL.Query().Get("query")); failed {
			if res != nil {
				res.Request = r
			}
			return res, err
		}
	}
	w.mu.Unlock()
	defer w.mu.Lock()
	return w.next.RoundTrip(r)
}

// lockedBuffer is a log that several goroutines write.
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

// exception is an answer of ClickHouse.
func exception(code, text string) func() (*http.Response, error) {
	return func() (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{"X-Clickhouse-Exception-Code": {code}},
			Body: io.NopCloser(strings.NewReader("Code: " + code + ". DB::Exception: " + text + "\n"))}, nil
	}
}

// Whatever keeps the store from working, it is named in a metric and in the log
// with what to do, and when it is over every line is there once.
func TestStoreInTrouble(t *testing.T) {
	for _, tc := range []struct {
		cause  string
		answer func() (*http.Response, error)
	}{
		{"away", func() (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}},
		{"slow", func() (*http.Response, error) {
			return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.ErrDeadlineExceeded}
		}},
		{"read-only", exception("242", "Table is in readonly mode. (TABLE_IS_READ_ONLY)")},
		{"disk-full", exception("243", "Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)")},
		{"too-many-parts", exception("252", "Too many parts (3000). Merges are processing significantly slower than inserts. (TOO_MANY_PARTS)")},
		{"memory", exception("241", "Memory limit exceeded. (MEMORY_LIMIT_EXCEEDED)")},
		{"damaged", exception("246", "Empty marks file. (CORRUPTED_DATA)")},
		{"other", exception("60", "Unknown table. (UNKNOWN_TABLE)")},
	} {
		t.Run(tc.cause, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			tp := r.tap("b1", "shop.log")
			for n := 0; n < 600; n += 50 {
				tp.send(n, n+50)
			}
			rng, left := rand.New(rand.NewPCG(3, 3)), 6
			r.wire.mu.Lock()
			r.wire.fails = func(sql string) (*http.Response, error, bool) {
				if left == 0 || !strings.HasPrefix(sql, "INSERT") || rng.IntN(3) == 0 {
					return nil, nil, false
				}
				left--
				res, err := tc.answer()
				return res, err, true
			}
			r.wire.mu.Unlock()
			r.start()
			r.drained()
			r.check(lines(tp, 0, 0, 600))
			if n := r.counter("tallystick_auditor_failures_total", tc.cause); n == 0 {
				t.Error("the metric of the cause does not count")
			}
			if log := r.log.String(); !strings.Contains(log, "cause="+tc.cause) || !strings.Contains(log, "hint=") {
				t.Errorf("the log does not say %s and what to do:\n%.2000s", tc.cause, log)
			}
		})
	}
}

// counter reads a counter with one label of the auditor that was started last.
func (r *rig) counter(name, label string) (sum float64) {
	r.t.Helper()
	families, err := r.metrics.Gather()
	must(r.t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			if m.GetLabel()[0].GetValue() == label {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// The clocks of auditor and store jump by up to two days, back and forth, also
// while chunks are redone.
func TestClockJumps(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rng := rand.New(rand.NewPCG(5, 5))
	var mu sync.Mutex
	r.now = func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Now().Add(time.Duration(rng.Int64N(int64(96*time.Hour))) - 48*time.Hour)
	}
	tp := r.tap("b1", "shop.log")
	for _, step := range []string{"after intent", "after entries", "after close"} {
		hook, fired := once(step)
		r.store.set(hook)
		from := int(tp.sequence) * 50
		in := r.start()
		for n := from; n < from+500; n += 50 {
			tp.send(n, n+50)
		}
		r.drained()
		in.stop()
		if !*fired {
			t.Fatalf("%s was never reached", step)
		}
	}
	r.check(lines(tp, 0, 0, 1500))
}
