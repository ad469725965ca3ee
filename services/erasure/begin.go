package erasure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tallystick/tallystick/audit/erased"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/audit/retention"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking"
)

// begin puts an erasure in force: from its tombstones on, no line of before
// brings anything back, and what is there goes.
func (e *Eraser) begin(ctx context.Context, x registers.Erasure) error {
	now := e.deps.Now().UTC().Truncate(time.Millisecond)
	holds, err := e.deps.Holds.ActiveHolds(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(holds, func(h retention.Hold) bool { return h.ID == e.heldBy[x.ID] }) {
		return heldBy(e.heldBy[x.ID]) // the person is looked for again when it is lifted
	}
	theirs, err := e.look(ctx, x)
	if err != nil {
		return err
	}
	var tags []store.Tag
	for tag := range theirs {
		tags = append(tags, store.Tag{Tag: tag, Through: 1<<16 - 1})
	}
	found, last, err := e.find(ctx, tags)
	if err != nil {
		return err
	}
	var a erased.Answer
	if err := json.Unmarshal([]byte(x.Answer), &a); err != nil {
		return fmt.Errorf("failed to read what was recorded of an erasure: %w", err)
	}
	h, err := e.held(ctx, holds, x.Request, found, tags)
	if err != nil {
		return err
	}
	if h != nil {
		e.heldBy[x.ID] = h.ID
		return heldBy(h.ID)
	}
	found.Identifiers = a.Found.Identifiers
	a.Found, a.Begun = found, now
	draft, err := json.Marshal(a)
	if err != nil {
		return err
	}
	leaf, err := ledger.ErasureLeaf(x.ID, now).Marshal()
	if err != nil {
		return err
	}
	if err := e.deps.Registers.Record(ctx, x.RequestedBy, "erasure.begin", x.Request, true, "approved by "+x.DecidedBy); err != nil {
		return err
	}
	if err := e.deps.Step("begin"); err != nil {
		return err
	}
	return e.deps.Registers.BeginErasure(ctx, x, now, max(masking.Day(now), last), leaf, string(draft))
}

// errHeld says that a legal hold keeps an erasure from beginning.
var errHeld = errors.New("a legal hold keeps this erasure from beginning")

func heldBy(hold int64) error {
	return &text.Hint{Err: fmt.Errorf("%w: hold %d", errHeld, hold), Hint: "the erasure begins by itself once tallystick hold lift has lifted it"}
}

// held returns a hold on the request itself, or on originals and links of the
// person's days; nil if there is none. Of which sources these are is not looked
// at.
func (e *Eraser) held(ctx context.Context, holds []retention.Hold, request string, f erased.Found, tags []store.Tag) (*retention.Hold, error) {
	if len(holds) == 0 {
		return nil, nil
	}
	part := retention.Part{Class: retention.Originals, Request: request}
	if f.FirstDay != "" {
		part.First, _ = time.Parse(time.DateOnly, f.FirstDay)
		last, _ := time.Parse(time.DateOnly, f.LastDay)
		part.Last = last.AddDate(0, 0, 1)
	}
	err := e.deps.Store.WithPerson(ctx, tags, func(p *store.Person) error {
		names, err := p.Names(ctx)
		part.Subjects = slices.Collect(maps.Keys(names))
		return err
	})
	return retention.Covering(holds, part), err
}
