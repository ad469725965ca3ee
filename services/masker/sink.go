package masker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/text"
)

// grace is how long a batch that is on its way may take once the partition is
// to be given up: its answer tells whether it is there.
const grace = 5 * time.Second

// sink is the partition of a topic that is written, and what it has.
type sink struct {
	topic    string
	outcome  string // of the records that are written to it, for the metric
	appender *broker.Appender
	last     int64 // offset of the last input record that is in it, -1 for none
}

// open makes ready to write to a topic, and looks at what it has.
func (w *worker) open(ctx context.Context, to *sink, topic, outcome string) error {
	n, err := w.s.client.Partitions(ctx, w.s.cfg.From)
	if err != nil {
		return err
	}
	has, err := w.s.client.Ensure(ctx, topic, n)
	if err != nil {
		return err
	}
	if has <= w.p.ID {
		return &text.Hint{
			Err:  fmt.Errorf("stream %s: topic %s has %d partitions and %s has %d", w.s.cfg.Name, topic, has, w.s.cfg.From, n),
			Hint: "add partitions to it: a record keeps its partition",
		}
	}
	to.topic, to.outcome, to.last = topic, outcome, -1
	if to.appender, err = w.s.client.NewAppender(ctx, topic, w.p.ID); err != nil {
		return err
	}
	_, _, err = w.s.client.Last(ctx, topic, w.p.ID, func(m *broker.Message) bool {
		offset, ok := w.s.offsetOf(w.p.ID, m)
		if ok {
			to.last = max(to.last, offset)
		}
		return ok
	})
	return err
}

// write appends the records that a sink does not have yet.
func (w *worker) write(ctx context.Context, to *sink, msgs []broker.Message) error {
	msgs = slices.DeleteFunc(msgs, func(m broker.Message) bool { return m.Next()-1 <= to.last })
	for len(msgs) > 0 {
		n, size := 0, 0
		for n < len(msgs) && (n == 0 || size+msgs[n].Size() <= broker.MaxMessage) {
			size += msgs[n].Size()
			n++
		}
		if err := w.standing(ctx); err != nil {
			return err
		}
		if err := w.append(ctx, to, msgs[:n]); err != nil {
			return err
		}
		to.last = msgs[n-1].Next() - 1
		for i := range msgs[:n] {
			w.count(to.outcome, msgs[i].Next()-msgs[i].Offset)
		}
		w.s.metrics.bytes.WithLabelValues(w.s.cfg.Name, "out").Add(float64(size))
		msgs = msgs[n:]
	}
	return nil
}

// append writes one batch, and waits for its answer a little longer than ctx.
func (w *worker) append(ctx context.Context, to *sink, msgs []broker.Message) error {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })()
	err := to.appender.Append(longer, msgs)
	if errors.Is(err, broker.ErrTooLarge) {
		return &text.Hint{
			Err:  fmt.Errorf("stream %s: %w", w.s.cfg.Name, err),
			Hint: fmt.Sprintf("set max.message.bytes of topic %s to 1048588 or more", to.topic),
		}
	}
	return err
}

// standing makes sure that the partition is still this process's, where enough
// time has passed for another one to have taken it over: the process was
// paused, the machine slept, or Kafka was slow. Both clocks count, because
// either may stand still meanwhile.
func (w *worker) standing(ctx context.Context) error {
	now := time.Now()
	wall := now.Round(0).Sub(w.proof.Round(0))
	if now.Sub(w.proof) < w.s.trust && wall >= 0 && wall < w.s.trust {
		return nil
	}
	return w.commit(ctx, w.p.Committed())
}

// commit tells the group what is done, which the group refuses to a process
// that the partition was taken from.
func (w *worker) commit(ctx context.Context, next int64) error {
	before := time.Now()
	if err := w.p.Commit(ctx, next); err != nil {
		return err
	}
	w.proof = before
	return nil
}
