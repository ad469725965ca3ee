package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
)

// blockRows is how many rows come in one block when rows of many chunks are
// read: a block of the widest table stays under 10 MB.
const blockRows = 8192

// keyRow is a version of a chunk and how many rows a table has of it.
type keyRow struct {
	audit.ChunkKey
	rows uint64
}

func keysTable(name string) *table[keyRow] {
	return &table[keyRow]{name: name, fields: []field[keyRow]{
		str("chunk", func(k *keyRow) *string { return &k.ID }),
		u16("version", func(k *keyRow) *uint16 { return &k.Version }),
		u64("rows", func(k *keyRow) *uint64 { return &k.rows }),
	}}
}

// EachState calls fn for each row of the register of chunks: one of when a
// chunk opened, one of when it closed.
func (s *Store) EachState(ctx context.Context, fn func(audit.ChunkState) error) error {
	type R = chunk
	t := &table[R]{name: "chunks", fields: []field[R]{
		str("id", func(c *R) *string { return &c.c.ID }),
		u16("version", func(c *R) *uint16 { return &c.c.Version }),
		word("state", func(c *R) *string { return &c.state }),
		at("opened", func(c *R) *time.Time { return &c.c.Opened }),
		str("salt", func(c *R) *string { return &c.salt }),
	}}
	return each(ctx, s, t, "FROM chunks", nil, func(c *R) error {
		return fn(audit.ChunkState{
			ChunkKey: audit.ChunkKey{ID: c.c.ID, Version: c.c.Version}, Closed: c.state == stateClosed, Opened: c.c.Opened, Salt: []byte(c.salt),
		})
	})
}

// EachSuperseded calls fn for each version of a chunk that the views hide.
func (s *Store) EachSuperseded(ctx context.Context, fn func(audit.ChunkKey) error) error {
	return s.eachKey(ctx, "superseded", fn)
}

// EachReplayed calls fn for each chunk of replayed rejections that readers see
// and whose entries are not exactly the lines that replayed names.
func (s *Store) EachReplayed(ctx context.Context, fn func(chunk string, strange, shown uint64) error) error {
	type row struct {
		chunk          string
		strange, shown uint64
	}
	t := &table[row]{name: "replayed", fields: []field[row]{
		str("chunk", func(r *row) *string { return &r.chunk }),
		u64("strange", func(r *row) *uint64 { return &r.strange }),
		u64("shown", func(r *row) *uint64 { return &r.shown }),
	}}
	const line = "SELECT CAST(t.chunk, 'String') AS chunk, CAST(t.stream, 'String') AS stream, generation, `offset`, "
	return each(ctx, s, t, `FROM (SELECT chunk, countIf(hidden AND NOT held) AS strange, countIf(held AND NOT hidden) AS shown FROM (
		SELECT chunk, max(h) AS hidden, max(e) AS held FROM (`+line+`1 AS h, 0 AS e FROM replayed AS t
			UNION ALL `+line+`0 AS h, 1 AS e FROM entries_all AS t WHERE t.chunk IN (SELECT id FROM chunks WHERE partition = {none:UInt32} AND version = 2))
		GROUP BY chunk, stream, generation, `+"`offset`"+`) WHERE chunk IN (SELECT chunk FROM superseded) GROUP BY chunk HAVING strange + shown > 0)`,
		clickhouse.Parameters{"none": fmt.Sprint(uint32(NoPartition))}, func(r *row) error { return fn(r.chunk, r.strange, r.shown) })
}

// EachStored calls fn for each version of a chunk that has rows in the store,
// once a table. Findings of no chunk, which versions before stored, are left out.
func (s *Store) EachStored(ctx context.Context, fn func(audit.ChunkKey) error) error {
	for _, name := range []string{s.entries.name, s.rejections.name, s.findings.name, s.capsules.name, s.originals.name} {
		if err := s.eachKey(ctx, name, fn); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) eachKey(ctx context.Context, name string, fn func(audit.ChunkKey) error) error {
	from := "FROM (SELECT CAST(t.chunk, 'String') AS chunk, version, count() AS rows FROM " + name + " AS t WHERE t.chunk != '' GROUP BY chunk, version)"
	return each(ctx, s, keysTable(name), from, nil, func(k *keyRow) error { return fn(k.ChunkKey) })
}

// EntriesOf calls fn for each stored entry of some chunks, all their versions,
// in no order. The entry is reused: fn may keep its strings and slices, not the
// pointer.
func (s *Store) EntriesOf(ctx context.Context, chunks []string, fn func(audit.ChunkKey, uint32, *audit.Entry) error) error {
	return rowsOf(ctx, s, s.entries, chunks, func(e *audit.Entry) error {
		return fn(audit.ChunkKey{ID: e.Chunk, Version: e.Version}, e.Row, e)
	})
}

// RejectionsOf is EntriesOf for rejections.
func (s *Store) RejectionsOf(ctx context.Context, chunks []string, fn func(audit.ChunkKey, uint32, *audit.Rejection) error) error {
	return rowsOf(ctx, s, s.rejections, chunks, func(r *rejection) error {
		return fn(audit.ChunkKey{ID: r.chunk, Version: r.version}, r.row, r.toAudit())
	})
}

// FindingsOf is EntriesOf for findings.
func (s *Store) FindingsOf(ctx context.Context, chunks []string, fn func(audit.ChunkKey, uint32, *audit.Finding) error) error {
	return rowsOf(ctx, s, s.findings, chunks, func(f *finding) error {
		return fn(audit.ChunkKey{ID: f.Chunk, Version: f.version}, f.row, &f.Finding)
	})
}

// rowsOf reads the rows of chunks in one pass. The index over the chunks' names
// keeps the pass to where they are. The names stand in the statement, quoted: as
// a parameter they would be part of an address, whose length servers limit.
func rowsOf[T any](ctx context.Context, s *Store, t *table[T], chunks []string, fn func(*T) error) error {
	from := fmt.Sprintf("FROM %s WHERE chunk IN (%s) SETTINGS max_block_size = %d", t.name, literals(chunks), blockRows)
	return each(ctx, s, t, from, nil, fn)
}

// literals are strings as a list of literals.
func literals(list []string) string {
	var b strings.Builder
	quote := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	for i, v := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("'" + quote.Replace(v) + "'")
	}
	return b.String()
}
