package ledger_test

import (
	"bytes"
	"context"
	"errors"
	stdslices "slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
)

// take removes the originals of chunk c1 with these numbers as the product does:
// tombstone, record, rows.
func (f *fixture) take(t *testing.T, numbers ...uint32) ledger.Gone {
	t.Helper()
	c := f.store.chunk("c1")
	before, err := ledger.OpenReader(f.dir).Gone(ledger.TableOriginals, c.key())
	must(t, err)
	erased, err := ledger.OpenReader(f.dir).Erased(context.Background(), f.log.Checkpoint(), c.key())
	must(t, err)
	root := ledger.ChunkLeaf(&c.Chunk, leafTime).Tables[ledger.TableOriginals]
	g := ledger.NewGoing(c.Salt, root, before[c.key()], erased[c.key()])
	for _, o := range c.originals {
		g.Add(&o, stdslices.Contains(numbers, o.Row))
	}
	gone, err := g.Gone(root)
	must(t, err)
	_, err = f.log.Append(context.Background(), gone.Tombstone(c.key(), ledger.TableOriginals, leafTime))
	must(t, err)
	must(t, f.log.WriteGone(c.key(), ledger.TableOriginals, gone))
	c.originals = stdslices.DeleteFunc(c.originals, func(o audit.Original) bool { return stdslices.Contains(numbers, o.Row) })
	return gone
}

// TestGone removes some rows of a table: what tombstones say is accepted, and
// nothing else.
func TestGone(t *testing.T) {
	removed := []ledger.Problem{{Kind: ledger.RowRemoved, Chunk: "c1", Version: 1, Table: "originals", Row: 1, EntryID: "AbCdEfGhIjKlMnOp-0-0"}}
	for _, tc := range []struct {
		name string
		do   func(t *testing.T, f *fixture)
		want []ledger.Problem
	}{
		{"one row", func(t *testing.T, f *fixture) { f.take(t, 0) }, nil},
		{"one row, and later the other", func(t *testing.T, f *fixture) { f.take(t, 0); f.take(t, 1) }, nil},
		{"one row, after the other was erased", func(t *testing.T, f *fixture) { f.erase(t, "c1", 0); f.take(t, 1) }, nil},
		{"an erased row", func(t *testing.T, f *fixture) { f.erase(t, "c1", 0); f.take(t, 0) }, nil},
		{"a row that is still there", func(t *testing.T, f *fixture) {
			c := f.store.chunk("c1")
			kept := stdslices.Clone(c.originals)
			f.take(t, 0)
			c.originals = kept
		}, nil},
		{"another row than the tombstone's", func(t *testing.T, f *fixture) {
			c := f.store.chunk("c1")
			kept := stdslices.Clone(c.originals[:1])
			f.take(t, 0)
			c.originals = kept
		}, removed},
		{"a row changed beside it", func(t *testing.T, f *fixture) {
			f.take(t, 0)
			f.store.chunk("c1").originals[0].Sealed = []byte("other")
		},
			[]ledger.Problem{{Kind: ledger.RowChanged, Chunk: "c1", Version: 1, Table: "originals", Row: 1, EntryID: "AbCdEfGhIjKlMnOp-0-100"}}},
		{"a record that the tombstone does not commit to", func(t *testing.T, f *fixture) {
			gone := f.take(t, 0)
			f.store.chunk("c1").originals = nil
			gone[1] = gone[0]
			must(t, f.log.WriteGone(f.store.chunk("c1").key(), ledger.TableOriginals, gone))
		}, []ledger.Problem{{Kind: ledger.RowRemoved, Chunk: "c1", Version: 1, Table: "originals"}}},
		{"a crash between tombstone and record", func(t *testing.T, f *fixture) {
			first := f.take(t, 0)
			kept := stdslices.Clone(f.store.chunk("c1").originals)
			f.take(t, 1)
			must(t, f.log.WriteGone(f.store.chunk("c1").key(), ledger.TableOriginals, first))
			f.store.chunk("c1").originals = kept
		}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			tc.do(t, f)
			if diff := cmp.Diff(f.verify(t).Problems, tc.want); diff != "" {
				t.Errorf("(-got +want)\n%s", diff)
			}
		})
	}
}

// TestGoneKeepsProofs: what stayed is proved as before.
func TestGoneKeepsProofs(t *testing.T) {
	f := newFixture(t)
	c := f.store.chunk("c1")
	key, err := ledger.VerifierKey(testKey(1).Public(), origin)
	must(t, err)
	prove := func(gone ledger.Gone) *ledger.RowProof {
		set := ledger.NewRowSet(ledger.TableOriginals, c.Salt, 1000, gone)
		var row []byte
		for _, o := range c.originals {
			row = ledger.AppendOriginal(nil, &o)
			set.Add(o.Row, row)
		}
		p, err := set.Prove(context.Background(), ledger.OpenReader(f.dir), f.log.Checkpoint(), 1, 1, row)
		must(t, err)
		return p
	}
	for _, p := range []*ledger.RowProof{prove(nil), prove(f.take(t, 0))} {
		if _, err := p.Check(key); err != nil {
			t.Error(err)
		}
	}
}

// TestGoingSeesChanges: a removal can't hide that rows were changed before.
func TestGoingSeesChanges(t *testing.T) {
	f := newFixture(t)
	c := f.store.chunk("c1")
	root := ledger.ChunkLeaf(&c.Chunk, leafTime).Tables[ledger.TableOriginals]
	c.originals[1].Sealed = []byte("other")
	g := ledger.NewGoing(c.Salt, root, nil, nil)
	for _, o := range c.originals {
		g.Add(&o, true)
	}
	if _, err := g.Gone(root); !errors.Is(err, ledger.ErrChanged) {
		t.Errorf("a changed row may go: %v", err)
	}
}

func FuzzParseGone(f *testing.F) {
	f.Add(ledger.Gone{0: {1}, 7: {2}}.Marshal())
	f.Add([]byte("short"))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := ledger.ParseGone(b)
		if err == nil && !bytes.Equal(g.Marshal(), b) {
			t.Error("what was parsed is not what was written")
		}
	})
}
