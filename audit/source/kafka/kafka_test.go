package kafka_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/kafka"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
	embedded "github.com/tallystick/tallystick/internal/embedded/broker"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// topic is one that every broker of the tests has, with two partitions.
const topic = broker.Findings

// rig is a cluster with a topic and what readers of it tell.
type rig struct {
	t       *testing.T
	cluster broker.Config
	client  *broker.Client

	mu     sync.Mutex
	gaps   []source.Gap
	counts map[string]int // by outcome
}

func newRig(t *testing.T) *rig {
	cluster := brokertest.Start(t)
	return &rig{t: t, cluster: cluster, client: brokertest.Open(t, cluster), counts: map[string]int{}}
}

// open opens a reader in the group of the test. It is closed with the test.
func (r *rig) open(change ...func(*kafka.Config)) *kafka.Reader {
	r.t.Helper()
	cfg := kafka.Config{Source: "shop", Cluster: r.cluster, Topic: topic, Group: "tap", Gather: 20 * time.Millisecond, Retry: 50 * time.Millisecond, Idle: 50 * time.Millisecond}
	for _, c := range change {
		c(&cfg)
	}
	k, err := kafka.Open(cfg, source.Deps{
		Name:   func(parts ...string) string { return strings.Join(parts[2:], "/") },
		Logger: slog.New(slog.DiscardHandler), Clock: time.Now,
		Gap:   func(g source.Gap) { r.mu.Lock(); r.gaps = append(r.gaps, g); r.mu.Unlock() },
		Count: func(outcome string, n int) { r.mu.Lock(); r.counts[outcome] += n; r.mu.Unlock() },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

func (r *rig) produce(values ...string) {
	r.t.Helper()
	msgs := make([]broker.Message, len(values))
	for i, v := range values {
		msgs[i] = broker.Message{Key: []byte(fmt.Sprint(i)), Value: []byte(v)}
	}
	if err := r.client.Produce(r.t.Context(), topic, msgs...); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) lost() []source.Gap {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.gaps)
}

func (r *rig) outcome(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.counts[what]
}

// take reads runs until n lines came, and acknowledges them if ack.
func take(t *testing.T, k *kafka.Reader, n int, ack bool) (texts []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for len(texts) < n {
		run, err := k.Next(ctx)
		if err != nil {
			t.Fatalf("%d lines of %d: %v", len(texts), n, err)
		}
		at := run.First
		for _, l := range run.Lines {
			if l.Origin.Offset < at || l.Origin.Stream != run.Stream {
				t.Fatalf("line at %v in a run of %s from %d", l.Origin, run.Stream, run.First)
			}
			at = l.Origin.Offset + 1
			texts = append(texts, l.Text.Reveal(plainaccess.Token{}))
		}
		if run.Next < at { // ends of transactions may follow
			t.Fatalf("the run ends at %d, its lines at %d", run.Next, at)
		}
		if ack {
			if err := k.Ack(run); err != nil {
				t.Fatal(err)
			}
		}
	}
	slices.Sort(texts)
	return texts
}

// quiet wants no line for a while.
func quiet(t *testing.T, k *kafka.Reader) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	for {
		run, err := k.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			t.Fatalf("%d lines came from %s at %d", len(run.Lines), run.Stream, run.First)
		}
	}
}

func lines(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("%s %04d", prefix, i)
	}
	return out
}

func TestEveryRecordOnce(t *testing.T) {
	defer noneLeft(t)
	r := newRig(t)
	r.produce(lines("first", 2000)...)
	k := r.open(func(c *kafka.Config) { c.BatchLines = 300 })
	if d := cmp.Diff(lines("first", 2000), take(t, k, 2000, true)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	s := k.Status()
	if s.Open != 2 || s.Lag != 0 || s.Problems != nil {
		t.Errorf("status %+v", s)
	}
	closed(t, k)

	r.produce(lines("second", 10)...)
	k = r.open()
	if d := cmp.Diff(lines("second", 10), take(t, k, 10, true)); d != "" {
		t.Errorf("after a restart (-want +got):\n%s", d)
	}
	closed(t, k)
	if got := r.outcome("line"); got != 2010 {
		t.Errorf("%v records counted", got)
	}
	if g := r.lost(); len(g) > 0 {
		t.Errorf("gaps %+v", g)
	}
}

// What was not acknowledged is not committed.
func TestUnacknowledgedComesAgain(t *testing.T) {
	defer noneLeft(t)
	r := newRig(t)
	r.produce(lines("a", 50)...)
	k := r.open()
	take(t, k, 50, false)
	closed(t, k)
	k = r.open()
	if d := cmp.Diff(lines("a", 50), take(t, k, 50, true)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	closed(t, k)
}

// A cluster that goes away and comes back loses nothing, and says so meanwhile.
func TestClusterAway(t *testing.T) {
	defer noneLeft(t)
	dir := t.TempDir()
	b, err := embedded.StartWith(dir, embedded.Options{Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, cluster: brokertest.Config(b), counts: map[string]int{}}
	r.client = brokertest.Open(t, r.cluster)
	r.produce(lines("before", 100)...)
	k := r.open()
	defer closed(t, k)
	take(t, k, 100, true)
	var port int
	if _, err := fmt.Sscanf(b.Addr(), "127.0.0.1:%d", &port); err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	for len(k.Status().Problems) == 0 {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if run, err := k.Next(ctx); err == nil {
			t.Fatalf("%d lines from nowhere", len(run.Lines))
		}
		cancel()
	}
	if b, err = embedded.StartWith(dir, embedded.Options{Port: port, Password: "secret"}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	r.produce(lines("after", 100)...)
	got := slices.Compact(take(t, k, 100, true))
	if d := cmp.Diff(lines("after", 100), got[len(got)-min(len(got), 100):]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if k.Status().Problems != nil {
		t.Errorf("still a problem: %v", k.Status().Problems[0].Err)
	}
}

// Two members share the partitions: nothing is missed when one joins or leaves.
func TestRebalance(t *testing.T) {
	defer noneLeft(t)
	r := newRig(t)
	r.produce(lines("a", 200)...)
	one := r.open()
	take(t, one, 200, true)
	two := r.open()
	ctx, cancel := context.WithCancel(t.Context())
	var mu sync.Mutex
	seen := map[string]int{}
	var wg sync.WaitGroup
	read := func(k *kafka.Reader) {
		for {
			run, err := k.Next(ctx)
			if err != nil {
				return
			}
			mu.Lock()
			for _, l := range run.Lines {
				seen[l.Text.Reveal(plainaccess.Token{})]++
			}
			mu.Unlock()
			_ = k.Ack(run)
		}
	}
	for _, k := range []*kafka.Reader{one, two} {
		wg.Go(func() { read(k) })
	}
	await(t, "each member has a partition", func() bool { return one.Status().Open == 1 && two.Status().Open == 1 })
	r.produce(lines("b", 200)...)
	await(t, "200 records", func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) == 200 })
	cancel()
	wg.Wait()
	closed(t, one)
	ctx, cancel = context.WithCancel(t.Context())
	wg.Go(func() { read(two) })
	await(t, "the other member has both", func() bool { return two.Status().Open == 2 })
	r.produce(lines("c", 200)...)
	await(t, "400 records", func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) == 400 })
	cancel()
	wg.Wait()
	closed(t, two)
	for text, n := range seen {
		if n != 1 {
			t.Errorf("%s came %d times although it was acknowledged", text, n)
		}
	}
}

func TestUnknownTopic(t *testing.T) {
	defer noneLeft(t)
	r := newRig(t)
	k := r.open(func(c *kafka.Config) { c.Topic = "not-there" })
	defer closed(t, k)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = k.Next(ctx) // begins to read
	await(t, "the problem shows", func() bool { return len(k.Status().Problems) == 1 })
	if p := k.Status().Problems; len(p) != 1 || p[0].Path != "not-there" {
		t.Errorf("problems %v", p)
	}
}

func closed(t *testing.T, k *kafka.Reader) {
	t.Helper()
	if err := k.Close(); err != nil {
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
		return !strings.Contains(string(b), "source/kafka.(*")
	})
}
