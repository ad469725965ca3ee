package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/tallystick/tallystick/internal/text"
)

const (
	produceAttempts = 8
	firstBackoff    = 50 * time.Millisecond
	maxBackoff      = 2 * time.Second
	frame           = 64 // bytes of a record around key and value, at most
)

// Produce sends messages to a topic and returns when all in-sync replicas have
// them. Messages with one key go to one partition, always the same, in the
// order given. It tries again, for some ten seconds, what may pass; a message
// may then be there twice. With an error some of the messages may be there.
func (c *Client) Produce(ctx context.Context, topic string, msgs ...Message) error {
	for i := range msgs {
		if n := len(msgs[i].Key) + len(msgs[i].Value); n > MaxMessage {
			return fmt.Errorf("failed to produce to %s: %w: %d bytes, at most %d", topic, ErrTooLarge, n, MaxMessage)
		}
	}
	if err := c.ready(ctx); err != nil {
		return err
	}
	parts, err := c.partitionsOf(ctx, topic)
	if err != nil {
		return failed("produce to", topic, err)
	}
	by := make(map[int][]Message, len(parts))
	for _, m := range msgs {
		p := PartitionOf(m.Key, len(parts))
		by[p] = append(by[p], m)
	}
	for _, p := range parts {
		for rest := by[p]; len(rest) > 0; {
			n, size := 0, 0
			for n < len(rest) && (n == 0 || size+len(rest[n].Key)+len(rest[n].Value)+frame <= MaxMessage) {
				size += len(rest[n].Key) + len(rest[n].Value) + frame
				n++
			}
			if err := c.send(ctx, topic, p, rest[:n]); err != nil {
				return failed("produce to", topic, err)
			}
			rest = rest[n:]
		}
	}
	return nil
}

// PartitionOf is the partition of a key among n: murmur2, as Kafka's own
// clients have it.
func PartitionOf(key []byte, n int) int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return kafka.Murmur2Balancer{Consistent: true}.Balance(kafka.Message{Key: key}, all...)
}

// send produces one record batch to one partition.
func (c *Client) send(ctx context.Context, topic string, partition int, msgs []Message) error {
	backoff := firstBackoff
	for attempt := 1; ; attempt++ {
		base, err := c.sendOnce(ctx, topic, partition, msgs)
		if err == nil {
			c.keepSizes(place{topic, partition}, base, msgs)
			return nil
		}
		if errors.Is(err, kafka.MessageSizeTooLarge) {
			return &text.Hint{
				Err:  fmt.Errorf("%w: it refused %d messages", ErrTooLarge, len(msgs)),
				Hint: "set message.max.bytes of the cluster and max.message.bytes of the topic to 1048588 or more",
			}
		}
		if attempt == produceAttempts || ctx.Err() != nil || !retriable(err) {
			return err
		}
		c.metrics.retries.WithLabelValues(topic).Inc()
		c.retries("produce", "producing failed and is tried again", "topic", topic, "partition", partition, "attempt", attempt, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(backoff):
		}
		backoff = min(2*backoff, maxBackoff)
	}
}

func (c *Client) sendOnce(ctx context.Context, topic string, partition int, msgs []Message) (base int64, err error) {
	records := make([]kafka.Record, len(msgs))
	now := time.Now()
	for i, m := range msgs {
		records[i] = kafka.Record{Time: now, Key: kafka.NewBytes(m.Key), Value: kafka.NewBytes(m.Value)}
	}
	r, err := c.client.Produce(ctx, &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
	})
	if err != nil {
		return 0, err
	}
	return r.BaseOffset, r.Error
}

func (c *Client) keepSizes(at place, base int64, msgs []Message) {
	total := 0
	c.mu.Lock()
	s := c.sent[at]
	if s == nil {
		s = &sentSizes{}
		c.sent[at] = s
	}
	for i, m := range msgs {
		n := len(m.Key) + len(m.Value)
		total += n
		s.add(base+int64(i), n)
	}
	c.mu.Unlock()
	c.metrics.produced.WithLabelValues(at.topic).Add(float64(len(msgs)))
	c.metrics.producedBytes.WithLabelValues(at.topic).Add(float64(total))
}

func isBrokenConnection(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		errors.Is(err, context.DeadlineExceeded)
}
