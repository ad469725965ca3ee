package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	sessionTimeout   = 10 * time.Second // after this a dead member's partitions move
	sessionsToReturn = 3                // so many sessions handlers have to return
	heartbeat        = 2500 * time.Millisecond
	joinBackoff      = 500 * time.Millisecond
	hold             = 5 * time.Second // for which the broker holds a fetch at the end
)

// Consume takes part in a group and runs handle for each partition of topic
// that it is assigned, in a goroutine of its own, until ctx ends (nil) or a
// handler fails (its error). A handler that fails because the broker is away,
// with an error of this package, is run anew when it is back. The context of handle ends when the partition is
// to be given up; handle must then return within half a minute, before any
// other member gets the partition. A handler that returns nil early leaves its
// partition alone until the next assignment.
func (c *Client) Consume(ctx context.Context, group, topic string, handle func(context.Context, *Partition) error) error {
	if err := c.awaitReady(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	g, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: group, Brokers: c.cfg.Addresses, Dialer: c.dialer, Topics: []string{topic},
		HeartbeatInterval: min(heartbeat, c.session/4), SessionTimeout: c.session, RebalanceTimeout: sessionsToReturn * c.session,
		JoinGroupBackoff: joinBackoff, Timeout: requestTimeout, WatchPartitionChanges: true,
	})
	if err != nil {
		return fmt.Errorf("failed to join group %s: %w", group, err)
	}
	defer func() { _ = g.Close() }()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	for {
		gen, err := g.Next(ctx)
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			c.retries("join", "joining the group failed and is tried again", "group", group, "error", err)
			c.failing(err)
			continue
		}
		c.trouble.Store(nil)
		c.metrics.generations.WithLabelValues(group).Inc()
		for _, a := range gen.Assignments[topic] {
			gen.Start(func(genCtx context.Context) {
				if err := c.serve(ctx, genCtx, gen, topic, a, handle); err != nil {
					stop(&handlerError{err})
				}
			})
		}
	}
	_ = g.Close() // waits for the handlers
	var failed *handlerError
	if errors.As(context.Cause(ctx), &failed) {
		return failed.err
	}
	return nil
}

// awayHint is what an operator does about a broker that fails.
const awayHint = "a leader that moves or a group that changes passes in seconds; if this goes on, see that Kafka runs at kafka.addresses and that its disks have room; no line is lost"

// retries logs and counts what failed and is tried again.
func (c *Client) retries(during, what string, args ...any) {
	c.metrics.failures.WithLabelValues(during).Inc()
	c.log.Warn(what, append(args, "hint", awayHint)...)
}

// ErrRejoin is what a handler returns, wrapped, that finds its partition in the
// hands of another member: this one joins the group anew.
var ErrRejoin = errors.New("the partition was given up")

// handlerError tells a handler's failure from the end of the caller's context.
type handlerError struct{ err error }

func (e *handlerError) Error() string { return e.err.Error() }

func (c *Client) serve(ctx, genCtx context.Context, gen *kafka.Generation, topic string, a kafka.PartitionAssignment,
	handle func(context.Context, *Partition) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(genCtx, cancel)()
	p := &Partition{ID: a.ID, client: c, topic: topic, gen: gen, start: a.Offset, committed: max(a.Offset, 0)}
	defer p.close()
	err := handle(ctx, p)
	if ctx.Err() != nil { // asked to stop: what it says then is only that
		if err != nil && !errors.Is(err, context.Canceled) {
			c.log.Warn("a partition was given up with an error", "topic", topic, "partition", a.ID, "error", err)
		}
		return nil
	}
	var away *awayError
	switch {
	case err == nil:
		<-ctx.Done() // returning would end the generation
	case errors.Is(err, ErrRejoin):
		return nil
	case errors.As(err, &away):
		c.retries("consume", "the broker is away or the group changes; the partition begins anew", "topic", topic, "partition", a.ID, "error", err)
		return nil
	}
	return err
}

// Partition is one assigned partition. It belongs to its handler.
type Partition struct {
	ID int

	client *Client
	topic  string
	gen    *kafka.Generation
	start  int64 // the next offset, or kafka.FirstOffset
	reader *kafka.Reader
	// asked is the context of the last Fetch, and waiting what was made of it.
	asked, waiting context.Context
	wait           time.Duration // how long the broker holds a fetch at the end; 0: hold
	conns          conns         // of reader

	mu        sync.Mutex
	high      int64              // guarded by mu
	committed int64              // guarded by mu
	trouble   error              // why the reader can't go on, until that was looked at; guarded by mu
	wake      context.CancelFunc // ends waiting; guarded by mu
}

// RangeError says that a position is not in the partition: below First the
// broker has deleted it unread, above Last the broker has lost data or is
// another one than it was.
type RangeError struct{ Asked, First, Last int64 }

func (e *RangeError) Error() string {
	return fmt.Sprintf("offset %d is not in the partition, which goes from %d to %d", e.Asked, e.First, e.Last)
}

// Seek makes offset the next to be fetched. Without it that is the group's
// committed offset, or the first. The error is a *RangeError if the partition
// does not have it; one past the last is fine.
func (p *Partition) Seek(ctx context.Context, offset int64) error {
	first, last, err := p.client.offsets(ctx, p.topic, p.ID)
	if err != nil {
		return failed("seek in", p.topic, err)
	}
	if offset < first || offset > last {
		return &RangeError{Asked: offset, First: first, Last: last}
	}
	p.mu.Lock()
	p.high, p.trouble = last, nil
	p.mu.Unlock()
	p.start = offset
	if p.reader != nil {
		return p.reader.SetOffset(offset)
	}
	return nil
}

// Fetch returns the next message. It blocks until there is one or ctx ends,
// also while the broker is away; a ctx that ends loses nothing. A batch that
// can't be read is one message, with Refused, and the next one comes from behind it.
func (p *Partition) Fetch(ctx context.Context) (Message, error) {
	if p.reader == nil {
		if err := p.open(); err != nil {
			return Message{}, err
		}
	}
	m, refused, err := p.next(ctx)
	for err != nil {
		if ctx.Err() != nil || !retriable(err) {
			return Message{}, fmt.Errorf("failed to fetch from %s: %w", p.topic, err)
		}
		p.client.retries("fetch", "fetching failed and is tried again", "topic", p.topic, "partition", p.ID, "error", err)
		p.client.failing(err)
		m, refused, err = p.next(ctx) // the reader waits before it tries
	}
	if p.client.trouble.Load() != nil {
		p.client.trouble.Store(nil)
	}
	if refused != nil {
		return *refused, nil
	}
	var skipped int64
	if p.start >= 0 {
		skipped = m.Offset - p.start
	}
	p.start = m.Offset + 1
	p.mu.Lock()
	p.high = max(p.high, m.HighWaterMark)
	p.mu.Unlock()
	p.client.metrics.fetched.WithLabelValues(p.topic).Inc()
	p.client.metrics.fetchedBytes.WithLabelValues(p.topic).Add(float64(len(m.Key) + len(m.Value)))
	var headers []Header
	for _, h := range m.Headers {
		headers = append(headers, Header{h.Key, h.Value})
	}
	return Message{Headers: headers, Key: m.Key, Value: m.Value, Partition: m.Partition, Offset: m.Offset, Skipped: skipped, Time: m.Time, Control: isControl(m.Key, m.Value) || isEmptied(m.Key, m.Value)}, nil
}

// open starts the reader.
func (p *Partition) open() error {
	dialer := *p.client.dialer
	p.conns.tls = dialer.TLS
	dialer.DialFunc, dialer.TLS = p.conns.dial, nil // the sieve reads what TLS carries
	p.reader = kafka.NewReader(kafka.ReaderConfig{
		Brokers: p.client.cfg.Addresses, Topic: p.topic, Partition: p.ID, Dialer: &dialer,
		QueueCapacity: p.client.queue, MinBytes: 1, MaxBytes: 8 << 20, MaxWait: cmp.Or(p.wait, hold),
		ReadBackoffMin: 20 * time.Millisecond, ReadBackoffMax: time.Second, ReadLagInterval: -1,
		ErrorLogger:      kafka.LoggerFunc(p.stuck),
		ReadBatchTimeout: p.client.session,
	})
	return p.reader.SetOffset(p.start)
}

// Commit tells the group that everything below next is done.
func (p *Partition) Commit(ctx context.Context, next int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := p.gen.CommitOffsets(map[string]map[int]int64{p.topic: {p.ID: next}}); err != nil {
		return failed("commit to", p.topic, err)
	}
	p.mu.Lock()
	p.committed = next
	p.mu.Unlock()
	return nil
}

// Committed is what the group committed of the partition, 0 if nothing.
func (p *Partition) Committed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.committed
}

// HighWatermark is one past the last offset that the partition is known to
// have: it grows with Seek and Fetch. 0 before either.
func (p *Partition) HighWatermark() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.high
}

func (p *Partition) close() {
	p.mu.Lock()
	if p.wake != nil {
		p.wake()
	}
	p.mu.Unlock()
	if p.reader != nil {
		p.conns.cut() // kafka-go would wait for the fetch that the broker holds
		_ = p.reader.Close()
	}
}
