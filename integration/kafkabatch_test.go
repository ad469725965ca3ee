//go:build integration && linux

package integration_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
)

// TestKafkaBatches: a real Kafka takes a batch that inflates to 65 MiB, and
// messages without a time. The first is refused, the others come as they were sent.
func TestKafkaBatches(t *testing.T) {
	program(t, "java")
	t.Parallel()
	k := startKafka(t, "PLAINTEXT", "")
	cfg := broker.DefaultConfig()
	cfg.Addresses = []string{k.addr}
	c, err := broker.OpenTopic(cfg, "batches", broker.Deps{Log: slog.New(slog.DiscardHandler), Session: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	poll(t, 60*time.Second, "the topic is made", func() bool { _, err := c.Ensure(t.Context(), "batches", 1); return err == nil })
	var a *broker.Appender
	poll(t, 60*time.Second, "Kafka gives a producer id", func() bool {
		a, err = c.NewAppender(t.Context(), "batches", 0)
		return err == nil
	})
	at := time.UnixMilli(1_700_000_000_000)
	put := func(msgs ...broker.Message) {
		t.Helper()
		if err := a.Append(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	put(broker.Message{Value: []byte("0")}, broker.Message{Value: []byte("1"), Time: at})
	brokertest.Inflating(t, cfg, "batches", 0, 3, at)
	put(broker.Message{Value: []byte("5"), Time: at}, broker.Message{Value: []byte("6")})
	type seen struct {
		Offset, Next int64
		Value        string
		Time         time.Time
		Refused      bool
	}
	var got []seen
	err = c.Read(t.Context(), "batches", 0, 0, 7, func(m broker.Message) error {
		s := seen{m.Offset, m.Next(), string(m.Value), m.Time.UTC(), errors.Is(m.Refused, broker.ErrRefused)}
		if s.Refused {
			s.Value = ""
		}
		got = append(got, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []seen{{0, 1, "0", time.Time{}, false}, {1, 2, "1", at.UTC(), false}, {2, 5, "", at.UTC(), true}, {5, 6, "5", at.UTC(), false}, {6, 7, "6", time.Time{}, false}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
