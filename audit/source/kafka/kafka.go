// Package kafka reads a topic of a Kafka cluster as a member of a consumer
// group: each record is one line.
//
// A line's offset is the record's own, its stream the keyed name of cluster,
// topic and partition. Only offsets whose lines are durable are committed, so a
// record that was not acknowledged comes again, perhaps to another member, and
// counts once. Keys and headers of records are not read; a record with line
// feeds in it is one line. Nothing is sealed or sent here; services/tap is the
// only caller. The Kafka that batches go to may be the same cluster or another.
package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/text"
)

// Limits and times that hold unless Config says otherwise.
const (
	DefaultBatchBytes = 4 << 20
	DefaultBatchLines = 1 << 16
	DefaultGather     = 100 * time.Millisecond
)

// Config says which topic is read and how.
type Config struct {
	// Source is the name of the source in tallystick.yaml. Required.
	Source string
	// Cluster has the addresses and credentials of the cluster. Required.
	Cluster broker.Config
	// Topic and Group are required.
	Topic, Group string
	// FromEnd begins at the end of the topic if the group never read it.
	// Partitions that appear later are read from their beginning all the same.
	FromEnd bool
	// BatchBytes and BatchLines bound a Run. Default 4 MiB and 65,536.
	BatchBytes, BatchLines int
	// Gather is how long a Run that isn't full waits for more. Default 100 ms.
	Gather time.Duration
	// Retry is the wait after the cluster failed. Default 1 s.
	Retry time.Duration
	// Idle is how often a partition that brings nothing is looked at. Default 5 s.
	Idle time.Duration
	// Session is how long the group waits for a silent member. Default 10 s.
	Session time.Duration
}

// Reader reads one topic. Next and Close belong to one goroutine; Ack and
// Status may be called from another.
type Reader struct {
	cfg    Config
	deps   source.Deps
	client *broker.Client

	start   sync.Once
	cancel  context.CancelFunc // of the reading goroutine; set by Next
	done    chan struct{}      // closed when it has ended; set by Next
	closing chan struct{}      // closed by Close: no Ack will come
	runs    chan *source.Run   // not buffered: what is not taken is not ahead of its commit

	problem atomic.Pointer[error] // why the topic can't be read at present

	mu         sync.Mutex
	partitions map[*partition]struct{} // that are assigned; guarded by mu
}

var _ source.Reader = (*Reader)(nil)

// Open prepares a Reader. It does not connect: the cluster may be away. The
// name of a stream has no host in it: partitions move between taps.
func Open(cfg Config, deps source.Deps) (*Reader, error) {
	if cfg.Topic == "" || cfg.Group == "" {
		return nil, errors.New("a kafka source needs a topic and a group")
	}
	setDefault(&cfg.BatchBytes, DefaultBatchBytes)
	setDefault(&cfg.BatchLines, DefaultBatchLines)
	setDefault(&cfg.Gather, DefaultGather)
	setDefault(&cfg.Retry, time.Second)
	setDefault(&cfg.Idle, 5*time.Second)
	c, err := broker.OpenTopic(cfg.Cluster, cfg.Topic, broker.Deps{Log: deps.Logger.With("source", cfg.Source), Session: cfg.Session})
	if err != nil {
		return nil, err
	}
	return &Reader{
		cfg: cfg, deps: deps, client: c,
		runs: make(chan *source.Run), closing: make(chan struct{}), partitions: map[*partition]struct{}{},
	}, nil
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Next waits for records and returns a Run of one partition. The first call
// joins the group. What fails is tried again, logged and shown in the Status.
func (r *Reader) Next(ctx context.Context) (*source.Run, error) {
	r.start.Do(func() {
		var reading context.Context
		reading, r.cancel = context.WithCancel(context.Background())
		r.done = make(chan struct{})
		go func() {
			defer close(r.done)
			r.read(reading)
		}()
	})
	select {
	case run := <-r.runs:
		return run, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// read takes part in the group until ctx ends.
func (r *Reader) read(ctx context.Context) {
	for ctx.Err() == nil {
		err := r.consume(ctx)
		if ctx.Err() != nil {
			return
		}
		r.trouble(err)
		timer := time.NewTimer(r.cfg.Retry)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

// trouble notes why the topic can't be read, and logs it when that is new.
func (r *Reader) trouble(err error) {
	old := r.problem.Swap(&err)
	if old != nil && (*old).Error() == err.Error() {
		return
	}
	r.deps.Logger.Error("a topic can't be read; it is tried again", "source", r.cfg.Source, "error", err, "hint", text.HintOf(err))
}

func (r *Reader) consume(ctx context.Context) error {
	cluster, err := r.client.Cluster(ctx, r.cfg.Topic)
	if err == nil && r.cfg.FromEnd {
		err = r.client.SkipToEnd(ctx, r.cfg.Group, r.cfg.Topic)
	}
	if err != nil {
		return r.explain(err)
	}
	if r.problem.Swap(nil) != nil {
		r.deps.Logger.Info("the topic is read again", "source", r.cfg.Source)
	}
	err = r.client.Consume(ctx, r.cfg.Group, r.cfg.Topic, func(ctx context.Context, p *broker.Partition) error {
		return r.partition(ctx, cluster, p)
	})
	return r.explain(err)
}

func (r *Reader) explain(err error) error {
	if err == nil {
		return nil
	}
	hint := "allow the user to READ and DESCRIBE the topic, and to READ the group " + r.cfg.Group
	if broker.Passing(err) {
		hint = "check the addresses, tls and sasl of the source; nothing is lost meanwhile: the topic waits, as long as its retention lasts"
	}
	return &text.Hint{Err: fmt.Errorf("topic %s can't be read: %w", r.cfg.Topic, err), Hint: hint}
}

// Ack commits the offset behind the Run. A partition that was given up meanwhile
// takes no commit: its new owner reads the records again, and they count once.
func (r *Reader) Ack(run *source.Run) error {
	p := run.Mark.(*partition)
	run.Mark, run.Lines = nil, nil
	return p.ack(int64(run.Next))
}

// Status is how the topic fares: Open counts assigned partitions, Lag the
// records behind what is committed.
func (r *Reader) Status() source.Status {
	var s source.Status
	r.mu.Lock()
	s.Open = len(r.partitions)
	for p := range r.partitions {
		s.Lag += p.lag()
	}
	r.mu.Unlock()
	err := r.client.Trouble()
	if err != nil {
		err = r.explain(err)
	}
	if p := r.problem.Load(); p != nil {
		err = *p
	}
	if err != nil {
		s.Problems = []source.Problem{{Path: r.cfg.Topic, Err: err}}
	}
	return s
}

// Close leaves the group; runs that were not acknowledged come again.
func (r *Reader) Close() error {
	r.start.Do(func() {}) // never read: nothing to wait for
	close(r.closing)
	if r.cancel != nil {
		r.cancel()
		<-r.done
	}
	return r.client.Close()
}
