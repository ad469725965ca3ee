package erasure

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/erased"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking"
)

// Load reads the tombstones for the mask stage.
func (e *Eraser) Load(ctx context.Context) error {
	list, err := e.deps.Registers.Tombstones(ctx)
	if err != nil {
		return err
	}
	set := make([]masking.Tombstone, len(list))
	for i, t := range list {
		set[i] = masking.Tombstone{Mark: t.Mark, Day: t.Day, Through: t.Through}
	}
	e.deps.Tombstones.Set(set)
	return nil
}

// errBusy says that originals of a chunk that is being stored are to go.
var errBusy = &text.Hint{
	Err:  errors.New("lines about the person are being stored at this moment"),
	Hint: "it goes on by itself; if a replay was interrupted, run that again first",
}

// job is one application of tombstones.
type job struct {
	tags []store.Tag // of people whose links, originals and reports go
	also []store.Tag // of people whose originals and reports go
	// now says that originals must go before it ends: the ledger is waited for;
	// else what is not ready stays until the next time.
	now bool
	// restored says that what went before may be back.
	restored bool
	// seen is told what is there of the people before and after each act. Nil: of
	// people whose erasure is done.
	seen func(erased.Parts) error
}

// apply takes away what belongs to tombstones. Links go last: they lead to the
// rest. It returns errBusy if a chunk with originals is not closed yet, or
// brought some meanwhile: links stay then.
func (e *Eraser) apply(ctx context.Context, j job) error {
	defer e.deps.Forget()
	people := slices.Concat(j.tags, j.also)
	if len(people) == 0 {
		if err := e.destroy(ctx, j.now, j.restored); err != nil {
			return err
		}
		return e.seen(ctx, nil, &j)
	}
	err := e.deps.Store.WithPerson(ctx, people, func(p *store.Person) error {
		if err := e.bury(ctx, p); err != nil {
			return err
		}
		if err := e.seen(ctx, p, &j); err != nil { // with all that has a tombstone now
			return err
		}
		if err := e.destroy(ctx, j.now, j.restored); err != nil {
			return err
		}
		if err := e.deps.Step("reports"); err != nil {
			return err
		}
		if _, err := e.reports(ctx, p, true); err != nil {
			return err
		}
		return e.seen(ctx, p, &j)
	})
	if err != nil || len(j.tags) == 0 {
		return err
	}
	if err := e.deps.Step("links"); err != nil {
		return err
	}
	return e.deps.Store.WithPerson(ctx, j.tags, func(p *store.Person) error {
		if j.seen != nil {
			if _, originals, err := p.Left(ctx); err != nil || originals > 0 {
				return cmp.Or(err, error(errBusy))
			}
		}
		fresh, err := p.Unlink(ctx)
		e.unlinked = append(e.unlinked, fresh...)
		if err != nil {
			return err
		}
		return e.seen(ctx, p, &j)
	})
}

// seen tells a job what is there of p, nobody if nil.
func (e *Eraser) seen(ctx context.Context, p *store.Person, j *job) error {
	if j.seen == nil {
		return nil
	}
	var now erased.Parts
	if p != nil {
		var err error
		if now.Links, now.Originals, err = p.Left(ctx); err != nil {
			return err
		}
		n, err := e.reports(ctx, p, false)
		if err != nil {
			return err
		}
		now.Reports = uint64(n)
	}
	return j.seen(now)
}

// tagsOf are the tags of links that belong to tombstones of which ok is true.
func (e *Eraser) tagsOf(ctx context.Context, ok func(mark string) bool) (tags []store.Tag, err error) {
	err = e.deps.Store.EachTag(ctx, func(tag string) error {
		if t, found := e.deps.Tombstones.OfTag(tag); found && ok(t.Mark) {
			tags = append(tags, store.Tag{Tag: tag, Through: t.Through})
		}
		return nil
	})
	return tags, err
}

// bury leaves the tombstones of people's originals to the ledger.
func (e *Eraser) bury(ctx context.Context, p *store.Person) error {
	if err := e.deps.Step("originals"); err != nil {
		return err
	}
	known, err := e.tombstones(ctx)
	if err != nil {
		return err
	}
	buried := map[store.OriginalRow]bool{}
	for _, t := range known {
		for _, r := range t.rows {
			buried[r] = true
		}
	}
	rows := map[audit.ChunkKey]map[uint32]*audit.Original{}
	err = p.Originals(ctx, func(o *audit.Original) error {
		k := audit.ChunkKey{ID: o.Chunk, Version: o.Version}
		if buried[store.OriginalRow{ChunkKey: k, Row: o.Row}] {
			return nil
		}
		if rows[k] == nil {
			rows[k] = map[uint32]*audit.Original{}
		}
		keep := *o
		rows[k][o.Row] = &keep
		return nil
	})
	if err != nil || len(rows) == 0 {
		return err
	}
	leaves, err := e.leavesOf(ctx, rows)
	if err != nil {
		return err
	}
	return e.deps.Registers.AddErasureLeaves(ctx, leaves)
}

func (e *Eraser) leavesOf(ctx context.Context, rows map[audit.ChunkKey]map[uint32]*audit.Original) (leaves [][]byte, err error) {
	keys := slices.SortedFunc(maps.Keys(rows), func(a, b audit.ChunkKey) int {
		return cmp.Or(strings.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
	})
	salts, err := e.deps.Store.SaltsOf(ctx, keys)
	if err != nil {
		return nil, err
	}
	// The day alone: the moment is that of the act.
	day := e.deps.Now().UTC().Truncate(24 * time.Hour)
	for _, k := range keys {
		if salts[k] == nil {
			return nil, errBusy
		}
		for some := range slices.Chunk(slices.Sorted(maps.Keys(rows[k])), ledger.MaxErasedRows) {
			hashes := make([]ledger.Hash, len(some))
			for i, n := range some {
				hashes[i] = ledger.RowHash(salts[k], uint64(n), ledger.AppendOriginal(nil, rows[k][n]))
			}
			b, err := ledger.ErasedRowsLeaf(k, some, hashes, day).Marshal()
			if err != nil {
				return nil, err
			}
			leaves = append(leaves, b)
		}
	}
	return leaves, nil
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
	known, err := e.tombstones(ctx)
	if err != nil {
		return err
	}
	var due []store.OriginalRow
	var ids []int64
	for _, t := range known {
		if t.At < 0 || t.Gone && !restored {
			continue
		}
		due = append(due, t.rows...)
		if !t.Gone {
			ids = append(ids, t.ID)
		}
	}
	if err := e.deps.Step("destroy"); err != nil || len(due) == 0 {
		return err
	}
	if _, err := e.deps.Store.DestroyOriginals(ctx, due); err != nil {
		return err
	}
	return e.deps.Registers.SetOriginalsGone(ctx, ids)
}

// tombstone is one of the registers' with the originals that it names.
type tombstone struct {
	registers.ErasureLeaf
	rows []store.OriginalRow
}

// tombstones are those of originals.
func (e *Eraser) tombstones(ctx context.Context) ([]tombstone, error) {
	list, err := e.deps.Registers.ErasureLeaves(ctx, false)
	if err != nil {
		return nil, err
	}
	var out []tombstone
	for _, l := range list {
		if l.Erasure != "" {
			continue
		}
		leaf, err := ledger.ParseLeaf(l.Leaf)
		if err != nil {
			return nil, fmt.Errorf("failed to read a tombstone of the registers: %w", err)
		}
		t := tombstone{ErasureLeaf: l}
		for _, n := range leaf.Rows {
			t.rows = append(t.rows, store.OriginalRow{ChunkKey: audit.ChunkKey{ID: leaf.Chunk, Version: leaf.Version}, Row: n})
		}
		out = append(out, t)
	}
	return out, nil
}

// leafPatience is how long an erasure waits for a ledger in another process.
const leafPatience = time.Minute

// sequenced returns when the ledger has taken every leaf of erasures.
func (e *Eraser) sequenced(ctx context.Context) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(leafPatience); ; {
		if e.deps.Sequence != nil {
			if err := e.deps.Sequence(ctx); err != nil {
				return err
			}
		}
		waiting, err := e.deps.Registers.ErasureLeaves(ctx, true)
		if err != nil || len(waiting) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return &text.Hint{
				Err:  fmt.Errorf("the ledger has not taken the tombstones for %s", leafPatience),
				Hint: "start the process with --target ledger; the erasure goes on by itself then",
			}
		case <-tick.C:
		}
	}
}
