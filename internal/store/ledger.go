package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
)

// leafWindow is how much of the register of chunks is compared with the leaves
// in one statement: what it keeps in memory grows with the chunks of a day, not
// with the record.
const leafWindow = 24 * time.Hour

// endOfTime is after every time that ClickHouse can hold in nanoseconds, but one.
var endOfTime = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)

// ClosedWithoutLeaf returns the chunks that closed at or after since and that
// the ledger has not sequenced, oldest first, at most limit.
func (s *Store) ClosedWithoutLeaf(ctx context.Context, since time.Time, limit int) ([]*audit.Chunk, error) {
	if s.now().Sub(since) < leafWindow {
		places, err := s.withoutLeaf(ctx, since, endOfTime, nil, limit)
		if err != nil {
			return nil, err
		}
		return s.closedAt(ctx, places)
	}
	var first, last time.Time
	bounds := &table[chunk]{name: "chunks", fields: []field[chunk]{
		at("opened", func(c *chunk) *time.Time { return &c.c.Opened }), at("at", func(c *chunk) *time.Time { return &c.at }),
	}}
	err := each(ctx, s, bounds, `FROM (SELECT min(c.at) AS opened, max(c.at) AS at FROM chunks AS c
		WHERE state = 'closed' AND c.at >= {since:DateTime64(9, 'UTC')} HAVING count() > 0)`, clickhouse.Parameters{"since": sqlTime(since)}, func(c *chunk) error {
		first, last = c.c.Opened, c.at
		return nil
	})
	if err != nil || last.IsZero() {
		return nil, err
	}
	var places []place
	for from := first; !from.After(last) && len(places) < limit; from = from.Add(leafWindow) {
		if places, err = s.withoutLeaf(ctx, from, from.Add(leafWindow), places, limit); err != nil {
			return nil, err
		}
	}
	return s.closedAt(ctx, places)
}

// ClosedAmong returns those of the chunks that the store has as closed, as it
// has them, with what a leaf is made of, in their order. Of those given only the
// places are used.
func (s *Store) ClosedAmong(ctx context.Context, chunks []*audit.Chunk) ([]*audit.Chunk, error) {
	places := make([]place, 0, len(chunks))
	for _, c := range chunks {
		places = append(places, place{id: c.ID, version: c.Version, partition: uint32(c.Partition), from: uint64(c.From)})
	}
	return s.closedAt(ctx, places)
}

func (s *Store) closedAt(ctx context.Context, places []place) ([]*audit.Chunk, error) {
	out := make([]*audit.Chunk, 0, len(places))
	for some := range slices.Chunk(places, chunksAtOnce) {
		found, err := s.chunksAt(ctx, some)
		if err != nil {
			return nil, err
		}
		for _, p := range some {
			if c := found[audit.ChunkKey{ID: p.id, Version: p.version}]; c != nil {
				out = append(out, c)
			}
		}
	}
	return out, nil
}

// withoutLeaf appends where the chunks without leaf are that closed in a window.
func (s *Store) withoutLeaf(ctx context.Context, from, until time.Time, places []place, limit int) ([]place, error) {
	const window = "state = 'closed' AND at >= {from:DateTime64(9, 'UTC')} AND at < {until:DateTime64(9, 'UTC')}"
	err := each(ctx, s, placesTable(), "FROM chunks WHERE "+window+` AND (id, version) NOT IN
		(SELECT chunk, version FROM leaves WHERE chunk IN (SELECT id FROM chunks WHERE `+window+`))
		ORDER BY at, id LIMIT {n:UInt32}`, clickhouse.Parameters{
		"from": sqlTime(from), "until": sqlTime(until), "n": fmt.Sprint(limit - len(places)),
	}, func(p *place) error {
		places = append(places, *p)
		return nil
	})
	return places, err
}

// sqlTime is a time as a parameter of type DateTime64(9, 'UTC'), which begins in
// 1900.
func sqlTime(t time.Time) string {
	if t.Year() < 1970 {
		t = time.Unix(0, 0)
	}
	return t.UTC().Format("2006-01-02 15:04:05.000000000")
}

// SetLeaf records that a chunk became leaf index of the ledger. Recording it
// again changes nothing.
func (s *Store) SetLeaf(ctx context.Context, chunkID string, version uint16, index uint64) error {
	b := newBlock(s.leaves)
	if err := b.append(&leaf{chunk: chunkID, version: version, index: index, at: s.now().UTC()}); err != nil {
		return err
	}
	return insert(ctx, s, b, token(chunkID, version, "leaf"))
}

// place says where a chunk stands in chunks.
type place struct {
	id        string
	version   uint16
	partition uint32
	from      uint64
}

func placesTable() *table[place] {
	type P = place
	return &table[P]{name: "chunks", fields: []field[P]{
		str("id", func(p *P) *string { return &p.id }),
		u16("version", func(p *P) *uint16 { return &p.version }),
		u32("partition", func(p *P) *uint32 { return &p.partition }),
		u64("from", func(p *P) *uint64 { return &p.from }),
	}}
}

// chunksAtOnce bounds memory: a chunk with its row marks takes up to 1 MB.
const chunksAtOnce = 32

// chunksAt reads what leaves are made of from closed chunks, by their places.
func (s *Store) chunksAt(ctx context.Context, places []place) (map[audit.ChunkKey]*audit.Chunk, error) {
	keys := make([]string, 0, len(places))
	for _, p := range places {
		keys = append(keys, fmt.Sprintf("(%d,%d)", p.partition, p.from))
	}
	out := map[audit.ChunkKey]*audit.Chunk{}
	err := each(ctx, s, s.leafed, "FROM chunks WHERE (partition, from) IN {at:Array(Tuple(UInt32, UInt64))} AND state = 'closed'",
		clickhouse.Parameters{"at": "[" + strings.Join(keys, ",") + "]"}, func(r *chunk) error {
			c := r.toAudit()
			out[audit.ChunkKey{ID: c.ID, Version: c.Version}] = c
			return nil
		})
	return out, err
}

// Supersede says that a chunk's version is replaced by a later one: the views
// no longer show it.
func (s *Store) Supersede(ctx context.Context, chunkID string, version uint16) error {
	ctx = withSettings(ctx, insertSettings(token(chunkID, version, "superseded")))
	err := s.conn.Exec(clickhouse.Context(ctx, clickhouse.WithParameters(ofChunk(chunkID, version))),
		"INSERT INTO superseded SELECT {chunk:String}, {version:UInt16}, now64(3)")
	if err != nil {
		return fmt.Errorf("failed to supersede a chunk: %w", err)
	}
	return nil
}

// streamRange is a row of stream_ranges, a view of closed chunks. That a chunk
// has a stream is asked for apart: the index of chunks answers it.
type streamRange struct {
	r    audit.StreamRange
	head string
	at   time.Time
}

func streamRangesTable() *table[streamRange] {
	type R = streamRange
	return &table[R]{name: "stream_ranges", fields: []field[R]{
		str("stream", func(r *R) *string { return &r.r.Stream }),
		u32("generation", func(r *R) *uint32 { return &r.r.Generation }),
		u64("from", func(r *R) *uint64 { return &r.r.From }),
		u64("until", func(r *R) *uint64 { return &r.r.Until }),
		str("tap", func(r *R) *string { return &r.r.Tap }),
		str("boot", func(r *R) *string { return &r.r.Boot }),
		u64("sequence", func(r *R) *uint64 { return &r.r.Sequence }),
		str("head", func(r *R) *string { return &r.head }),
		at("at", func(r *R) *time.Time { return &r.at }),
	}}
}

// StreamRanges returns what closed chunks hold of a stream, joined where ranges
// touch, by generation and offset. Tap, Boot, Sequence and Head of a range are
// those of the newest batch in it.
func (s *Store) StreamRanges(ctx context.Context, stream string) ([]audit.StreamRange, error) {
	var out []audit.StreamRange
	var newest time.Time // of the last range
	err := each(ctx, s, s.ranges, `FROM stream_ranges WHERE has(streams, {s:String}) AND stream = {s:String}
		AND (chunk, version) NOT IN (SELECT chunk, version FROM superseded)
		ORDER BY generation, from, until, at, sequence`, clickhouse.Parameters{"s": stream}, func(r *streamRange) error {
		v := r.r
		v.Head = []byte(r.head)
		if len(out) == 0 || out[len(out)-1].Generation != v.Generation || out[len(out)-1].Until < v.From {
			out, newest = append(out, v), r.at
			return nil
		}
		last := &out[len(out)-1]
		from, until := last.From, max(last.Until, v.Until)
		if r.at.After(newest) || r.at.Equal(newest) && (v.Boot != last.Boot || v.Sequence >= last.Sequence) {
			*last, newest = v, r.at
		}
		last.From, last.Until = from, until
		return nil
	})
	return out, err
}

// Heads returns where the newest chains of headers of a stream stand: of each
// tap and boot the highest sequence with its head, oldest first.
func (s *Store) Heads(ctx context.Context, stream string) ([]audit.StreamRange, error) {
	const newest = 16
	t := &table[streamRange]{name: "stream_ranges", fields: []field[streamRange]{
		str("tap", func(r *streamRange) *string { return &r.r.Tap }),
		str("boot", func(r *streamRange) *string { return &r.r.Boot }),
		u64("sequence", func(r *streamRange) *uint64 { return &r.r.Sequence }),
		str("head", func(r *streamRange) *string { return &r.head }),
	}}
	var out []audit.StreamRange
	err := each(ctx, s, t, `FROM (SELECT tap, boot, max(r.sequence) AS sequence, argMax(r.head, r.sequence) AS head, max(r.at) AS newest
		FROM stream_ranges AS r WHERE has(streams, {s:String}) AND stream = {s:String} GROUP BY tap, boot ORDER BY newest DESC LIMIT {n:UInt32}) ORDER BY newest`,
		clickhouse.Parameters{"s": stream, "n": fmt.Sprint(newest)}, func(r *streamRange) error {
			v := r.r
			v.Stream, v.Head = stream, []byte(r.head)
			out = append(out, v)
			return nil
		})
	return out, err
}

// Mark is the keyed mark of a stored line.
type Mark struct {
	Offset uint64
	Mark   uint32
}

func marksTable() *table[Mark] {
	return &table[Mark]{name: "entries_all", fields: []field[Mark]{
		u64("offset", func(m *Mark) *uint64 { return &m.Offset }),
		u32("mark", func(m *Mark) *uint32 { return &m.Mark }),
	}}
}

// Marks returns the marks of the lines that the store holds of a stream's
// generation with offsets from <= o < until, entries and rejections, by offset.
// Rows of the chunk except are left out: one that is redone must not take its
// own rows for older ones.
func (s *Store) Marks(ctx context.Context, stream string, generation uint32, from, until uint64, except string) ([]Mark, error) {
	const where = "WHERE stream = {s:String} AND generation = {g:UInt32} AND `offset` >= {from:UInt64} AND `offset` < {until:UInt64} AND chunk != {x:String}"
	var out []Mark
	err := each(ctx, s, s.marks, "FROM (SELECT `offset`, mark FROM entries_all "+where+
		" UNION ALL SELECT `offset`, mark FROM rejections_all "+where+") ORDER BY `offset`, mark", clickhouse.Parameters{
		"s": stream, "g": fmt.Sprint(generation), "from": fmt.Sprint(from), "until": fmt.Sprint(until), "x": except,
	}, func(m *Mark) error {
		out = append(out, *m)
		return nil
	})
	return out, err
}

// GapIDs returns the ids of all gap findings that readers see.
func (s *Store) GapIDs(ctx context.Context) ([]string, error) {
	var out []string
	t := &table[string]{name: "findings_all", fields: []field[string]{str("id", func(s *string) *string { return s })}}
	err := each(ctx, s, t, "FROM findings_all WHERE kind = 'gap' AND (chunk, version) NOT IN (SELECT chunk, version FROM superseded) GROUP BY id ORDER BY id", nil, func(id *string) error {
		out = append(out, *id)
		return nil
	})
	return out, err
}
