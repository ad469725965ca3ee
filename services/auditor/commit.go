package auditor

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/store"
)

// newChunk names the chunk that begins with a message.
func (w *worker) newChunk(it *work) (*audit.Chunk, error) {
	salt := make([]byte, ledger.SaltSize)
	if _, err := rand.Read(salt); err != nil {
		return nil, err
	}
	tag := make([]byte, 4)
	if _, err := rand.Read(tag); err != nil {
		return nil, err
	}
	return &audit.Chunk{
		ID:        fmt.Sprintf("%s-%d-%d-%s", LinesTopic, w.p.ID, it.from, hex.EncodeToString(tag)),
		Version:   1,
		Partition: w.p.ID,
		From:      it.from,
		Opened:    w.a.deps.Now().UTC(),
		Versions:  it.versions,
		Salt:      salt,
	}, nil
}

// commit makes a chunk durable: intent, rows, close, findings, offset. The
// order is the promise that nothing is lost and nothing counted twice. A chunk
// that is redone, announced says as what, takes roots and findings from what
// the store holds, because there the first stored rows win.
func (w *worker) commit(ctx context.Context, b *building, announced *audit.Chunk) error {
	began := time.Now()
	d, c := &w.a.deps, b.chunk
	ledger.SortRejections(b.rejections)
	ledger.SortFindings(b.findings)
	b.closeVault()
	b.roots()
	if announced == nil {
		b.checked = time.Now()
		if err := d.Store.OpenChunk(ctx, c); err != nil {
			return fmt.Errorf("failed to announce chunk %s: %w", c.ID, err)
		}
	}
	if err := w.insert(ctx, b); err != nil {
		return fmt.Errorf("failed to insert chunk %s: %w", c.ID, err)
	}
	findings := b.findings
	if announced != nil {
		var err error
		if findings, err = w.takeFromStore(ctx, c, announced.Originals > 0 || len(b.originals) > 0); err != nil {
			return err
		}
		if c.Entries == announced.Entries {
			c.Streams = announced.Streams // also where messages have gone from the broker since
		}
	}
	if err := w.standing(ctx, b); err != nil {
		return err
	}
	if err := d.Store.CloseChunk(ctx, c); err != nil {
		return fmt.Errorf("failed to close chunk %s: %w", c.ID, err)
	}
	if d.Stored != nil {
		d.Stored(findings)
	}
	w.a.linked(b)
	if d.Nudge != nil {
		d.Nudge(c)
	}
	if err := w.publish(ctx, findings); err != nil {
		return err
	}
	if err := w.p.Commit(ctx, c.Until); err != nil {
		return fmt.Errorf("failed to commit the offset after chunk %s: %w", c.ID, err)
	}
	if d.Clean {
		if err := w.clean(ctx, c.Until); err != nil {
			d.Logger.Warn("failed to delete committed batches; trying again with the next chunk", "partition", w.p.ID, "error", err)
		}
	}
	if took := time.Since(began); took > slowChunk {
		w.a.metrics.failures.WithLabelValues("slow").Inc()
		d.Logger.Warn("storing a chunk took long", "chunk", c.ID, "seconds", took.Seconds(), "cause", "slow", "hint", store.TroubleOf(context.DeadlineExceeded).Hint)
	}
	w.a.tallies.record(b.tallies)
	w.a.metrics.committed(c, b.rejections, findings, time.Since(began))
	w.blocks <- b
	return nil
}

// clean deletes from the broker what is stored, but for what is to be kept a
// while; that is looked for once a minute.
func (w *worker) clean(ctx context.Context, until int64) (err error) {
	d := &w.a.deps
	if d.Keep > 0 {
		now := d.Now()
		if now.Sub(w.cleaned) < time.Minute {
			return nil
		}
		if until, err = d.Store.ClosedBefore(ctx, w.p.ID, now.Add(-d.Keep)); err != nil {
			return err
		}
		w.cleaned = now
	}
	return d.Consumer.DeleteBelow(ctx, LinesTopic, w.p.ID, until)
}

// slowChunk is how long a chunk may take from intent to commit without being
// worth a line in the log.
const slowChunk = 10 * time.Second

// standing makes sure that the chunk is still this worker's, where enough time
// has passed for another one to have taken it over: the process was paused, the
// machine slept, or the store was slow. Both clocks count, because either may
// stand still meanwhile.
func (w *worker) standing(ctx context.Context, b *building) error {
	now := time.Now()
	wall := now.Round(0).Sub(b.checked.Round(0))
	if trust := w.a.cfg.Trust; now.Sub(b.checked) < trust && wall >= 0 && wall < trust {
		return nil
	}
	if err := w.a.deps.Store.Standing(ctx, b.chunk, b.taken); err != nil {
		return fmt.Errorf("failed to go on with chunk %s: %w", b.chunk.ID, err)
	}
	b.checked = now
	return nil
}

// insert writes the rows of a chunk: the entries, and what is little beside them
// at the same time. Their order does not matter until the chunk closes.
func (w *worker) insert(ctx context.Context, b *building) error {
	if err := w.standing(ctx, b); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	if b.block.Rows() > 0 {
		g.Go(func() error { return w.a.deps.Store.InsertEntries(ctx, b.chunk, b.block) })
	}
	g.Go(func() error { return b.storeOriginals(ctx, w.a.deps.Store) })
	g.Go(func() error { return b.storeLinks(ctx, w.a.deps.Store) })
	g.Go(func() error { return w.insertOther(ctx, b) })
	return g.Wait()
}

func (w *worker) insertOther(ctx context.Context, b *building) error {
	d, c := &w.a.deps, b.chunk
	if len(b.rejections) > 0 {
		if err := d.Store.InsertRejectionsBut(ctx, c, b.rejections, b.kept); err != nil {
			return err
		}
	}
	if err := w.standing(ctx, b); err != nil {
		return err
	}
	if len(b.findings) > 0 {
		if err := d.Store.InsertFindingsBut(ctx, c, b.findings, b.kept); err != nil {
			return err
		}
	}
	if len(b.missing) == 0 {
		return nil
	}
	rows := make([]store.Completeness, 0, len(b.missing))
	for k, n := range b.missing {
		rows = append(rows, store.Completeness{Source: k.source, Hour: k.hour, Missing: n})
	}
	return d.Store.InsertCompleteness(ctx, c, rows)
}

// roots sets the chunk's counts, roots and row marks from the rows at hand.
func (b *building) roots() {
	t := newTables(b.chunk)
	for i := range b.rejections {
		t.rejection(&b.rejections[i])
	}
	for i := range b.findings {
		t.finding(&b.findings[i])
	}
	for i := range b.capsules {
		t.capsule(&b.capsules[i])
	}
	for i := range b.originals {
		t.original(&b.originals[i])
	}
	t.tables[ledger.TableEntries] = b.rows
	t.set(b.chunk)
}

// publish sends findings to the alerter, keyed by control so that one
// control's findings stay in order.
func (w *worker) publish(ctx context.Context, fs []audit.Finding) error {
	if len(fs) == 0 {
		return nil
	}
	msgs := make([]broker.Message, len(fs))
	all := make([]byte, 0, 700*len(fs)) // a message keeps the memory that it was written to
	for i := range fs {
		from := len(all)
		all = fs[i].AppendJSON(all)
		msgs[i] = broker.Message{Key: []byte(fs[i].Control), Value: all[from:len(all):len(all)]}
	}
	if err := w.a.deps.Publisher.Produce(ctx, FindingsTopic, msgs...); err != nil {
		return fmt.Errorf("failed to publish findings: %w", err)
	}
	return nil
}

// takeFromStore takes counts, roots and row marks from the stored rows, and
// returns the stored findings. originals tells whether there can be any.
func (w *worker) takeFromStore(ctx context.Context, c *audit.Chunk, originals bool) (findings []audit.Finding, err error) {
	t, st := newTables(c), w.a.deps.Store
	reads := []func() error{
		func() error { return st.EachEntry(ctx, c.ID, c.Version, t.entry) },
		func() error { return st.EachRejection(ctx, c.ID, c.Version, t.rejection) },
		func() error {
			return st.EachFinding(ctx, c.ID, c.Version, func(f *audit.Finding) error {
				findings = append(findings, *f)
				return t.finding(f)
			})
		},
	}
	if originals {
		reads = append(reads,
			func() error { return st.EachCapsule(ctx, c.ID, c.Version, t.capsule) },
			func() error { return st.EachOriginal(ctx, c.ID, c.Version, t.original) })
	}
	for _, read := range reads {
		if err := read(); err != nil {
			return nil, fmt.Errorf("failed to read chunk %s back: %w", c.ID, err)
		}
	}
	t.set(c)
	return findings, nil
}
