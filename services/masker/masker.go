// Package masker runs streams that mask one Kafka topic into another by a
// policy, outside of the record.
//
// A record keeps its partition, and everything that is written is a batch that
// is there as a whole or not at all. Each output record names the input record
// that it was made of, so whoever takes a partition over reads from the end of
// the output where it stands, and goes on after it: a crash loses no record and
// repeats none. A record that can't be masked goes nowhere in clear. It keeps no
// state of its own but the group's offsets, and never creates the topics that it
// reads. Package services wires it into a process of its own.
package masker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/transform"
)

// Policies are the policies that streams name.
type Policies interface {
	// Policy is a fresh copy of the policy of a name, and its detector.
	Policy(name string) (*transform.Policy, *detect.Detector, error)
	// Keys are those of the domain of that policy.
	Keys(name string) (*keys.Domain, error)
}

// Deps are what a Masker uses of the program.
type Deps struct {
	Policies Policies
	// Kafka is the cluster of the streams that name none.
	Kafka   broker.Config
	Logger  *slog.Logger
	Metrics prometheus.Registerer
	// Session is how long a process may be silent before another one takes its
	// partitions over. Default 10s.
	Session time.Duration
}

// Masker runs the streams.
type Masker struct {
	cfg     Config
	streams []*stream

	mu       sync.Mutex
	clusters map[int]string // ids by stream, once it has found its topic; guarded by mu
}

// New opens policies, schemas and clients. It does not connect.
func New(cfg Config, deps Deps) (_ *Masker, err error) {
	if err := cfg.Validate(deps.Kafka); err != nil {
		return nil, err
	}
	if len(cfg.Streams) == 0 {
		return nil, &text.Hint{Err: errors.New("masker.streams: there is no stream to mask"), Hint: "docs/how-to/mask-topics.md has an example"}
	}
	metrics, err := newMetrics(deps.Metrics)
	if err != nil {
		return nil, err
	}
	m := &Masker{cfg: cfg, clusters: map[int]string{}}
	defer func() {
		if err != nil {
			_ = m.Close()
		}
	}()
	for i := range cfg.Streams {
		s, err := newStream(&cfg.Streams[i], &deps, metrics)
		if err != nil {
			var hint *text.Hint
			if errors.As(err, &hint) {
				return nil, &text.Hint{Err: fmt.Errorf("stream %s: %w", cfg.Streams[i].Name, err), Hint: hint.Hint}
			}
			return nil, fmt.Errorf("stream %s: %w", cfg.Streams[i].Name, err)
		}
		m.streams = append(m.streams, s)
	}
	return m, nil
}

// Run masks until ctx ends. A stream that stops at a record ends all.
func (m *Masker) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, s := range m.streams {
		g.Go(func() error {
			return s.run(ctx, func(cluster string) error { return m.found(i, cluster) })
		})
	}
	return g.Wait()
}

// found notes the cluster of a stream. Two that the configuration names
// differently may be one, and streams between them a circle.
func (m *Masker) found(i int, cluster string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clusters[i] = cluster
	way := circle(m.cfg.Streams, func(i int) []string {
		if id := m.clusters[i]; id != "" {
			return []string{id}
		}
		return nil
	})
	if way != nil {
		return circleError(m.cfg.Streams, way)
	}
	return nil
}

// Trouble is what keeps a stream from its topic; nil if nothing does.
func (m *Masker) Trouble() error {
	for _, s := range m.streams {
		if !s.found.Load() {
			return fmt.Errorf("stream %s: topic %s was not found yet", s.cfg.Name, s.cfg.From)
		}
		if err := s.client.Trouble(); err != nil {
			return fmt.Errorf("stream %s: %w", s.cfg.Name, err)
		}
	}
	return nil
}

// Close ends what New opened. Run must have returned.
func (m *Masker) Close() error {
	var errs []error
	for _, s := range m.streams {
		errs = append(errs, s.client.Close())
	}
	return errors.Join(errs...)
}
