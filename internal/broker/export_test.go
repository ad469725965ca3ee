package broker

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"net"
	"time"

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

// RawBatch is a batch that says that it has n messages, compressed by a codec,
// and has something else in their place.
func RawBatch(n int, codec uint16, records []byte) []byte {
	return rawBatch(&Appender{}, n, codec, records, time.Time{})
}

func rawBatch(a *Appender, n int, codec uint16, records []byte, at time.Time) []byte {
	msgs := make([]Message, n)
	for i := range msgs {
		msgs[i].Time = at
	}
	b := append(a.encode(msgs)[:recordsAt], records...)
	be := binary.BigEndian
	be.PutUint16(b[attributesAt:], codec)
	be.PutUint32(b[8:], uint32(len(b)-beforeItsSize))
	be.PutUint32(b[17:], crc32.Checksum(b[attributesAt:], castagnoli))
	return b
}

// AppendRaw sends a RawBatch whose messages have one time.
func (a *Appender) AppendRaw(ctx context.Context, n int, codec uint16, records []byte, at time.Time) error {
	b := rawBatch(a, n, codec, records, at)
	a.next += int32(n)
	return a.send(ctx, b)
}

// Timestamps are those of the messages of the batch at offset as the broker has
// them, by offset.
func (c *Client) Timestamps(ctx context.Context, topic string, partition int, offset int64) (map[int]int64, error) {
	b, err := c.batchAt(ctx, topic, partition, offset)
	if err != nil {
		return nil, err
	}
	be := binary.BigEndian
	base, first, out := int64(be.Uint64(b)), int64(be.Uint64(b[27:])), map[int]int64{}
	rest := b[recordsAt:]
	for i := range be.Uint32(b[57:]) {
		length, n := binary.Varint(rest)
		delta, _ := binary.Varint(rest[n+1:])
		out[int(base)+int(i)] = first + delta
		rest = rest[n+int(length):]
	}
	return out, nil
}

// Inspect tells what a batch is and what is wrong with it.
func Inspect(raw []byte) (*Message, error) { return inspect(raw) }

// Skip leaves sequence numbers out.
func (a *Appender) Skip(n int32) { a.next += n }

// Inflate reads gzip as batches are read.
func Inflate(r io.Reader) io.Reader {
	boundCodecs()
	return compress.Gzip.Codec().NewReader(r)
}

// Hold is how long the broker holds a fetch at the end of a partition.
const Hold = hold

// Sieved is a connection as a reader has it.
func Sieved(c net.Conn) net.Conn { return newSieve(c) }

// IsEmptied tells a message that stands for an emptied batch.
func IsEmptied(key, value []byte) bool { return isEmptied(key, value) }
