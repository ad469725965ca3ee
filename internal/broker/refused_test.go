package broker_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
)

// TestRefusedBatch: batches that are too large when decompressed, or damaged, are
// told with their place, and what is before, between and behind them is read.
func TestRefusedBatch(t *testing.T) {
	t.Parallel()
	var log said
	reg := prometheus.NewRegistry()
	cfg := brokertest.Start(t)
	c, err := broker.OpenTopic(cfg, "mixed", broker.Deps{Log: slog.New(slog.NewTextHandler(&log, nil)), Metrics: reg})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Ensure(t.Context(), "mixed", 2); err != nil {
		t.Fatal(err)
	}
	a, err := c.NewAppender(t.Context(), "mixed", 1)
	if err != nil {
		t.Fatal(err)
	}
	at := time.UnixMilli(1_800_000_000_000)
	good := func(values ...string) {
		t.Helper()
		var msgs []broker.Message
		for _, v := range values {
			msgs = append(msgs, broker.Message{Value: []byte(v)})
		}
		if err := a.Append(t.Context(), msgs); err != nil {
			t.Fatal(err)
		}
	}
	raw := func(n int, codec uint16, records []byte) {
		t.Helper()
		if err := a.AppendRaw(t.Context(), n, codec, records, at); err != nil {
			t.Fatal(err)
		}
	}
	const secret = "ann@example.com"
	good("0", "1")
	brokertest.Inflating(t, cfg, "mixed", 1, 3, at)
	raw(1, 1, []byte(secret))
	good("6")
	good("7")
	var got []string
	for _, m := range read(t, c, "mixed", 1) {
		if m.Refused == nil {
			got = append(got, string(m.Value))
			continue
		}
		if !errors.Is(m.Refused, broker.ErrRefused) || !m.Time.Equal(at) || len(m.Value) < 61 || m.Partition != 1 || m.Skipped != 0 {
			t.Errorf("refused: %v of %v, %d bytes, partition %d, %d skipped", m.Refused, m.Time, len(m.Value), m.Partition, m.Skipped)
		}
		got = append(got, m.Refused.Error())
		if m.Next() != m.Until || m.Until-m.Offset != map[int64]int64{2: 3, 5: 1}[m.Offset] {
			t.Errorf("a refused batch is from %d to %d", m.Offset, m.Until)
		}
	}
	want := "0\n1\nthe batch can't be read: a compressed batch is larger than 64 MiB when decompressed\n" +
		"the batch can't be read: its gzip data is damaged\n6\n7"
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got:\n%s\nwant:\n%s", s, want)
	}
	if s := log.String(); strings.Count(s, "partition=1 offset=2 messages=3") != 1 || strings.Contains(s, secret) || !strings.Contains(s, "hint=") {
		t.Errorf("the log:\n%s", s)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if n := f.GetMetric()[0].GetCounter().GetValue(); f.GetName() == "tallystick_broker_refused_batches_total" && n != 2 {
			t.Errorf("%v batches are counted", n)
		}
	}
}

// FuzzInspect: whatever a broker sends as a batch, looking at it ends, and what
// it is said to cover lies behind its offset if it is refused.
func FuzzInspect(f *testing.F) {
	sound := broker.RawBatch(2, 0, []byte("records"))
	f.Add(sound)
	f.Add(sound[:40])
	f.Add(broker.RawBatch(1, 7, []byte("records")))
	f.Add(broker.RawBatch(1, 1, []byte("no gzip")))
	f.Add(broker.RawBatch(1, 4, []byte("no zstd")))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := broker.Inspect(b)
		if err != nil && !errors.Is(err, broker.ErrRefused) || len(m.Value) > broker.MaxMessage {
			t.Errorf("%d bytes: %v", len(m.Value), err)
		}
	})
}

func TestInspectUnknownCodec(t *testing.T) {
	m, err := broker.Inspect(broker.RawBatch(2, 7, []byte("records")))
	if err == nil || err.Error() != "the batch can't be read: its compression, 7, is not known" || m.Until != 2 {
		t.Errorf("until %d: %v", m.Until, err)
	}
}
