package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// Appender writes to one partition under a producer id of its own, so that a
// batch that is sent again, because its answer was lost, is there once. It is
// for one goroutine.
type Appender struct {
	client    *Client
	topic     string
	partition int
	id        int64
	epoch     int16
	next      int32 // sequence number of the next record
	failed    bool
}

// NewAppender asks the cluster for a producer id.
func (c *Client) NewAppender(ctx context.Context, topic string, partition int) (*Appender, error) {
	r, err := c.client.InitProducerID(ctx, &kafka.InitProducerIDRequest{TransactionTimeoutMs: int(requestTimeout.Milliseconds())})
	if err == nil {
		err = r.Error
	}
	if err != nil {
		return nil, failed("get a producer id for", topic, err)
	}
	return &Appender{client: c, topic: topic, partition: partition, id: int64(r.Producer.ProducerID), epoch: int16(r.Producer.ProducerEpoch)}, nil
}

// Append writes messages as one batch, all or none of them, and returns when
// all in-sync replicas have it. It tries again for as long as ctx lives. After
// an error it is unknown whether the batch is there, and the Appender is of no
// more use. The messages together have at most MaxMessage bytes.
func (a *Appender) Append(ctx context.Context, msgs []Message) error {
	if a.failed {
		return errors.New("the appender has failed before")
	}
	size := 0
	for i := range msgs {
		size += msgs[i].Size()
	}
	if size > MaxMessage {
		return fmt.Errorf("failed to append to %s: %w: %d bytes, at most %d", a.topic, ErrTooLarge, size, MaxMessage)
	}
	batch := a.encode(msgs)
	backoff := firstBackoff
	for {
		err := a.send(ctx, batch)
		if err == nil {
			break
		}
		if ctx.Err() != nil || !retriable(err) || errors.Is(err, kafka.InvalidMessage) {
			a.failed = true
			err = fmt.Errorf("failed to append to %s: %w", a.topic, err)
			if forgotten(err) {
				return &awayError{err}
			}
			return err
		}
		a.client.metrics.retries.WithLabelValues(a.topic).Inc()
		a.client.retries("produce", "producing failed and is tried again", "topic", a.topic, "partition", a.partition, "error", err)
		select {
		case <-ctx.Done():
			a.failed = true
			return ctx.Err()
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
	if a.next += int32(len(msgs)); a.next < 0 { // Kafka goes on at 0 after the largest
		a.next += math.MaxInt32
		a.next++
	}
	a.client.metrics.produced.WithLabelValues(a.topic).Add(float64(len(msgs)))
	a.client.metrics.producedBytes.WithLabelValues(a.topic).Add(float64(size))
	return nil
}

// forgotten reports that the broker's memory of the producer does not fit: who
// looks at the end of the partition and begins anew goes on.
func forgotten(err error) bool {
	return errors.Is(err, kafka.OutOfOrderSequenceNumber) || errors.Is(err, kafka.UnknownProducerId) || errors.Is(err, kafka.InvalidProducerEpoch)
}

func (a *Appender) send(ctx context.Context, batch []byte) error {
	size := binary.BigEndian.AppendUint32(nil, uint32(len(batch)))
	r, err := a.client.client.RawProduce(ctx, &kafka.RawProduceRequest{
		Topic: a.topic, Partition: a.partition, RequiredAcks: kafka.RequireAll,
		RawRecords: protocol.RawRecordSet{Reader: io.MultiReader(bytes.NewReader(size), bytes.NewReader(batch))},
	})
	if err == nil {
		err = r.Error
	}
	switch {
	case errors.Is(err, kafka.DuplicateSequenceNumber):
		return nil
	case errors.Is(err, kafka.MessageSizeTooLarge):
		return fmt.Errorf("%w: it refused %d bytes", ErrTooLarge, len(batch))
	}
	return err
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode is a record batch of version 2, which kafka-go writes without a
// producer id: https://kafka.apache.org/documentation/#recordbatch.
func (a *Appender) encode(msgs []Message) []byte {
	first, last := stamp(msgs[0].Time), stamp(msgs[0].Time)
	for i := range msgs {
		last = max(last, stamp(msgs[i].Time))
	}
	be := binary.BigEndian
	b := make([]byte, 61, 512)
	be.PutUint32(b[12:], math.MaxUint32) // the leader's epoch is not known
	b[16] = 2                            // magic
	be.PutUint32(b[23:], uint32(len(msgs)-1))
	be.PutUint64(b[27:], uint64(first))
	be.PutUint64(b[35:], uint64(last))
	be.PutUint64(b[43:], uint64(a.id))
	be.PutUint16(b[51:], uint16(a.epoch))
	be.PutUint32(b[53:], uint32(a.next))
	be.PutUint32(b[57:], uint32(len(msgs)))
	var record []byte
	for i := range msgs {
		m := &msgs[i]
		record = append(record[:0], 0) // attributes
		record = binary.AppendVarint(record, stamp(m.Time)-first)
		record = binary.AppendVarint(record, int64(i))
		record = appendBytes(record, m.Key)
		record = appendBytes(record, m.Value)
		record = binary.AppendVarint(record, int64(len(m.Headers)))
		for _, h := range m.Headers {
			record = binary.AppendVarint(record, int64(len(h.Name)))
			record = append(record, h.Name...)
			record = appendBytes(record, h.Value)
		}
		b = binary.AppendVarint(b, int64(len(record)))
		b = append(b, record...)
	}
	be.PutUint32(b[8:], uint32(len(b)-12))
	be.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
	return b
}

// noTime is what Kafka has as the timestamp of a record without one. 0 would be
// 1970, and the record due for deletion.
const noTime = -1

func stamp(t time.Time) int64 {
	if t.IsZero() {
		return noTime
	}
	return t.UnixMilli()
}

// appendBytes appends the length of v, -1 for nil, and v.
func appendBytes(dst, v []byte) []byte {
	if v == nil {
		return binary.AppendVarint(dst, -1)
	}
	return append(binary.AppendVarint(dst, int64(len(v))), v...)
}

// Size is what a message takes of MaxMessage.
func (m *Message) Size() int {
	n := len(m.Key) + len(m.Value) + frame
	for _, h := range m.Headers {
		n += len(h.Name) + len(h.Value) + 10
	}
	return n
}

// tailWindow is how many messages from the end Last looks at first.
const tailWindow = 64

// Last returns the last message of a partition that is wanted; ok is false if
// none is. It reads from the end, more each time, and keeps one message.
func (c *Client) Last(ctx context.Context, topic string, partition int, wanted func(*Message) bool) (found Message, ok bool, err error) {
	first, end, err := c.offsets(ctx, topic, partition)
	if err != nil {
		return found, false, failed("read the end of", topic, err)
	}
	until := end
	for n := int64(tailWindow); until > first; n *= 4 {
		from := max(first, until-n)
		err := c.Read(ctx, topic, partition, from, until, func(m Message) error {
			if !m.Control && m.Refused == nil && wanted(&m) {
				found, ok = m, true
			}
			return nil
		})
		if err != nil || ok {
			return found, ok, err
		}
		until = from
	}
	return found, false, nil
}

// Partitions is how many partitions a topic has now.
func (c *Client) Partitions(ctx context.Context, topic string) (int, error) {
	c.mu.Lock()
	delete(c.partitions, topic)
	c.mu.Unlock()
	parts, err := c.partitionsOf(ctx, topic)
	if err != nil {
		return 0, failed("find", topic, err)
	}
	return len(parts), nil
}

// Ensure creates a topic with n partitions if it is missing, and returns how
// many it has.
func (c *Client) Ensure(ctx context.Context, topic string, n int) (int, error) {
	had, err := c.Partitions(ctx, topic)
	if err == nil || !errors.Is(err, kafka.UnknownTopicOrPartition) {
		return had, err
	}
	if err := c.create(ctx, topic, n); err != nil {
		return 0, err
	}
	for { // the new topic takes a moment to be known
		had, err := c.Partitions(ctx, topic)
		if err == nil || !errors.Is(err, kafka.UnknownTopicOrPartition) {
			return had, err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(firstBackoff):
		}
	}
}
