package tap

import (
	"context"
	"errors"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services/tap/spool"
)

// errBehind says that Kafka would take batches, but too much is unread.
var errBehind = errors.New("the auditor is behind")

// deliver makes a run durable, or drops it where that is chosen, and
// acknowledges it. It fails only when ctx ends.
func (l *lane) deliver(ctx context.Context, s sealed) error {
	var err error
	switch l.full {
	case source.Spool:
		err = l.orSpool(ctx, s)
	case source.Drop:
		err = l.orDrop(ctx, s)
	default:
		err = l.send(ctx, s)
	}
	if err != nil {
		return err
	}
	if err := l.reader.Ack(s.run); err != nil {
		// The lines are durable; at worst they are sent again and count once.
		l.metrics.errors.WithLabelValues(l.source, "position").Inc()
		l.tap.deps.Logger.Error("positions can't be saved", "source", l.source, "error", err, "hint", "check space and rights of the data folder")
	}
	l.tap.report()
	return nil
}

// send produces the very messages until they are durable.
func (l *lane) send(ctx context.Context, s sealed) error {
	if err := l.insist(ctx, s.msgs); err != nil {
		return err
	}
	l.delivered(uint64(len(s.run.Lines)), s.bytes, s.msgs)
	return nil
}

// insist produces messages until Kafka has them or ctx ends.
func (l *lane) insist(ctx context.Context, msgs []broker.Message) error {
	for wait := l.tap.cfg.Retry; ; wait = l.longer(wait) {
		err := l.tap.deps.Producer.Produce(ctx, broker.Lines, msgs...)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.turned.Store(l.tap.deps.Clock().UnixNano())
		l.refused(err)
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// attempt produces messages if Kafka takes them within a moment. With an error
// it may have them nevertheless.
func (l *lane) attempt(ctx context.Context, msgs []broker.Message) error {
	ctx, cancel := context.WithTimeout(ctx, 20*l.tap.cfg.Retry)
	defer cancel()
	if g := l.tap.deps.Gate; g != nil && g.Wait(ctx) != nil {
		return errBehind
	}
	return l.tap.deps.Producer.Produce(ctx, broker.Lines, msgs...)
}

// orSpool spools what Kafka does not take, or what has to wait behind others.
// A spool that can't be written is tried again beside Kafka.
func (l *lane) orSpool(ctx context.Context, s sealed) error {
	for wait := l.tap.cfg.Retry; ; wait = l.longer(wait) {
		if l.spool.Empty() {
			err := l.attempt(ctx, s.msgs)
			if err == nil {
				l.delivered(uint64(len(s.run.Lines)), s.bytes, s.msgs)
				return nil
			}
			l.refused(err)
		}
		err := l.spool.Append(ctx, l.records(s)...)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l.metrics.errors.WithLabelValues(l.source, "spool").Inc()
		l.tap.deps.Logger.Error("batches can't be spooled; it is tried again", "source", l.source, "error", err, "hint", "check space and rights of the data folder")
		if err := sleep(ctx, wait); err != nil {
			return err
		}
	}
}

// records are the messages of a run as they are spooled. The run's counts stand
// with the last one.
func (l *lane) records(s sealed) []spool.Record {
	out := make([]spool.Record, len(s.msgs))
	now := l.tap.deps.Clock()
	for i, m := range s.msgs {
		out[i] = spool.Record{At: now, Key: m.Key, Value: m.Value}
	}
	last := &out[len(out)-1]
	last.Lines, last.Bytes = uint64(len(s.run.Lines)), s.bytes
	return out
}

// drainBytes is about how much of a spool is produced at once.
const drainBytes = 2 << 20

// empty produces what is spooled, in order, until ctx ends.
func (l *lane) empty(ctx context.Context) {
	for ctx.Err() == nil {
		records, err := l.spool.Next(ctx, drainBytes)
		if err == nil {
			err = l.produce(ctx, records)
		}
		if err == nil {
			err = l.spool.Done(records)
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		l.metrics.errors.WithLabelValues(l.source, "spool").Inc()
		l.tap.deps.Logger.Error("the spool can't be emptied; it is tried again", "source", l.source, "error", err,
			"hint", "after a start the tap goes on behind what the disk damaged, and tells what is lost")
		_ = sleep(ctx, 10*time.Second)
	}
}

func (l *lane) produce(ctx context.Context, records []spool.Record) error {
	if g := l.tap.deps.Gate; g != nil {
		if err := g.Wait(ctx); err != nil {
			return err
		}
	}
	msgs := make([]broker.Message, len(records))
	var lines, bytes uint64
	for i, r := range records {
		msgs[i] = broker.Message{Key: r.Key, Value: r.Value}
		lines, bytes = lines+r.Lines, bytes+r.Bytes
	}
	if err := l.insist(ctx, msgs); err != nil {
		return err
	}
	l.delivered(lines, bytes, msgs)
	return nil
}

// delivered counts what is durable in Kafka.
func (l *lane) delivered(lines, bytes uint64, msgs []broker.Message) {
	if l.failing.Swap(nil) != nil {
		l.tap.deps.Logger.Info("Kafka takes batches again", "source", l.source)
	}
	l.sent.Store(l.tap.deps.Clock().UnixNano())
	l.lines.Add(lines)
	l.bytes.Add(bytes)
	l.batches.Add(uint64(len(msgs)))
	l.metrics.count(l.source, lines, bytes, msgs)
}

// refused logs a failure of Kafka when it begins or changes.
func (l *lane) refused(err error) {
	l.metrics.errors.WithLabelValues(l.source, "produce").Inc()
	msg := err.Error()
	if old := l.failing.Swap(&msg); old != nil && *old == msg {
		return
	}
	hint := text.HintOf(err)
	if hint == "" {
		hint = "check kafka.addresses and the broker"
	}
	meanwhile := map[source.WhenFull]string{
		source.Block: "nothing is lost: reading waits", source.Spool: "nothing is lost: they are spooled", source.Drop: "lines are dropped and counted",
	}[l.full]
	l.tap.deps.Logger.Error("Kafka takes no batches; it is tried again", "source", l.source, "meanwhile", meanwhile, "error", err, "hint", hint)
}
