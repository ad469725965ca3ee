// Package ledger is the one writer of the Merkle log: it gives each closed chunk
// and each rendered report its leaf, within about a second, and signs the
// checkpoints.
//
// It reads chunks from the store, whose roots the auditors made, and never looks
// at rows; whether rows and roots agree is what verify finds out. One process of
// an installation runs it (-target ledger); services wires it.
package ledger

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
)

// Store knows which chunks wait for a leaf.
type Store interface {
	// ClosedWithoutLeaf returns chunks that closed at or after since, without
	// leaf, with their counts, roots and row marks, oldest first, at most limit.
	ClosedWithoutLeaf(ctx context.Context, since time.Time, limit int) ([]*audit.Chunk, error)
	// ClosedAmong returns those of the chunks that are closed, with the same, in
	// their order.
	ClosedAmong(ctx context.Context, chunks []*audit.Chunk) ([]*audit.Chunk, error)
	// SetLeaf records the index of a chunk's leaf. Setting the same one again
	// does nothing.
	SetLeaf(ctx context.Context, chunk string, version uint16, index uint64) error
}

// Artefact is a rendered report that waits for its leaf.
type Artefact struct {
	Name   string // unique, no personal value: kind and run
	Digest [32]byte
}

// Artefacts knows which rendered reports wait for a leaf.
type Artefacts interface {
	ArtefactsWithoutLeaf(ctx context.Context) ([]Artefact, error)
	// SetArtefactLeaf records the index of a report's leaf.
	SetArtefactLeaf(ctx context.Context, name string, index uint64) error
}

// Erasures knows which acts of erasing and which originals that went wait for
// their leaves.
type Erasures interface {
	// ErasuresWithoutLeaf returns the first leaves by their numbers, in order.
	ErasuresWithoutLeaf(ctx context.Context) ([]ErasureLeaf, error)
	// SetErasureLeaf records the index of a leaf.
	SetErasureLeaf(ctx context.Context, id int64, index uint64) error
}

// ErasureLeaf is a leaf that an erasure left.
type ErasureLeaf struct {
	ID   int64
	Leaf ledger.Leaf
}

// Alarm is told when chunks wait too long: GV-03, reason leaf-missing.
type Alarm interface {
	// LateLeaf raises the finding. chunk is the one that waits longest; the same
	// chunk again is the same finding.
	LateLeaf(ctx context.Context, chunk string, waiting int, since, now time.Time) error
}

// stepChunks is how many chunks get their leaves in one append.
const stepChunks = 100

// lookBack is how much before the newest known leaf a chunk may have closed and
// still be found at once: auditors' clocks differ. Every lookBack all chunks are
// looked at.
const lookBack = time.Hour

// Deps are what the ledger works with.
type Deps struct {
	Signer    ledger.Signer
	Store     Store
	Retention *Retention // Optional: without it nothing expires
	Artefacts Artefacts  // Optional
	Erasures  Erasures   // Optional
	Alarm     Alarm      // Optional
	Producer  Producer   // Optional: without it nothing is published to Kafka
	// Contradicted is told that a witness keeps another log than this one.
	// Optional.
	Contradicted func(ctx context.Context, witness string, p ledger.Problem)
	Logger       *slog.Logger
	Registerer   prometheus.Registerer
	Now          func() time.Time // nil means time.Now
}

// Ledger sequences leaves. Its methods are safe for concurrent use.
type Ledger struct {
	cfg  Config
	deps Deps
	log  *ledger.Log
	told chan *audit.Chunk // that closed in this process
	m    metrics

	witnesses panel
	key       string // that checks the checkpoints
	opened    uint64 // leaves at New

	publishing sync.Mutex // one Publish at a time; guards what follows
	published  uint64     // size of the newest checkpoint that went everywhere
	cosigned   uint64     // size of the newest that a witness signed

	stepping sync.Mutex // one Step at a time; guards what follows

	since   time.Time                    // chunks that closed before have their leaf
	waiting map[audit.ChunkKey]time.Time // when a chunk was first seen without leaf
	raised  bool                         // the finding of the present delay is out

	finished bool // the last Expire went through

	overlooked atomic.Bool // told was full
}

// New opens the log and becomes its writer. The caller closes it.
func New(cfg Config, deps Deps) (*Ledger, error) {
	cfg.Poll = cmp.Or(cfg.Poll, 500*time.Millisecond)
	cfg.Late = cmp.Or(cfg.Late, time.Minute)
	cfg.Every = cmp.Or(cfg.Every, DefaultEvery)
	if deps.Now == nil {
		deps.Now = time.Now
	}
	witnesses, err := newPanel(cfg.Witnesses)
	if err != nil {
		return nil, err
	}
	key, err := ledger.VerifierKey(deps.Signer.Public(), cfg.Origin)
	if err != nil {
		return nil, err
	}
	l, err := ledger.OpenLog(context.Background(), cfg.Dir, deps.Signer, cfg.Origin)
	if err != nil {
		return nil, err
	}
	s := &Ledger{
		cfg: cfg, deps: deps, log: l, told: make(chan *audit.Chunk, maxTold), m: newMetrics(deps.Registerer), waiting: map[audit.ChunkKey]time.Time{},
		witnesses: witnesses, key: key,
	}
	s.since, s.opened = newest(l.Checkpoint()), l.Checkpoint().Size
	s.m.size.Set(float64(l.Checkpoint().Size))
	return s, nil
}

// Close lets go of the log, after Run has returned.
func (s *Ledger) Close() error { return s.log.Close() }

// Step gives a leaf to everything that waits for one now. Run calls it; a
// caller that needs all leaves at once may call it beside Run.
func (s *Ledger) Step(ctx context.Context) error {
	s.stepping.Lock()
	defer s.stepping.Unlock()
	for {
		n, err := s.stepChunks(ctx)
		if err != nil {
			return err
		}
		if n < stepChunks {
			if err := s.artefacts(ctx); err != nil {
				return err
			}
			return s.erasures(ctx)
		}
	}
}

// newest is since when chunks may be without leaf, by the newest checkpoint.
func newest(cp ledger.Checkpoint) time.Time {
	if cp.Time.IsZero() {
		return time.Time{}
	}
	return cp.Time.Add(-lookBack)
}

// lookAtAll makes the next step look for chunks of any age.
func (s *Ledger) lookAtAll() {
	s.stepping.Lock()
	defer s.stepping.Unlock()
	s.since = time.Time{}
}

func (s *Ledger) stepChunks(ctx context.Context) (int, error) {
	began := s.deps.Now()
	chunks, err := s.deps.Store.ClosedWithoutLeaf(ctx, s.since, stepChunks)
	if err != nil {
		return 0, fmt.Errorf("failed to read chunks without leaf: %w", err)
	}
	s.m.waiting.Set(float64(len(chunks)))
	if err := s.sequence(ctx, chunks); err != nil {
		s.watch(ctx, chunks)
		return 0, err
	}
	s.waiting, s.raised = map[audit.ChunkKey]time.Time{}, false
	s.m.waiting.Set(0)
	if len(chunks) < stepChunks {
		s.since = began.Add(-lookBack)
	}
	return len(chunks), nil
}

// sequence appends the leaves of chunks. Marks are written first: a leaf without
// marks could not name a row. A repetition after a crash finds the old leaf.
func (s *Ledger) sequence(ctx context.Context, chunks []*audit.Chunk) error {
	if len(chunks) == 0 {
		return nil
	}
	now := s.deps.Now()
	leaves := make([]ledger.Leaf, len(chunks))
	for i, c := range chunks {
		if err := s.log.WriteMarks(c.ID, c.Version, c.RowMarks); err != nil {
			return err
		}
		leaves[i] = ledger.ChunkLeaf(c, now)
	}
	indexes, err := s.log.Append(ctx, leaves...)
	if err != nil {
		return err
	}
	s.appended()
	for i, c := range chunks {
		if err := s.deps.Store.SetLeaf(ctx, c.ID, c.Version, indexes[i]); err != nil {
			return fmt.Errorf("failed to record the leaf of chunk %s: %w", c.ID, err)
		}
	}
	return nil
}

func (s *Ledger) artefacts(ctx context.Context) error {
	if s.deps.Artefacts == nil {
		return nil
	}
	list, err := s.deps.Artefacts.ArtefactsWithoutLeaf(ctx)
	if err != nil {
		return fmt.Errorf("failed to read reports without leaf: %w", err)
	}
	for _, a := range list {
		index, err := s.Artefact(ctx, a)
		if err != nil {
			return err
		}
		if err := s.deps.Artefacts.SetArtefactLeaf(ctx, a.Name, index); err != nil {
			return fmt.Errorf("failed to record the leaf of report %s: %w", a.Name, err)
		}
	}
	return nil
}

// erasures sequences what erasures left.
func (s *Ledger) erasures(ctx context.Context) error {
	if s.deps.Erasures == nil {
		return nil
	}
	list, err := s.deps.Erasures.ErasuresWithoutLeaf(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	leaves := make([]ledger.Leaf, len(list))
	for i, l := range list {
		leaves[i] = l.Leaf
	}
	indexes, err := s.log.Append(ctx, leaves...)
	if err != nil {
		return err
	}
	s.appended()
	for i, l := range list {
		if err := s.deps.Erasures.SetErasureLeaf(ctx, l.ID, indexes[i]); err != nil {
			return err
		}
	}
	return nil
}

// Artefact appends the leaf of a rendered report and returns its index. The same
// name and digest again is the same leaf.
func (s *Ledger) Artefact(ctx context.Context, a Artefact) (uint64, error) {
	index, err := s.log.Append(ctx, ledger.ArtefactLeaf(a.Name, a.Digest, s.deps.Now()))
	if err != nil {
		return 0, err
	}
	s.appended()
	return index[0], nil
}

func (s *Ledger) appended() {
	cp := s.log.Checkpoint()
	s.m.size.Set(float64(cp.Size))
}

// watch raises a finding when a chunk has waited too long.
func (s *Ledger) watch(ctx context.Context, chunks []*audit.Chunk) {
	now := s.deps.Now()
	seen := make(map[audit.ChunkKey]time.Time, len(chunks))
	var oldest *audit.Chunk
	since := now
	for _, c := range chunks {
		k := c.Key()
		at, ok := s.waiting[k]
		if !ok {
			at = now
		}
		seen[k] = at
		if at.Before(since) {
			oldest, since = c, at
		}
	}
	s.waiting = seen
	if oldest == nil || s.raised || s.deps.Alarm == nil || now.Sub(since) < s.cfg.Late {
		return
	}
	err := s.deps.Alarm.LateLeaf(ctx, oldest.ID, len(chunks), since.UTC(), now.UTC())
	if err != nil {
		s.deps.Logger.Error("failed to raise the finding that chunks wait for a leaf", "error", err)
		return
	}
	s.raised = true
}
