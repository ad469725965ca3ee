package auditor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/text"
)

// blockLines is how many lines go through the stages at once: enough to
// amortise a batch's costs, few enough that events and entries stay in cache.
const blockLines = 1024

// work is a part of one message on its way through the stages. The parts of a
// message follow each other; the last one carries what ends it.
type work struct {
	batch    *audit.Batch
	done     chan error       // one value once the stages are through
	versions audit.Versions   // of the stages
	boot     string           // start of the tap that signed it, "" if it can't be believed
	from     int64            // Kafka offset of the message
	until    int64            // one past its last
	extra    []audit.Finding  // findings of the message itself, on the first part
	refused  *audit.Rejection // the message could not be believed

	last bool
	// On the last part: what the message covers, what counts besides the lines
	// of the parts, and the lines that the chain shows to be missing before it.
	reach   []audit.StreamRange
	tally   Tally
	missing uint64
}

// worker owns one partition from one start to the next failure.
type worker struct {
	a *Auditor
	p *broker.Partition

	streams map[string]*stream // by fetch only
	opened  []audit.Line       // by fetch only: room for the lines of a message
	free    chan *audit.Batch  // batches not in use; its size bounds memory
	blocks  chan *building     // buildings not in use
	flight  atomic.Int64       // accepted messages that are not yet committed
	landed  chan struct{}      // holds a value after flight went down
	running sync.WaitGroup     // stages at work
	redoing string             // id of the chunk that is redone
	cleaned time.Time          // when the broker was last rid of what need not be kept
	lost    int64              // first offset that the broker deleted unread, -1: none; the next message tells of it
}

func newWorker(a *Auditor, p *broker.Partition) *worker {
	w := &worker{a: a, p: p, streams: map[string]*stream{}, lost: -1,
		free: make(chan *audit.Batch, 2*a.cfg.Parallel), blocks: make(chan *building, 2), landed: make(chan struct{}, 1)}
	for range cap(w.free) {
		w.free <- &audit.Batch{}
	}
	gaps := map[string]bool{}
	for range cap(w.blocks) {
		w.blocks <- newBuilding(gaps)
	}
	return w
}

// run brings the partition to where the store says it stands and works until
// ctx ends or something fails. No stage runs any more when it returns.
func (w *worker) run(ctx context.Context) error {
	defer w.running.Wait()
	next, open, err := w.a.deps.Store.Position(ctx, w.p.ID)
	if err != nil {
		return fmt.Errorf("failed to read the partition's position: %w", err)
	}
	if err := w.republish(ctx, next); err != nil {
		return err
	}
	if open != nil {
		if err := w.redo(ctx, open, next); err != nil {
			return fmt.Errorf("failed to redo chunk %s: %w", open.ID, err)
		}
		next = open.Until
	}
	if err := w.seek(ctx, next); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	parts := make(chan *work, cap(w.free))
	built := make(chan *building)
	g.Go(func() error { return w.fetch(ctx, parts) })
	g.Go(func() error { return w.assemble(ctx, parts, built) })
	g.Go(func() error { return w.store(ctx, built) })
	return g.Wait()
}

// seek goes to the store's position. Batches that the broker deleted before
// they were read are a finding; a broker that ends before the position has lost
// data, and going on would count lines under offsets that mean others.
func (w *worker) seek(ctx context.Context, next int64) error {
	err := w.p.Seek(ctx, next)
	var out *broker.RangeError
	if !errors.As(err, &out) {
		return err
	}
	if out.Last < next {
		return brokerLost(next, out.Last)
	}
	if w.lost < 0 {
		w.lost = next
	}
	return w.p.Seek(ctx, out.First)
}

func brokerLost(next, last int64) error {
	return &text.Hint{
		Err:  fmt.Errorf("the store has read %s up to offset %d, but the broker ends at %d: it lost data or is another broker", LinesTopic, next, last),
		Hint: "configure the broker that was used before, or begin with a new data folder and ingest the logs again",
	}
}

// republish sends the findings of the chunk that closed last, if its offset was
// not committed: the process ended between the two. No chunk is announced before
// the one before it is committed, so there is at most one.
func (w *worker) republish(ctx context.Context, next int64) error {
	if w.p.Committed() >= next {
		return nil
	}
	chunks, err := w.a.deps.Store.ClosedSince(ctx, w.p.ID, next-1)
	if err != nil {
		return fmt.Errorf("failed to read the closed chunks: %w", err)
	}
	for _, c := range chunks {
		var fs []audit.Finding
		err := w.a.deps.Store.EachFinding(ctx, c.ID, c.Version, func(f *audit.Finding) error {
			fs = append(fs, *f)
			return nil
		})
		if err != nil {
			return fmt.Errorf("failed to read the findings of chunk %s: %w", c.ID, err)
		}
		if err := w.publish(ctx, fs); err != nil {
			return err
		}
		if err := w.p.Commit(ctx, c.Until); err != nil {
			return err
		}
	}
	return nil
}

// redo processes exactly the messages of an announced chunk again; next is where
// the closed ones end. Rows that the store has under the chunk's token stay as
// they are. Messages that the broker has deleted since are a finding.
func (w *worker) redo(ctx context.Context, c *audit.Chunk, next int64) error {
	w.a.deps.Logger.Info("redoing a chunk that was announced but not closed", "chunk", c.ID, "from", c.From, "until", c.Until)
	w.redoing = c.ID
	defer func() { w.redoing = "" }()
	if c.From > next {
		w.lost = next
	}
	if err := w.seek(ctx, c.From); err != nil {
		return err
	}
	if high := w.p.HighWatermark(); high < c.Until {
		return brokerLost(c.Until, high)
	}
	announced := *c
	b := <-w.blocks
	b.begin(c)
	stages, now := w.a.deps.Stages()
	if err := w.takeOver(ctx, b, now); err != nil {
		return err
	}
	for at := c.From; at < announced.Until; {
		m, err := w.p.Fetch(ctx)
		if err != nil {
			return err
		}
		if m.Offset >= announced.Until { // the rest has gone; the next message tells of it
			if w.lost < 0 {
				w.lost = m.Offset - m.Skipped
			}
			break
		}
		err = w.intake(ctx, m, func(it *work) error {
			it.process(ctx, stages)
			err := b.add(w.a, it, <-it.done)
			w.free <- it.batch
			return err
		})
		if err != nil {
			return err
		}
		at = m.Next()
	}
	c.Until = announced.Until
	return w.commit(ctx, b, &announced)
}

// takeOver makes an announced chunk this worker's. It keeps its versions unless
// the configuration has changed and nothing of it was stored.
func (w *worker) takeOver(ctx context.Context, b *building, now audit.Versions) (err error) {
	d, c := &w.a.deps, b.chunk
	b.checked = time.Now()
	if b.taken, err = d.Store.TakeOver(ctx, c); err != nil {
		return err
	}
	if b.kept, err = d.Store.Kept(ctx, c); err != nil {
		return err
	}
	if now == c.Versions {
		return nil
	}
	entries, rejections, findings, err := d.Store.Stored(ctx, c)
	if err != nil {
		return err
	}
	if entries+rejections+findings == 0 {
		c.Versions = now
		return nil
	}
	d.Logger.Warn("a chunk was begun under another configuration; what was stored stays as that made it", "chunk", c.ID)
	return nil
}

// fetch reads messages, drops what the record has, and starts the stages.
func (w *worker) fetch(ctx context.Context, parts chan<- *work) error {
	for {
		m, err := w.p.Fetch(ctx)
		if err != nil {
			return err
		}
		stages, versions := w.a.deps.Stages()
		err = w.intake(ctx, m, func(it *work) error {
			it.versions = versions
			if it.last {
				w.flight.Add(1)
			}
			w.running.Go(func() { it.process(ctx, stages) })
			select {
			case parts <- it:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		if err != nil {
			return err
		}
	}
}

func (it *work) process(ctx context.Context, p Processor) {
	if len(it.batch.Lines) == 0 {
		it.done <- nil
		return
	}
	it.done <- p.Process(ctx, it.batch)
}

// assemble joins the parts, in order, into chunks that end with a message.
func (w *worker) assemble(ctx context.Context, parts <-chan *work, built chan<- *building) error {
	var b *building
	var due <-chan time.Time // fires when the chunk is to be looked at
	looked, late := 0, false
	calm, closed := 0, time.Time{} // chunks that followed each other without a pause; when the last one closed
	look := w.a.cfg.MaxAge / looks
	flush := func() error {
		select {
		case built <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
		b, due, looked, late = nil, nil, 0, false
		closed = time.Now()
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-due:
			looked++
			late, due = b.late(looked, calm), time.After(look)
			if late && b.whole {
				if err := flush(); err != nil {
					return err
				}
			}
		case it := <-parts:
			if b != nil && b.whole && it.versions != b.chunk.Versions { // reloaded
				if err := flush(); err != nil {
					return err
				}
			}
			if b == nil {
				select {
				case b = <-w.blocks:
				case <-ctx.Done():
					return ctx.Err()
				}
				c, err := w.newChunk(it)
				if err != nil {
					return err
				}
				b.begin(c)
				if calm++; time.Since(closed) > quietAges*w.a.cfg.MaxAge {
					calm = 0
				}
				due = time.After(look)
			}
			if err := b.add(w.a, it, <-it.done); err != nil {
				return err
			}
			w.free <- it.batch
			b.behind = it.until < w.p.HighWatermark()
			if b.whole && (late || b.lines >= w.a.cfg.MaxRows || !b.behind && w.a.tallies.watched()) {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
}

// store commits chunks one after the other.
func (w *worker) store(ctx context.Context, built <-chan *building) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case b := <-built:
			n := b.messages
			if err := w.commit(ctx, b, nil); err != nil {
				return err
			}
			w.flight.Add(-int64(n))
			select {
			case w.landed <- struct{}{}:
			default:
			}
		}
	}
}
