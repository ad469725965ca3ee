package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/audit/retention"
	"github.com/tallystick/tallystick/internal/store"
)

// retentionPoll is how often the record is looked through for what is due.
const retentionPoll = time.Hour

// Expiring finds what is due. store.Store is the one.
type Expiring interface {
	// Due returns the chunks whose rows of a class are all older than before.
	Due(ctx context.Context, class retention.Class, before time.Time) ([]store.Due, error)
	// VaultClasses returns the vault classes that there are.
	VaultClasses(ctx context.Context) ([]string, error)
	// VaultClassesOf returns of which vault classes chunks have originals.
	VaultClassesOf(ctx context.Context, keys []audit.ChunkKey) (map[audit.ChunkKey][]string, error)
	// WithSubjects returns in which of some chunks some pseudonyms are, and which
	// of them.
	WithSubjects(ctx context.Context, chunks, pseudonyms []string) (map[string][]string, error)
	// ExpiredWithSalt returns the chunks of which something was removed and whose
	// salts are there.
	ExpiredWithSalt(ctx context.Context) ([]audit.ChunkKey, error)
	// SaltsOf returns the salts of chunks.
	SaltsOf(ctx context.Context, keys []audit.ChunkKey) (map[audit.ChunkKey][]byte, error)
	OriginalsOf(ctx context.Context, chunks []string, f func(audit.ChunkKey, uint32, *audit.Original) error) error
}

// Removing takes rows out of the store, after their tombstone. store.Store is
// the one.
type Removing interface {
	// Remove removes a class of chunks; done again it does no harm.
	Remove(ctx context.Context, class retention.Class, due []store.Due) error
	// KeepCapsules notes which capsules the leaves of chunks commit to.
	KeepCapsules(ctx context.Context, chunks []string) error
	RemoveCapsules(ctx context.Context, chunks []audit.ChunkKey) error
	// ForgetSalts destroys the salts of those of the chunks that are empty.
	ForgetSalts(ctx context.Context, keys []audit.ChunkKey) error
}

// Retention is what Expire works with.
type Retention struct {
	Config   retention.Config
	Expiring Expiring
	Removing Removing
	Holds    retention.Holds
}

// expiry is one pass.
type expiry struct {
	*Ledger
	r        *Retention
	now      time.Time
	holds    []retention.Hold
	subjects map[string][]string // of holds, by each chunk that was looked at
	emptied  []audit.ChunkKey
}

// runExpiry looks for what is due until ctx ends.
func (s *Ledger) runExpiry(ctx context.Context) {
	if s.deps.Retention == nil {
		return
	}
	tick := time.NewTicker(retentionPoll)
	defer tick.Stop()
	for {
		if err := s.Expire(ctx); err != nil && ctx.Err() == nil {
			s.m.errors.Inc()
			s.deps.Logger.Error("failed to remove what was kept long enough; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Expire removes what is due and not held: tombstone first, then the rows, then
// the salts of chunks of which nothing is left. Run calls it once an hour, and
// nobody beside it. What is interrupted is done again the next time.
func (s *Ledger) Expire(ctx context.Context) error {
	if s.deps.Retention == nil {
		return nil
	}
	e := &expiry{Ledger: s, r: s.deps.Retention, now: s.deps.Now().UTC(), subjects: map[string][]string{}}
	var err error
	if e.holds, err = e.r.Holds.ActiveHolds(ctx); err != nil {
		return fmt.Errorf("failed to read the holds, so nothing expires: %w", err)
	}
	if !s.finished {
		if e.emptied, err = e.r.Expiring.ExpiredWithSalt(ctx); err != nil {
			return fmt.Errorf("failed to look for what was left: %w", err)
		}
	}
	errs := []error{e.originals(ctx)}
	for _, class := range []retention.Class{retention.Rejections, retention.Findings, retention.Entries} {
		errs = append(errs, e.class(ctx, class))
	}
	err = errors.Join(append(errs, e.r.Removing.ForgetSalts(ctx, e.emptied))...)
	s.finished = err == nil
	return err
}

// due returns what is due of a class, without what is held or has no leaf.
func (e *expiry) due(ctx context.Context, class retention.Class) ([]store.Due, error) {
	keep := e.r.Config.Of(class)
	if keep == 0 {
		return nil, nil
	}
	list, err := e.r.Expiring.Due(ctx, class, e.now.Add(-keep))
	if err != nil {
		return nil, fmt.Errorf("failed to look for %s that are due: %w", class, err)
	}
	list = slices.DeleteFunc(list, func(d store.Due) bool {
		_, ok := e.log.Index(d.ID, d.Version)
		return !ok
	})
	if err := e.lookAt(ctx, list); err != nil {
		return nil, fmt.Errorf("failed to look for what is held of %s, so nothing of it expires: %w", class, err)
	}
	held := 0
	list = slices.DeleteFunc(list, func(d store.Due) bool {
		first, last, sources := d.Span()
		h := retention.Covering(e.holds, retention.Part{Class: class, Sources: sources, First: first, Last: last, Subjects: e.subjects[d.ID]})
		if h != nil {
			held++
		}
		return h != nil
	})
	e.m.held.WithLabelValues(string(class)).Set(float64(held))
	return list, nil
}

// lookAt looks in chunks that are due for the subjects of holds, once each.
func (e *expiry) lookAt(ctx context.Context, list []store.Due) error {
	subjects := retention.Subjects(e.holds)
	if len(subjects) == 0 {
		return nil
	}
	var chunks []string
	for _, d := range list {
		if _, ok := e.subjects[d.ID]; !ok {
			chunks = append(chunks, d.ID)
		}
	}
	found, err := e.r.Expiring.WithSubjects(ctx, chunks, subjects)
	if err != nil {
		return err
	}
	for _, c := range chunks {
		e.subjects[c] = found[c]
	}
	return nil
}

// class removes a class that is a whole table.
func (e *expiry) class(ctx context.Context, class retention.Class) error {
	due, err := e.due(ctx, class)
	if err != nil || len(due) == 0 {
		return err
	}
	leaves := make([]ledger.Leaf, len(due))
	for i, d := range due {
		leaves[i] = ledger.Tombstone(d.ChunkKey, e.now, class.Table())
	}
	if err := e.bury(ctx, leaves); err != nil {
		return err
	}
	return e.remove(ctx, class, due)
}

func (e *expiry) bury(ctx context.Context, leaves []ledger.Leaf) error {
	if _, err := e.log.Append(ctx, leaves...); err != nil {
		return err
	}
	e.appended()
	return nil
}

func (e *expiry) remove(ctx context.Context, class retention.Class, due []store.Due) error {
	if err := e.r.Removing.Remove(ctx, class, due); err != nil {
		return err
	}
	rows := uint64(0)
	for _, d := range due {
		e.emptied = append(e.emptied, d.ChunkKey)
		for _, p := range d.Parts {
			rows += p.Rows
		}
	}
	e.m.expired.WithLabelValues(string(class)).Add(float64(rows))
	e.deps.Logger.Info("removed what was kept long enough", "class", class, "rows", rows, "chunks", len(due))
	return nil
}
