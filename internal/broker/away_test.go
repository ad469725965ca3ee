package broker_test

import (
	"bytes"
	"context"
	"log/slog"
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
	log.mu.Lock()
	defer log.mu.Unlock()
	if !strings.Contains(log.b.String(), "kafka.addresses") {
		t.Errorf("the log says no hint:\n%.1000s", log.b.String())
	}
}
