package broker_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
	embedded "github.com/tallystick/tallystick/internal/embedded/broker"
)

// said is a log that several goroutines write.
type said struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// TestAwayIsCountedAndLogged: a broker that goes away is counted by what was
// being done, and the log says what to do.
func TestAwayIsCountedAndLogged(t *testing.T) {
	b, err := embedded.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	log, metrics := &said{}, prometheus.NewRegistry()
	c, err := broker.Open(t.Context(), brokertest.Config(b), broker.Deps{Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: metrics})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	ctx, cancel := context.WithCancel(t.Context())
	consumed := make(chan error, 1)
	assigned := make(chan struct{}, 8)
	go func() {
		consumed <- c.Consume(ctx, broker.Auditors, broker.Lines, func(ctx context.Context, p *broker.Partition) error {
			assigned <- struct{}{}
			_, err := p.Fetch(ctx)
			return err
		})
	}()
	<-assigned
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	short, end := context.WithTimeout(t.Context(), 2*time.Second)
	defer end()
	if err := c.Produce(short, broker.Lines, msg("key", "value")); err == nil {
		t.Error("producing to a broker that is away succeeded")
	}
	counts := func() map[string]float64 {
		out := map[string]float64{}
		families, err := metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "tallystick_broker_failures_total" {
				for _, m := range f.GetMetric() {
					out[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
				}
			}
		}
		return out
	}
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		n := counts()
		if n["produce"] > 0 && n["fetch"]+n["join"] > 0 {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("counted: %v", n)
		}
	}
	cancel()
	if err := <-consumed; err != nil {
		t.Errorf("a clean stop says %v", err)
	}
	if !strings.Contains(log.String(), "kafka.addresses") {
		t.Errorf("the log says no hint:\n%.1000s", log.String())
	}
}

// TestOpenWhileAway: a client that awaits the cluster opens without it, and
// produces, consumes and makes its topics when the cluster is there.
func TestOpenWhileAway(t *testing.T) {
	port, dir := freePort(t), t.TempDir()
	cfg := broker.DefaultConfig()
	cfg.Addresses = []string{fmt.Sprintf("127.0.0.1:%d", port)}
	cfg.SASL = broker.SASL{Mechanism: "scram-sha-256", User: "tallystick", Password: "letmein"}
	log, reg := &said{}, prometheus.NewRegistry()
	deps := broker.Deps{Await: true, Topics: []string{"more.v1"}, Log: slog.New(slog.NewTextHandler(log, nil)), Metrics: reg}
	c, err := broker.Open(t.Context(), cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.Produce(t.Context(), "more.v1", msg("key", "early")); !broker.Passing(err) {
		t.Errorf("producing without a cluster says %v, want what passes", err)
	}
	if !strings.Contains(log.String(), "kafka.addresses") {
		t.Errorf("the log says no hint:\n%s", log.String())
	}
	ctx, cancel := context.WithCancel(t.Context())
	got, consumed := make(chan string, 8), make(chan error, 1)
	go func() {
		consumed <- c.Consume(ctx, "test", "more.v1", func(ctx context.Context, p *broker.Partition) error {
			m, err := p.Fetch(ctx)
			got <- string(m.Value)
			return err
		})
	}()

	b, err := embedded.StartWith(dir, embedded.Options{Port: port, Password: "letmein"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if err := c.Produce(t.Context(), "more.v1", msg("key", "value")); err == nil {
			break
		} else if !broker.Passing(err) || time.Now().After(limit) {
			t.Fatal(err)
		}
	}
	if v := <-got; v != "value" {
		t.Errorf("consumed %q", v)
	}
	cancel()
	if err := <-consumed; err != nil {
		t.Errorf("a clean stop says %v", err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().(*net.TCPAddr).Port
}
