package erasure

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
)

const (
	// poll is how often approved erasures are looked for.
	poll = 15 * time.Second
	// inFlight is for how long after an erasure lines may be on their way that an
	// auditor masked before it knew.
	inFlight = 10 * time.Minute
	// sweepEvery is how often everything is looked after without a cause.
	sweepEvery = 24 * time.Hour
)

// Run carries approved erasures out until ctx ends, and looks after everything
// once a day.
func (e *Eraser) Run(ctx context.Context) error {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		if err := e.Turn(ctx); err != nil && ctx.Err() == nil {
			e.deps.Logger.Error("failed to carry an erasure out; it is tried again", "error", err, "hint", text.HintOf(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Turn does what is to be done now.
func (e *Eraser) Turn(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.Load(ctx); err != nil {
		return err
	}
	open, err := e.deps.Registers.OpenErasures(ctx)
	if err != nil {
		return err
	}
	var errs []error // one that can't go on keeps no other from it
	for _, x := range open {
		if err := e.one(ctx, x); err != nil && !errors.Is(err, errHeld) {
			errs = append(errs, err)
		}
	}
	if err := e.lookAgain(ctx); err != nil && !errors.Is(err, errBusy) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// lookAgain looks after everything once a day, sweeps while lines may be on
// their way, and once when they are stored.
func (e *Eraser) lookAgain(ctx context.Context) error {
	now := e.deps.Now()
	switch {
	case now.Sub(e.swept) >= sweepEvery:
		return e.restore(ctx)
	case now.Before(e.until):
		return e.sweep(ctx, e.looked, false)
	case len(e.unlinked) > 0:
		if err := errors.Join(e.sweep(ctx, e.looked, false), e.apply(ctx, job{also: e.unlinked, now: true})); err != nil {
			return err
		}
		e.unlinked = nil
		return e.deps.Store.SetSwept(ctx, e.looked)
	}
	return nil
}

// sweep takes away what belongs to people whose erasure is done, of links that
// are new since they were looked through up to a time; of all if it is zero.
func (e *Eraser) sweep(ctx context.Context, upTo time.Time, restored bool) error {
	now := e.deps.Now()
	list, err := e.deps.Registers.Tombstones(ctx)
	if err != nil {
		return err
	}
	if len(list) > 0 {
		tags, err := e.fallen(ctx, upTo)
		if err != nil {
			return err
		}
		if err := e.apply(ctx, job{tags: tags, restored: restored}); err != nil {
			return err
		}
	}
	e.looked = now
	return nil
}

// Restore applies every erasure again unless the store has been through all of
// them: what it holds may come from a back-up. It is called before anything is
// served; always says that it looks in any case for what is new since the last
// time.
func (e *Eraser) Restore(ctx context.Context, always bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.Load(ctx); err != nil {
		return err
	}
	missing, err := e.missing(ctx)
	if err != nil {
		return err
	}
	if len(missing) == 0 && !always {
		e.swept = e.deps.Now()
		e.looked, err = e.deps.Store.Swept(ctx)
		return err
	}
	if err := e.restore(ctx); !errors.Is(err, errBusy) { // the auditor closes the chunk, and each turn looks until then
		return err
	}
	return nil
}

// missing are the erasures that the store has not been through.
func (e *Eraser) missing(ctx context.Context) ([]registers.Erasure, error) {
	done, err := e.deps.Registers.DoneErasures(ctx)
	if err != nil {
		return nil, err
	}
	have, err := e.deps.Store.Erased(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(done, func(x registers.Erasure) bool { return have[x.ID] }), nil
}

// restore looks after everything: links that are new since the store was last
// swept, or all where it has not been through all erasures.
func (e *Eraser) restore(ctx context.Context) error {
	missing, err := e.missing(ctx)
	if err != nil {
		return err
	}
	upTo, err := e.deps.Store.Swept(ctx)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		upTo = time.Time{}
	}
	if err := e.sweep(ctx, upTo, true); err != nil {
		return err
	}
	e.swept = e.looked
	for _, x := range missing {
		if err := e.deps.Store.SetErased(ctx, x.ID); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		e.deps.Logger.Warn("the store did not know of erasures, as after the restore of a back-up; they were applied again", "erasures", len(missing))
	}
	return e.deps.Store.SetSwept(ctx, e.looked)
}
