package ledger

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/text"
)

// Source reads what the store holds. Rows come in the order in which the chunk
// committed to them: entries by row, rejections as SortRejections has them,
// findings as SortFindings has them. f must not keep what it is given.
type Source interface {
	// EachChunk calls f with each closed chunk, all versions, superseded ones
	// too, and what the store believes to be its leaf, which verify does not
	// trust. Roots and RowMarks need not be set.
	EachChunk(ctx context.Context, f func(c *audit.Chunk, leaf int64) error) error
	EachEntry(ctx context.Context, chunk string, version uint16, f func(*audit.Entry) error) error
	EachRejection(ctx context.Context, chunk string, version uint16, f func(*audit.Rejection) error) error
	EachFinding(ctx context.Context, chunk string, version uint16, f func(*audit.Finding) error) error
}

// LogReader reads the files of the log. Reader is the one over a folder.
type LogReader interface {
	// ReadCheckpoint returns the newest checkpoint, unchecked.
	ReadCheckpoint(ctx context.Context) ([]byte, error)
	// ReadLeaves calls f with the leaves from index from up to size, in order.
	ReadLeaves(ctx context.Context, from, size uint64, f func(index uint64, raw []byte) error) error
	// Marks returns the row marks of a table, or nil if there are none.
	Marks(chunk string, version uint16, table string) ([]byte, error)
}

// Options are what Verify is given beside store and log.
type Options struct {
	Public ed25519.PublicKey // of the ledger key
	Origin string            // name of the log
	// Kept is a checkpoint that was kept elsewhere, older or newer than the
	// log's own. Optional: without one the result is unwitnessed.
	Kept []byte
	// Workers is how many chunks are checked at once; 0 means one per core.
	Workers int
	// Grace is how long a chunk may be without leaf. Zero means a minute.
	Grace time.Duration
	Now   func() time.Time // nil means time.Now
}

// Verify recomputes the roots of every chunk from the store and compares them
// with the leaves under the signed checkpoint. What does not fit is in the
// result; an error means that the check itself could not be done. progress is
// called from one goroutine with rows done and in all; it may be nil.
func Verify(ctx context.Context, src Source, log LogReader, o Options, progress func(done, total uint64)) (*Result, error) {
	o.Workers = cmp.Or(o.Workers, runtime.GOMAXPROCS(0))
	o.Grace = cmp.Or(o.Grace, time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	v := &verification{src: src, log: log, o: o, res: &Result{}, leaves: map[chunkKey]Leaf{}, gone: map[chunkKey]map[string]bool{}}
	// The log is read before the store, so that a chunk which closes meanwhile
	// is one without leaf yet and never a leaf without chunk.
	ok, err := v.readLog(ctx)
	if err != nil || !ok {
		return v.res, err
	}
	if err := v.readChunks(ctx); err != nil {
		return v.res, err
	}
	if err := v.checkChunks(ctx, progress); err != nil {
		return v.res, err
	}
	slices.SortStableFunc(v.res.Problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.Chunk, b.Chunk), cmp.Compare(a.Version, b.Version), strings.Compare(a.Table, b.Table))
	})
	return v.res, nil
}

type chunkKey struct {
	id      string
	version uint16
}

type verification struct {
	src    Source
	log    LogReader
	o      Options
	res    *Result
	leaves map[chunkKey]Leaf            // chunk leaves
	gone   map[chunkKey]map[string]bool // tables with a tombstone
	todo   []chunk
}

type chunk struct {
	key  chunkKey
	leaf Leaf
	salt []byte
}

func (v *verification) problem(p Problem) { v.res.Problems = append(v.res.Problems, p) }

// readLog checks signature, leaves and the checkpoint kept elsewhere. It returns
// false when the log's word is worth nothing.
func (v *verification) readLog(ctx context.Context) (bool, error) {
	raw, err := v.log.ReadCheckpoint(ctx)
	if err != nil {
		return false, err
	}
	cp, err := ParseCheckpoint(raw, v.o.Public, v.o.Origin)
	if err != nil {
		v.problem(Problem{Kind: CheckpointForged})
		return false, nil
	}
	var kept Checkpoint
	if v.o.Kept != nil {
		if kept, err = ParseCheckpoint(v.o.Kept, v.o.Public, v.o.Origin); err != nil {
			return false, &text.Hint{Err: fmt.Errorf("failed to use the checkpoint that was given: %w", err), Hint: "give a file that tallystick ledger checkpoint wrote for this installation"}
		}
	}
	var all tree
	keptRoot := (&tree{}).root()
	err = v.log.ReadLeaves(ctx, 0, cp.Size, func(i uint64, raw []byte) error {
		all.add(leafHash(raw))
		if all.count == kept.Size {
			keptRoot = all.root()
		}
		if leaf, err := ParseLeaf(raw); err == nil {
			v.note(leaf)
			cp.Time = leaf.Time
		}
		return nil
	})
	root := all.root()
	switch {
	case errors.Is(err, errBundle) || errors.Is(err, fs.ErrNotExist):
		v.problem(Problem{Kind: LogDamaged, Size: cp.Size})
	case err != nil:
		return false, err
	case !bytes.Equal(root[:], cp.Root):
		v.problem(Problem{Kind: LogDamaged, Size: cp.Size})
	}
	v.res.Checkpoint, v.res.Leaves = cp, all.count
	if v.o.Kept == nil || !v.res.OK() {
		return v.res.OK(), nil
	}
	switch {
	case kept.Size > cp.Size:
		v.problem(Problem{Kind: LogRolledBack, Size: cp.Size, Other: kept.Size})
	case !bytes.Equal(keptRoot[:], kept.Root):
		v.problem(Problem{Kind: LogForked, Size: cp.Size, Other: kept.Size})
	default:
		v.res.Witnessed = true
	}
	return true, nil
}

func (v *verification) note(l Leaf) {
	k := chunkKey{l.Chunk, l.Version}
	switch l.Type {
	case LeafChunk:
		v.leaves[k] = l
	case LeafTombstone:
		if v.gone[k] == nil {
			v.gone[k] = map[string]bool{}
		}
		for _, t := range Tables {
			if _, ok := l.Tables[t]; ok || len(l.Tables) == 0 {
				v.gone[k][t] = true
			}
		}
	}
}

// readChunks matches the store's chunks with the leaves.
func (v *verification) readChunks(ctx context.Context) error {
	here := map[chunkKey]bool{}
	err := v.src.EachChunk(ctx, func(c *audit.Chunk, _ int64) error {
		k := chunkKey{c.ID, c.Version}
		here[k] = true
		leaf, ok := v.leaves[k]
		switch {
		case ok:
			v.todo = append(v.todo, chunk{key: k, leaf: leaf, salt: bytes.Clone(c.Salt)})
		case v.o.Now().Sub(c.Opened) > v.o.Grace:
			v.problem(Problem{Kind: ChunkUnsequenced, Chunk: c.ID, Version: c.Version})
		default:
			v.res.Pending++
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("failed to read the store's chunks: %w", err)
	}
	for k := range v.leaves {
		if !here[k] && len(v.gone[k]) < len(Tables) {
			v.problem(Problem{Kind: ChunkMissing, Chunk: k.id, Version: k.version})
		}
	}
	return nil
}

// checkChunks recomputes the chunks, several at once.
func (v *verification) checkChunks(ctx context.Context, progress func(done, total uint64)) error {
	var done atomic.Uint64
	var total uint64
	for _, c := range v.todo {
		for name, t := range c.leaf.Tables {
			if !v.gone[c.key][name] {
				total += t.Count
			}
		}
	}
	found := make([][]Problem, len(v.todo))
	finished := make(chan struct{})
	var g errgroup.Group
	g.Go(func() error { report(&done, total, finished, progress); return nil })
	var work errgroup.Group
	work.SetLimit(v.o.Workers)
	for i, c := range v.todo {
		work.Go(func() (err error) {
			if err = ctx.Err(); err == nil {
				found[i], err = v.checkChunk(ctx, c, &done)
			}
			return err
		})
	}
	err := work.Wait()
	close(finished)
	_ = g.Wait()
	for _, ps := range found {
		v.res.Problems = append(v.res.Problems, ps...)
	}
	v.res.Chunks, v.res.Rows = uint64(len(v.todo)), done.Load()
	return err
}

// report calls progress a few times a second until finished is closed, and
// then once more.
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
			progress(done.Load(), total)
			return
		}
	}
}
