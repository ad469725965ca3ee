package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
)

// ErrRefused says that a batch of the broker can't be read: it is compressed in
// a way that is not known, damaged, or larger than 64 MiB when decompressed.
var ErrRefused = errors.New("the batch can't be read")

const refusedHint = "see who may write to the topic: the messages of this batch stay unread; have their producer send smaller batches, compressed with gzip, snappy, lz4 or zstd"

// Next is the offset behind the message, or behind all that a refused batch has.
func (m *Message) Next() int64 { return max(m.Offset+1, m.Until) }

// stuck notes why the reader can't get over what comes next, and wakes Fetch.
// kafka-go tells that to nobody but its log, and tries for ever.
func (p *Partition) stuck(_ string, args ...any) {
	for _, a := range args {
		err, ok := a.(error)
		var k kafka.Error
		if !ok || errors.As(err, &k) || errors.Is(err, context.Canceled) || retriable(err) {
			continue
		}
		p.mu.Lock()
		p.trouble = err
		wake := p.wake
		p.mu.Unlock()
		if wake != nil {
			wake()
		}
	}
}

// wakeable is ctx, ended early when the reader is stuck. One is kept for all
// calls with the same ctx.
func (p *Partition) wakeable(ctx context.Context) context.Context {
	if p.asked == ctx && p.waiting.Err() == nil {
		return p.waiting
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wake != nil {
		p.wake()
	}
	p.asked = ctx
	p.waiting, p.wake = context.WithCancel(ctx)
	if p.trouble != nil { // it came before anybody could be woken
		p.wake()
	}
	return p.waiting
}

// next is the reader's next message, or one that stands for a refused batch.
func (p *Partition) next(ctx context.Context) (kafka.Message, *Message, error) {
	for {
		p.mu.Lock()
		why := p.trouble
		p.mu.Unlock()
		until := ctx
		if why == nil {
			until = p.wakeable(ctx)
		} else if p.reader.Stats().QueueLength == 0 { // all that came before it is fetched
			p.mu.Lock()
			p.trouble = nil
			p.mu.Unlock()
			refused, err := p.examine(ctx, why)
			if refused != nil || err != nil {
				return kafka.Message{}, refused, err
			}
			continue
		}
		m, err := p.reader.FetchMessage(until)
		if err == nil || ctx.Err() != nil || until.Err() == nil && retriable(err) {
			return m, nil, err
		}
		if until.Err() == nil { // the reader gives up
			refused, failed := p.examine(ctx, err)
			if refused == nil && failed == nil {
				failed = err
			}
			return m, refused, failed
		}
	}
}

// examine looks at the batch at the position, which the reader can't get over.
// If it is at fault it is passed over, and the message stands for it. Both are
// nil if the batch is sound.
func (p *Partition) examine(ctx context.Context, why error) (*Message, error) {
	at := p.start
	if at < 0 {
		first, _, err := p.client.offsets(ctx, p.topic, p.ID)
		if err != nil {
			return nil, failed("look at", p.topic, err)
		}
		at = first
	}
	raw, err := p.client.batchAt(ctx, p.topic, p.ID, at)
	if err != nil {
		return nil, failed("look at", p.topic, err)
	}
	m, fault := inspect(raw)
	if fault == nil || m.Next() <= at {
		p.client.retries("fetch", "a batch could not be read and is tried again", "topic", p.topic, "partition", p.ID, "offset", at, "error", why)
		select {
		case <-ctx.Done():
		case <-time.After(joinBackoff):
		}
		return nil, ctx.Err()
	}
	m.Partition, m.Offset, m.Refused = p.ID, max(m.Offset, at), fault
	if p.start >= 0 {
		m.Skipped = m.Offset - p.start
	}
	p.client.metrics.refused.WithLabelValues(p.topic).Inc()
	p.client.log.Error("a batch of messages is refused", "topic", p.topic, "partition", p.ID, "offset", m.Offset, "messages", m.Until-m.Offset, "bytes", len(raw), "error", fault, "hint", refusedHint)
	p.start = m.Until
	p.mu.Lock()
	p.high = max(p.high, m.Until)
	p.mu.Unlock()
	return m, p.reader.SetOffset(m.Until)
}

// What precedes the records of a batch of version 2:
// https://kafka.apache.org/documentation/#recordbatch.
const (
	magicAt       = 16
	attributesAt  = 21
	lastDeltaAt   = 23
	maxTimeAt     = 35
	countAt       = 57
	recordsAt     = 61
	codecMask     = 7
	beforeItsSize = 12 // bytes of a batch that its length does not count
)

// inspect tells what the first of raw batches is, and what is wrong with it.
// Those of versions 0 and 1, which no Kafka since 4.0 has, count as sound.
func inspect(raw []byte) (*Message, error) {
	be := binary.BigEndian
	if len(raw) < recordsAt || raw[magicAt] != 2 {
		return &Message{Until: -1}, nil
	}
	m := &Message{Offset: int64(be.Uint64(raw))}
	m.Until = m.Offset + int64(int32(be.Uint32(raw[lastDeltaAt:]))) + 1
	if ms := int64(be.Uint64(raw[maxTimeAt:])); ms > 0 {
		m.Time = time.UnixMilli(ms)
	}
	size := int64(int32(be.Uint32(raw[8:]))) + beforeItsSize
	if size < recordsAt || size > int64(len(raw)) {
		return m, nil // cut off: not all of it is here
	}
	raw = raw[:size]
	if len(raw) <= MaxMessage {
		m.Value = raw
	}
	code := be.Uint16(raw[attributesAt:]) & codecMask
	if code == 0 {
		return m, nil
	}
	codec := compress.Compression(code).Codec()
	if codec == nil {
		return m, fmt.Errorf("%w: its compression, %d, is not known", ErrRefused, code)
	}
	r := codec.NewReader(bytes.NewReader(raw[recordsAt:]))
	defer func() { _ = r.Close() }()
	_, err := io.Copy(io.Discard, r)
	switch {
	case errors.Is(err, errInflated):
		return m, fmt.Errorf("%w: %w", ErrRefused, err)
	case err != nil:
		return m, fmt.Errorf("%w: its %s data is damaged", ErrRefused, codec.Name())
	}
	return m, nil
}
