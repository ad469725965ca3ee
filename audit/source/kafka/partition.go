package kafka

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"
	"unsafe"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/masking/plain"
)

// handover is how long a partition that is to be given up waits for what was
// read to become durable, so that its next owner begins behind that.
const handover = 5 * time.Second

// partition is one assigned partition. Its goroutine reads; Ack commits.
type partition struct {
	r      *Reader
	p      *broker.Partition
	stream string

	mu    sync.Mutex
	out   int           // runs that were handed out and not acknowledged
	empty chan struct{} // closed when out is 0 and somebody waits
	gone  bool          // given up: commits would be refused
}

// partition reads one partition until ctx ends.
func (r *Reader) partition(ctx context.Context, cluster string, bp *broker.Partition) error {
	p := &partition{r: r, p: bp, stream: r.deps.Name("kafka", cluster, r.cfg.Topic, strconv.Itoa(bp.ID))}
	r.mu.Lock()
	r.partitions[p] = struct{}{}
	r.mu.Unlock()
	defer func() {
		p.settle()
		r.mu.Lock()
		delete(r.partitions, p)
		r.mu.Unlock()
	}()
	if err := p.find(ctx); err != nil {
		return err
	}
	for {
		run, err := p.next(ctx)
		if err != nil {
			return err
		}
		p.count(1)
		select {
		case r.runs <- run:
		case <-ctx.Done():
			p.count(-1)
			return ctx.Err()
		}
	}
}

// find goes to the committed offset, or where the partition still has records.
func (p *partition) find(ctx context.Context) error {
	asked := p.p.Position()
	if asked < 0 {
		return p.p.Check(ctx) // the first reading: nothing can be missing
	}
	err := p.p.Seek(ctx, asked)
	var out *broker.RangeError
	if !errors.As(err, &out) {
		return err
	}
	p.lost(out)
	return p.p.Seek(ctx, out.First)
}

// lost tells of a position that the partition does not have. Below its first
// offset it was deleted unread; above its last one the cluster lost records or
// the topic was made anew: what is there is read again, and counts once.
func (p *partition) lost(e *broker.RangeError) {
	if e.Asked < e.First {
		p.gap(source.Gap{Kind: source.GapExpired, Offset: uint64(e.Asked), Lines: uint64(e.First - e.Asked)})
		p.r.deps.Count("expired", int(e.First-e.Asked))
		return
	}
	p.gap(source.Gap{Kind: source.GapTruncated, Offset: uint64(e.Last)})
}

// next gathers a Run.
func (p *partition) next(ctx context.Context) (*source.Run, error) {
	cfg := &p.r.cfg
	m, err := p.first(ctx)
	if err != nil {
		return nil, err
	}
	run := &source.Run{Stream: p.stream, First: uint64(m.Offset), Received: p.r.deps.Clock().UTC(), Mark: p}
	gather, cancel := context.WithTimeout(ctx, cfg.Gather)
	defer cancel()
	for size, is := 0, true; ; {
		if is {
			run.Lines = append(run.Lines, p.line(m.Value, uint64(m.Offset)))
		}
		run.Next = uint64(m.Next())
		if size += len(m.Value); size >= cfg.BatchBytes || len(run.Lines) >= cfg.BatchLines {
			return run, nil
		}
		if m, err = p.p.Fetch(gather); gather.Err() != nil && err != nil {
			return run, ctx.Err()
		}
		if err == nil {
			is, err = p.record(ctx, m)
		}
		if err != nil {
			return nil, err
		}
	}
}

// first waits for a record. Meanwhile it looks whether the position is still in
// the partition.
func (p *partition) first(ctx context.Context) (broker.Message, error) {
	for {
		idle, cancel := context.WithTimeout(ctx, p.r.cfg.Idle)
		m, err := p.p.Fetch(idle)
		cancel()
		if err == nil {
			is, err := p.record(ctx, m)
			if is || err != nil {
				return m, err
			}
			continue
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return m, err
		}
		if err = p.p.Check(ctx); err == nil {
			err = p.passOver(ctx)
		}
		var out *broker.RangeError
		if errors.As(err, &out) {
			p.lost(out)
			err = p.p.Seek(ctx, out.First)
		}
		if err != nil && !broker.Passing(err) {
			return m, err
		}
	}
}

// passOver commits what stands behind the last line and holds none, if nothing
// is on its way.
func (p *partition) passOver(ctx context.Context) error {
	p.mu.Lock()
	out := p.out
	p.mu.Unlock()
	if at := p.p.Position(); out == 0 && at > p.p.Committed() {
		return p.p.Commit(ctx, at)
	}
	return nil
}

// record reports whether m is a record, and not the end of a transaction or a
// batch that can't be read, whose records are lost. It tells offsets before it that retention deleted unread from those that never
// were records or that compaction took: only the first are lost.
func (p *partition) record(ctx context.Context, m broker.Message) (bool, error) {
	if m.Control {
		p.r.deps.Count("passed_over", 1)
	}
	if m.Refused != nil {
		p.gap(source.Gap{Kind: source.GapUnreadable, Offset: uint64(m.Offset), Lines: uint64(m.Until - m.Offset)})
		p.r.deps.Count("unreadable", int(m.Until-m.Offset))
	}
	is := !m.Control && m.Refused == nil
	if m.Skipped == 0 {
		return is, nil
	}
	begin, err := p.p.First(ctx)
	if err != nil {
		return false, err
	}
	asked := m.Offset - m.Skipped
	if until := min(begin, m.Offset); until > asked {
		p.lost(&broker.RangeError{Asked: asked, First: until})
		m.Skipped -= until - asked
	}
	p.r.deps.Count("passed_over", int(m.Skipped))
	return is, nil
}

// line makes a line of a record's value, without the one line end that it may
// have. A record without a value is an empty line, which becomes a rejection.
func (p *partition) line(v []byte, offset uint64) audit.Line {
	if n := len(v); n > 0 && v[n-1] == '\n' {
		v = v[:n-1]
	}
	if n := len(v); n > 0 && v[n-1] == '\r' {
		v = v[:n-1]
	}
	l := audit.Line{Origin: audit.Origin{Stream: p.stream, Offset: offset}, Length: len(v)}
	what := "line"
	switch {
	case len(v) == 0:
		what = "empty"
	case len(v) > source.MaxLine:
		v, what = v[:source.MaxLine], "too_long"
	}
	p.r.deps.Count(what, 1)
	if len(v) > 0 {
		l.Text = plain.New(unsafe.String(&v[0], len(v))) // nobody writes to a fetched value
	}
	return l
}

func (p *partition) ack(next int64) error {
	defer p.count(-1)
	p.mu.Lock()
	gone := p.gone
	p.mu.Unlock()
	if gone {
		p.r.deps.Count("commit_refused", 1)
		return nil
	}
	if err := p.p.Commit(context.Background(), next); err != nil {
		p.r.deps.Count("commit_refused", 1)
		p.r.deps.Logger.Warn("an offset was not committed: its records are read again and count once", "source", p.r.cfg.Source, "topic", p.r.cfg.Topic, "partition", p.p.ID, "error", err)
		return nil
	}
	return nil
}

// count keeps how many runs are out.
func (p *partition) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out += n
	if p.out == 0 && p.empty != nil {
		close(p.empty)
		p.empty = nil
	}
}

// settle waits for the runs that are out, unless the Reader closes, and ends
// commits.
func (p *partition) settle() {
	p.mu.Lock()
	empty := make(chan struct{})
	if p.out == 0 {
		close(empty)
	} else {
		p.empty = empty
	}
	p.mu.Unlock()
	timer := time.NewTimer(handover)
	defer timer.Stop()
	select {
	case <-empty:
	case <-p.r.closing:
	case <-timer.C:
	}
	p.mu.Lock()
	p.gone, p.empty = true, nil
	p.mu.Unlock()
}

func (p *partition) lag() int64 { return max(p.p.HighWatermark()-p.p.Committed(), 0) }

func (p *partition) gap(g source.Gap) {
	g.Source, g.Stream, g.Seen = p.r.cfg.Source, p.stream, p.r.deps.Clock().UTC()
	p.r.deps.Logger.Warn("records of a topic are or may be lost", "source", g.Source, "kind", string(g.Kind), "topic", p.r.cfg.Topic, "partition", p.p.ID, "offset", g.Offset, "records", g.Lines)
	p.r.deps.Gap(g)
}
