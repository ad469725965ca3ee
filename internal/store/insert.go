package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
)

// EntryBlock collects the entries of one chunk in the form in which they are
// sent. It is made once and reused; not safe for concurrent use.
type EntryBlock struct{ b *block[audit.Entry] }

// NewEntryBlock returns an empty block.
func NewEntryBlock() *EntryBlock { return &EntryBlock{newBlock(entriesTable())} }

// Append adds an entry and copies what it needs of it. It fails for a time
// outside the years 1900 to 2261; after an error the block must be reset.
func (b *EntryBlock) Append(e *audit.Entry) error { return b.b.append(e) }

// AppendAll adds entries as Append does, and faster.
func (b *EntryBlock) AppendAll(es []*audit.Entry) error { return b.b.appendAll(es) }

// Rows is the number of entries in the block.
func (b *EntryBlock) Rows() int { return b.b.rows }

// Reset empties the block and keeps its memory.
func (b *EntryBlock) Reset() { b.b.reset() }

// token names what one insert writes; the store takes each token once, within
// its last 10,000 blocks a table.
func token(chunk string, version uint16, table string) string {
	return chunk + "-" + strconv.Itoa(int(version)) + "-" + table
}

// tokenOf is the token of a chunk's insert. Attempts at a later version may be
// given up and made anew: each has a salt of its own.
func tokenOf(c *audit.Chunk, table string) string {
	t := token(c.ID, c.Version, table)
	if c.Version > 1 && len(c.Salt) >= 8 {
		t += "-" + hex.EncodeToString(c.Salt[:8])
	}
	return t
}

// insertSettings make an insert durable when it returns, and count once under
// its token, materialised views included. Without a token it counts each time.
func insertSettings(token string) clickhouse.Settings {
	if token == "" {
		token = rand.Text()
	}
	return clickhouse.Settings{
		"async_insert":               0,
		"insert_deduplicate":         1,
		"insert_deduplication_token": token,
		"deduplicate_blocks_in_dependent_materialized_views": 1,
		// What a view counted has no two rows to sum.
		"optimize_on_insert": 0,
		// One block stays one block, whatever its size and its months.
		"max_partitions_per_insert_block": 0,
		"max_insert_block_size":           maxRows,
		"min_insert_block_size_rows":      maxRows,
		"min_insert_block_size_bytes":     0,
		"max_insert_threads":              1,
	}
}

func withSettings(ctx context.Context, more clickhouse.Settings) context.Context {
	all := base()
	maps.Copy(all, more)
	return clickhouse.Context(ctx, clickhouse.WithSettings(all))
}

// fewRows are read as fast as their skip indexes would be, which are two files
// each: the first merge makes those.
const fewRows = 1000

// insert sends one block under a token. An empty block is not sent.
func insert[T any](ctx context.Context, s *Store, b *block[T], token string) error {
	if b.rows == 0 {
		return nil
	}
	sql := "INSERT INTO " + b.t.name + " (" + b.t.columns() + ")"
	set := insertSettings(token)
	if b.rows < fewRows {
		set["materialize_skip_indexes_on_insert"] = 0
	}
	if err := s.conn.InsertFormat(withSettings(ctx, set), "Native", sql, b.encode()); err != nil {
		return fmt.Errorf("failed to insert %d rows into %s: %w", b.rows, b.t.name, err)
	}
	return nil
}

// InsertEntries writes the entries of chunk c. Inserting the same chunk again
// changes nothing: the first rows stay. The block may be reused once this has
// returned.
func (s *Store) InsertEntries(ctx context.Context, c *audit.Chunk, b *EntryBlock) error {
	return insert(ctx, s, b.b, tokenOf(c, "entries"))
}

// InsertRejections writes the rejections of chunk c in their order, once.
func (s *Store) InsertRejections(ctx context.Context, c *audit.Chunk, rs []audit.Rejection) error {
	return s.InsertRejectionsBut(ctx, c, rs, nil)
}

// InsertRejectionsBut is InsertRejections without what is kept.
func (s *Store) InsertRejectionsBut(ctx context.Context, c *audit.Chunk, rs []audit.Rejection, kept *Kept) error {
	b := newBlock(s.rejections)
	for i := range rs {
		if kept.rejection(&rs[i]) {
			continue
		}
		r := rejection{Rejection: rs[i], chunk: c.ID, version: c.Version, row: uint32(i)}
		r.fromAudit()
		if err := b.append(&r); err != nil {
			return err
		}
	}
	return insert(ctx, s, b, tokenOf(c, "rejections"))
}

// InsertFindings writes the findings of chunk c in their order, once.
func (s *Store) InsertFindings(ctx context.Context, c *audit.Chunk, fs []audit.Finding) error {
	return s.InsertFindingsBut(ctx, c, fs, nil)
}

// InsertFindingsBut is InsertFindings without what is kept.
func (s *Store) InsertFindingsBut(ctx context.Context, c *audit.Chunk, fs []audit.Finding, kept *Kept) error {
	return s.insertFindings(ctx, c.ID, c.Version, tokenOf(c, "findings"), fs, kept)
}

func (s *Store) insertFindings(ctx context.Context, chunk string, version uint16, token string, fs []audit.Finding, kept *Kept) error {
	b := newBlock(s.findings)
	for i := range fs {
		if kept.finding(&fs[i]) {
			continue
		}
		f := finding{Finding: fs[i], version: version, row: uint32(i)}
		f.Chunk = chunk
		if err := b.append(&f); err != nil {
			return err
		}
	}
	return insert(ctx, s, b, token)
}

// Completeness counts what a source sent in one hour.
type Completeness struct {
	Source   string
	Hour     time.Time // start of the hour, UTC
	Received uint64    // lines that became entries or rejections
	Missing  uint64    // lines that a tap lost, or that its chain shows to be missing
	Rejected uint64    // of Received, those that were rejected
}

// InsertCompleteness adds counts that chunk c shows besides its rows, once: its
// entries and rejections count themselves as they are inserted.
func (s *Store) InsertCompleteness(ctx context.Context, c *audit.Chunk, rows []Completeness) error {
	return s.insertCompleteness(ctx, tokenOf(c, "completeness"), rows)
}

// InsertLost adds counts that come from no chunk, once per batch name.
func (s *Store) InsertLost(ctx context.Context, batch string, rows ...Completeness) error {
	return s.insertCompleteness(ctx, "lost-"+batch, rows)
}

func (s *Store) insertCompleteness(ctx context.Context, token string, rows []Completeness) error {
	b := newBlock(s.complete)
	for i := range rows {
		if err := b.append(&rows[i]); err != nil {
			return err
		}
	}
	return insert(ctx, s, b, token)
}
