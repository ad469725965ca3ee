package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/tallystick/tallystick/audit"
)

// ErrTaken says that another auditor works on a chunk's lines, or has done so:
// whoever gets it has lost the partition and must not store any more of it.
var ErrTaken = errors.New("another auditor has taken these lines over")

// stateTaken is the state of the rows that say that a chunk is being redone.
const stateTaken = "taken"

// OpenChunk announces chunk c: after a failure it is redone with its range and
// its versions. Of several that begin at one offset of a partition the first is
// the one that is announced; for the others the error is ErrTaken, as it is when
// the lines are in a closed chunk already.
func (s *Store) OpenChunk(ctx context.Context, c *audit.Chunk) error {
	if c.Version > 1 {
		return s.insertChunk(ctx, c, stateOpen, tokenOf(c, "chunk-"+stateOpen))
	}
	if err := s.insertChunk(ctx, c, stateOpen, fmt.Sprintf("%d-%d-announced", c.Partition, c.From)); err != nil {
		return err
	}
	const others = `SELECT countIf(state = 'open' AND from = {from:UInt64} AND id != {chunk:String}) + countIf(state = 'closed')
		FROM chunks WHERE partition = {p:UInt32} AND from >= {from:UInt64} AND version = 1`
	n, err := s.number(ctx, others, clickhouse.Parameters{"p": fmt.Sprint(c.Partition), "from": fmt.Sprint(c.From), "chunk": c.ID})
	if err != nil {
		return fmt.Errorf("failed to look who announced a chunk: %w", err)
	}
	if n > 0 {
		return ErrTaken
	}
	return nil
}

// TakeOver says that chunk c, which was announced and not closed, is redone from
// now on by the caller. It returns how often that has been said, by which
// Standing tells the last one.
func (s *Store) TakeOver(ctx context.Context, c *audit.Chunk) (times uint64, err error) {
	bare := audit.Chunk{ID: c.ID, Version: c.Version, Partition: c.Partition, From: c.From, Until: c.Until, Opened: c.Opened}
	if err := s.insertChunk(ctx, &bare, stateTaken, ""); err != nil {
		return 0, err
	}
	taken, closed, err := s.standing(ctx, c)
	if err == nil && closed > 0 {
		err = ErrTaken
	}
	return taken, err
}

// Standing returns ErrTaken unless chunk c is open and was taken over as often
// as the caller knows.
func (s *Store) Standing(ctx context.Context, c *audit.Chunk, times uint64) error {
	taken, closed, err := s.standing(ctx, c)
	if err == nil && (closed > 0 || taken != times) {
		err = ErrTaken
	}
	return err
}

func (s *Store) standing(ctx context.Context, c *audit.Chunk) (taken, closed uint64, err error) {
	const sql = `SELECT countIf(state = 'taken') * 1000000 + countIf(state = 'closed')
		FROM chunks WHERE partition = {p:UInt32} AND from = {from:UInt64} AND id = {chunk:String} AND version = {version:UInt16}`
	params := ofChunk(c.ID, c.Version)
	params["p"], params["from"] = fmt.Sprint(c.Partition), fmt.Sprint(c.From)
	n, err := s.number(ctx, sql, params)
	if err != nil {
		return 0, 0, fmt.Errorf("failed to look how a chunk stands: %w", err)
	}
	return n / 1_000_000, n % 1_000_000, nil
}

// number is the one UInt64 that a statement answers.
func (s *Store) number(ctx context.Context, sql string, params clickhouse.Parameters) (n uint64, err error) {
	opts := []clickhouse.QueryOption{clickhouse.WithSettings(base())}
	if len(params) > 0 {
		opts = append(opts, clickhouse.WithParameters(params))
	}
	err = s.reads.QueryRow(clickhouse.Context(ctx, opts...), sql).Scan(&n)
	return n, err
}

// Kept is what the store holds of an announced chunk, by the partitions in which
// tables are divided: those that were inserted whole. A nil one holds nothing.
type Kept struct{ entries, rejections, findings, originals map[uint64]bool }

// tokensTell is for how many chunks the insert tokens are sure to tell what is
// there: 10,000 blocks a table, and a chunk of up to 100 months.
const tokensTell = 100

// Kept looks what the store holds of chunk c, which is to be redone. It is nil
// while the insert tokens tell, which they do better: they also refill rollups.
func (s *Store) Kept(ctx context.Context, c *audit.Chunk) (*Kept, error) {
	since, err := s.number(ctx, "SELECT count() FROM chunks WHERE state = 'closed' AND at > {t:DateTime64(9, 'UTC')}",
		clickhouse.Parameters{"t": c.Opened.UTC().Format("2006-01-02 15:04:05.000000000")})
	if err != nil {
		return nil, fmt.Errorf("failed to look how old a chunk is: %w", err)
	}
	if since < tokensTell {
		return nil, nil
	}
	k := &Kept{}
	for _, part := range []struct {
		table, by string
		into      *map[uint64]bool
	}{
		{"entries_all", "toYYYYMM(event_time)", &k.entries},
		{"rejections_all", "toYYYYMMDD(received)", &k.rejections},
		{"findings_all", "toYYYYMM(time)", &k.findings},
		{"originals", "toUInt64(replaceOne(month, '-', ''))", &k.originals},
	} {
		*part.into = map[uint64]bool{}
		t := &table[uint64]{name: part.table, fields: []field[uint64]{u64("n", func(n *uint64) *uint64 { return n })}}
		from := "FROM (SELECT DISTINCT toUInt64(" + part.by + ") AS n FROM " + part.table + " WHERE chunk = {chunk:String} AND version = {version:UInt16})"
		if err := each(ctx, s, t, from, ofChunk(c.ID, c.Version), func(n *uint64) error {
			(*part.into)[*n] = true
			return nil
		}); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// Entry reports whether the store holds the chunk's entries of e's month.
func (k *Kept) Entry(e *audit.Entry) bool {
	return k != nil && k.entries[uint64(e.EventTime.UTC().Year()*100+int(e.EventTime.UTC().Month()))]
}

func (k *Kept) rejection(r *audit.Rejection) bool {
	y, m, d := r.Received.UTC().Date()
	return k != nil && k.rejections[uint64(y*10000+int(m)*100+d)]
}

func (k *Kept) original(o *audit.Original) bool {
	n, err := strconv.ParseUint(strings.Replace(o.Month, "-", "", 1), 10, 64)
	return k != nil && err == nil && k.originals[n]
}

func (k *Kept) finding(f *audit.Finding) bool {
	return k != nil && k.findings[uint64(f.Time.UTC().Year()*100+int(f.Time.UTC().Month()))]
}
