package masker

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/transform"
)

// What is read before it is written on.
const (
	batchRecords = 500
	batchBytes   = 512 << 10
	// batchWait is how long a batch waits for a record that should be there.
	batchWait = 100 * time.Millisecond
)

// worker masks one partition, from one assignment to the next.
type worker struct {
	s      *stream
	p      *broker.Partition
	masker *transform.Masker
	out    sink
	dead   *sink // nil unless dead letters are written
	proof  time.Time
	seen   int // refused values that were counted
	bytes  int // fetched and not yet counted
}

// newWorker finds where the output ends and makes that the place to go on.
func (s *stream) newWorker(ctx context.Context, p *broker.Partition) (*worker, error) {
	m, err := transform.New(s.policy, s.detector, s.domain)
	if err != nil {
		return nil, err
	}
	w := &worker{s: s, p: p, masker: m}
	if err := w.open(ctx, &w.out, s.cfg.To, "masked"); err != nil {
		return nil, err
	}
	if s.cfg.OnError == onErrorDeadLetter {
		w.dead = &sink{}
		if err := w.open(ctx, w.dead, s.cfg.DeadLetter, "dead-lettered"); err != nil {
			return nil, err
		}
	}
	next := max(p.Position(), w.out.last+1)
	if p.Position() < 0 {
		first, err := p.First(ctx)
		if err != nil {
			return nil, err
		}
		if next = w.out.last + 1; w.out.last < 0 {
			next = first
		}
	}
	if err := w.seek(ctx, next); err != nil {
		return nil, err
	}
	return w, w.commit(ctx, p.Position())
}

// seek goes to the record that comes next. What the cluster deleted before it
// was read is counted; an output that is ahead of the input belongs to another.
func (w *worker) seek(ctx context.Context, next int64) error {
	err := w.p.Seek(ctx, next)
	var out *broker.RangeError
	if !errors.As(err, &out) {
		return err
	}
	if next > out.Last {
		return &text.Hint{
			Err: fmt.Errorf("stream %s: partition %d of %s ends at offset %d, but what was masked goes up to %d: the topic was made anew or has lost records",
				w.s.cfg.Name, w.p.ID, w.s.cfg.From, out.Last, next),
			Hint: "give the stream another group and another topic to write to",
		}
	}
	w.lost(out.First - next)
	return w.p.Seek(ctx, out.First)
}

// skipped tells offsets before m that retention deleted unread from those that
// never were records or that compaction took: only the first are lost.
func (w *worker) skipped(ctx context.Context, m *broker.Message) error {
	if m.Skipped == 0 {
		return nil
	}
	first, err := w.p.First(ctx)
	if err != nil {
		return err
	}
	w.lost(min(first, m.Offset) - (m.Offset - m.Skipped))
	return nil
}

func (w *worker) lost(n int64) {
	if n <= 0 {
		return
	}
	w.s.metrics.lost.WithLabelValues(w.s.cfg.Name).Add(float64(n))
	w.s.log.Error("records were deleted before they were masked", "topic", w.s.cfg.From, "partition", w.p.ID, "offsets", n,
		"hint", "give the topic a longer retention, or see why masking was late")
}

// fetch returns at least one record, and what else is there already.
func (w *worker) fetch(ctx context.Context) ([]broker.Message, error) {
	var msgs []broker.Message
	size := 0
	for len(msgs) < batchRecords && size < batchBytes {
		m, err := w.next(ctx, len(msgs) > 0)
		if err != nil && len(msgs) > 0 && ctx.Err() == nil {
			break // what failed shows again without records at hand
		}
		if err != nil {
			return nil, err
		}
		if err := w.skipped(ctx, &m); err != nil {
			return nil, err
		}
		msgs = append(msgs, m)
		size += m.Size()
		if w.p.Position() >= w.p.HighWatermark() {
			break
		}
	}
	return msgs, nil
}

func (w *worker) next(ctx context.Context, soon bool) (broker.Message, error) {
	if soon {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, batchWait)
		defer cancel()
	}
	return w.p.Fetch(ctx)
}

// forward masks records, writes what became of them and commits their offsets.
func (w *worker) forward(ctx context.Context, msgs []broker.Message) error {
	var out, dead []broker.Message
	var stopped error
	var control, dropped int64
	next := msgs[0].Offset
	for i := range msgs {
		m := &msgs[i]
		if m.Control {
			control++
			next = m.Next()
			continue
		}
		masked, err := w.mask(ctx, m)
		switch {
		case err == nil:
			out = append(out, masked)
		case !isBad(err):
			return err
		case w.s.cfg.OnError == onErrorDrop:
			dropped += m.Next() - m.Offset
			w.s.log.Warn("a record was dropped because it can't be masked", "topic", w.s.cfg.From, "partition", w.p.ID, "offset", m.Offset, "reason", err)
		case w.dead != nil:
			dead = append(dead, w.letter(m, err))
		default:
			stopped = w.stop(m, err)
		}
		if stopped != nil {
			break
		}
		next = m.Next()
		w.bytes += len(m.Key) + len(m.Value)
	}
	// Dead letters go first: where the output has a record, those before it are there.
	if w.dead != nil {
		if err := w.write(ctx, w.dead, dead); err != nil {
			return err
		}
	}
	if err := w.write(ctx, &w.out, out); err != nil {
		return err
	}
	if err := w.commit(ctx, next); err != nil {
		return errors.Join(stopped, err)
	}
	w.count("control", control)
	w.count("dropped", dropped)
	w.measure()
	return stopped
}

// count counts records by what became of them, once that is done: the broker has
// what was written, and the group knows of the rest.
func (w *worker) count(outcome string, n int64) {
	w.s.metrics.records.WithLabelValues(w.s.cfg.Name, outcome).Add(float64(n))
}

// stop is the error of a record that ends the stream.
func (w *worker) stop(m *broker.Message, err error) error {
	return &text.Hint{
		Err:  fmt.Errorf("stream %s stopped at topic %s, partition %d, offset %d, which can't be masked: %w", w.s.cfg.Name, w.s.cfg.From, m.Partition, m.Offset, err),
		Hint: "mend value, key or policy of the stream, or set its on_error to dead-letter or drop",
	}
}

// measure brings the metrics up to date.
func (w *worker) measure() {
	name := w.s.cfg.Name
	w.s.metrics.bytes.WithLabelValues(name, "in").Add(float64(w.bytes))
	w.bytes = 0
	refused := 0
	for _, c := range w.masker.Counts() {
		refused += c.Refused
	}
	w.s.metrics.refused.WithLabelValues(name).Add(float64(refused - w.seen))
	w.seen = refused
	w.s.metrics.lag.WithLabelValues(name, strconv.Itoa(w.p.ID)).Set(float64(max(w.p.HighWatermark()-w.p.Position(), 0)))
}
