package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
)

// provenCapsules appends a chunk of n capsules between others and proves each.
func provenCapsules(t *testing.T, n int) ([]*ledger.RowProof, string) {
	t.Helper()
	ctx, dir := context.Background(), t.TempDir()
	log := openLog(t, dir)
	salt := []byte("salt of the chunk")
	set, table := ledger.NewRowSet(ledger.TableCapsules, salt, 1000, nil), ledger.NewTable(salt)
	var rows [][]byte
	for i := range n {
		c := sampleCapsule()
		c.ID = fmt.Sprintf("%016d", i)
		row := ledger.AppendCapsule(nil, c)
		set.Add(uint32(i), row)
		table.Add(row)
		rows = append(rows, row)
	}
	var leaves []ledger.Leaf
	for i := range 5 {
		c := &audit.Chunk{ID: fmt.Sprintf("c%d", i), Version: 1, Capsules: uint32(n), Roots: map[string][]byte{ledger.TableCapsules: table.Root()}}
		leaves = append(leaves, ledger.ChunkLeaf(c, leafTime))
	}
	index, err := log.Append(ctx, leaves...) // no checkpoint ends at the chunk
	must(t, err)
	var out []*ledger.RowProof
	for i, row := range rows {
		p, err := set.Prove(ctx, ledger.OpenReader(dir), log.Checkpoint(), index[3], uint64(i), row)
		must(t, err)
		out = append(out, p)
	}
	text, err := ledger.VerifierKey(testKey(1).Public(), origin)
	must(t, err)
	return out, text
}

func TestRowProof(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 8, 33} {
		proofs, key := provenCapsules(t, n)
		for i, p := range proofs {
			leaf, err := p.Check(key)
			if err != nil || leaf.Chunk != "c3" {
				t.Fatalf("row %d of %d: leaf of %q, error %v", i, n, leaf.Chunk, err)
			}
		}
	}
}

func TestRowProofRefuses(t *testing.T) {
	for name, change := range map[string]func(*ledger.RowProof){
		"another row":        func(p *ledger.RowProof) { p.Row = ledger.AppendCapsule(nil, sampleCapsule()) },
		"another number":     func(p *ledger.RowProof) { p.Number++ },
		"a number too large": func(p *ledger.RowProof) { p.Number = 1 << 63 },
		"another blind":      func(p *ledger.RowProof) { p.Blind[0]++ },
		"a short blind":      func(p *ledger.RowProof) { p.Blind = p.Blind[:15] },
		"another path":       func(p *ledger.RowProof) { p.Path[0][0]++ },
		"a short path":       func(p *ledger.RowProof) { p.Path = p.Path[:1] },
		"a short hash":       func(p *ledger.RowProof) { p.Path[0] = p.Path[0][:31] },
		"another table":      func(p *ledger.RowProof) { p.Table = ledger.TableOriginals },
		"another leaf":       func(p *ledger.RowProof) { p.Leaf[len(p.Leaf)-3]++ },
		"another index":      func(p *ledger.RowProof) { p.Index-- },
		"another log path":   func(p *ledger.RowProof) { p.LogPath[0][0]++ },
		"another checkpoint": func(p *ledger.RowProof) { p.Checkpoint[len(p.Checkpoint)-5]++ },
		"no leaf":            func(p *ledger.RowProof) { p.Leaf = nil },
		"nothing":            func(p *ledger.RowProof) { *p = ledger.RowProof{} },
	} {
		proofs, key := provenCapsules(t, 7)
		change(proofs[4])
		if _, err := proofs[4].Check(key); !errors.Is(err, ledger.ErrProof) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	proofs, _ := provenCapsules(t, 2)
	key, err := ledger.VerifierKey(testKey(2).Public(), origin)
	must(t, err)
	if _, err := proofs[0].Check(key); !errors.Is(err, ledger.ErrProof) {
		t.Errorf("another ledger: error %v", err)
	}
}

// TestRowSetBounded: a row whose number was changed to a high one in the store
// takes no room, and nothing of the chunk can be proved beside it.
func TestRowSetBounded(t *testing.T) {
	dir := t.TempDir()
	log := openLog(t, dir)
	salt := []byte("salt of the chunk")
	table, row := ledger.NewTable(salt), ledger.AppendCapsule(nil, sampleCapsule())
	table.Add(row)
	c := &audit.Chunk{ID: "c1", Version: 1, Capsules: 1, Roots: map[string][]byte{ledger.TableCapsules: table.Root()}}
	index, err := log.Append(t.Context(), ledger.ChunkLeaf(c, leafTime))
	must(t, err)
	set := ledger.NewRowSet(ledger.TableCapsules, salt, 1, nil)
	set.Add(0, row)
	set.Add(1<<32-1, row)
	if _, err := set.Prove(t.Context(), ledger.OpenReader(dir), log.Checkpoint(), index[0], 0, row); !errors.Is(err, ledger.ErrChanged) {
		t.Errorf("error %v", err)
	}
}
