package auditor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/text"
)

// blockLines is how many lines go through the stages at once: enough to
// amortise a batch's costs, few enough that events and entries stay in cache.
const blockLines = 2048

// work is a part of one message on its way through the stages. The parts of a
// message follow each other; the last one carries what ends it.
type work struct {
	batch   *audit.Batch
	done    chan error       // one value once the stages are through
	boot    string           // start of the tap that sealed it, "" if it can't be believed
	from    int64            // Kafka offset of the message
	extra   []audit.Finding  // findings of the message itself, on the first part
	refused *audit.Rejection // the message could not be believed

	last  bool
	reach []audit.StreamRange // on the last part: what the message covers
	known uint64              // on the last part: lines of the message that the record had

	missing uint64 // on the last part: lines that the chain shows to be missing before the message
}

// worker owns one partition from one start to the next failure.
type worker struct {
	a *Auditor
	p *broker.Partition

	streams map[string]*stream // by fetch only
	free    chan *audit.Batch  // batches not in use; its size bounds memory
	blocks  chan *building     // buildings not in use
	flight  atomic.Int64       // accepted messages that are not yet committed
	landed  chan struct{}      // holds a value after flight went down
	lost    []audit.Finding    // raised before the first message, which takes them along
}

func newWorker(a *Auditor, p *broker.Partition) *worker {
	w := &worker{a: a, p: p, streams: map[string]*stream{}, free: make(chan *audit.Batch, 2*a.cfg.Parallel), blocks: make(chan *building, 2), landed: make(chan struct{}, 1)}
	for range cap(w.free) {
		w.free <- &audit.Batch{}
	}
	for range cap(w.blocks) {
		w.blocks <- newBuilding()
	}
	return w
}

// run brings the partition to where the store says it stands and works until
// ctx ends or something fails.
func (w *worker) run(ctx context.Context) error {
	next, open, err := w.a.deps.Store.Position(ctx, w.p.ID)
	if err != nil {
		return fmt.Errorf("failed to read the partition's position: %w", err)
	}
	if err := w.republish(ctx); err != nil {
		return err
	}
	if open != nil {
		if err := w.redo(ctx, open); err != nil {
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
	if next == 0 {
		return nil // nothing is stored: the group's position, or the first
	}
	err := w.p.Seek(ctx, next)
	var out *broker.RangeError
	if !errors.As(err, &out) {
		return err
	}
	if out.Last < next {
		return &text.Hint{Err: fmt.Errorf("the store has read %s up to offset %d, but the broker ends at %d: it lost data or is another broker", LinesTopic, next, out.Last),
			Hint: "configure the broker that was used before, or begin with a new data folder and ingest the logs again"}
	}
	f, err := w.raise("lines-dropped", "", broker.Message{Offset: next}, map[string]string{"batches": strconv.FormatInt(out.First-next, 10)})
	if err != nil {
		return err
	}
	w.lost = []audit.Finding{f}
	return w.p.Seek(ctx, out.First)
}

// republish sends the findings of chunks that closed but whose offset was not
// committed: the process ended between the two.
func (w *worker) republish(ctx context.Context) error {
	chunks, err := w.a.deps.Store.ClosedSince(ctx, w.p.ID, w.p.Committed())
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

// redo processes exactly the messages of an announced chunk again. Rows that
// the store has under the chunk's token stay as they are.
func (w *worker) redo(ctx context.Context, c *audit.Chunk) error {
	w.a.deps.Logger.Info("redoing a chunk that was announced but not closed", "chunk", c.ID, "from", c.From, "until", c.Until)
	if err := w.p.Seek(ctx, c.From); err != nil {
		return err
	}
	b := <-w.blocks
	b.begin(c)
	for at := c.From; at < c.Until; {
		m, err := w.p.Fetch(ctx)
		if err != nil {
			return err
		}
		if m.Offset >= c.Until {
			return errors.New("the broker no longer has its messages")
		}
		err = w.intake(ctx, m, func(it *work) error {
			it.process(ctx, w.a.deps.Pipeline)
			err := b.add(w.a, it, <-it.done)
			w.free <- it.batch
			return err
		})
		if err != nil {
			return err
		}
		at = m.Offset + 1
	}
	b.chunk.Until = c.Until
	return w.commit(ctx, b, true)
}

// fetch reads messages, drops what the record has, and starts the stages.
func (w *worker) fetch(ctx context.Context, parts chan<- *work) error {
	for {
		m, err := w.p.Fetch(ctx)
		if err != nil {
			return err
		}
		err = w.intake(ctx, m, func(it *work) error {
			if it.last {
				w.flight.Add(1)
			}
			go it.process(ctx, w.a.deps.Pipeline)
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
	var due <-chan time.Time
	late := false
	flush := func() error {
		select {
		case built <- b:
		case <-ctx.Done():
			return ctx.Err()
		}
		b, due, late = nil, nil, false
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-due:
			late = true
			if b.whole {
				if err := flush(); err != nil {
					return err
				}
			}
		case it := <-parts:
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
				due = time.After(w.a.cfg.MaxAge)
			}
			if err := b.add(w.a, it, <-it.done); err != nil {
				return err
			}
			w.free <- it.batch
			if b.whole && (late || b.lines >= w.a.cfg.MaxRows) {
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
			if err := w.commit(ctx, b, false); err != nil {
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
