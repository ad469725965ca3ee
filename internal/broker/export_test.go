package broker

import (
	"context"
	"io"

	"github.com/segmentio/kafka-go/compress"
)

// Offsets returns the first offset of a partition and one past the last.
func (c *Client) Offsets(ctx context.Context, topic string, partition int) (int64, int64, error) {
	return c.offsets(ctx, topic, partition)
}

// AppendTwice sends a batch once more than Append, as after a lost answer.
func (a *Appender) AppendTwice(ctx context.Context, msgs []Message) error {
	if err := a.send(ctx, a.encode(msgs)); err != nil {
		return err
	}
	return a.Append(ctx, msgs)
}

// Skip leaves sequence numbers out.
func (a *Appender) Skip(n int32) { a.next += n }

// Inflate reads gzip as batches are read.
func Inflate(r io.Reader) io.Reader {
	boundCodecs()
	return compress.Gzip.Codec().NewReader(r)
}
