//go:build integration && linux

package integration_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/tallystick/tallystick/internal/broker"
)

// TestKafkaCompacted: of an idempotent producer's last batch a real Kafka keeps
// the frame when compaction takes all its records. It is passed over, in the
// middle of a topic and where a read ends with it.
func TestKafkaCompacted(t *testing.T) {
	program(t, "java")
	t.Parallel()
	k := startKafka(t, "PLAINTEXT", "log.cleaner.backoff.ms=100\nlog.cleaner.min.cleanable.ratio=0.001")
	cfg := broker.DefaultConfig()
	cfg.Addresses = []string{k.addr}
	admin := &kafka.Client{Addr: kafka.TCP(k.addr), Timeout: 20 * time.Second}
	poll(t, 60*time.Second, "the topic is made", func() bool {
		r, err := admin.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "orders", NumPartitions: 1, ReplicationFactor: 1,
			ConfigEntries: []kafka.ConfigEntry{{ConfigName: "cleanup.policy", ConfigValue: "compact"}, {ConfigName: "segment.ms", ConfigValue: "1"},
				{ConfigName: "min.cleanable.dirty.ratio", ConfigValue: "0.001"}}}}})
		return err == nil && (r.Errors["orders"] == nil || errors.Is(r.Errors["orders"], kafka.TopicAlreadyExists))
	})
	c, err := broker.OpenTopic(cfg, "orders", broker.Deps{Log: slog.New(slog.DiscardHandler), Session: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	n := 0
	put := func(keys ...string) { // each time by a producer of its own
		t.Helper()
		var a *broker.Appender
		poll(t, 60*time.Second, "Kafka gives a producer id", func() bool {
			a, err = c.NewAppender(t.Context(), "orders", 0)
			return err == nil
		})
		var msgs []broker.Message
		for _, key := range keys {
			msgs = append(msgs, broker.Message{Key: []byte(key), Value: fmt.Append(nil, key, n), Time: time.Now()})
			n++
		}
		if err := a.Append(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	put("a")
	put("b", "c", "d") // all three are written again: only the frame is left
	put("b", "c", "d")
	put("e")
	put("b", "c", "d")
	put("e")
	put("f")
	read := func(until int64) (got []string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		err := c.Read(ctx, "orders", 0, 0, until, func(m broker.Message) error {
			if !m.Control {
				got = append(got, fmt.Sprintf("%d %s", m.Offset, m.Value))
			}
			return nil
		})
		if err != nil {
			t.Fatalf("%v after %q", err, got)
		}
		return got
	}
	want := []string{"0 a0", "8 b8", "9 c9", "10 d10", "11 e11", "12 f12"}
	var got []string
	begin := time.Now()
	for got = read(13); len(got) > len(want) && time.Since(begin) < 60*time.Second; got = read(13) {
		<-time.After(200 * time.Millisecond) // until the cleaner has come by
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if d := cmp.Diff(want[:1], read(8)); d != "" { // what is left before it are frames
		t.Errorf("(-want +got):\n%s", d)
	}
}
