package tap

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/seal"
	"github.com/tallystick/tallystick/services/tap/spool"
)

// lane carries one source. One goroutine reads and seals, a second one
// delivers what is sealed, in order, and acknowledges it; where there is a
// spool, a third one empties it.
type lane struct {
	tap     *Tap
	source  string
	reader  source.Reader
	pushed  bool            // senders bring the lines
	full    source.WhenFull // what becomes of lines that Kafka does not take
	spool   *spool.Spool    // nil if there is none
	drops   *dropping       // nil unless full is Drop
	running string          // path of the mark of a source whose lines can't be sent again, or ""
	ended   bool            // all that came was delivered; set when run returns
	metrics *metrics

	// Of the sealing goroutine: the chains of one start. Boot changes only when
	// lines are dropped.
	chains map[string]*chain
	chosen string
	boot   atomic.Pointer[string]

	lines, bytes, batches, gaps, dropped atomic.Uint64
	turned, read, sent                   atomic.Int64 // Unix nanoseconds
	failing                              atomic.Pointer[string]
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
	boot  string // of their headers
	bytes uint64 // of the lines
	msgs  []broker.Message
}

// grace is how many times the first wait a stopped tap goes on to deliver what
// senders brought: 5 s by default.
const grace = 50

func (l *lane) run(ctx context.Context) error {
	late, cancel := l.afterwards(ctx)
	defer cancel()
	queue := make(chan sealed, 1)
	var delivering, emptying sync.WaitGroup
	delivering.Go(func() {
		for s := range queue {
			if l.deliver(late, s) != nil {
				cancel()
				return
			}
		}
	})
	if l.spool != nil {
		emptying.Go(func() { l.empty(ctx) })
	}
	err := l.feed(ctx, late, queue)
	close(queue)
	delivering.Wait()
	emptying.Wait()
	l.ended = errors.Is(err, io.EOF) && late.Err() == nil
	switch {
	case errors.Is(err, io.EOF):
		if l.tap.cfg.Once && late.Err() != nil {
			return late.Err() // the last runs did not become durable
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

// afterwards is ctx, or a context that outlives it by the grace where lines
// that were taken from a sender would else be lost.
func (l *lane) afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	if !l.pushed {
		return context.WithCancel(ctx)
	}
	late, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unwatch := context.AfterFunc(ctx, func() { time.AfterFunc(grace*l.tap.cfg.Retry, cancel) })
	return late, func() { unwatch(); cancel() }
}

// feed reads until ctx ends or the source does, and seals.
func (l *lane) feed(ctx, late context.Context, queue chan<- sealed) error {
	var pace pace
	for {
		if l.full == source.Block {
			if err := l.room(ctx); err != nil && !l.pushed {
				return err
			}
		}
		run, err := l.next(ctx, late)
		if err != nil {
			return err
		}
		if boot := *l.boot.Load(); boot != l.chosen {
			l.chosen, l.chains = boot, map[string]*chain{}
		}
		msgs, err := l.seal(late, run, run.Lines, run.Next, nil)
		if err != nil {
			return err
		}
		few := len(run.Lines) < fewLines // the run is not ours once it is queued
		select {
		case queue <- sealed{run: run, boot: l.chosen, bytes: bytesOf(run.Lines), msgs: msgs}:
		case <-late.Done():
			return late.Err()
		}
		if !l.pushed && !l.tap.cfg.Once {
			_ = sleep(ctx, pace.after(few, time.Now())) // a stop ends it; next sees that
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

// stopper is a Reader that takes nothing more after Stop. Next then returns
// what was taken before, and io.EOF.
type stopper interface{ Stop() }

// next waits for a run until ctx ends; of a source that can be stopped it then
// takes what is left, until late ends. What fails beside single files is the
// positions file; following goes on trying.
func (l *lane) next(ctx, late context.Context) (*source.Run, error) {
	stopping, ok := l.reader.(stopper)
	ok = ok && l.pushed
	if ok && ctx.Err() != nil {
		stopping.Stop()
		return l.reader.Next(late)
	}
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
		case errors.Is(err, io.EOF):
			return nil, err
		case ctx.Err() != nil:
			if ok {
				return l.next(ctx, late)
			}
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
		Source: l.source, Stream: run.Stream, Generation: run.Generation, Boot: l.chosen,
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

func bytesOf(lines []audit.Line) (n uint64) {
	for i := range lines {
		n += uint64(lines[i].Length)
	}
	return n
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
