package services

import (
	"bytes"
	"context"
	"fmt"
	"strconv"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/evidence"
	auditledger "github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
)

// maxEvidence is the most entries of one bundle.
const maxEvidence = 10_000

// Evidence implements Operations.
func (a *App) Evidence(ctx context.Context, r EvidenceRequest) (*EvidenceResult, error) {
	if err := a.registers.Record(ctx, actorOf(ctx), "evidence.bundle", strconv.Itoa(len(r.Entries))+" entries", true, r.Reason); err != nil {
		return nil, err
	}
	if len(r.Entries) == 0 || len(r.Entries) > maxEvidence {
		return nil, &text.Hint{Err: fmt.Errorf("a bundle is of 1 to %d entries, not %d", maxEvidence, len(r.Entries)), Hint: `take ids from tallystick sql "SELECT event_id FROM entries WHERE ..."`}
	}
	if err := a.settle(ctx); err != nil {
		return nil, err
	}
	b, err := a.bundle(ctx, r.Entries)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := b.Write(&out); err != nil {
		return nil, err
	}
	return &EvidenceResult{Data: out.Bytes(), Entries: len(b.Entries), Originals: len(b.Originals), Capsules: len(b.Capsules)}, nil
}

// bundle collects entries, their originals and what proves them.
func (a *App) bundle(ctx context.Context, ids []string) (*evidence.Bundle, error) {
	chunks := map[audit.ChunkKey]*wantedOf{}
	var order []audit.ChunkKey
	places, err := a.provable(ctx, ids...)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		at := places[i]
		if chunks[at.ChunkKey] == nil {
			chunks[at.ChunkKey], order = &wantedOf{place: at, ids: map[string]bool{}}, append(order, at.ChunkKey)
		}
		chunks[at.ChunkKey].ids[id] = true
	}
	cp, err := a.ledger.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	b := &evidence.Bundle{}
	for _, k := range order {
		if err := a.proveChunk(ctx, b, chunks[k], cp); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// wantedOf are the entries that are wanted of a chunk.
type wantedOf struct {
	place *store.EntryPlace // of one of them
	ids   map[string]bool
}

// proveChunk adds a chunk's entries that are wanted, their originals and the
// capsules of those.
func (a *App) proveChunk(ctx context.Context, b *evidence.Bundle, w *wantedOf, cp auditledger.Checkpoint) error {
	k := w.place.ChunkKey
	prove := prover{chunk: k, salt: w.place.Salt, log: auditledger.OpenReader(a.dir.join("ledger")), cp: cp, leaf: w.place.Leaf}
	var err error
	if prove.erased, err = a.erasedRows(ctx, k); err != nil {
		return err
	}
	err = proveRows(ctx, prove, auditledger.TableEntries, func(f func(*audit.Entry) error) error { return a.store.EachEntry(ctx, k.ID, k.Version, f) },
		auditledger.AppendEntry, func(e *audit.Entry, _ uint32) uint32 { return e.Row }, func(e *audit.Entry) bool { return w.ids[e.EntryID()] },
		func(e *audit.Entry, proof *auditledger.RowProof) error { return b.AddEntry(e, proof) })
	if err != nil {
		return err
	}
	capsules := map[string]bool{}
	err = proveRows(ctx, prove, auditledger.TableOriginals, func(f func(*audit.Original) error) error { return a.store.EachOriginal(ctx, k.ID, k.Version, f) },
		auditledger.AppendOriginal, func(o *audit.Original, _ uint32) uint32 { return o.Row }, func(o *audit.Original) bool { return w.ids[o.Origin.EntryID()] && len(o.Sealed) > 0 },
		func(o *audit.Original, proof *auditledger.RowProof) error {
			capsules[o.Capsule] = true
			b.Originals = append(b.Originals, evidence.Original{Original: *o, Proof: *proof})
			return nil
		})
	if err != nil {
		return err
	}
	return proveRows(ctx, prove, auditledger.TableCapsules, func(f func(*audit.Capsule) error) error { return a.store.EachCapsule(ctx, k.ID, k.Version, f) },
		auditledger.AppendCapsule, func(_ *audit.Capsule, n uint32) uint32 { return n }, func(c *audit.Capsule) bool { return capsules[c.ID] },
		func(c *audit.Capsule, proof *auditledger.RowProof) error {
			b.Capsules = append(b.Capsules, evidence.Capsule{ID: c.ID, Proof: *proof})
			return nil
		})
}

// prover makes proofs of one chunk.
type prover struct {
	chunk audit.ChunkKey
	salt  []byte
	log   *auditledger.Reader
	cp    auditledger.Checkpoint
	leaf  uint64
	// erased are the hashes of the chunk's originals that were erased.
	erased auditledger.Gone
}

// proveRows walks the rows of a table, which make its root with those that are
// gone, and hands out those that are wanted with their proofs. number is that of
// a row, given how many came before.
func proveRows[T any](ctx context.Context, p prover, table string, each func(func(*T) error) error, row func([]byte, *T) []byte,
	number func(*T, uint32) uint32, wanted func(*T) bool, add func(*T, *auditledger.RowProof) error) error {
	type found struct {
		value     T
		number    uint64
		canonical []byte
	}
	gone, err := p.log.Gone(table, p.chunk)
	if err != nil {
		return err
	}
	_, leaf, err := p.log.LeafAt(ctx, p.leaf, p.cp)
	if err != nil {
		return err
	}
	set, n := auditledger.NewRowSet(table, p.salt, leaf.Tables[table].Count, gone[p.chunk]), uint32(0)
	var list []found
	err = each(func(v *T) error {
		canonical, at := row(nil, v), number(v, n)
		if wanted(v) {
			list = append(list, found{*v, uint64(at), canonical})
		}
		if hash, ok := p.erased[at]; ok && table == auditledger.TableOriginals {
			set.AddErased(at, hash)
		} else {
			set.Add(at, canonical)
		}
		n++
		return nil
	})
	if err != nil {
		return fmt.Errorf("failed to read the %s of a chunk: %w", table, err)
	}
	for i := range list {
		proof, err := set.Prove(ctx, p.log, p.cp, p.leaf, list[i].number, list[i].canonical)
		if err != nil {
			return err
		}
		if err := add(&list[i].value, proof); err != nil {
			return err
		}
	}
	return nil
}
