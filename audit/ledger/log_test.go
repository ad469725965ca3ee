package ledger_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
)

const origin = "tallystick.example/test"

// key is a ledger key for tests, the same each time.
type key struct{ ed25519.PrivateKey }

func testKey(n byte) key {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = n
	return key{ed25519.NewKeyFromSeed(seed)}
}

func (k key) Public() ed25519.PublicKey       { return k.PrivateKey.Public().(ed25519.PublicKey) }
func (k key) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(k.PrivateKey, msg), nil }

func openLog(t *testing.T, dir string) *ledger.Log {
	t.Helper()
	l, err := ledger.OpenLog(context.Background(), dir, testKey(1), origin)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func appendLeaves(t *testing.T, l *ledger.Log, from, until int) {
	t.Helper()
	var leaves []ledger.Leaf
	for i := from; i < until; i++ {
		leaves = append(leaves, leafOf(fmt.Sprintf("lines.v1-0-%d-aa", i)))
	}
	idx, err := l.Append(context.Background(), leaves...)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range idx {
		if got != uint64(from+i) {
			t.Fatalf("leaf %d has index %d", from+i, got)
		}
	}
}

// TestLogProofs grows a log over several tiles in steps of many widths, and
// checks proofs and root with another implementation.
func TestLogProofs(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir)
	var old ledger.Checkpoint
	size := 0
	for _, step := range []int{1, 2, 5, 248, 1, 255, 300} {
		appendLeaves(t, l, size, size+step)
		size += step
		cp := l.Checkpoint()
		if cp.Size != uint64(size) || !cp.Time.Equal(leafTime) {
			t.Fatalf("checkpoint over %d at %v, want %d", cp.Size, cp.Time, size)
		}
		if err := l.ReadLeaves(context.Background(), 0, cp.Size, func(i uint64, raw []byte) error {
			if i%50 != 0 && i != cp.Size-1 {
				return nil
			}
			p, err := l.InclusionProof(cp, i)
			if err != nil {
				return err
			}
			if err := ledger.CheckInclusion(cp, i, raw, p); err != nil {
				return err
			}
			return proof.VerifyInclusion(rfc6962.DefaultHasher, i, cp.Size, rfc6962.DefaultHasher.HashLeaf(raw), slices(p), cp.Root)
		}); err != nil {
			t.Fatal(err)
		}
		if old.Size > 0 {
			p, err := l.ConsistencyProof(cp, old.Size)
			if err != nil {
				t.Fatal(err)
			}
			if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old.Size, cp.Size, slices(p), old.Root, cp.Root); err != nil {
				t.Fatal(err)
			}
		}
		old = cp
	}
	if partial, _ := filepath.Glob(filepath.Join(dir, "tile", "*", "000.p")); len(partial) != 1 { // that of level 1
		t.Errorf("partial tiles of full ones stay: %v", partial)
	}
}

func slices(hs []ledger.Hash) [][]byte {
	out := make([][]byte, len(hs))
	for i := range hs {
		out[i] = hs[i][:]
	}
	return out
}

func TestLogNeverSequencesTwice(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	l := openLog(t, dir)
	appendLeaves(t, l, 0, 3)
	later := leafOf("lines.v1-0-1-aa")
	later.Time = later.Time.Add(time.Hour)
	again := func() {
		t.Helper()
		idx, err := l.Append(ctx, later, leafOf("new"), leafOf("new"))
		if err != nil || !cmp.Equal(idx, []uint64{1, 3, 3}) || l.Checkpoint().Size != 4 {
			t.Fatalf("indexes %v, size %d, error %v", idx, l.Checkpoint().Size, err)
		}
	}
	again()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, dir)
	again()
	if i, ok := l.Index("new", 1); !ok || i != 3 {
		t.Errorf("index %d, %v", i, ok)
	}
	if _, ok := l.Index("new", 2); ok {
		t.Error("version 2 has a leaf")
	}
}

// TestLogIgnoresWhatNoCheckpointCovers leaves the files of an append that was
// killed before its checkpoint.
func TestLogIgnoresWhatNoCheckpointCovers(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir)
	appendLeaves(t, l, 0, 254)
	before := l.Checkpoint()
	appendLeaves(t, l, 254, 260)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "checkpoint"), before.Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	l = openLog(t, dir)
	if l.Checkpoint().Size != 254 {
		t.Fatalf("size %d", l.Checkpoint().Size)
	}
	appendLeaves(t, l, 254, 600)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	openLog(t, dir) // checks all leaves against the checkpoint
}

func TestOpenLogRefuses(t *testing.T) {
	ctx := context.Background()
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		key   byte
		name2 string
		want  string
	}{
		{"another key", nil, 2, origin, "signature"},
		{"another name", nil, 1, "tallystick.example/other", "signature"},
		{"no checkpoint over leaves", func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "checkpoint"))) }, 1, origin, "no checkpoint"},
		{"a changed leaf", func(t *testing.T, dir string) {
			path := filepath.Join(dir, "tile", "entries", "000.p", "3")
			b, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(path, []byte(strings.Replace(string(b), "0-1-aa", "0-1-ab", 1)), 0o600))
		}, 1, origin, "do not give the root"},
		{"a file cut short", func(t *testing.T, dir string) {
			must(t, os.Truncate(filepath.Join(dir, "tile", "entries", "000.p", "3"), 100))
		}, 1, origin, "damaged"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			l := openLog(t, dir)
			appendLeaves(t, l, 0, 3)
			must(t, l.Close())
			if tc.spoil != nil {
				tc.spoil(t, dir)
			}
			_, err := ledger.OpenLog(ctx, dir, testKey(tc.key), tc.name2)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestOpenLogOneWriter(t *testing.T) {
	dir := t.TempDir()
	openLog(t, dir)
	if _, err := ledger.OpenLog(context.Background(), dir, testKey(1), origin); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Fatalf("error %v", err)
	}
}

func TestMarksSurviveTornWrite(t *testing.T) {
	dir := t.TempDir()
	l := openLog(t, dir)
	a, b := []byte("aaaaaaaabbbbbbbb"), []byte("cccccccc")
	must(t, l.WriteMarks("c1", 1, map[string][]byte{"entries": a, "findings": b, "rejections": nil}))
	must(t, l.Close())
	files, err := filepath.Glob(filepath.Join(dir, "rows", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, %v", files, err)
	}
	f, err := os.OpenFile(files[0], os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	_, err = f.WriteString("\x00\x20torn")
	must(t, err)
	must(t, f.Close())
	l = openLog(t, dir)
	must(t, l.WriteMarks("c2", 1, map[string][]byte{"entries": b}))
	for _, tc := range []struct {
		chunk, table string
		want         []byte
	}{{"c1", "entries", a}, {"c1", "findings", b}, {"c1", "rejections", nil}, {"c2", "entries", b}, {"c3", "entries", nil}} {
		k := audit.ChunkKey{ID: tc.chunk, Version: 1}
		all, err := l.Marks(tc.table, []audit.ChunkKey{k})
		if got := all[k]; err != nil || !cmp.Equal(got, tc.want) {
			t.Errorf("%s %s: %q, %v", tc.chunk, tc.table, got, err)
		}
	}
}

func FuzzParseCheckpoint(f *testing.F) {
	l, err := ledger.OpenLog(context.Background(), f.TempDir(), testKey(1), origin)
	if err != nil {
		f.Fatal(err)
	}
	raw := l.Checkpoint().Raw
	f.Add(raw)
	f.Fuzz(func(t *testing.T, b []byte) {
		cp, err := ledger.ParseCheckpoint(b, testKey(1).Public(), origin)
		if err == nil && cp.Size != 0 {
			t.Errorf("accepted a checkpoint that was never signed: %q", b)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkLogAppend(b *testing.B) {
	l, err := ledger.OpenLog(context.Background(), b.TempDir(), testKey(1), origin)
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		if _, err := l.Append(context.Background(), leafOf(fmt.Sprint(n))); err != nil {
			b.Fatal(err)
		}
		n++
	}
}
