package ledger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
)

func (f *fixture) prove(t *testing.T, chunk string, n uint32) *ledger.Proof {
	t.Helper()
	index, ok := f.log.Index(chunk, 1)
	if !ok {
		t.Fatalf("%s has no leaf", chunk)
	}
	p, err := f.log.ProveEntry(context.Background(), f.store, []byte(chunk), audit.ChunkKey{ID: chunk, Version: 1}, n, index, f.log.Checkpoint())
	must(t, err)
	return p
}

func (f *fixture) key(t testing.TB) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(f.dir, ledger.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	k, err := ledger.ParseKeyFile(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestProveEntry proves each entry of chunks of many sizes, through a file, and
// checks the path in the chunk with another implementation.
func TestProveEntry(t *testing.T) {
	f := newFixture(t)
	for n := 1; n <= 40; n++ {
		f.sequence(t, fmt.Sprintf("n%d", n), n)
	}
	for n := 1; n <= 40; n++ {
		id := fmt.Sprintf("n%d", n)
		for row := range n {
			b, err := json.Marshal(f.prove(t, id, uint32(row)))
			must(t, err)
			p, err := ledger.ParseProof(b)
			must(t, err)
			got, err := p.Check(f.key(t))
			if err != nil {
				t.Fatalf("row %d of %d: %v", row, n, err)
			}
			want := f.store.chunk(id).entries[row]
			if diff := cmp.Diff(got.Entry, &want, cmpopts.EquateEmpty()); diff != "" || got.Leaf.Chunk != id || got.Checkpoint.Size != 46 {
				t.Fatalf("leaf %+v (-got +want)\n%s", got.Leaf, diff)
			}
			leaf := rfc6962.DefaultHasher.HashLeaf(append(p.Entry.Blind, p.Entry.Row...))
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(row), uint64(n), leaf, p.Entry.Path, got.Leaf.Tables["entries"].Root); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestProofRefuses changes each part of a proof.
func TestProofRefuses(t *testing.T) {
	f := newFixture(t)
	other := openLog(t, t.TempDir())
	_, err := other.Append(context.Background(), leafOf("x"))
	must(t, err)
	for _, tc := range []struct {
		name  string
		spoil func(p *ledger.Proof)
		want  string
	}{
		{"the row", func(p *ledger.Proof) { p.Entry.Row[len(p.Entry.Row)-1] ^= 1 }, "not in the chunk"},
		{"the row's kind", func(p *ledger.Proof) { p.Entry.Row[0] = 'F' }, "not the canonical row"},
		{"the blind", func(p *ledger.Proof) { p.Entry.Blind[3] ^= 1 }, "not in the chunk"},
		{"a short blind", func(p *ledger.Proof) { p.Entry.Blind = p.Entry.Blind[:15] }, "does not fit its leaf"},
		{"the id", func(p *ledger.Proof) { p.Entry.ID = "s-0-1" }, "not the one"},
		{"the number", func(p *ledger.Proof) { p.Entry.Number++ }, "not the one"},
		{"the count", func(p *ledger.Proof) { p.Entry.Count++ }, "does not fit its leaf"},
		{"the path", func(p *ledger.Proof) { p.Entry.Path[1][0] ^= 1 }, "not in the chunk"},
		{"a short path", func(p *ledger.Proof) { p.Entry.Path = p.Entry.Path[1:] }, "not in the chunk"},
		{"a short hash", func(p *ledger.Proof) { p.Entry.Path[0] = p.Entry.Path[0][1:] }, "not 32 bytes"},
		{"the leaf", func(p *ledger.Proof) { p.Entry.Leaf = strings.Replace(p.Entry.Leaf, "c3", "c4", 1) }, "not in checkpoint"},
		{"the index", func(p *ledger.Proof) { p.Entry.Index = 1 << 63 }, "not in checkpoint"},
		{"the log's path", func(p *ledger.Proof) { p.Entry.LogPath[0][0] ^= 1 }, "not in checkpoint"},
		{"the checkpoint", func(p *ledger.Proof) { p.Checkpoint = strings.Replace(p.Checkpoint, "\n6\n", "\n7\n", 1) }, "signature"},
		{"an older checkpoint", func(p *ledger.Proof) { p.Checkpoint = string(f.middle.Raw) }, "not in checkpoint"},
		{"another log's checkpoint", func(p *ledger.Proof) { p.Checkpoint = string(other.Checkpoint().Raw) }, "not in checkpoint"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := f.prove(t, "c3", 4)
			tc.spoil(p)
			if _, err := p.Check(f.key(t)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
	k, err := ledger.VerifierKey(testKey(2).Public(), origin)
	must(t, err)
	if _, err := f.prove(t, "c3", 4).Check(k); err == nil {
		t.Error("accepted under another key")
	}
}

func TestProveEntryOfChangedChunk(t *testing.T) {
	f := newFixture(t)
	f.store.chunk("c3").entries[7].StatusCode = 403
	_, err := f.log.ProveEntry(context.Background(), f.store, []byte("c3"), audit.ChunkKey{ID: "c3", Version: 1}, 4, 3, f.log.Checkpoint())
	if err == nil || !strings.Contains(err.Error(), "no longer as the ledger committed") {
		t.Errorf("error %v", err)
	}
}

func TestProveConsistency(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir)
	cps := []ledger.Checkpoint{l.Checkpoint()}
	r := rand.New(rand.NewPCG(1, 2))
	for len(cps) < 12 {
		size := int(l.Checkpoint().Size)
		appendLeaves(t, l, size, size+1+r.IntN(120))
		cps = append(cps, l.Checkpoint())
	}
	f := &fixture{dir: dir}
	for i, old := range cps {
		for j, cp := range cps {
			p, err := l.ProveConsistency(old, cp)
			if i > j {
				if err == nil {
					t.Fatalf("%d continues %d", cp.Size, old.Size)
				}
				continue
			}
			must(t, err)
			got, err := p.Check(f.key(t))
			if err != nil || got.Old.Size != old.Size || got.Checkpoint.Size != cp.Size || got.Entry != nil {
				t.Fatalf("from %d to %d: %+v, %v", old.Size, cp.Size, got, err)
			}
			if i == 0 || i == j {
				continue
			}
			if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old.Size, cp.Size, p.Consistency.Path, old.Root, cp.Root); err != nil {
				t.Fatal(err)
			}
			p.Consistency.Path[0][7] ^= 1
			if _, err := p.Check(f.key(t)); err == nil {
				t.Fatal("accepted with a changed hash")
			}
			p.Consistency.Path = nil
			if _, err := p.Check(f.key(t)); err == nil {
				t.Fatal("accepted without hashes")
			}
		}
	}
}

func FuzzProof(f *testing.F) {
	dir := f.TempDir()
	l, err := ledger.OpenLog(context.Background(), dir, testKey(1), origin)
	if err != nil {
		f.Fatal(err)
	}
	store := &memory{}
	leaf, _ := store.add("c0", 5)
	if _, err := l.Append(context.Background(), leaf); err != nil {
		f.Fatal(err)
	}
	p, err := l.ProveEntry(context.Background(), store, []byte("c0"), audit.ChunkKey{ID: "c0", Version: 1}, 3, 0, l.Checkpoint())
	if err != nil {
		f.Fatal(err)
	}
	want := string(p.Entry.Row)
	b, err := json.Marshal(p)
	if err != nil {
		f.Fatal(err)
	}
	k := (&fixture{dir: dir}).key(f)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ledger.ParseProof(b)
		if err != nil {
			return
		}
		if got, err := p.Check(k); err == nil && got.Entry != nil && string(p.Entry.Row) != want {
			t.Errorf("accepted a row that was never stored: %q", b)
		}
	})
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add(ledger.AppendEntry(nil, sample()))
	f.Add(ledger.AppendEntry(nil, &audit.Entry{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ledger.DecodeEntry(b)
		if err == nil && string(ledger.AppendEntry(nil, e)) != string(b) {
			t.Errorf("two encodings of one entry: %q", b)
		}
	})
}

func FuzzParseKeyFile(f *testing.F) {
	k, err := ledger.VerifierKey(testKey(1).Public(), origin)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(k + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := ledger.ParseKeyFile(b); err == nil && !strings.Contains(string(b), k) {
			t.Errorf("%q gave %q", b, k)
		}
	})
}
