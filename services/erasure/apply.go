package erasure

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/tallystick/tallystick/audit/erased"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking"
)

// Load reads the tombstones for the mask stage.
func (e *Eraser) Load(ctx context.Context) error {
	list, err := e.deps.Registers.Tombstones(ctx)
	if err != nil {
		return err
	}
	set := make([]masking.Tombstone, len(list))
	for i, t := range list {
		set[i] = masking.Tombstone{Mark: t.Mark, Day: t.Day, Through: t.Through}
	}
	e.deps.Tombstones.Set(set)
	return nil
}

// errBusy says that originals of a chunk that is being stored are to go.
var errBusy = &text.Hint{
	Err:  errors.New("lines about the person are being stored at this moment"),
	Hint: "it goes on by itself when they are",
}

// job is one application of tombstones.
type job struct {
	tags []store.Tag // of people whose links, originals and reports go
	also []store.Tag // of people whose originals and reports go
	// now says that originals must go before it ends: the ledger is waited for;
	// else what is not ready stays until the next time.
	now bool
	// restored says that what went before may be back.
	restored bool
	// seen is told what is there of the people before and after each act. Nil: of
	// people whose erasure is done.
	seen func(erased.Parts) error
}

// apply takes away what belongs to tombstones. Links go last: they lead to the
// rest. It returns errBusy if a chunk with originals is not closed yet, or one
// brought some meanwhile: these stay then, and links.
func (e *Eraser) apply(ctx context.Context, j job) error {
	if j.restored || len(j.tags) > 0 {
		defer e.deps.Forget()
	}
	people := slices.Concat(j.tags, j.also)
	if len(people) == 0 {
		if err := e.destroy(ctx, j.now, j.restored); err != nil {
			return err
		}
		return e.seen(ctx, nil, &j)
	}
	busy := false
	err := e.deps.Store.WithPerson(ctx, people, func(p *store.Person) (err error) {
		if busy, err = e.bury(ctx, p); err != nil {
			return err
		}
		if err := e.seen(ctx, p, &j); err != nil { // with all that has a tombstone now
			return err
		}
		if err := e.destroy(ctx, j.now, j.restored); err != nil {
			return err
		}
		if err := e.deps.Step("reports"); err != nil {
			return err
		}
		if _, err := e.reports(ctx, p, true); err != nil {
			return err
		}
		return e.seen(ctx, p, &j)
	})
	if err == nil && busy {
		err = errBusy
	}
	if err != nil || len(j.tags) == 0 {
		return err
	}
	if err := e.deps.Step("links"); err != nil {
		return err
	}
	return e.deps.Store.WithPerson(ctx, j.tags, func(p *store.Person) error {
		if j.seen != nil {
			if _, originals, err := p.Left(ctx); err != nil || originals > 0 {
				return cmp.Or(err, error(errBusy))
			}
		}
		fresh, err := p.Unlink(ctx)
		e.unlinked = append(e.unlinked, fresh...)
		if err != nil {
			return err
		}
		return e.seen(ctx, p, &j)
	})
}

// seen tells a job what is there of p, nobody if nil.
func (e *Eraser) seen(ctx context.Context, p *store.Person, j *job) error {
	if j.seen == nil {
		return nil
	}
	var now erased.Parts
	if p != nil {
		var err error
		if now.Links, now.Originals, err = p.Left(ctx); err != nil {
			return err
		}
		n, err := e.reports(ctx, p, false)
		if err != nil {
			return err
		}
		now.Reports = uint64(n)
	}
	return j.seen(now)
}
