package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/audit/retention"
	"github.com/tallystick/tallystick/internal/store"
)

// goingAtOnce is of how many chunks the originals are read in one pass.
const goingAtOnce = 50

// originals removes the originals of vault classes that are due. Where all of a
// chunk's are, the table goes with its capsules; else the tombstone names the
// rows that go.
func (e *expiry) originals(ctx context.Context) error {
	byClass, going, err := e.dueOriginals(ctx)
	if err != nil || len(going) == 0 {
		return err
	}
	present, err := e.r.Expiring.VaultClassesOf(ctx, slices.Collect(maps.Keys(going)))
	if err != nil {
		return err
	}
	var whole, part []audit.ChunkKey
	for k, classes := range going {
		if len(classes) == len(present[k]) {
			whole = append(whole, k)
		} else {
			part = append(part, k)
		}
	}
	refused, err := e.buryOriginals(ctx, whole, part, going)
	if err != nil {
		return err
	}
	for class, due := range byClass {
		due = slices.DeleteFunc(due, func(d store.Due) bool { return refused[d.ChunkKey] })
		if len(due) == 0 {
			continue
		}
		if err := e.remove(ctx, class, due); err != nil {
			return err
		}
	}
	return e.r.Removing.RemoveCapsules(ctx, whole)
}

// dueOriginals returns what is due, by class and by chunk.
func (e *expiry) dueOriginals(ctx context.Context) (map[retention.Class][]store.Due, map[audit.ChunkKey][]string, error) {
	vault, err := e.r.Expiring.VaultClasses(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("failed to look for vault classes: %w", err)
	}
	byClass, going := map[retention.Class][]store.Due{}, map[audit.ChunkKey][]string{}
	for _, v := range vault {
		class := retention.OriginalsOf(v)
		due, err := e.due(ctx, class)
		if err != nil {
			return nil, nil, err
		}
		byClass[class] = due
		for _, d := range due {
			going[d.ChunkKey] = append(going[d.ChunkKey], v)
		}
	}
	return byClass, going, nil
}

// buryOriginals writes the tombstones and what must be kept of what goes. It
// returns the chunks that do not fit their leaf, of which nothing may go.
func (e *expiry) buryOriginals(ctx context.Context, whole, part []audit.ChunkKey, going map[audit.ChunkKey][]string) (map[audit.ChunkKey]bool, error) {
	leaves := make([]ledger.Leaf, len(whole))
	for i, k := range whole {
		leaves[i] = ledger.Tombstone(k, e.now, ledger.TableOriginals, ledger.TableCapsules)
	}
	if err := e.bury(ctx, leaves); err != nil {
		return nil, err
	}
	refused := map[audit.ChunkKey]bool{}
	if len(part) == 0 {
		return refused, nil
	}
	erased, err := e.log.Erased(ctx, e.log.Checkpoint(), part...)
	if err != nil {
		return nil, err
	}
	for some := range slices.Chunk(part, goingAtOnce) {
		if err := e.buryRows(ctx, some, going, erased, refused); err != nil {
			return nil, err
		}
	}
	return refused, nil
}

// buryRows writes the tombstones of some originals of chunks. Where the rows do
// not give their leaf's root nothing goes, so that a removal hides no change.
func (e *expiry) buryRows(ctx context.Context, keys []audit.ChunkKey, going map[audit.ChunkKey][]string, erased map[audit.ChunkKey]ledger.Gone, refused map[audit.ChunkKey]bool) error {
	salts, err := e.r.Expiring.SaltsOf(ctx, keys)
	if err != nil {
		return err
	}
	before, err := e.log.Gone(ledger.TableOriginals, keys...)
	if err != nil {
		return err
	}
	roots, tables, ids := map[audit.ChunkKey]ledger.TableRoot{}, map[audit.ChunkKey]*ledger.Going{}, make([]string, 0, len(keys))
	for _, k := range keys {
		if roots[k], err = e.leafRoot(ctx, k); err != nil {
			return err
		}
		tables[k] = ledger.NewGoing(salts[k], roots[k], before[k], erased[k])
		ids = append(ids, k.ID)
	}
	err = e.r.Expiring.OriginalsOf(ctx, ids, func(k audit.ChunkKey, _ uint32, o *audit.Original) error {
		if t := tables[k]; t != nil {
			t.Add(o, slices.Contains(going[k], o.Class))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("failed to read the originals of %d chunks: %w", len(keys), err)
	}
	if err := e.r.Removing.KeepCapsules(ctx, ids); err != nil {
		return err
	}
	for _, k := range keys {
		gone, err := tables[k].Gone(roots[k])
		if errors.Is(err, ledger.ErrChanged) {
			refused[k] = true
			e.deps.Logger.Error("originals that are due stay, because their chunk does not fit its leaf; tallystick ledger verify names what differs", "chunk", k.ID)
			continue
		}
		if err == nil {
			err = e.bury(ctx, []ledger.Leaf{gone.Tombstone(k, ledger.TableOriginals, e.now)})
		}
		if err == nil {
			err = e.log.WriteGone(k, ledger.TableOriginals, gone)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// leafRoot is what the leaf of a chunk says of its originals.
func (e *expiry) leafRoot(ctx context.Context, k audit.ChunkKey) (root ledger.TableRoot, err error) {
	index, ok := e.log.Index(k.ID, k.Version)
	if !ok {
		return root, fmt.Errorf("chunk %s has no leaf", k.ID)
	}
	_, leaf, err := e.log.LeafAt(ctx, index, e.log.Checkpoint())
	return leaf.Tables[ledger.TableOriginals], err
}
