package erasure

import (
	"context"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
)

// leavesAtOnce is how many leaves are kept in memory at a time, each of up to
// 64 KiB and ledger.MaxErasedRows rows.
const leavesAtOnce = 100

// bury leaves the tombstones of people's originals to the ledger, group by
// group of chunks. It reports whether some are of a chunk that is not closed
// yet; these have none then.
func (e *Eraser) bury(ctx context.Context, p *store.Person) (busy bool, err error) {
	if err := e.deps.Step("originals"); err != nil {
		return false, err
	}
	groups, err := p.Chunks(ctx)
	if err != nil {
		return false, err
	}
	for _, group := range groups {
		b := burial{e: e, day: e.deps.Now().UTC().Truncate(24 * time.Hour)}
		if b.salts, err = e.deps.Store.SaltsOf(ctx, group); err != nil {
			return busy, err
		}
		err := p.OriginalsOf(ctx, group, func(o *audit.Original) error { return b.add(ctx, o) })
		if err == nil {
			err = b.end(ctx)
		}
		if busy = busy || b.busy; err != nil {
			return busy, err
		}
	}
	return busy, nil
}

// burial makes the tombstones of originals that come by chunk, version and row.
type burial struct {
	e     *Eraser
	day   time.Time // alone: the moment is that of the act
	salts map[audit.ChunkKey][]byte
	busy  bool

	at     audit.ChunkKey // of rows and hashes
	buried map[uint32]bool
	rows   []uint32
	hashes []ledger.Hash
	leaves []registers.ErasureLeaf
}

func (b *burial) add(ctx context.Context, o *audit.Original) error {
	if k := (audit.ChunkKey{ID: o.Chunk, Version: o.Version}); k != b.at {
		if err := b.leaf(ctx); err != nil {
			return err
		}
		known, err := b.e.deps.Registers.ErasureLeavesOf(ctx, k.ID)
		if err != nil {
			return err
		}
		b.at, b.buried = k, map[uint32]bool{}
		for _, l := range known {
			t, err := tombstoneOf(l)
			if err != nil {
				return err
			}
			for _, r := range t {
				if r.ChunkKey == k {
					b.buried[r.Row] = true
				}
			}
		}
	}
	salt := b.salts[b.at]
	switch {
	case b.buried[o.Row]:
		return nil
	case salt == nil:
		b.busy = true
		return nil
	}
	b.rows = append(b.rows, o.Row)
	b.hashes = append(b.hashes, ledger.RowHash(salt, uint64(o.Row), ledger.AppendOriginal(nil, o)))
	if len(b.rows) == ledger.MaxErasedRows {
		return b.leaf(ctx)
	}
	return nil
}

// leaf makes the tombstone of the rows so far.
func (b *burial) leaf(ctx context.Context) error {
	if len(b.rows) == 0 {
		return nil
	}
	l, err := ledger.ErasedRowsLeaf(b.at, b.rows, b.hashes, b.day).Marshal()
	if err != nil {
		return err
	}
	b.rows, b.hashes = b.rows[:0], b.hashes[:0]
	b.leaves = append(b.leaves, registers.ErasureLeaf{Chunk: b.at.ID, Leaf: l})
	if len(b.leaves) == leavesAtOnce {
		return b.flush(ctx)
	}
	return nil
}

func (b *burial) end(ctx context.Context) error {
	if err := b.leaf(ctx); err != nil {
		return err
	}
	return b.flush(ctx)
}

func (b *burial) flush(ctx context.Context) error {
	if len(b.leaves) == 0 {
		return nil
	}
	err := b.e.deps.Registers.AddErasureLeaves(ctx, b.leaves)
	b.leaves = b.leaves[:0]
	return err
}

// tombstoneOf are the originals that a leaf of originals names.
func tombstoneOf(l registers.ErasureLeaf) ([]store.OriginalRow, error) {
	leaf, err := ledger.ParseLeaf(l.Leaf)
	if err != nil {
		return nil, fmt.Errorf("failed to read a tombstone of the registers: %w", err)
	}
	out := make([]store.OriginalRow, len(leaf.Rows))
	for i, n := range leaf.Rows {
		out[i] = store.OriginalRow{ChunkKey: audit.ChunkKey{ID: leaf.Chunk, Version: leaf.Version}, Row: n}
	}
	return out, nil
}

// destroy empties the originals that have a tombstone in the ledger and are not
// gone; with restored, all that have one.
func (e *Eraser) destroy(ctx context.Context, now, restored bool) error {
	if err := e.deps.Step("tombstones"); err != nil {
		return err
	}
	if now {
		if err := e.sequenced(ctx); err != nil {
			return err
		}
	}
	if err := e.deps.Step("destroy"); err != nil {
		return err
	}
	for after := int64(0); ; {
		due, err := e.deps.Registers.ErasureLeavesDue(ctx, after, restored, leavesAtOnce)
		if err != nil || len(due) == 0 {
			return err
		}
		var rows []store.OriginalRow
		var ids []int64
		for _, l := range due {
			t, err := tombstoneOf(l)
			if err != nil {
				return err
			}
			if rows = append(rows, t...); !l.Gone {
				ids = append(ids, l.ID)
			}
		}
		if _, err := e.deps.Store.DestroyOriginals(ctx, rows); err != nil {
			return err
		}
		if err := e.deps.Registers.SetOriginalsGone(ctx, ids); err != nil {
			return err
		}
		after = due[len(due)-1].ID
	}
}

// leafPatience is how long an erasure waits for a ledger in another process to
// take one more leaf.
const leafPatience = time.Minute

// sequenced returns when the ledger has taken every leaf of erasures.
func (e *Eraser) sequenced(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	late, first := time.After(leafPatience), int64(0)
	for {
		if e.deps.Sequence != nil {
			if err := e.deps.Sequence(ctx); err != nil {
				return err
			}
		}
		waiting, err := e.deps.Registers.ErasureLeavesWaiting(ctx, 1)
		if err != nil || len(waiting) == 0 {
			return err
		}
		if id := waiting[0].ID; id != first {
			late, first = time.After(leafPatience), id
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return &text.Hint{
				Err:  fmt.Errorf("the ledger has taken no tombstone for %s", leafPatience),
				Hint: "start the process with --target ledger; the erasure goes on by itself then",
			}
		case <-tick.C:
		}
	}
}
