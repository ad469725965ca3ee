package store

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
)

// NoPartition is the partition of chunks that come from no offset range: those
// of rejections that were replayed.
const NoPartition = math.MaxUint32

// Span says which lines are meant: those counted in the hours of From <= t <
// Until, of one source or of all if it is "".
type Span struct {
	From, Until time.Time
	Source      string
}

func (p Span) params() clickhouse.Parameters {
	const format = "2006-01-02 15:04:05"
	return clickhouse.Parameters{"begin": p.From.UTC().Format(format), "end": p.Until.UTC().Format(format), "source": p.Source}
}

// ChunksOf returns the chunks of which readers see lines of a span, without
// roots and row marks, in the order of their partitions. Chunks whose entries
// were removed by their age are left out: rollups count them still.
func (s *Store) ChunksOf(ctx context.Context, p Span) ([]*audit.Chunk, error) {
	bare := &table[chunk]{name: s.chunks.name}
	for _, f := range s.chunks.fields {
		if f.name != "roots" && f.name != "row_marks" {
			bare.fields = append(bare.fields, f)
		}
	}
	params := p.params()
	params["none"] = fmt.Sprint(uint32(NoPartition))
	var out []*audit.Chunk
	err := each(ctx, s, bare, `FROM chunks WHERE state = 'closed' AND partition != {none:UInt32}
		AND (id, version) NOT IN (SELECT chunk, version FROM expired_all WHERE class = 'entries') AND (id, version) IN (
		SELECT chunk, version FROM entries WHERE event_time >= {begin:DateTime('UTC')} AND event_time < {end:DateTime('UTC')}
			AND ({source:String} = '' OR source = {source:String})
		UNION DISTINCT SELECT chunk, version FROM rejections WHERE reason != 'tap'
			AND hour >= toStartOfHour({begin:DateTime('UTC')}) AND hour < {end:DateTime('UTC')} AND ({source:String} = '' OR source = {source:String}))
		ORDER BY partition, from, id`, params, func(c *chunk) error {
		out = append(out, c.toAudit())
		return nil
	})
	return out, err
}

// Line names a line of a chunk.
type Line struct {
	Stream     string
	Generation uint32
	Offset     uint64
	Mark       uint32
}

// LinesOf calls fn for each line of a chunk's version that readers see, entry or
// rejection.
func (s *Store) LinesOf(ctx context.Context, c *audit.Chunk, fn func(Line)) error {
	t := &table[Line]{name: "the lines of a chunk", fields: []field[Line]{
		word("stream", func(l *Line) *string { return &l.Stream }),
		u32("generation", func(l *Line) *uint32 { return &l.Generation }),
		u64("offset", func(l *Line) *uint64 { return &l.Offset }),
		u32("mark", func(l *Line) *uint32 { return &l.Mark }),
	}}
	const columns, of = "SELECT stream, generation, `offset`, mark FROM ", " WHERE chunk = {chunk:String} AND version = {version:UInt16}"
	return each(ctx, s, t, "FROM ("+columns+"entries_all"+of+" UNION ALL "+columns+"rejections"+of+" AND reason != 'tap')", ofChunk(c.ID, c.Version), func(l *Line) error {
		fn(*l)
		return nil
	})
}

// Attempt says whether a version of a chunk was begun, and whether it closed.
func (s *Store) Attempt(ctx context.Context, id string, version uint16) (begun, closed bool, err error) {
	n, err := s.number(ctx, "SELECT countIf(state = 'open') + 1000000 * countIf(state = 'closed') FROM chunks WHERE id = {chunk:String} AND version = {version:UInt16}", ofChunk(id, version))
	return n > 0, n >= 1_000_000, err
}

// Unfinished is a later version of a chunk that readers do not see, because its
// replay was interrupted or is under way.
type Unfinished struct {
	audit.ChunkKey
	Closed bool
	At     time.Time // when it was last written in chunks
}

// UnfinishedReplays returns the versions that were begun and are not seen.
func (s *Store) UnfinishedReplays(ctx context.Context) ([]Unfinished, error) {
	later, err := s.number(ctx, "SELECT count() FROM chunks WHERE version > 1", nil)
	if err != nil {
		return nil, fmt.Errorf("failed to look for later versions of chunks: %w", err)
	}
	if later == 0 {
		return nil, nil // as nearly always, for a tenth of the work
	}
	type row struct {
		Unfinished
		closed uint64
	}
	t := &table[row]{name: "chunks", fields: []field[row]{
		str("id", func(r *row) *string { return &r.ID }),
		u16("version", func(r *row) *uint16 { return &r.Version }),
		u64("closed", func(r *row) *uint64 { return &r.closed }),
		at("at", func(r *row) *time.Time { return &r.At }),
	}}
	var out []Unfinished
	err = each(ctx, s, t, `FROM (SELECT c.id AS id, c.version AS version, countIf(c.state = 'closed') AS closed, max(c.at) AS at FROM chunks AS c WHERE c.version > 1 GROUP BY id, version)
		WHERE closed = 0 OR (id, toUInt16(version - 1)) NOT IN (SELECT chunk, version FROM superseded) ORDER BY id, version`, nil, func(r *row) error {
		r.Closed = r.closed > 0
		out = append(out, r.Unfinished)
		return nil
	})
	return out, err
}

// Discard removes what an attempt at a later version left behind.
func (s *Store) Discard(ctx context.Context, id string, version uint16) error {
	for _, t := range []struct{ table, id string }{
		{"entries_all", "chunk"}, {"rejections_all", "chunk"}, {"findings_all", "chunk"}, {"capsules", "chunk"}, {"originals", "chunk"}, {"entries_quarterly_all", "chunk"}, {"completeness_all", "chunk"}, {"chunks", "id"},
	} {
		ctx := clickhouse.Context(ctx, clickhouse.WithSettings(withMutations()), clickhouse.WithParameters(ofChunk(id, version)))
		if err := s.conn.Exec(ctx, s.layout.alter(t.table)+" DELETE WHERE "+t.id+" = {chunk:String} AND version = {version:UInt16}"); err != nil {
			return fmt.Errorf("failed to remove what an interrupted replay left in %s: %w", t.table, err)
		}
	}
	return nil
}

func withMutations() clickhouse.Settings {
	set := base()
	set["mutations_sync"] = 2
	return set
}

// Sequenced reports whether the ledger has the leaf of a chunk's version.
func (s *Store) Sequenced(ctx context.Context, id string, version uint16) (bool, error) {
	n, err := s.number(ctx, "SELECT count() FROM leaves WHERE chunk = {chunk:String} AND version = {version:UInt16}", ofChunk(id, version))
	return n > 0, err
}

// GapsBeside returns the ids of the gaps that readers see in other chunks than
// these.
func (s *Store) GapsBeside(ctx context.Context, chunks []string) ([]string, error) {
	quoted := make([]string, len(chunks))
	for i, c := range chunks {
		quoted[i] = "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(c) + "'"
	}
	var out []string
	t := &table[string]{name: "findings", fields: []field[string]{str("id", func(s *string) *string { return s })}}
	err := each(ctx, s, t, `FROM findings_all WHERE kind = 'gap' AND (chunk, version) NOT IN (SELECT chunk, version FROM superseded)
		AND chunk NOT IN {not:Array(String)} GROUP BY id`, clickhouse.Parameters{"not": "[" + strings.Join(quoted, ",") + "]"}, func(id *string) error {
		out = append(out, *id)
		return nil
	})
	return out, err
}

// RejectedIn returns the next rejections of a span that readers see, after one
// of them or from the first if that is nil, at most limit, by source and origin.
// Batches that could not be believed are none.
func (s *Store) RejectedIn(ctx context.Context, p Span, after *audit.Rejection, limit int) ([]audit.Rejection, error) {
	params := p.params()
	params["limit"] = fmt.Sprint(limit)
	where := ""
	if after != nil {
		where = "AND (source, stream, generation, `offset`) > ({s:String}, {t:String}, {g:UInt32}, {o:UInt64})"
		params["s"], params["t"] = after.Source, after.Origin.Stream
		params["g"], params["o"] = fmt.Sprint(after.Origin.Generation), fmt.Sprint(after.Origin.Offset)
	}
	var out []audit.Rejection
	err := each(ctx, s, s.rejections, `FROM rejections WHERE reason != 'tap' AND hour >= toStartOfHour({begin:DateTime('UTC')}) AND hour < {end:DateTime('UTC')}
		AND ({source:String} = '' OR source = {source:String}) `+where+" ORDER BY source, stream, generation, `offset` LIMIT {limit:UInt32}", params, func(r *rejection) error {
		out = append(out, *r.toAudit())
		return nil
	})
	return out, err
}

// Replayed says that chunk c holds the entries of these rejections. Readers see
// them as rejections no more, and completeness counts them as read, from the
// moment at which c is seen.
func (s *Store) Replayed(ctx context.Context, c *audit.Chunk, rs []audit.Rejection) error {
	b := newBlock(replayedTable())
	type place struct {
		source string
		hour   time.Time
	}
	counts := map[place]uint64{}
	for i := range rs {
		if err := b.append(&replayed{origin: rs[i].Origin, chunk: c.ID}); err != nil {
			return err
		}
		counts[place{rs[i].Source, rs[i].Hour.Truncate(time.Hour)}]++
	}
	if err := insert(ctx, s, b, tokenOf(c, "replayed")); err != nil {
		return err
	}
	off := newBlock(countsTable())
	for p, n := range counts {
		if err := off.append(&counted{Completeness{Source: p.source, Hour: p.hour, Received: -n, Rejected: -n}, c.ID, c.Version}); err != nil {
			return err
		}
	}
	return insert(ctx, s, off, tokenOf(c, "off-rejected"))
}

// replayed is a row of replayed.
type replayed struct {
	origin audit.Origin
	chunk  string
}

func replayedTable() *table[replayed] {
	type R = replayed
	return &table[R]{name: "replayed", fields: []field[R]{
		word("stream", func(r *R) *string { return &r.origin.Stream }),
		u32("generation", func(r *R) *uint32 { return &r.origin.Generation }),
		u64("offset", func(r *R) *uint64 { return &r.origin.Offset }),
		str("chunk", func(r *R) *string { return &r.chunk }),
	}}
}

// counted is a row of completeness_all that belongs to a version of a chunk.
type counted struct {
	Completeness
	chunk   string
	version uint16
}

func countsTable() *table[counted] {
	type C = counted
	return &table[C]{name: "completeness_all", fields: []field[C]{
		word("source", func(c *C) *string { return &c.Source }),
		at("hour", func(c *C) *time.Time { return &c.Hour }),
		u64("received", func(c *C) *uint64 { return &c.Received }),
		u64("rejected", func(c *C) *uint64 { return &c.Rejected }),
		word("chunk", func(c *C) *string { return &c.chunk }),
		u16("version", func(c *C) *uint16 { return &c.version }),
	}}
}

// ClosedBefore is the offset up to which a partition's chunks closed before t.
func (s *Store) ClosedBefore(ctx context.Context, partition int, t time.Time) (int64, error) {
	n, err := s.number(ctx, "SELECT max(until) FROM chunks WHERE partition = {p:UInt32} AND state = 'closed' AND at < {t:DateTime64(9, 'UTC')}",
		clickhouse.Parameters{"p": fmt.Sprint(partition), "t": t.UTC().Format("2006-01-02 15:04:05.000000000")})
	return int64(n), err
}
