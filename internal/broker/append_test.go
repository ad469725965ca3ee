package broker_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
)

// topicClient has a topic with two partitions.
func topicClient(t *testing.T, topic string) *broker.Client {
	t.Helper()
	c, err := broker.OpenTopic(brokertest.Start(t), topic, broker.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if n, err := c.Ensure(t.Context(), topic, 2); n != 2 || err != nil {
		t.Fatalf("%d partitions: %v", n, err)
	}
	return c
}

// read returns what a partition has.
func read(t *testing.T, c *broker.Client, topic string, partition int) (out []broker.Message) {
	t.Helper()
	err := c.Read(t.Context(), topic, partition, 0, 1<<40, func(m broker.Message) error {
		out = append(out, m)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestAppend: keys, values, headers, times and nils come back, in the partition
// that was named, and a batch that is sent twice is there once.
func TestAppend(t *testing.T) {
	t.Parallel()
	c := topicClient(t, "one")
	a, err := c.NewAppender(t.Context(), "one", 1)
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1_800_000_000_123)
	want := []broker.Message{
		{Key: []byte("k"), Value: []byte("v"), Time: at, Partition: 1, Headers: []broker.Header{{Name: "a", Value: []byte("1")}, {Name: "b", Value: []byte("2")}}},
		{Value: []byte("w"), Time: at.Add(-time.Hour), Partition: 1, Offset: 1},
		{Key: []byte("k"), Time: at.Add(time.Second), Partition: 1, Offset: 2},
	}
	if err := a.AppendTwice(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	for n := range 10 {
		if err := a.Append(t.Context(), []broker.Message{{Value: fmt.Append(nil, n)}}); err != nil {
			t.Fatal(err)
		}
	}
	got := read(t, c, "one", 1)
	if len(got) != 13 || string(got[12].Value) != "9" {
		t.Fatalf("there are %d messages", len(got))
	}
	for i := range want {
		got[i].Time = got[i].Time.Local()
	}
	if d := cmp.Diff(want, got[:3]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if err := a.Append(t.Context(), []broker.Message{{Value: make([]byte, broker.MaxMessage)}}); !errors.Is(err, broker.ErrTooLarge) {
		t.Errorf("a message that is too large: %v", err)
	}
	old, err := c.NewAppender(t.Context(), "one", 1)
	if err != nil {
		t.Fatal(err)
	}
	old.Skip(3) // as if the broker had lost batches
	if err := old.Append(t.Context(), []broker.Message{{Value: []byte("x")}}); err == nil {
		old.Skip(3)
		err = old.Append(t.Context(), []broker.Message{{Value: []byte("x")}})
		if !broker.Passing(err) {
			t.Errorf("batches that the broker does not have: %v", err)
		}
	}
}

// TestLast looks further back as long as nothing is found.
func TestLast(t *testing.T) {
	t.Parallel()
	c := topicClient(t, "last")
	a, err := c.NewAppender(t.Context(), "last", 0)
	if err != nil {
		t.Fatal(err)
	}
	var msgs []broker.Message
	for n := range 1000 {
		msgs = append(msgs, broker.Message{Value: fmt.Append(nil, n)})
	}
	if err := a.Append(t.Context(), msgs); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{999, 937, 936, 500, 0} {
		m, ok, err := c.Last(t.Context(), "last", 0, func(m *broker.Message) bool { return m.Offset <= int64(n) })
		if err != nil || !ok || m.Offset != int64(n) {
			t.Errorf("the last up to %d is %d: %v %v", n, m.Offset, ok, err)
		}
	}
	for partition := range 2 {
		if _, ok, err := c.Last(t.Context(), "last", partition, func(*broker.Message) bool { return false }); ok || err != nil {
			t.Errorf("nothing is wanted: %v %v", ok, err)
		}
	}
}

// TestAppendTooLarge: a topic that takes less than others says so, with the
// error for that.
func TestAppendTooLarge(t *testing.T) {
	t.Parallel()
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "small"), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "1000"}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	c, err := broker.OpenTopic(broker.Config{Addresses: k.ListenAddrs()}, "small", broker.Deps{Log: discard})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	a, err := c.NewAppender(t.Context(), "small", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Append(t.Context(), []broker.Message{{Value: make([]byte, 2000)}}); !errors.Is(err, broker.ErrTooLarge) {
		t.Errorf("%v", err)
	}
}

// TestNoTime: a message without a time has none in Kafka either, alone or beside
// others.
func TestNoTime(t *testing.T) {
	t.Parallel()
	c := topicClient(t, "times")
	a, err := c.NewAppender(t.Context(), "times", 0)
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1_800_000_000_123)
	want := []time.Time{{}, at, {}, at.Add(time.Hour), {}}
	for _, batch := range [][]time.Time{want[:1], want[1:4], want[4:]} {
		var msgs []broker.Message
		for _, at := range batch {
			msgs = append(msgs, broker.Message{Value: []byte("v"), Time: at})
		}
		if err := a.Append(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	for i, m := range read(t, c, "times", 0) {
		if !m.Time.Equal(want[i]) {
			t.Errorf("message %d is of %v, want %v", i, m.Time, want[i])
		}
		stamps, err := c.Timestamps(t.Context(), "times", 0, int64(i))
		ms := int64(-1)
		if !want[i].IsZero() {
			ms = want[i].UnixMilli()
		}
		if err != nil || stamps[i] != ms {
			t.Errorf("in the broker message %d is of %v (%v), want %d", i, stamps, err, ms)
		}
	}
}

// TestInflate: a compressed batch is read up to 64 MiB.
func TestInflate(t *testing.T) {
	for _, tc := range []struct {
		size int
		want string
	}{{1 << 20, ""}, {64<<20 + 1, "larger than 64 MiB"}} {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write(make([]byte, tc.size)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, broker.Inflate(&b))
		if tc.want == "" && (err != nil || n != int64(tc.size)) || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%d bytes: read %d, %v", tc.size, n, err)
		}
	}
}
