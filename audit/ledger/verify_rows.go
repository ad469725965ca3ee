package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// Chunks are checked in groups, whose rows come in one pass over each table: a
// pass for each chunk would cost more than its rows where chunks are small.
const (
	groupRows   = 200_000
	groupChunks = 2000
)

// checkRows recomputes the chunks that are in the span and in the store, several
// groups at once, in the order of the log.
func (v *verification) checkRows(ctx context.Context, progress func(done, total uint64)) error {
	todo := make([]*leafAt, 0, len(v.leaves))
	var total uint64
	for _, at := range v.leaves {
		if at.inSpan && at.stored {
			todo, total = append(todo, at), total+at.rows
		}
	}
	slices.SortFunc(todo, func(a, b *leafAt) int { return cmp.Compare(a.index, b.index) })
	groups := grouped(todo)
	found := make([][]Problem, len(groups))
	var done atomic.Uint64
	finished, reported := make(chan struct{}), make(chan struct{})
	go func() { report(&done, total, finished, progress); close(reported) }()
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(v.o.Workers)
	for i, group := range groups {
		work.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				found[i], err = v.checkGroup(ctx, group, &done)
			}
			return err
		})
	}
	err := work.Wait()
	close(finished)
	<-reported
	v.res.Problems = append(v.res.Problems, slices.Concat(found...)...)
	v.res.Chunks, v.res.Rows = uint64(len(todo)), done.Load()
	return err
}

// grouped cuts chunks into groups.
func grouped(todo []*leafAt) [][]*leafAt {
	var out [][]*leafAt
	for len(todo) > 0 {
		rows, n := uint64(0), 0
		for n < len(todo) && n < groupChunks && (n == 0 || rows+todo[n].rows <= groupRows) {
			rows += todo[n].rows
			n++
		}
		out, todo = append(out, todo[:n]), todo[n:]
	}
	return out
}

// checkGroup compares the chunks of a group with their leaves.
func (v *verification) checkGroup(ctx context.Context, group []*leafAt, done *atomic.Uint64) ([]Problem, error) {
	chunks, err := v.readGroup(ctx, group)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(chunks))
	byKey := make(map[chunkKey]*chunk, len(chunks))
	for i, c := range chunks {
		names[i], byKey[c.key] = c.key.ID, c
	}
	var out []Problem
	for _, table := range Tables {
		n := uint64(0)
		for _, c := range chunks {
			c.rows = placed{limit: c.leaf.Tables[table].Count}
		}
		var last *chunk
		err := eachRow(ctx, v.src, table, names, func(r *row) error {
			if last == nil || last.key != r.chunk {
				last = byKey[r.chunk]
			}
			if last == nil { // another version, which is of another group
				return nil
			}
			last.rows.add(r, &last.hasher, last.erased)
			if n++; n&1023 == 0 {
				done.Add(1024)
			}
			return nil
		})
		done.Add(n & 1023)
		if table == TableOriginals {
			for _, c := range chunks {
				c.rows.fill(c.erased)
			}
		}
		if err != nil {
			return out, fmt.Errorf("failed to read the %s of %d chunks from %s: %w", table, len(chunks), names[0], err)
		}
		if err := v.fillGone(table, chunks); err != nil {
			return out, err
		}
		faults, err := v.faults(ctx, table, chunks)
		if err != nil {
			return out, err
		}
		out = append(out, faults...)
	}
	return out, nil
}

// fillGone puts the hashes of rows that tombstones allow to be gone in the place
// of these rows.
func (v *verification) fillGone(table string, chunks []*chunk) error {
	var keys []chunkKey
	for _, c := range chunks {
		if c.gone[table] != nil && len(c.gone[table].digests) > 0 {
			keys = append(keys, c.key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	records, err := v.log.Marks(goneTable(table), keys)
	if err != nil {
		return err
	}
	for _, c := range chunks {
		c.rows.fill(c.gone[table].rows(records[c.key]))
	}
	return nil
}

// readGroup reads the leaves of a group again.
func (v *verification) readGroup(ctx context.Context, group []*leafAt) ([]*chunk, error) {
	chunks := make([]*chunk, 0, len(group))
	last := group[len(group)-1].index
	err := v.log.ReadLeaves(ctx, group[0].index, v.res.Checkpoint.Size, func(i uint64, raw []byte) error {
		if i > last {
			return errStop
		}
		at := group[len(chunks)]
		if i != at.index {
			return nil
		}
		if leafHash(raw) != at.hash {
			return fmt.Errorf("leaf %d changed while it was verified", i)
		}
		leaf, err := ParseLeaf(raw)
		if err != nil {
			return fmt.Errorf("failed to read leaf %d: %w", i, err)
		}
		k := chunkKey{ID: leaf.Chunk, Version: leaf.Version}
		chunks = append(chunks, &chunk{key: k, leaf: leaf, gone: v.gone[k], erased: v.erased[k], hasher: newRowHasher(at.salt)})
		return nil
	})
	if err != nil && !errors.Is(err, errStop) {
		return nil, err
	}
	return chunks, nil
}

// errStop ends a walk early.
var errStop = errors.New("stop")

// report calls progress a few times a second until finished is closed, and then
// once more: rows that a tombstone allows to be gone are done too.
func report(done *atomic.Uint64, total uint64, finished <-chan struct{}, progress func(done, total uint64)) {
	if progress == nil {
		return
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			progress(done.Load(), total)
		case <-finished:
			progress(done.Load(), done.Load())
			return
		}
	}
}
