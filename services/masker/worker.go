package masker

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// grace is how long a batch that is on its way may take once the partition is
// to be given up: its answer tells whether it is there.
const grace = 5 * time.Second

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

// sink is the partition of a topic that is written, and what it has.
type sink struct {
	topic    string
	appender *broker.Appender
	last     int64 // offset of the last input record that is in it, -1 for none
}

// newWorker finds where the output ends and makes that the place to go on.
func (s *stream) newWorker(ctx context.Context, p *broker.Partition) (*worker, error) {
	m, err := transform.New(s.policy, s.detector, s.domain)
	if err != nil {
		return nil, err
	}
	w := &worker{s: s, p: p, masker: m}
	if err := w.open(ctx, &w.out, s.cfg.To); err != nil {
		return nil, err
	}
	if s.cfg.OnError == onErrorDeadLetter {
		w.dead = &sink{}
		if err := w.open(ctx, w.dead, s.cfg.DeadLetter); err != nil {
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

// open makes ready to write to a topic, and looks at what it has.
func (w *worker) open(ctx context.Context, to *sink, topic string) error {
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
	to.topic, to.last = topic, -1
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
		w.lost(m.Skipped)
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
	next := msgs[0].Offset
	for i := range msgs {
		m := &msgs[i]
		if m.Control {
			next = m.Offset + 1
			continue
		}
		masked, err := w.mask(ctx, m)
		switch {
		case err == nil:
			out = append(out, masked)
			w.count("masked")
		case !isBad(err):
			return err
		case w.s.cfg.OnError == onErrorDrop:
			w.count("dropped")
			w.s.log.Warn("a record was dropped because it can't be masked", "topic", w.s.cfg.From, "partition", w.p.ID, "offset", m.Offset, "reason", err)
		case w.dead != nil:
			dead = append(dead, w.letter(m, err))
			w.count("dead-lettered")
		default:
			stopped = w.stop(m, err)
		}
		if stopped != nil {
			break
		}
		next = m.Offset + 1
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
	w.measure()
	if err := w.commit(ctx, next); err != nil {
		return errors.Join(stopped, err)
	}
	return stopped
}

func (w *worker) count(outcome string) {
	w.s.metrics.records.WithLabelValues(w.s.cfg.Name, outcome).Inc()
}

// stop is the error of a record that ends the stream.
func (w *worker) stop(m *broker.Message, err error) error {
	return &text.Hint{
		Err:  fmt.Errorf("stream %s stopped at topic %s, partition %d, offset %d, which can't be masked: %w", w.s.cfg.Name, w.s.cfg.From, m.Partition, m.Offset, err),
		Hint: "mend value, key or policy of the stream, or set its on_error to dead-letter or drop",
	}
}

// mask is the record that is written for m.
func (w *worker) mask(ctx context.Context, m *broker.Message) (out broker.Message, err error) {
	out = broker.Message{Partition: m.Partition, Offset: m.Offset, Time: m.Time}
	if largest := max(len(m.Key), len(m.Value)); largest > w.s.cfg.MaxRecord {
		return out, bad("its key or value has %d bytes, more than max_record, %d", largest, w.s.cfg.MaxRecord)
	}
	if m.Value != nil { // a tombstone stays one
		if out.Value, err = w.s.value.mask(ctx, []byte{}, w.masker, m.Value); err != nil {
			return out, at("value", err)
		}
	}
	switch {
	case m.Key == nil:
	case w.s.keyRule != nil:
		if key, keep := w.masker.Apply(*w.s.keyRule, string(m.Key)); keep {
			out.Key = []byte(key)
		}
	case w.s.key != nil:
		if out.Key, err = w.s.key.mask(ctx, []byte{}, w.masker, m.Key); err != nil {
			return out, at("key", err)
		}
	}
	out.Headers = append(w.headers(m), broker.Header{Name: originHeader, Value: []byte(w.s.place(m.Partition, m.Offset))})
	if n := out.Size(); n > broker.MaxMessage {
		return out, bad("masked it has %d bytes, more than the %d of a Kafka record", n, broker.MaxMessage)
	}
	return out, nil
}

// at says in which part of a record something is wrong.
func at(part string, err error) error {
	if isBad(err) {
		return bad("its %s is no %v", part, err)
	}
	return err
}

func (w *worker) headers(m *broker.Message) (out []broker.Header) {
	for _, h := range m.Headers {
		r, ok := w.s.headers[h.Name]
		if !ok || h.Name == originHeader {
			continue
		}
		if v, keep := w.masker.Apply(r, string(h.Value)); keep {
			out = append(out, broker.Header{Name: h.Name, Value: []byte(v)})
		}
	}
	return out
}

// letter is the dead letter for m: where it is, why, and nothing of it.
func (w *worker) letter(m *broker.Message, err error) broker.Message {
	return broker.Message{Offset: m.Offset, Time: m.Time, Value: []byte("[redacted]"), Headers: []broker.Header{
		{Name: originHeader, Value: []byte(w.s.place(m.Partition, m.Offset))},
		{Name: reasonHeader, Value: []byte(err.Error())},
		{Name: bytesHeader, Value: []byte(strconv.Itoa(len(m.Value)))},
	}}
}

// write appends the records that a sink does not have yet.
func (w *worker) write(ctx context.Context, to *sink, msgs []broker.Message) error {
	msgs = slices.DeleteFunc(msgs, func(m broker.Message) bool { return m.Offset <= to.last })
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
		to.last = msgs[n-1].Offset
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
