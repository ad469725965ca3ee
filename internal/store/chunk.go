package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
)

// The states of a chunk.
const (
	stateOpen   = "open"
	stateClosed = "closed"
)

// chunk is a row of chunks.
type chunk struct {
	c         audit.Chunk
	state     string
	partition uint32
	from      uint64
	until     uint64
	at        time.Time
	salt      string
	streams   struct {
		streams, taps, boots, heads         []string
		generations, from, until, sequences []uint64
	}
	roots, marks map[string]string
}

func chunksTable() *table[chunk] {
	type C = chunk
	return &table[C]{name: "chunks", fields: []field[C]{
		str("id", func(c *C) *string { return &c.c.ID }),
		u16("version", func(c *C) *uint16 { return &c.c.Version }),
		word("state", func(c *C) *string { return &c.state }),
		u32("partition", func(c *C) *uint32 { return &c.partition }),
		u64("from", func(c *C) *uint64 { return &c.from }),
		u64("until", func(c *C) *uint64 { return &c.until }),
		at("opened", func(c *C) *time.Time { return &c.c.Opened }),
		at("at", func(c *C) *time.Time { return &c.at }),
		word("parser", func(c *C) *string { return &c.c.Versions.Parser }),
		word("policy", func(c *C) *string { return &c.c.Versions.Policy }),
		word("data_map", func(c *C) *string { return &c.c.Versions.DataMap }),
		word("controls", func(c *C) *string { return &c.c.Versions.Controls }),
		word("country", func(c *C) *string { return &c.c.Versions.Country }),
		word("keys", func(c *C) *string { return &c.c.Versions.Keys }),
		str("salt", func(c *C) *string { return &c.salt }),
		words("streams", func(c *C) *[]string { return &c.streams.streams }),
		u64s("stream_generations", func(c *C) *[]uint64 { return &c.streams.generations }),
		u64s("stream_from", func(c *C) *[]uint64 { return &c.streams.from }),
		u64s("stream_until", func(c *C) *[]uint64 { return &c.streams.until }),
		words("stream_taps", func(c *C) *[]string { return &c.streams.taps }),
		words("stream_boots", func(c *C) *[]string { return &c.streams.boots }),
		u64s("stream_sequences", func(c *C) *[]uint64 { return &c.streams.sequences }),
		strs("stream_heads", func(c *C) *[]string { return &c.streams.heads }),
		u32("entries", func(c *C) *uint32 { return &c.c.Entries }),
		u32("rejections", func(c *C) *uint32 { return &c.c.Rejections }),
		u32("findings", func(c *C) *uint32 { return &c.c.Findings }),
		u32("capsules", func(c *C) *uint32 { return &c.c.Capsules }),
		u32("originals", func(c *C) *uint32 { return &c.c.Originals }),
		kv("roots", func(c *C) *map[string]string { return &c.roots }),
		kv("row_marks", func(c *C) *map[string]string { return &c.marks }),
	}}
}

// leafedTable has the columns that a leaf is made of, and where the chunk stands.
func leafedTable() *table[chunk] {
	t := chunksTable()
	t.fields = slices.DeleteFunc(t.fields, func(f field[chunk]) bool {
		switch f.name {
		case "id", "version", "partition", "from", "entries", "rejections", "findings", "capsules", "originals", "roots", "row_marks":
			return false
		}
		return true
	})
	return t
}

func (r *chunk) fromAudit(c *audit.Chunk) {
	r.c, r.partition, r.from, r.until, r.salt = *c, uint32(c.Partition), uint64(c.From), uint64(c.Until), string(c.Salt)
	for _, s := range c.Streams {
		l := &r.streams
		l.streams, l.taps, l.boots = append(l.streams, s.Stream), append(l.taps, s.Tap), append(l.boots, s.Boot)
		l.generations, l.sequences = append(l.generations, uint64(s.Generation)), append(l.sequences, s.Sequence)
		l.from, l.until, l.heads = append(l.from, s.From), append(l.until, s.Until), append(l.heads, string(s.Head))
	}
	r.roots, r.marks = texts(c.Roots), texts(c.RowMarks)
}

func (r *chunk) toAudit() *audit.Chunk {
	c := r.c
	c.Partition, c.From, c.Until, c.Salt = int(r.partition), int64(r.from), int64(r.until), []byte(r.salt)
	l := &r.streams
	for i := range l.streams {
		c.Streams = append(c.Streams, audit.StreamRange{
			Stream: l.streams[i], Generation: uint32(l.generations[i]), From: l.from[i], Until: l.until[i],
			Tap: l.taps[i], Boot: l.boots[i], Sequence: l.sequences[i], Head: []byte(l.heads[i]),
		})
	}
	c.Roots, c.RowMarks = blobs(r.roots), blobs(r.marks)
	return &c
}

func texts(m map[string][]byte) map[string]string {
	out := make(map[string]string, len(m))
	for k, v := range m {
		out[k] = string(v)
	}
	return out
}

func blobs(m map[string]string) map[string][]byte {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string][]byte, len(m))
	for k, v := range m {
		out[k] = []byte(v)
	}
	return out
}

// CloseChunk says that all rows of chunk c are stored. From then on the chunk
// counts for Position and StreamRanges and waits for its leaf.
func (s *Store) CloseChunk(ctx context.Context, c *audit.Chunk) error {
	return s.insertChunk(ctx, c, stateClosed, tokenOf(c, "chunk-"+stateClosed))
}

func (s *Store) insertChunk(ctx context.Context, c *audit.Chunk, state, token string) error {
	var r chunk
	r.fromAudit(c)
	r.state, r.at = state, s.now().UTC()
	if state != stateClosed {
		r.marks = nil // they may change until the chunk closes
	}
	b := newBlock(s.chunks)
	if err := b.append(&r); err != nil {
		return err
	}
	return insert(ctx, s, b, token)
}

// Position returns the Kafka offset at which a partition goes on, 0 if nothing
// of it is stored, and the chunk that was announced there and not closed, nil
// if there is none.
func (s *Store) Position(ctx context.Context, partition int) (next int64, open *audit.Chunk, err error) {
	params := clickhouse.Parameters{"p": fmt.Sprint(partition)}
	// Only the one column: chunks carry the marks of all their rows.
	untils := &table[chunk]{name: "chunks", fields: []field[chunk]{u64("until", func(c *chunk) *uint64 { return &c.until })}}
	err = each(ctx, s, untils, "FROM chunks WHERE partition = {p:UInt32} AND state = 'closed' ORDER BY until DESC LIMIT 1", params, func(c *chunk) error {
		next = int64(c.until)
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	params["next"] = fmt.Sprint(next)
	err = each(ctx, s, s.chunks, `FROM chunks WHERE partition = {p:UInt32} AND from >= {next:UInt64} AND version = 1 AND state = 'open'
		ORDER BY from, at LIMIT 1`, params, func(c *chunk) error {
		open = c.toAudit()
		return nil
	})
	return next, open, err
}

// ClosedSince returns the closed chunks of a partition that reach beyond a
// Kafka offset, in order.
func (s *Store) ClosedSince(ctx context.Context, partition int, from int64) ([]*audit.Chunk, error) {
	var out []*audit.Chunk
	params := clickhouse.Parameters{"p": fmt.Sprint(partition), "from": fmt.Sprint(max(from, 0))}
	err := each(ctx, s, s.chunks, `FROM chunks WHERE partition = {p:UInt32} AND until > {from:UInt64} AND state = 'closed' AND version = 1
		ORDER BY from, id`, params, func(c *chunk) error {
		out = append(out, c.toAudit())
		return nil
	})
	return out, err
}
