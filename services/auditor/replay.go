package auditor

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/masking/plain"
)

// ReplayStore is the part of the store that a replay uses besides Store.
type ReplayStore interface {
	Store
	ChunksOf(ctx context.Context, p store.Span) ([]*audit.Chunk, error)
	LinesOf(ctx context.Context, c *audit.Chunk, fn func(store.Line)) error
	Attempt(ctx context.Context, id string, version uint16) (begun, closed bool, err error)
	Discard(ctx context.Context, id string, version uint16) error
	UnfinishedReplays(ctx context.Context) ([]store.Unfinished, error)
	TakeOff(ctx context.Context, c *audit.Chunk) error
	Supersede(ctx context.Context, id string, version uint16) error
	RejectedIn(ctx context.Context, p store.Span, after *audit.Rejection, limit int) ([]audit.Rejection, error)
	Replayed(ctx context.Context, c *audit.Chunk, rs []audit.Rejection) error
}

// ReplayDeps are what a Replayer needs; all must be set.
type ReplayDeps struct {
	Store ReplayStore
	// Read hands the messages of an offset range of a topic's partition that the
	// broker still has to handle.
	Read func(ctx context.Context, topic string, partition int, from, until int64, handle func(broker.Message) error) error
	// Stages makes the stages that re-process; gaps that other chunks than these
	// show need not be raised again.
	Stages func(ctx context.Context, chunks []string) (Processor, error)
	// Sequenced returns when the ledger has the leaf of a chunk's version.
	Sequenced func(ctx context.Context, c *audit.Chunk) error
	// OpenLine opens the sealed line of a rejection.
	OpenLine func(r *audit.Rejection) (plain.Text, error)
}

// Replayed is what a replay did.
type Replayed struct {
	Chunks     uint64 // re-processed, or made of rejections
	Gone       uint64 // chunks whose lines the broker has no more, left as they are
	Entries    uint64
	Rejections uint64 // lines that are rejections still
	Findings   uint64
	Sealed     uint64 // rejections that no key opens any more
}

// Replayer re-processes what is stored with the parser, policy, data map and
// controls of now. A version is written beside the one before it, gets its leaf,
// and is seen by all readers from one insert on. What a replay that was
// interrupted left has an end in End. It is not safe for concurrent use.
type Replayer struct {
	a    *Auditor
	deps ReplayDeps
}

// NewReplayer makes a Replayer that works as a does.
func NewReplayer(a *Auditor, deps ReplayDeps) *Replayer { return &Replayer{a, deps} }

// errGone says that lines of a chunk are not in the broker any more.
var errGone = errors.New("lines of the chunk are gone")

// Chunks re-processes the chunks that hold lines of a span, as wholes.
func (r *Replayer) Chunks(ctx context.Context, p store.Span, progress func(done, total uint64)) (Replayed, error) {
	var out Replayed
	chunks, err := r.deps.Store.ChunksOf(ctx, p)
	if err != nil {
		return out, fmt.Errorf("failed to look for the chunks: %w", err)
	}
	ids := make([]string, len(chunks))
	for i, c := range chunks {
		ids[i] = c.ID
	}
	stages, err := r.deps.Stages(ctx, ids)
	if err != nil {
		return out, err
	}
	for i, c := range chunks {
		progress(uint64(i), uint64(len(chunks)))
		next, err := r.chunk(ctx, stages, c)
		switch {
		case errors.Is(err, errGone):
			out.Gone++
			continue
		case err != nil:
			return out, fmt.Errorf("failed to re-process chunk %s: %w", c.ID, err)
		}
		out.add(next)
	}
	progress(uint64(len(chunks)), uint64(len(chunks)))
	return out, nil
}

func (o *Replayed) add(c *audit.Chunk) {
	o.Chunks++
	o.Entries += uint64(c.Entries)
	o.Rejections += uint64(c.Rejections)
	o.Findings += uint64(c.Findings)
}

// chunk writes the next version of a chunk and makes it the one that is seen.
func (r *Replayer) chunk(ctx context.Context, stages Processor, old *audit.Chunk) (*audit.Chunk, error) {
	next := *old
	next.Version++
	begun, closed, err := r.deps.Store.Attempt(ctx, next.ID, next.Version)
	if err != nil {
		return nil, err
	}
	if closed { // a replay ended between this and the rest
		return &next, r.show(ctx, &next)
	}
	if begun {
		if err := r.deps.Store.Discard(ctx, next.ID, next.Version); err != nil {
			return nil, err
		}
	}
	if err := r.begin(&next); err != nil {
		return nil, err
	}
	b := newBuilding(map[string]bool{})
	b.begin(&next)
	if err := r.lines(ctx, stages, old, b); err != nil {
		return nil, err
	}
	if err := r.keep(ctx, old, b); err != nil {
		return nil, err
	}
	next.Until, next.Streams = old.Until, old.Streams
	if err := r.write(ctx, b, func(ctx context.Context) error { return r.deps.Store.TakeOff(ctx, &next) }); err != nil {
		return nil, err
	}
	return &next, r.show(ctx, &next)
}

// begin gives a chunk what an attempt has of its own.
func (r *Replayer) begin(c *audit.Chunk) error {
	c.Salt = make([]byte, ledger.SaltSize)
	if _, err := rand.Read(c.Salt); err != nil {
		return err
	}
	_, versions := r.a.deps.Stages()
	c.Opened, c.Versions = r.a.deps.Now().UTC(), versions
	return nil
}

type heldLine struct {
	stream string
	offset uint64
	mark   uint32
}

// lines puts the lines that the record has of a chunk through the stages. Lines
// that its messages hold besides were known already when they came.
func (r *Replayer) lines(ctx context.Context, stages Processor, old *audit.Chunk, b *building) error {
	held := map[heldLine]uint32{} // the generation of each line
	err := r.deps.Store.LinesOf(ctx, old, func(l store.Line) { held[heldLine{l.Stream, l.Offset, l.Mark}] = l.Generation })
	if err != nil {
		return err
	}
	err = r.deps.Read(ctx, LinesTopic, old.Partition, old.From, old.Until, func(m broker.Message) error {
		if m.Refused != nil {
			return nil // its rejection is kept
		}
		h, lines, _, err := r.a.deps.Opener.OpenInto(m.Value, nil)
		if err != nil {
			if aboutMessage(err) {
				return nil // its rejection is kept
			}
			return fmt.Errorf("failed to open a batch: %w", err)
		}
		fresh := lines[:0]
		for _, l := range lines {
			k := heldLine{l.Origin.Stream, l.Origin.Offset, l.Mark}
			if g, ok := held[k]; ok {
				delete(held, k)
				l.Origin.Generation = g
				fresh = append(fresh, l)
			}
		}
		return r.process(ctx, stages, b, audit.Batch{Source: h.Source, Tap: h.Tap, Received: h.Received, Lines: fresh})
	})
	if err == nil && len(held) > 0 {
		err = errGone
	}
	return err
}

// process puts the lines of a batch through the stages, in blocks, and adds what
// comes of them in order.
func (r *Replayer) process(ctx context.Context, stages Processor, b *building, all audit.Batch) error {
	var parts []*work
	for lines := all.Lines; len(lines) > 0; {
		n := min(blockLines, len(lines))
		part := all
		part.Lines, lines = lines[:n], lines[n:]
		parts = append(parts, &work{batch: &part})
	}
	g, within := errgroup.WithContext(ctx)
	g.SetLimit(r.a.cfg.Parallel)
	for _, it := range parts {
		g.Go(func() error { return stages.Process(within, it.batch) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for _, it := range parts {
		if err := b.add(r.a, it, nil); err != nil {
			return err
		}
	}
	return nil
}

// keep takes over what no parser changes: batches that could not be believed,
// and findings about the way of the lines.
func (r *Replayer) keep(ctx context.Context, old *audit.Chunk, b *building) error {
	err := r.deps.Store.EachRejection(ctx, old.ID, old.Version, func(x *audit.Rejection) error {
		if x.Reason == audit.ReasonTap {
			b.rejections = append(b.rejections, *x)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return r.deps.Store.EachFinding(ctx, old.ID, old.Version, func(f *audit.Finding) error {
		if f.Control == "GV-03" {
			b.findings = append(b.findings, *f)
		}
		return nil
	})
}

// write stores a version of a chunk; besides is what belongs to it and is none
// of its rows. What fails before the version closes leaves nothing.
func (r *Replayer) write(ctx context.Context, b *building, besides func(context.Context) error) error {
	ledger.SortRejections(b.rejections)
	ledger.SortFindings(b.findings)
	b.closeVault()
	b.roots()
	if err := r.fill(ctx, b, besides); err != nil {
		return errors.Join(err, r.drop(ctx, b.chunk.Key()))
	}
	if err := r.deps.Store.CloseChunk(context.WithoutCancel(ctx), b.chunk); err != nil {
		return err
	}
	r.a.linked(b)
	return nil
}

// fill stores what a version has. An insert that is given up may come in all the
// same, behind whatever drops the version: so ctx ends it between inserts only.
func (r *Replayer) fill(ctx context.Context, b *building, besides func(context.Context) error) error {
	s, c := r.deps.Store, b.chunk
	for _, insert := range []func(context.Context) error{
		func(ctx context.Context) error { return s.OpenChunk(ctx, c) },
		func(ctx context.Context) error {
			if b.block.Rows() == 0 {
				return nil
			}
			return s.InsertEntries(ctx, c, b.block)
		},
		func(ctx context.Context) error { return b.storeOriginals(ctx, s) },
		func(ctx context.Context) error { return b.storeLinks(ctx, s) },
		func(ctx context.Context) error { return s.InsertRejectionsBut(ctx, c, b.rejections, nil) },
		func(ctx context.Context) error { return s.InsertFindingsBut(ctx, c, b.findings, nil) },
		besides,
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := insert(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	begun, _, err := s.Attempt(ctx, c.ID, c.Version)
	if err == nil && !begun {
		err = errors.New("the new version was taken for that of a replay that had ended, and dropped: it took too long")
	}
	return err
}

// show makes a closed version the one that is seen: leaf, findings, and then the
// one insert by which all readers change over.
func (r *Replayer) show(ctx context.Context, c *audit.Chunk) error {
	if err := r.deps.Sequenced(ctx, c); err != nil {
		return fmt.Errorf("failed to wait for its leaf: %w", err)
	}
	var fs []audit.Finding
	err := r.deps.Store.EachFinding(ctx, c.ID, c.Version, func(f *audit.Finding) error {
		fs = append(fs, *f)
		return nil
	})
	if err != nil {
		return err
	}
	if err := (&worker{a: r.a}).publish(ctx, fs); err != nil {
		return err
	}
	return r.deps.Store.Supersede(ctx, c.ID, c.Version-1)
}
