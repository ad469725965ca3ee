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
	// sweepEvery is how often all tombstones are applied again without a cause.
	sweepEvery = 24 * time.Hour
)

// Run carries approved erasures out until ctx ends, and sweeps once a day.
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

// lookAgain sweeps once a day, while lines may be on their way, and once when
// they are stored.
func (e *Eraser) lookAgain(ctx context.Context) error {
	now := e.deps.Now()
	switch {
	case now.Sub(e.swept) >= sweepEvery:
		if err := e.sweep(ctx, true); err != nil {
			return err
		}
		e.swept = now
	case now.Before(e.until):
		return e.sweep(ctx, false)
	case len(e.unlinked) > 0:
		if err := errors.Join(e.sweep(ctx, false), e.apply(ctx, job{also: e.unlinked, now: true})); err != nil {
			return err
		}
		e.unlinked = nil
	}
	return nil
}

// sweep takes away what belongs to people whose erasure is done. Those whose is
// under way are done on their own, and counted.
func (e *Eraser) sweep(ctx context.Context, restored bool) error {
	list, err := e.deps.Registers.Tombstones(ctx)
	if err != nil || len(list) == 0 {
		return err
	}
	open, err := e.deps.Registers.OpenErasures(ctx)
	if err != nil {
		return err
	}
	ours := marksOf(slices.DeleteFunc(open, func(x registers.Erasure) bool { return x.Begun.IsZero() })...)
	tags, err := e.tagsOf(ctx, func(mark string) bool { return !ours(mark) })
	if err != nil {
		return err
	}
	return e.apply(ctx, job{tags: tags, restored: restored})
}

// Restore applies every erasure again unless the store has been through all of
// them: what it holds may come from a back-up. It is called before anything is
// served; always says that it does so in any case.
func (e *Eraser) Restore(ctx context.Context, always bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.Load(ctx); err != nil {
		return err
	}
	done, err := e.deps.Registers.DoneErasures(ctx)
	if err != nil {
		return err
	}
	have, err := e.deps.Store.Erased(ctx)
	if err != nil {
		return err
	}
	missing := slices.DeleteFunc(done, func(x registers.Erasure) bool { return have[x.ID] })
	if len(missing) > 0 || always {
		err := e.sweep(ctx, true)
		if errors.Is(err, errBusy) {
			return nil // the auditor closes the chunk, and each turn sweeps until then
		}
		if err != nil {
			return err
		}
	}
	e.swept = e.deps.Now()
	for _, x := range missing {
		if err := e.deps.Store.SetErased(ctx, x.ID); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		e.deps.Logger.Warn("the store did not know of erasures, as after the restore of a back-up; they were applied again", "erasures", len(missing))
	}
	return nil
}
