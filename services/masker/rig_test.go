package masker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/transform"
	"github.com/tallystick/tallystick/services/masker"
)

// session is short, so that what a process that died held moves at once.
const session = 600 * time.Millisecond

// files are policies in a folder: NAME.yaml and NAME.keys.
type files struct{ dir string }

func (f files) Policy(name string) (*transform.Policy, *detect.Detector, error) {
	b, err := os.ReadFile(filepath.Join(f.dir, name+".yaml"))
	if err != nil {
		return nil, nil, err
	}
	p, err := transform.ParsePolicy(name, b)
	return p, detect.Default(), err
}

func (f files) Keys(name string) (*keys.Domain, error) {
	return keys.OpenDomain(filepath.Join(f.dir, name+".keys"), "test")
}

// rig is a broker and a folder of policies.
type rig struct {
	t    *testing.T
	dir  string
	cfg  broker.Config
	log  buffer
	seen *prometheus.Registry
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

const policy = `version: 1
domain: test
text: detect
fields: {n: keep, mail: pseudonym email, card: last 4, note: detect}
found: {email: pseudonym}
`

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir(), cfg: brokertest.Start(t)}
	r.write("plain.yaml", policy)
	return r
}

func (r *rig) write(name, content string) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return path
}

// client reads and writes topics.
func (r *rig) client(topic string) *broker.Client {
	r.t.Helper()
	c, err := broker.OpenTopic(r.cfg, topic, broker.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = c.Close() })
	return c
}

// produce writes records to a partition of a topic that has so many.
func (r *rig) produce(topic string, partitions, partition int, msgs ...broker.Message) {
	r.t.Helper()
	c := r.client(topic)
	if _, err := c.Ensure(r.t.Context(), topic, partitions); err != nil {
		r.t.Fatal(err)
	}
	a, err := c.NewAppender(r.t.Context(), topic, partition)
	if err != nil {
		r.t.Fatal(err)
	}
	for i := range msgs {
		msgs[i].Time = time.UnixMilli(1_800_000_000_000)
	}
	if err := a.Append(r.t.Context(), msgs); err != nil {
		r.t.Fatal(err)
	}
}

// read waits until partition 0 of a topic has n records, and returns them.
func (r *rig) read(topic string, n int) []broker.Message { return r.readPartition(topic, 0, n) }

func (r *rig) readPartition(topic string, partition, n int) (out []broker.Message) {
	r.t.Helper()
	c := r.client(topic)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		if ends, err := c.Ends(r.t.Context(), topic); err != nil || ends[partition] < int64(n) {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		err := c.Read(r.t.Context(), topic, partition, 0, 1<<40, func(m broker.Message) error {
			out = append(out, m)
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
		return out
	}
	r.t.Fatalf("topic %s has no %d records; the log:\n%s", topic, n, r.log.String())
	return nil
}

// stream is one with defaults for tests.
func stream(change func(*masker.Stream)) masker.Stream {
	s := masker.Stream{Name: "orders", From: "orders", To: "masked", Policy: "plain", Value: masker.Payload{Format: "json"}}
	if change != nil {
		change(&s)
	}
	return s
}

func (r *rig) new(streams ...masker.Stream) (*masker.Masker, error) {
	r.seen = prometheus.NewRegistry()
	return masker.New(masker.Config{Streams: streams}, masker.Deps{
		Policies: files{r.dir}, Kafka: r.cfg, Logger: slog.New(slog.NewTextHandler(&r.log, nil)), Metrics: r.seen, Session: session,
	})
}

// start runs streams until stop is called, which returns what Run did.
func (r *rig) start(streams ...masker.Stream) (stop func() error) {
	r.t.Helper()
	m, err := r.new(streams...)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.run(m)
}

func (r *rig) run(m *masker.Masker) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return errors.Join(<-done, m.Close())
	})
	r.t.Cleanup(func() { _ = stop() })
	return stop
}

// fails runs streams until they stop by themselves.
func (r *rig) fails(streams ...masker.Stream) error {
	r.t.Helper()
	m, err := r.new(streams...)
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	return m.Run(ctx)
}

// metric is the value of a counter or gauge with these labels: a="b".
func (r *rig) metric(name, labels string) float64 {
	r.t.Helper()
	all, err := r.seen.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range all {
		for _, m := range f.Metric {
			var have []string
			for _, l := range m.Label {
				have = append(have, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			if f.GetName() == name && strings.Join(have, ",") == labels {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}

func header(m *broker.Message, name string) string {
	for _, h := range m.Headers {
		if h.Name == name {
			return string(h.Value)
		}
	}
	return ""
}

// dropped waits until n records of orders count as dropped, which they do once
// their offsets are committed: that may be after the others are read.
func (r *rig) dropped(n float64) {
	r.t.Helper()
	count := func() float64 {
		return r.metric("tallystick_masker_records_total", `outcome="dropped",stream="orders"`)
	}
	for end := time.Now().Add(30 * time.Second); count() < n && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
	}
	if got := count(); got != n {
		r.t.Errorf("%v records are counted as dropped, want %v", got, n)
	}
}
