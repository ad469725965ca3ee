package als

import (
	"context"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/text"
)

// compare asks the Envoys for their counters until ctx ends. Counters run ahead
// of entries, which are on their way for some seconds: the difference is exact
// once nothing has moved for as long as that. While accesses go on, only what
// had ended that long ago and is still not here is surely lost; it is told
// after a while, and the rest when things are quiet. The sum of what is told is
// what was lost.
func (r *Reader) compare(ctx context.Context) {
	var w watch
	for {
		wait := r.cfg.Poll
		if err := r.look(ctx, &w); err == nil {
			r.problem.Store(nil)
		} else if ctx.Err() == nil {
			wait = min(wait, time.Second)
			if r.problem.Swap(&err) == nil {
				r.deps.Logger.Warn("entries can't be compared with Envoy's counters", "source", r.cfg.Source, "error", err, "hint", text.HintOf(err))
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// look compares once.
func (r *Reader) look(ctx context.Context, w *watch) error {
	said := make([]counters, len(r.cfg.Admin))
	for i, address := range r.cfg.Admin {
		var err error
		if said[i], err = r.stats.ask(ctx, address); err != nil {
			return &text.Hint{
				Err:  fmt.Errorf("failed to read the counters of the Envoy at %s: %w", address, err),
				Hint: "als.admin names Envoy's admin interface, or its /stats/prometheus; while it does not answer, lost entries stay unknown",
			}
		}
	}
	now := r.deps.Clock()
	ended, waiting, out, restarted, err := r.observe(said)
	if err != nil {
		return err
	}
	if restarted && (w.moving || w.changed.IsZero()) { // or while nobody looked
		r.deps.Logger.Warn("an Envoy started anew: its last entries can't be compared", "source", r.cfg.Source)
		r.tell(ends{}, now)
	}
	number, _ := r.inlet.Number()
	w.see(now, ended, number)
	if out == 0 && waiting == (ends{}) && w.quiet(now, r.cfg.Settle) {
		return r.reckon(ctx, now)
	}
	before, ok := w.before(now, ended, r.cfg.Settle)
	if !ok {
		return nil
	}
	r.mu.Lock()
	lost := r.book.surely(before, waiting)
	r.mu.Unlock()
	if w.patient(now, lost, r.cfg.Patience) {
		return r.tell(lost, now)
	}
	return nil
}

// observe enters what the Envoys said, and returns what they counted, what
// waits for Next, how many Runs are out, and whether an Envoy started anew.
func (r *Reader) observe(said []counters) (ended, waiting ends, out int, restarted bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.book.Envoys) == 0 {
		r.deps.Logger.Info("entries are compared with Envoy's counters from now on", "source", r.cfg.Source)
	}
	for i, address := range r.cfg.Admin {
		restarted = r.book.observe(address, said[i]) || restarted
	}
	return r.book.ended(), endsOf(r.kinds), len(r.book.Out), restarted, r.save()
}

// reckon tells exactly what is missing. Nothing is on its way but, perhaps, what
// an earlier start left.
func (r *Reader) reckon(ctx context.Context, now time.Time) error {
	for {
		r.mu.Lock()
		if len(r.book.Doubts) == 0 {
			break
		}
		d := r.book.Doubts[0]
		r.mu.Unlock()
		until, final := d.Out[len(d.Out)-1].Until, true
		if r.cfg.Durable != nil {
			var err error
			if until, final, err = r.cfg.Durable(ctx, d.Stream); err != nil || !final {
				return err
			}
		}
		r.mu.Lock()
		r.book.settle(until)
		r.mu.Unlock()
	}
	more := r.book.forgive()
	lost := r.book.missing().atLeastZero()
	err := r.save()
	r.mu.Unlock()
	if more.sum() > 0 {
		r.deps.Logger.Info("entries came that Envoy's counters do not have: of before the first look, or of an Envoy that als.admin does not name", "source", r.cfg.Source, "entries", more.sum())
	}
	if lost.sum() > 0 {
		return r.tell(lost, now)
	}
	return err
}

// tell raises a gap. Its place is how many entries were told to be lost before,
// in a stream that stands for the comparison and a generation for each start of
// an Envoy: the same gap told again is one.
func (r *Reader) tell(lost ends, now time.Time) error {
	r.mu.Lock()
	before, restarts := r.book.Told.sum(), r.book.Restarts
	r.mu.Unlock()
	r.deps.Logger.Warn("entries of Envoy's access log are lost", "source", r.cfg.Source, "http", lost.HTTP, "tcp", lost.TCP)
	r.deps.Gap(source.Gap{
		Kind: source.GapMissing, Source: r.cfg.Source, Stream: r.deps.Name(r.cfg.Source, "als", "counters"),
		Generation: restarts, Offset: before, Lines: lost.sum(), Seen: now.UTC(),
	})
	r.deps.Count("missing", int(lost.sum()))
	r.mu.Lock()
	defer r.mu.Unlock()
	r.book.Told = r.book.Told.plus(lost)
	return r.save()
}
