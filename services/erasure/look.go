package erasure

import (
	"context"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
)

// slack is how much later than its time a link may be seen: the clocks of
// auditors differ, and an insert takes its time.
const slack = time.Hour

// each calls fn for each tag of a link that may have been written since links
// were looked through up to a time, which is zero before the first look.
func (e *Eraser) each(ctx context.Context, upTo time.Time, fn func(tag string)) error {
	if !upTo.IsZero() {
		upTo = upTo.Add(-slack)
	}
	return e.deps.Store.EachTag(ctx, upTo, func(tag string) error {
		fn(tag)
		return nil
	})
}

// scan is how far links were looked through for an erasure, and which of their
// tags are of the person.
type scan struct {
	upTo time.Time
	tags map[string]bool
}

// look returns the tags of a person. All links are read once in a process, and
// then those that are new.
func (e *Eraser) look(ctx context.Context, x registers.Erasure) (map[string]bool, error) {
	s := e.scans[x.ID]
	if s == nil {
		s = &scan{tags: map[string]bool{}}
		e.scans[x.ID] = s
	}
	now, ours := e.deps.Now(), marksOf(x)
	err := e.each(ctx, s.upTo, func(tag string) {
		if ours(e.deps.Tombstones.Tag(tag)) {
			s.tags[tag] = true
		}
	})
	if err != nil {
		return nil, err
	}
	s.upTo = now
	return s.tags, nil
}

// marksOf tells the marks of an erasure from others.
func marksOf(list ...registers.Erasure) func(mark string) bool {
	marks := map[string]bool{}
	for i := range list {
		for _, m := range list[i].Marks {
			marks[m] = true
		}
	}
	return func(mark string) bool { return marks[mark] }
}

// fallen are the tags of new links that belong to tombstones and not to an
// erasure under way, which is done on its own and counted.
func (e *Eraser) fallen(ctx context.Context, upTo time.Time) (tags []store.Tag, err error) {
	open, err := e.deps.Registers.OpenErasures(ctx)
	if err != nil {
		return nil, err
	}
	begun := open[:0]
	for _, x := range open {
		if !x.Begun.IsZero() {
			begun = append(begun, x)
		}
	}
	ours := marksOf(begun...)
	err = e.each(ctx, upTo, func(tag string) {
		if t, ok := e.deps.Tombstones.OfTag(tag); ok && !ours(t.Mark) {
			tags = append(tags, store.Tag{Tag: tag, Through: t.Through})
		}
	})
	return tags, err
}
