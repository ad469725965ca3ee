package broker_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
	embedded "github.com/tallystick/tallystick/internal/embedded/broker"
	"github.com/tallystick/tallystick/internal/text"
)

var discard = slog.New(slog.DiscardHandler)

func msg(key, value string) broker.Message {
	return broker.Message{Key: []byte(key), Value: []byte(value)}
}

// seen collects what handlers fetched.
type seen struct {
	mu   sync.Mutex
	list []broker.Message
	more chan struct{}
}

func newSeen() *seen { return &seen{more: make(chan struct{}, 1<<16)} }

func (s *seen) add(m broker.Message) {
	s.mu.Lock()
	s.list = append(s.list, m)
	s.mu.Unlock()
	s.more <- struct{}{}
}

func (s *seen) wait(t *testing.T, n int) []broker.Message {
	t.Helper()
	deadline := time.After(40 * time.Second)
	for {
		s.mu.Lock()
		have := len(s.list)
		if have >= n {
			defer s.mu.Unlock()
			return slices.Clone(s.list)
		}
		s.mu.Unlock()
		select {
		case <-s.more:
		case <-deadline:
			t.Fatalf("%d messages after 40 s, want %d", have, n)
		}
	}
}

// consume runs a member of group that commits each message; stop ends it.
func consume(t *testing.T, c *broker.Client, group string, s *seen) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- c.Consume(ctx, group, broker.Lines, func(ctx context.Context, p *broker.Partition) error {
			for {
				m, err := p.Fetch(ctx)
				if err != nil {
					return err
				}
				if err := p.Commit(ctx, m.Offset+1); err != nil {
					return err
				}
				s.add(m)
			}
		})
	}()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			select {
			case err := <-done:
				if err != nil {
					t.Errorf("Consume: %v", err)
				}
			case <-time.After(30 * time.Second):
				t.Error("Consume did not end")
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func produce(t *testing.T, c *broker.Client, from, n int) {
	t.Helper()
	var msgs []broker.Message
	for i := from; i < from+n; i++ {
		msgs = append(msgs, msg(fmt.Sprintf("stream%d", i%16), fmt.Sprintf("value %d", i)))
	}
	if err := c.Produce(context.Background(), broker.Lines, msgs...); err != nil {
		t.Fatal(err)
	}
}

func values(msgs []broker.Message) map[string]int {
	out := map[string]int{}
	for _, m := range msgs {
		out[string(m.Value)]++
	}
	return out
}

func TestProduceConsumeResume(t *testing.T) {
	cfg := brokertest.Start(t)
	c := brokertest.Open(t, cfg)
	produce(t, c, 0, 100)
	first := newSeen()
	stop := consume(t, c, broker.Auditors, first)
	got := first.wait(t, 100)
	parts := map[string]int{}
	for _, m := range got {
		if p, ok := parts[string(m.Key)]; ok && p != m.Partition {
			t.Fatalf("key %s is on two partitions", m.Key)
		}
		parts[string(m.Key)] = m.Partition
		if broker.PartitionOf(m.Key, 2) != m.Partition {
			t.Fatalf("key %s is not where PartitionOf says", m.Key)
		}
	}
	stop()
	produce(t, c, 100, 50)
	second := newSeen()
	consume(t, c, broker.Auditors, second)
	v := values(second.wait(t, 50))
	for i := range 150 {
		if n := v[fmt.Sprintf("value %d", i)]; (i < 100 && n != 0) || (i >= 100 && n != 1) {
			t.Fatalf("value %d came %d times after the restart", i, n)
		}
	}
}

// TestStopWhileWaiting: a consumer that has read everything ends at once, although
// the broker holds its fetches for longer.
func TestStopWhileWaiting(t *testing.T) {
	c := brokertest.Open(t, brokertest.Start(t))
	produce(t, c, 0, 100)
	s := newSeen()
	stop := consume(t, c, broker.Auditors, s)
	s.wait(t, 100)
	began := time.Now()
	stop()
	if took := time.Since(began); took > broker.Hold-time.Second {
		t.Errorf("ended after %v; a fetch is held for %v", took, broker.Hold)
	}
}

func TestTakeover(t *testing.T) {
	cfg := brokertest.Start(t)
	a, b := brokertest.Open(t, cfg), brokertest.Open(t, cfg)
	sa, sb := newSeen(), newSeen()
	stopA := consume(t, a, broker.Auditors, sa)
	produce(t, a, 0, 16)
	sa.wait(t, 16)
	consume(t, b, broker.Auditors, sb)
	// Both have a partition once each has seen something new.
	deadline := time.Now().Add(40 * time.Second)
	n := 16
	for {
		sb.mu.Lock()
		have := len(sb.list)
		sb.mu.Unlock()
		if have > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the second member got no partition")
		}
		produce(t, a, n, 16)
		n += 16
		select {
		case <-sb.more:
		case <-time.After(100 * time.Millisecond):
		}
	}
	stopA()
	produce(t, a, n, 16)
	n += 16
	end := time.Now().Add(40 * time.Second)
	for {
		sa.mu.Lock()
		sb.mu.Lock()
		all := append(slices.Clone(sa.list), sb.list...)
		sb.mu.Unlock()
		sa.mu.Unlock()
		v := values(all)
		if len(v) == n {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d of %d values arrived after the takeover", len(v), n)
		}
		select {
		case <-sb.more:
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func TestSeek(t *testing.T) {
	cfg := brokertest.Start(t)
	c := brokertest.Open(t, cfg)
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	for i := range 10 {
		if err := c.Produce(ctx, broker.Lines, msg("one", fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	want := broker.PartitionOf([]byte("one"), 2)
	end := errors.New("end")
	err := c.Consume(ctx, broker.Auditors, broker.Lines, func(ctx context.Context, p *broker.Partition) error {
		if p.ID != want {
			return nil
		}
		for _, at := range []int64{7, 3, 9} {
			if err := p.Seek(ctx, at); err != nil {
				return err
			}
			m, err := p.Fetch(ctx)
			if err != nil {
				return err
			}
			if m.Offset != at || string(m.Value) != fmt.Sprint(at) || p.HighWatermark() != 10 {
				return fmt.Errorf("seek %d: got offset %d, high watermark %d", at, m.Offset, p.HighWatermark())
			}
		}
		if err := p.Seek(ctx, 10); err != nil { // the end is a position
			return err
		}
		var r *broker.RangeError
		if err := p.Seek(ctx, 11); !errors.As(err, &r) || r.Last != 10 {
			return fmt.Errorf("beyond the end: %v", err)
		}
		if err := c.DeleteBelow(ctx, broker.Lines, p.ID, 5); err != nil {
			return err
		}
		if err := p.Seek(ctx, 4); !errors.As(err, &r) || r.First != 5 {
			return fmt.Errorf("deleted: %v", err)
		}
		return end
	})
	if !errors.Is(err, end) {
		t.Fatal(err)
	}
}

func TestTooLarge(t *testing.T) {
	c := brokertest.Open(t, brokertest.Start(t))
	ctx := context.Background()
	err := c.Produce(ctx, broker.Lines, msg("k", strings.Repeat("x", 1<<20)))
	if !errors.Is(err, broker.ErrTooLarge) {
		t.Fatalf("got %v, want ErrTooLarge", err)
	}
	// The most that we allow fits the broker, alone and with others.
	big := msg("k", strings.Repeat("x", broker.MaxMessage-1))
	if err := c.Produce(ctx, broker.Lines, big, msg("k", "small"), big); err != nil {
		t.Fatal(err)
	}
	b, err := c.Backlog(ctx, broker.Auditors, broker.Lines)
	if err != nil || b.Messages != 3 || b.Bytes != 2*broker.MaxMessage+6 {
		t.Fatalf("%+v, %v", b, err)
	}
}

func TestBacklog(t *testing.T) {
	cfg := brokertest.Start(t)
	c := brokertest.Open(t, cfg)
	ctx := context.Background()
	check := func(c *broker.Client, messages, bytes int64) {
		t.Helper()
		b, err := c.Backlog(ctx, broker.Auditors, broker.Lines)
		if err != nil || b.Messages != messages || b.Bytes != bytes {
			t.Fatalf("got %+v, %v; want %d messages of %d bytes", b, err, messages, bytes)
		}
	}
	check(c, 0, 0)
	for range 10 {
		if err := c.Produce(ctx, broker.Lines, msg("key", strings.Repeat("x", 97))); err != nil {
			t.Fatal(err)
		}
	}
	check(c, 10, 1000)
	check(brokertest.Open(t, cfg), 10, 10_000_000) // a new tap knows no sizes
	s := newSeen()
	stop := consume(t, c, broker.Auditors, s)
	s.wait(t, 10)
	stop()
	check(c, 0, 0)
	if err := c.DeleteBelow(ctx, broker.Lines, broker.PartitionOf([]byte("key"), 2), 10); err != nil {
		t.Fatal(err)
	}
	check(c, 0, 0)
}

func TestHandlerErrorEndsConsume(t *testing.T) {
	c := brokertest.Open(t, brokertest.Start(t))
	boom := errors.New("boom")
	err := c.Consume(context.Background(), broker.Auditors, broker.Lines, func(ctx context.Context, p *broker.Partition) error {
		if p.ID == 0 {
			return boom
		}
		_, err := p.Fetch(ctx)
		return err
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v", err)
	}
}

func TestOpenRefusesStrangers(t *testing.T) {
	cfg := brokertest.Start(t)
	for _, tc := range []struct {
		name   string
		change func(*broker.Config)
	}{
		{"wrong password", func(c *broker.Config) { c.SASL.Password = "guess" }},
		{"no password", func(c *broker.Config) { c.SASL = broker.SASL{} }},
		{"nobody there", func(c *broker.Config) { c.Addresses = []string{"127.0.0.1:1"} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bad := cfg
			tc.change(&bad)
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
			defer cancel()
			_, err := broker.Open(ctx, bad, broker.Deps{Log: discard})
			if err == nil || text.HintOf(err) == "" || strings.Contains(err.Error(), "guess") {
				t.Fatalf("got %v, want an error with a hint", err)
			}
		})
	}
}

func TestTwoClientsShareMetrics(t *testing.T) {
	cfg := brokertest.Start(t)
	reg := prometheus.NewRegistry()
	for range 2 {
		c, err := broker.Open(context.Background(), cfg, broker.Deps{Log: slog.New(slog.DiscardHandler), Metrics: reg})
		if err != nil {
			t.Fatal(err)
		}
		produce(t, c, 0, 16)
		_ = c.Close()
	}
	f, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range f {
		if m.GetName() == "tallystick_broker_produced_messages_total" {
			if got := m.GetMetric()[0].GetCounter().GetValue(); got != 32 {
				t.Fatalf("%v messages counted, want 32", got)
			}
			return
		}
	}
	t.Fatal("no such metric")
}

func TestDeleteBelowAndRestart(t *testing.T) {
	dir := t.TempDir()
	ctx := context.Background()
	part := broker.PartitionOf([]byte("key"), 2)
	for round := range 3 {
		b, err := embedded.Start(dir)
		if err != nil {
			t.Fatal(err)
		}
		c := brokertest.Open(t, brokertest.Config(b))
		for range 5 {
			if err := c.Produce(ctx, broker.Lines, msg("key", "v")); err != nil {
				t.Fatal(err)
			}
		}
		last := int64(5 * (round + 1))
		if err := c.DeleteBelow(ctx, broker.Lines, part, last); err != nil {
			t.Fatal(err)
		}
		first, end, err := c.Offsets(ctx, broker.Lines, part)
		if err != nil || first != last-1 || end != last {
			t.Fatalf("round %d: the partition goes from %d to %d, error %v; want %d to %d", round, first, end, err, last-1, last)
		}
		if err := c.DeleteBelow(ctx, broker.Lines, part, 1); err != nil { // below the first: nothing to do
			t.Fatal(err)
		}
		_ = c.Close()
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
