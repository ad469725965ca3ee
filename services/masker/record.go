package masker

import (
	"context"
	"strconv"

	"github.com/tallystick/tallystick/internal/broker"
)

// mask is the record that is written for m.
func (w *worker) mask(ctx context.Context, m *broker.Message) (out broker.Message, err error) {
	out = broker.Message{Partition: m.Partition, Offset: m.Offset, Time: m.Time}
	if m.Refused != nil {
		return out, bad("%v; it has the records up to offset %d", m.Refused, m.Until-1)
	}
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

// letter is the dead letter for m: where it is, why, and nothing of it. A batch
// that can't be read has one, with the place of its last record.
func (w *worker) letter(m *broker.Message, err error) broker.Message {
	return broker.Message{Offset: m.Offset, Until: m.Until, Time: m.Time, Value: []byte("[redacted]"), Headers: []broker.Header{
		{Name: originHeader, Value: []byte(w.s.place(m.Partition, m.Next()-1))},
		{Name: reasonHeader, Value: []byte(err.Error())},
		{Name: bytesHeader, Value: []byte(strconv.Itoa(len(m.Value)))},
	}}
}
