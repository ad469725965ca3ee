// Package auditor turns sealed batches into the record: open, stages, store,
// ledger rows, findings, commit, in this order.
//
// One worker has one partition of lines.v1. Its unit of exactly-once is the
// chunk: an offset range that is announced in the store (intent), inserted
// under one token, closed, and only then committed. After any failure the
// worker starts again from what the store says. The auditor is the only
// service that sees clear values; it sends and stores entries and findings
// only, and never decides what a finding means: controls do.
package auditor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/seal"
)

// Topics and the consumer group.
const (
	LinesTopic    = broker.Lines
	FindingsTopic = broker.Findings
	Group         = broker.Auditors
)

// Config holds the limits of a chunk.
type Config struct {
	// MaxRows closes a chunk at this many lines. Default 100,000: each chunk
	// costs some ten statements whatever its size, each of its parts is merged with
	// others, and memory grows with it.
	MaxRows int
	// MaxAge closes a chunk this long after its first batch. Default 500 ms. A
	// chunk waits longer for MaxRows while more batches wait in the broker, and
	// one of few lines without findings for more of them: see building.late.
	MaxAge time.Duration
	// Parallel is how many batches of a partition are processed at once.
	// Default the number of cores.
	Parallel int
	// Trust is for how long a chunk is a worker's without asking the store
	// whether another auditor has taken it over. Default 3 s: a good part less
	// than the time after which the group gives the partition of a silent member
	// away. Negative: it always asks.
	Trust time.Duration
}

// Processor runs the stages over a batch.
type Processor interface {
	Process(ctx context.Context, b *audit.Batch) error
}

// Opener opens what a tap sealed; the lines take the place of those in room. An
// error of package seal rejects the batch.
type Opener interface {
	OpenInto(msg []byte, room []audit.Line) (seal.Header, []audit.Line, [32]byte, error)
}

// Store is the part of the store that a worker writes and asks.
type Store interface {
	Position(ctx context.Context, partition int) (next int64, open *audit.Chunk, err error)
	StreamRanges(ctx context.Context, stream string) ([]audit.StreamRange, error)
	Heads(ctx context.Context, stream string) ([]audit.StreamRange, error)
	Marks(ctx context.Context, stream string, generation uint32, from, until uint64, except string) ([]store.Mark, error)
	// OpenChunk, TakeOver and Standing return store.ErrTaken to an auditor that
	// has lost the chunk's lines to another one.
	OpenChunk(ctx context.Context, c *audit.Chunk) error
	TakeOver(ctx context.Context, c *audit.Chunk) (times uint64, err error)
	Standing(ctx context.Context, c *audit.Chunk, times uint64) error
	Kept(ctx context.Context, c *audit.Chunk) (*store.Kept, error)
	Stored(ctx context.Context, c *audit.Chunk) (entries, rejections, findings uint32, err error)
	InsertEntries(ctx context.Context, c *audit.Chunk, b *store.EntryBlock) error
	InsertRejectionsBut(ctx context.Context, c *audit.Chunk, rs []audit.Rejection, kept *store.Kept) error
	InsertFindingsBut(ctx context.Context, c *audit.Chunk, fs []audit.Finding, kept *store.Kept) error
	InsertCapsules(ctx context.Context, c *audit.Chunk, cs []audit.Capsule) error
	InsertOriginalsBut(ctx context.Context, c *audit.Chunk, os []audit.Original, kept *store.Kept) error
	InsertLinks(ctx context.Context, links []audit.Link) error
	InsertCompleteness(ctx context.Context, c *audit.Chunk, rows []store.Completeness) error
	CloseChunk(ctx context.Context, c *audit.Chunk) error
	EachEntry(ctx context.Context, chunk string, version uint16, fn func(*audit.Entry) error) error
	EachRejection(ctx context.Context, chunk string, version uint16, fn func(*audit.Rejection) error) error
	EachFinding(ctx context.Context, chunk string, version uint16, fn func(*audit.Finding) error) error
	EachCapsule(ctx context.Context, chunk string, version uint16, fn func(*audit.Capsule) error) error
	EachOriginal(ctx context.Context, chunk string, version uint16, fn func(*audit.Original) error) error
	ClosedSince(ctx context.Context, partition int, from int64) ([]*audit.Chunk, error)
	ClosedBefore(ctx context.Context, partition int, t time.Time) (int64, error)
}

// Publisher produces to a topic and returns once it is durable.
type Publisher interface {
	Produce(ctx context.Context, topic string, msgs ...broker.Message) error
}

// Consumer hands out partitions.
type Consumer interface {
	Consume(ctx context.Context, group, topic string, handle func(context.Context, *broker.Partition) error) error
	DeleteBelow(ctx context.Context, topic string, partition int, offset int64) error
}

// LineSealer seals the rejected lines of one chunk.
type LineSealer interface {
	SealedKey() []byte
	Seal(entryID string, line plain.Text) []byte
}

// Deps are what an auditor needs; all must be set but those that say so.
type Deps struct {
	// Stages are the stages of now and what makes the entries with them. What
	// one answer gave is used for whole messages, and a chunk has one's versions.
	Stages    func() (Processor, audit.Versions)
	Opener    Opener
	Store     Store
	Publisher Publisher
	Consumer  Consumer
	Controls  *control.Set
	// NewLineSealer makes the sealer of a chunk's rejected lines.
	NewLineSealer func() (LineSealer, error)
	// Vault has the public keys that originals are sealed to. Optional: without
	// it no original is kept.
	Vault seal.VaultKeys
	// Stored is told which findings are durable, so that gaps are not raised
	// again. Optional.
	Stored func([]audit.Finding)
	// Linked is told which links are durable, so that they are not written again.
	// Optional.
	Linked func([]audit.Link)
	// Nudge is told of each chunk that closed, so that the ledger in the same
	// process need not look for it. Optional.
	Nudge      func(*audit.Chunk)
	Clean      bool                  // delete from lines.v1 what is closed: the embedded broker has no retention
	Keep       time.Duration         // how long what is closed stays all the same, with Clean
	Logger     *slog.Logger          // optional
	Registerer prometheus.Registerer // optional
	Now        func() time.Time      // time.Now if nil
}

// Auditor runs the workers.
type Auditor struct {
	cfg     Config
	deps    Deps
	metrics *metrics
	tallies tallies
}

// New makes an auditor and starts nothing.
func New(cfg Config, deps Deps) (*Auditor, error) {
	if deps.NewLineSealer == nil || deps.Stages == nil || deps.Opener == nil || deps.Store == nil || deps.Publisher == nil || deps.Consumer == nil || deps.Controls == nil {
		return nil, errors.New("failed to make the auditor: a dependency is missing")
	}
	if cfg.MaxRows == 0 {
		cfg.MaxRows = 100_000
	}
	if cfg.MaxAge == 0 {
		cfg.MaxAge = 500 * time.Millisecond
	}
	if cfg.Trust == 0 {
		cfg.Trust = 3 * time.Second
	}
	if cfg.Parallel == 0 {
		cfg.Parallel = runtime.GOMAXPROCS(0)
	}
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	return &Auditor{cfg: cfg, deps: deps, metrics: newMetrics(deps.Registerer)}, nil
}

// Run works until ctx ends. A worker that fails is started again after a pause
// that grows to ten seconds.
func (a *Auditor) Run(ctx context.Context) error {
	err := a.deps.Consumer.Consume(ctx, Group, LinesTopic, a.partition)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("failed to consume %s: %w", LinesTopic, err)
	}
	return nil
}

func (a *Auditor) partition(ctx context.Context, p *broker.Partition) error {
	const longest = 10 * time.Second
	pause := 100 * time.Millisecond
	for {
		began := time.Now()
		err := newWorker(a, p).run(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, store.ErrTaken) {
			a.metrics.fenced.Inc()
			a.deps.Logger.Warn("another auditor works on a partition that this one held; it gives it up and joins the group anew",
				"partition", p.ID, "hint", "this process was paused or cut off for longer than the group waits; nothing is lost or counted twice")
			return fmt.Errorf("%w: %w", broker.ErrRejoin, err)
		}
		trouble := store.TroubleOf(err)
		a.metrics.restarts.Inc()
		a.metrics.failures.WithLabelValues(trouble.Cause).Inc()
		a.deps.Logger.Error("a partition's worker failed and starts again from the store",
			"partition", p.ID, "pause", pause, "error", err, "cause", trouble.Cause, "hint", cmp.Or(text.HintOf(err), trouble.Hint))
		if time.Since(began) > time.Minute {
			pause = 100 * time.Millisecond
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		pause = min(2*pause, longest)
	}
}
