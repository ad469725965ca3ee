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
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/text"
)

// Options are what Verify is given beside store and log.
type Options struct {
	Public ed25519.PublicKey // of the ledger key
	Origin string            // name of the log
	// Kept is a checkpoint that was kept elsewhere, older or newer than the
	// log's own. Optional: without one the result is unwitnessed.
	Kept []byte
	// From and Until bound the rows that are recomputed to the chunks whose leaf
	// was made then: from From, before Until. Zero means no bound. The log
	// itself is always checked whole.
	From, Until time.Time
	// SinceKept bounds them to the leaves that came after Kept.
	SinceKept bool
	// Workers is how many groups of chunks are checked at once; 0 means one per
	// core, at most three, so that the embedded engine has room for inserts.
	Workers int
	// Grace is how long a chunk may be without leaf. Zero means a minute.
	Grace time.Duration
	Now   func() time.Time // nil means time.Now
}

// maxWorkers leaves the embedded engine, which runs four statements at once, one
// for the auditor.
const maxWorkers = 3

// Verify recomputes the roots of the chunks from the store and compares them
// with the leaves under the signed checkpoint. What does not fit is in the
// result; an error means that the check itself could not be done. progress is
// called from one goroutine with rows done and in all; it may be nil.
//
// Memory is bounded by about 200 bytes a chunk and 50 MB a worker.
func Verify(ctx context.Context, src Source, log LogReader, o Options, progress func(done, total uint64)) (*Result, error) {
	o.Workers = cmp.Or(o.Workers, min(runtime.GOMAXPROCS(0), maxWorkers))
	o.Grace = cmp.Or(o.Grace, time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	v := &verification{
		src: src, log: log, o: o, res: &Result{},
		leaves: map[chunkKey]*leafAt{}, gone: map[chunkKey]absent{}, erased: map[chunkKey]Gone{},
	}
	// The log is read before the store, so that a chunk which closes meanwhile
	// is one without leaf yet and never a leaf without chunk.
	ok, err := v.readLog(ctx)
	if err != nil || !ok {
		return v.res, err
	}
	if err := v.readStates(ctx); err != nil {
		return v.res, err
	}
	if err := v.checkRows(ctx, progress); err != nil {
		return v.res, err
	}
	slices.SortStableFunc(v.res.Problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.Chunk, b.Chunk), cmp.Compare(a.Version, b.Version), strings.Compare(a.Table, b.Table))
	})
	return v.res, nil
}

// VerifyLog checks the log alone: that its leaves give the root of its signed
// checkpoint and, with o.Kept, that it continues that one. It needs nothing but
// the files and the key.
func VerifyLog(ctx context.Context, log LogReader, o Options) (*Result, error) {
	v := &verification{log: log, o: o, res: &Result{}, leaves: map[chunkKey]*leafAt{}, gone: map[chunkKey]absent{}, erased: map[chunkKey]Gone{}}
	_, err := v.readLog(ctx)
	return v.res, err
}

type verification struct {
	src    Source
	log    LogReader
	o      Options
	res    *Result
	since  uint64 // leaves before it are not recomputed
	leaves map[chunkKey]*leafAt
	gone   map[chunkKey]absent
	erased map[chunkKey]Gone // originals with a tombstone of their own
}

// leafAt is what is kept of a chunk's leaf between the passes.
type leafAt struct {
	index  uint64
	rows   uint64 // that it counts in all tables
	hash   Hash   // of its bytes, so that the second reading is of the same
	at     time.Time
	inSpan bool
	stored bool
	salt   []byte
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
	kept, err := v.kept()
	if err != nil {
		return false, err
	}
	var all tree
	keptRoot := all.root()
	err = v.log.ReadLeaves(ctx, 0, cp.Size, func(i uint64, raw []byte) error {
		h := leafHash(raw)
		all.add(h)
		if all.count == kept.Size {
			keptRoot = all.root()
		}
		if leaf, err := ParseLeaf(raw); err == nil {
			v.note(leaf, i, h)
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
	if k := Compare(cp, kept, keptRoot); k != "" {
		v.problem(Problem{Kind: k, Size: cp.Size, Other: kept.Size})
	} else {
		v.res.Witnessed = true
	}
	return true, nil
}

// Compare says how a log stands to a checkpoint of it that was kept elsewhere:
// rolled back, forked or, "", a continuation. root is the root of the log's own
// first kept.Size leaves.
func Compare(log, kept Checkpoint, root Hash) ProblemKind {
	switch {
	case kept.Size > log.Size:
		return LogRolledBack
	case !bytes.Equal(root[:], kept.Root):
		return LogForked
	}
	return ""
}

// kept is the checkpoint that was kept elsewhere, the zero value without one.
func (v *verification) kept() (Checkpoint, error) {
	if v.o.Kept == nil {
		return Checkpoint{}, nil
	}
	cp, err := ParseCheckpoint(v.o.Kept, v.o.Public, v.o.Origin)
	if err != nil {
		return cp, &text.Hint{
			Err:  fmt.Errorf("failed to use the checkpoint that was given: %w", err),
			Hint: "give a file that tallystick ledger checkpoint wrote for this installation",
		}
	}
	if v.o.SinceKept {
		v.since = cp.Size
	}
	return cp, nil
}

// note remembers a leaf. Of two about one chunk the first counts: the writer
// makes one only.
func (v *verification) note(l Leaf, index uint64, hash Hash) {
	k := audit.ChunkKey{ID: l.Chunk, Version: l.Version}
	switch l.Type {
	case LeafChunk:
		if v.leaves[k] != nil {
			return
		}
		at := &leafAt{index: index, hash: hash, at: l.Time, inSpan: v.inSpan(l, index)}
		for _, t := range l.Tables {
			at.rows += t.Count
		}
		v.leaves[k] = at
	case LeafTombstone:
		if len(l.Rows) > 0 {
			v.noteErased(k, l)
			return
		}
		if v.gone[k] == nil {
			v.gone[k] = absent{}
		}
		v.gone[k].note(l)
	}
}

func (v *verification) noteErased(k chunkKey, l Leaf) {
	if _, ok := l.Tables[TableOriginals]; !ok {
		return // rows of other tables don't go one by one
	}
	if v.erased[k] == nil {
		v.erased[k] = Gone{}
	}
	for i, n := range l.Rows {
		v.erased[k][n] = Hash(l.Hashes[i*len(Hash{}):])
	}
}

func (v *verification) inSpan(l Leaf, index uint64) bool {
	return index >= v.since && !l.Time.Before(v.o.From) && (v.o.Until.IsZero() || l.Time.Before(v.o.Until))
}

// readStates matches the store's chunks with the leaves.
func (v *verification) readStates(ctx context.Context) error {
	known := map[audit.ChunkKey]bool{} // chunks without a leaf; true if closed
	opened := map[audit.ChunkKey]time.Time{}
	err := v.src.EachState(ctx, func(s audit.ChunkState) error {
		if at := v.leaves[s.ChunkKey]; at == nil {
			known[s.ChunkKey] = known[s.ChunkKey] || s.Closed
			opened[s.ChunkKey] = s.Opened
		} else if s.Closed && !at.stored {
			at.stored, at.salt = true, bytes.Clone(s.Salt)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("failed to read the store's chunks: %w", err)
	}
	for k, closed := range known {
		if closed && v.o.Now().Sub(opened[k]) > v.o.Grace {
			v.problem(Problem{Kind: ChunkUnsequenced, Chunk: k.ID, Version: k.Version})
		} else {
			v.res.Pending++
		}
	}
	for k, at := range v.leaves {
		if !at.stored && !v.gone[k].whole() {
			v.problem(Problem{Kind: ChunkMissing, Chunk: k.ID, Version: k.Version})
		}
	}
	if err := v.findStrangers(ctx, known); err != nil {
		return err
	}
	return v.findHidden(ctx)
}

// findStrangers names chunks that have rows and are in neither log nor register:
// whoever adds rows by hand makes such, or else changes a chunk that is checked.
func (v *verification) findStrangers(ctx context.Context, known map[audit.ChunkKey]bool) error {
	seen := map[audit.ChunkKey]bool{}
	var strange []audit.ChunkKey
	err := v.src.EachStored(ctx, func(k audit.ChunkKey) error {
		if _, ok := known[k]; !ok && v.leaves[k] == nil && !seen[k] {
			seen[k] = true
			strange = append(strange, k)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("failed to list the chunks that have rows: %w", err)
	}
	if len(strange) == 0 {
		return nil
	}
	// A chunk that opened since the register was read is no stranger.
	if err := v.src.EachState(ctx, func(s audit.ChunkState) error { delete(seen, s.ChunkKey); return nil }); err != nil {
		return fmt.Errorf("failed to read the store's chunks again: %w", err)
	}
	for _, k := range strange {
		if seen[k] {
			v.problem(Problem{Kind: ChunkUnknown, Chunk: k.ID, Version: k.Version})
		}
	}
	return nil
}

// findHidden names versions that readers no longer see although no later version
// of the chunk is in the log, and versions in the log that readers don't see.
func (v *verification) findHidden(ctx context.Context) error {
	newest, hidden := map[string]uint16{}, map[audit.ChunkKey]bool{}
	for k := range v.leaves {
		newest[k.ID] = max(newest[k.ID], k.Version)
	}
	err := v.src.EachSuperseded(ctx, func(k audit.ChunkKey) error {
		hidden[k] = true
		if newest[k.ID] <= k.Version {
			v.problem(Problem{Kind: ChunkHidden, Chunk: k.ID, Version: k.Version})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("failed to read which chunks were replaced: %w", err)
	}
	for k, at := range v.leaves {
		if k.Version > 1 && !hidden[audit.ChunkKey{ID: k.ID, Version: k.Version - 1}] && v.o.Now().Sub(at.at) > v.o.Grace {
			v.problem(Problem{Kind: ChunkUnseen, Chunk: k.ID, Version: k.Version})
		}
	}
	return v.findReplayed(ctx)
}

// findReplayed names chunks of replayed rejections by which others are hidden,
// or which show lines as rejections that are entries now.
func (v *verification) findReplayed(ctx context.Context) error {
	err := v.src.EachReplayed(ctx, func(chunk string, strange, shown uint64) error {
		k := audit.ChunkKey{ID: chunk, Version: replayedVersion}
		switch {
		case v.gone[k].of(TableEntries):
		case strange > 0:
			v.problem(Problem{Kind: RejectionHidden, Chunk: chunk, Version: replayedVersion, Table: TableRejections})
		case shown > 0:
			v.problem(Problem{Kind: RejectionShown, Chunk: chunk, Version: replayedVersion, Table: TableRejections})
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("failed to read which rejections were replayed: %w", err)
	}
	return nil
}

// replayedVersion is the version of a chunk of replayed rejections: of version 1,
// which never was, the insert that hides it shows them.
const replayedVersion = 2
