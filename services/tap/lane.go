package tap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/seal"
)

// lane carries one source. One goroutine reads and seals, a second one
// produces and acknowledges what is sealed, in order.
type lane struct {
	tap     *Tap
	source  string
	reader  source.Reader
	metrics *metrics
	chains  map[string]*chain // of the sealing goroutine

	lines, bytes, batches, gaps atomic.Uint64
	turned, read, sent          atomic.Int64 // Unix nanoseconds
	failing                     atomic.Pointer[string]
}

// chain is where the headers of a stream stand.
type chain struct {
	sequence uint64
	lines    uint64
	head     [32]byte
}

// sealed is a run and the messages that hold its lines.
type sealed struct {
	run   *source.Run
	bytes uint64 // of the lines
	msgs  []broker.Message
}

func (l *lane) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan sealed, 1)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for s := range queue {
			if l.send(ctx, s) != nil {
				cancel()
				return
			}
		}
	}()
	err := l.feed(ctx, queue)
	close(queue)
	<-sent
	switch {
	case errors.Is(err, io.EOF):
		if l.tap.cfg.Once && ctx.Err() != nil {
			return ctx.Err() // the last runs did not become durable
		}
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		if l.tap.cfg.Once {
			return err
		}
		return nil
	}
	return err
}

// feed reads and seals until the files end or ctx does.
func (l *lane) feed(ctx context.Context, queue chan<- sealed) error {
	for {
		if err := l.room(ctx); err != nil {
			return err
		}
		run, err := l.next(ctx)
		if err != nil {
			return err
		}
		msgs, err := l.seal(ctx, run, run.Lines, run.Next, nil)
		if err != nil {
			return err
		}
		select {
		case queue <- sealed{run: run, bytes: bytesOf(run.Lines), msgs: msgs}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// room waits until the gate is open; the source shows that it is alive.
func (l *lane) room(ctx context.Context) error {
	if l.tap.deps.Gate == nil {
		return nil
	}
	for {
		ticking, cancel := context.WithTimeout(ctx, heartbeat)
		err := l.tap.deps.Gate.Wait(ticking)
		cancel()
		l.turned.Store(l.tap.deps.Clock().UnixNano())
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
	}
}

// next waits for a run. What fails beside single files is the positions file;
// following goes on trying.
func (l *lane) next(ctx context.Context) (*source.Run, error) {
	for wait := l.tap.cfg.Retry; ; wait = l.longer(wait) {
		ticking, cancel := context.WithTimeout(ctx, heartbeat)
		run, err := l.reader.Next(ticking)
		cancel()
		now := l.tap.deps.Clock().UnixNano()
		l.turned.Store(now)
		l.metrics.observe(l)
		switch {
		case err == nil:
			l.read.Store(now)
			return run, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			wait = l.tap.cfg.Retry
			continue
		case l.tap.cfg.Once:
			return nil, err
		}
		l.metrics.errors.WithLabelValues(l.source, "read").Inc()
		l.tap.deps.Logger.Error("a source can't be read on; it is tried again", "source", l.source, "error", err, "hint", text.HintOf(err))
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// heartbeat is how often a quiet source shows that it is looked at.
const heartbeat = 5 * time.Second

// seal appends the messages of the lines, which end where until begins, in
// halves where they don't fit one.
func (l *lane) seal(ctx context.Context, run *source.Run, lines []audit.Line, until uint64, msgs []broker.Message) ([]broker.Message, error) {
	id := run.Stream
	c := l.chains[id]
	if c == nil {
		c = &chain{}
		l.chains[id] = c
	}
	h := seal.Header{
		Source: l.source, Stream: run.Stream, Generation: run.Generation, Boot: l.tap.boot,
		Sequence: c.sequence + 1, Prev: c.head, Until: until, Before: c.lines, Received: run.Received,
	}
	for wait := l.tap.cfg.Retry; ; wait = l.longer(wait) {
		msg, head, err := l.tap.deps.Sealer.Seal(h, lines)
		if err == nil {
			c.sequence, c.lines, c.head = h.Sequence, c.lines+uint64(len(lines)), head
			return append(msgs, broker.Message{Key: []byte(run.Stream), Value: msg}), nil
		}
		if errors.Is(err, seal.ErrTooLarge) {
			if len(lines) < 2 {
				return nil, fmt.Errorf("failed to seal a line of source %s: %w", l.source, err)
			}
			half := len(lines) / 2
			if msgs, err = l.seal(ctx, run, lines[:half], lines[half].Origin.Offset, msgs); err != nil {
				return nil, err
			}
			return l.seal(ctx, run, lines[half:], until, msgs)
		}
		l.metrics.errors.WithLabelValues(l.source, "seal").Inc()
		l.tap.deps.Logger.Error("lines can't be sealed; it is tried again", "source", l.source, "error", err, "hint", text.HintOf(err))
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// send produces the very messages until they are durable, then acknowledges.
func (l *lane) send(ctx context.Context, s sealed) error {
	for wait := l.tap.cfg.Retry; ; wait = l.longer(wait) {
		err := l.tap.deps.Producer.Produce(ctx, broker.Lines, s.msgs...)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.turned.Store(l.tap.deps.Clock().UnixNano())
		l.metrics.errors.WithLabelValues(l.source, "produce").Inc()
		l.blocked(err)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
	if l.failing.Swap(nil) != nil {
		l.tap.deps.Logger.Info("Kafka takes batches again", "source", l.source)
	}
	l.sent.Store(l.tap.deps.Clock().UnixNano())
	n := uint64(len(s.run.Lines))
	l.lines.Add(n)
	l.bytes.Add(s.bytes)
	l.batches.Add(uint64(len(s.msgs)))
	l.metrics.count(l.source, n, s.bytes, s.msgs)
	if err := l.reader.Ack(s.run); err != nil {
		// The lines are durable; at worst they are sent again and count once.
		l.metrics.errors.WithLabelValues(l.source, "position").Inc()
		l.tap.deps.Logger.Error("positions can't be saved", "source", l.source, "error", err, "hint", "check space and rights of the data folder")
	}
	l.tap.report()
	return nil
}

func bytesOf(lines []audit.Line) (n uint64) {
	for i := range lines {
		n += uint64(lines[i].Length)
	}
	return n
}

// blocked logs a failure of Kafka when it begins or changes.
func (l *lane) blocked(err error) {
	msg := err.Error()
	if old := l.failing.Swap(&msg); old != nil && *old == msg {
		return
	}
	hint := text.HintOf(err)
	if hint == "" {
		hint = "check kafka.addresses and the broker; nothing is lost meanwhile: files wait"
	}
	l.tap.deps.Logger.Error("Kafka takes no batches; reading waits and it is tried again", "source", l.source, "error", err, "hint", hint)
}

func (l *lane) longer(wait time.Duration) time.Duration { return min(2*wait, 100*l.tap.cfg.Retry) }

func (l *lane) gap(g source.Gap) {
	l.gaps.Add(1)
	l.metrics.gaps.WithLabelValues(l.source, string(g.Kind)).Inc()
	if l.tap.deps.Gap != nil {
		l.tap.deps.Gap(g)
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
