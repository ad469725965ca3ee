package ledger_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	stdslices "slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/text"
)

type fixture struct {
	dir    string
	store  *memory
	log    *ledger.Log
	opts   ledger.Options
	middle ledger.Checkpoint // after three of six chunks
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{dir: t.TempDir(), store: &memory{}}
	f.log = openLog(t, f.dir)
	for i := range 6 {
		f.sequence(t, fmt.Sprintf("c%d", i), 10)
		if i == 2 {
			f.middle = f.log.Checkpoint()
		}
	}
	f.opts = ledger.Options{Public: testKey(1).Public(), Origin: origin, Now: func() time.Time { return leafTime.Add(30 * time.Second) }}
	return f
}

func (f *fixture) sequence(t *testing.T, id string, n int) {
	t.Helper()
	leaf, marks := f.store.add(id, n)
	must(t, f.log.WriteMarks(id, 1, marks))
	_, err := f.log.Append(context.Background(), leaf)
	must(t, err)
}

// bury writes the tombstone of a table.
func (f *fixture) bury(t *testing.T, id, table string) {
	t.Helper()
	_, err := f.log.Append(context.Background(), ledger.Leaf{
		Type: ledger.LeafTombstone, Chunk: id, Version: 1, Time: leafTime, Tables: map[string]ledger.TableRoot{table: {}},
	})
	must(t, err)
}

func (f *fixture) verify(t *testing.T) *ledger.Result {
	t.Helper()
	var last, total uint64
	res, err := ledger.Verify(context.Background(), f.store, ledger.OpenReader(f.dir), f.opts, func(d, n uint64) { last, total = d, n })
	must(t, err)
	if res.OK() && (last != total || last != res.Rows) {
		t.Errorf("progress ended at %d of %d, rows %d", last, total, res.Rows)
	}
	return res
}

// erase writes the tombstone of one original, whose hash is that of the row as
// it is now, and empties it.
func (f *fixture) erase(t *testing.T, id string, row int) {
	t.Helper()
	c := f.store.chunk(id)
	o := &c.originals[row]
	leaf := ledger.ErasedRowsLeaf(c.key(), []uint32{o.Row}, []ledger.Hash{ledger.RowHash(c.Salt, uint64(row), ledger.AppendOriginal(nil, o))}, leafTime)
	_, err := f.log.Append(context.Background(), ledger.ErasureLeaf("random", leafTime), leaf, leaf)
	must(t, err)
	o.Sealed = nil
}

const entryID = "AbCdEfGhIjKlMnOp-0-%d"

func TestVerify(t *testing.T) {
	for _, tc := range []struct {
		name   string
		tamper func(t *testing.T, f *fixture)
		want   []ledger.Problem
	}{
		{"untouched", func(*testing.T, *fixture) {}, nil},
		{"an original sealed anew", func(_ *testing.T, f *fixture) { f.store.chunk("c1").originals[1].Sealed = []byte("other") }, []ledger.Problem{
			{Kind: ledger.RowChanged, Chunk: "c1", Version: 1, Table: "originals", Row: 1, EntryID: fmt.Sprintf(entryID, 100)},
		}},
		{"an original erased", func(t *testing.T, f *fixture) { f.erase(t, "c1", 1) }, nil},
		{"an erased original that is not there at all", func(t *testing.T, f *fixture) {
			f.erase(t, "c1", 1)
			c := f.store.chunk("c1")
			c.originals = c.originals[:1]
		}, nil},
		{"an erased original that is still there", func(t *testing.T, f *fixture) {
			was := f.store.chunk("c1").originals[1].Sealed
			f.erase(t, "c1", 1)
			f.store.chunk("c1").originals[1].Sealed = was
		}, nil},
		{"another original emptied than the erased one", func(t *testing.T, f *fixture) {
			f.erase(t, "c1", 1)
			f.store.chunk("c1").originals[0].Sealed = nil
		}, []ledger.Problem{{Kind: ledger.RowChanged, Chunk: "c1", Version: 1, Table: "originals", Row: 0, EntryID: fmt.Sprintf(entryID, 0)}}},
		{"an original emptied in another chunk", func(t *testing.T, f *fixture) {
			f.erase(t, "c1", 1)
			f.store.chunk("c2").originals[1].Sealed = nil
		}, []ledger.Problem{{Kind: ledger.RowChanged, Chunk: "c2", Version: 1, Table: "originals", Row: 1, EntryID: fmt.Sprintf(entryID, 100)}}},
		{"a tombstone with another hash", func(t *testing.T, f *fixture) {
			f.store.chunk("c1").originals[1].Sealed = []byte("other")
			f.erase(t, "c1", 1)
		}, []ledger.Problem{{Kind: ledger.RowChanged, Chunk: "c1", Version: 1, Table: "originals", Row: 1, EntryID: fmt.Sprintf(entryID, 100)}}},
		{"a capsule exchanged", func(_ *testing.T, f *fixture) { f.store.chunk("c2").capsules[0].Bytes = []byte("other") }, []ledger.Problem{
			{Kind: ledger.RowChanged, Chunk: "c2", Version: 1, Table: "capsules", Row: 0, EntryID: sampleCapsule().ID},
		}},
		{"a row changed", func(_ *testing.T, f *fixture) { f.store.chunk("c3").entries[4].StatusCode = 403 }, []ledger.Problem{
			{Kind: ledger.RowChanged, Chunk: "c3", Version: 1, Table: "entries", Row: 4, EntryID: fmt.Sprintf(entryID, 400)},
		}},
		{"one bit of a pseudonym changed", func(_ *testing.T, f *fixture) {
			f.store.chunk("c0").entries[0].PrincipalID = "v1.p7.AAAAAAAAAAAAAAAAAAAAAB"
		}, []ledger.Problem{
			{Kind: ledger.RowChanged, Chunk: "c0", Version: 1, Table: "entries", EntryID: fmt.Sprintf(entryID, 0)},
		}},
		{"a row removed", func(_ *testing.T, f *fixture) {
			c := f.store.chunk("c3")
			c.entries = stdslices.Delete(c.entries, 4, 5)
		}, []ledger.Problem{
			{Kind: ledger.RowRemoved, Chunk: "c3", Version: 1, Table: "entries", Row: 4, EntryID: fmt.Sprintf(entryID, 300)},
		}},
		{"three rows removed", func(_ *testing.T, f *fixture) {
			c := f.store.chunk("c3")
			c.entries = stdslices.Delete(c.entries, 4, 7)
		}, []ledger.Problem{
			{Kind: ledger.RowRemoved, Chunk: "c3", Version: 1, Table: "entries", Row: 4, EntryID: fmt.Sprintf(entryID, 300)},
		}},
		{"the last row removed", func(_ *testing.T, f *fixture) { c := f.store.chunk("c3"); c.entries = c.entries[:9] }, []ledger.Problem{
			{Kind: ledger.RowRemoved, Chunk: "c3", Version: 1, Table: "entries", Row: 9, EntryID: fmt.Sprintf(entryID, 800)},
		}},
		{"a row added in between", func(_ *testing.T, f *fixture) {
			c := f.store.chunk("c3")
			e := c.entries[4]
			e.Offset = 444
			c.entries = stdslices.Insert(c.entries, 4, e)
		}, []ledger.Problem{
			{Kind: ledger.RowAdded, Chunk: "c3", Version: 1, Table: "entries", Row: 4, EntryID: fmt.Sprintf(entryID, 444)},
		}},
		{"a row stored twice", func(_ *testing.T, f *fixture) { c := f.store.chunk("c3"); c.entries = append(c.entries, c.entries[9]) }, []ledger.Problem{
			{Kind: ledger.RowAdded, Chunk: "c3", Version: 1, Table: "entries", Row: 9, EntryID: fmt.Sprintf(entryID, 900)},
		}},
		{"a row added at the end", func(_ *testing.T, f *fixture) {
			c := f.store.chunk("c3")
			e := c.entries[9]
			e.Row, e.Offset = 10, 1000
			c.entries = append(c.entries, e)
		}, []ledger.Problem{
			{Kind: ledger.RowAdded, Chunk: "c3", Version: 1, Table: "entries", Row: 10, EntryID: fmt.Sprintf(entryID, 1000)},
		}},
		{"a row added far beyond the end", func(_ *testing.T, f *fixture) {
			c := f.store.chunk("c3")
			e := c.entries[9]
			e.Row, e.Offset = 1<<32-1, 1000
			c.entries = append(c.entries, e)
		}, []ledger.Problem{
			{Kind: ledger.RowAdded, Chunk: "c3", Version: 1, Table: "entries", Row: 1<<32 - 1, EntryID: fmt.Sprintf(entryID, 1000)},
		}},
		{"rows of a chunk that nobody knows", func(_ *testing.T, f *fixture) {
			f.store.add("x", 3)
			f.store.chunk("x").unknown = true
		}, []ledger.Problem{{Kind: ledger.ChunkUnknown, Chunk: "x", Version: 1}}},
		{"a chunk that is being written", func(_ *testing.T, f *fixture) {
			f.store.add("x", 3)
			f.store.chunk("x").open = true
		}, nil},
		{"a version that readers don't see", func(t *testing.T, f *fixture) {
			l := leafOf("c1")
			l.Version, f.opts.Grace = 2, 10*time.Second
			_, err := f.log.Append(context.Background(), l)
			must(t, err)
		}, []ledger.Problem{{Kind: ledger.ChunkMissing, Chunk: "c1", Version: 2}, {Kind: ledger.ChunkUnseen, Chunk: "c1", Version: 2}}},
		{"a rejection hidden in the name of a replay", func(_ *testing.T, f *fixture) { f.store.replayed = map[string][2]uint64{"replay-1": {1, 0}} },
			[]ledger.Problem{{Kind: ledger.RejectionHidden, Chunk: "replay-1", Version: 2, Table: "rejections"}}},
		{"a replayed rejection shown again", func(_ *testing.T, f *fixture) { f.store.replayed = map[string][2]uint64{"replay-1": {0, 2}} },
			[]ledger.Problem{{Kind: ledger.RejectionShown, Chunk: "replay-1", Version: 2, Table: "rejections"}}},
		{"a chunk hidden from readers", func(_ *testing.T, f *fixture) {
			f.store.superseded = append(f.store.superseded, audit.ChunkKey{ID: "c2", Version: 1})
		}, []ledger.Problem{{Kind: ledger.ChunkHidden, Chunk: "c2", Version: 1}}},
		{"what is left of a table with a tombstone", func(t *testing.T, f *fixture) {
			c := f.store.chunk("c0")
			c.entries = c.entries[:4]
			f.bury(t, "c0", "entries")
		}, nil},
		{"a row changed in a table with a tombstone", func(t *testing.T, f *fixture) {
			c := f.store.chunk("c0")
			c.entries = c.entries[:4]
			c.entries[2].StatusCode = 403
			f.bury(t, "c0", "entries")
		}, []ledger.Problem{{Kind: ledger.RowChanged, Chunk: "c0", Version: 1, Table: "entries", Row: 2, EntryID: fmt.Sprintf(entryID, 200)}}},
		{"a row added in a table with a tombstone", func(t *testing.T, f *fixture) {
			c := f.store.chunk("c0")
			c.entries = c.entries[:1]
			c.entries[0].Row = 10
			f.bury(t, "c0", "entries")
		}, []ledger.Problem{{Kind: ledger.RowAdded, Chunk: "c0", Version: 1, Table: "entries", Row: 10, EntryID: fmt.Sprintf(entryID, 0)}}},
		{"two rows swapped", func(_ *testing.T, f *fixture) {
			c := f.store.chunk("c3")
			c.entries[2].Row, c.entries[3].Row = 3, 2
		}, []ledger.Problem{
			{Kind: ledger.RowChanged, Chunk: "c3", Version: 1, Table: "entries", Row: 2, EntryID: fmt.Sprintf(entryID, 300)},
		}},
		{"two rows in another order", func(_ *testing.T, f *fixture) {
			c := f.store.chunk("c3")
			c.entries[2], c.entries[3] = c.entries[3], c.entries[2]
		}, nil},
		{"a rejection and a finding changed", func(_ *testing.T, f *fixture) {
			f.store.chunk("c1").rejections[1].Sealed = []byte{9}
			f.store.chunk("c1").findings[0].Severity = audit.SeverityLow
		}, []ledger.Problem{
			{Kind: ledger.RowChanged, Chunk: "c1", Version: 1, Table: "findings", Row: 0, EntryID: "AC-01-0"},
			{Kind: ledger.RowChanged, Chunk: "c1", Version: 1, Table: "rejections", Row: 1, EntryID: fmt.Sprintf(entryID, 150)},
		}},
		{"all findings of a chunk removed", func(_ *testing.T, f *fixture) { f.store.chunk("c1").findings = nil }, []ledger.Problem{
			{Kind: ledger.RowRemoved, Chunk: "c1", Version: 1, Table: "findings"},
		}},
		{"another salt", func(_ *testing.T, f *fixture) {
			c := f.store.chunk("c1")
			c.Salt, c.rejections, c.findings = []byte("x"), nil, nil
		}, []ledger.Problem{
			{Kind: ledger.RowChanged, Chunk: "c1", Version: 1, Table: "capsules", EntryID: sampleCapsule().ID},
			{Kind: ledger.RowChanged, Chunk: "c1", Version: 1, Table: "entries", EntryID: fmt.Sprintf(entryID, 0)},
			{Kind: ledger.RowRemoved, Chunk: "c1", Version: 1, Table: "findings"},
			{Kind: ledger.RowChanged, Chunk: "c1", Version: 1, Table: "originals", EntryID: fmt.Sprintf(entryID, 0)},
			{Kind: ledger.RowRemoved, Chunk: "c1", Version: 1, Table: "rejections"},
		}},
		{"a row changed and the marks gone", func(t *testing.T, f *fixture) {
			f.store.chunk("c3").entries[4].StatusCode = 403
			must(t, os.RemoveAll(filepath.Join(f.dir, "rows")))
		}, []ledger.Problem{{Kind: ledger.TableDiffers, Chunk: "c3", Version: 1, Table: "entries"}}},
		{"a row changed and its mark too", func(t *testing.T, f *fixture) {
			f.store.chunk("c3").entries[4].StatusCode = 403
			table := ledger.NewTable([]byte("c3"))
			for i := range f.store.chunk("c3").entries {
				table.Add(ledger.AppendEntry(nil, &f.store.chunk("c3").entries[i]))
			}
			must(t, f.log.WriteMarks("c3", 1, map[string][]byte{"entries": table.Marks()}))
		}, []ledger.Problem{{Kind: ledger.TableDiffers, Chunk: "c3", Version: 1, Table: "entries"}}},
		{"the store rolled back", func(_ *testing.T, f *fixture) { f.store.chunks = f.store.chunks[:5] }, []ledger.Problem{
			{Kind: ledger.ChunkMissing, Chunk: "c5", Version: 1},
		}},
		{"a chunk that just closed", func(_ *testing.T, f *fixture) { f.store.add("c9", 1) }, nil},
		{"a chunk without leaf for long", func(_ *testing.T, f *fixture) {
			f.store.add("c9", 1)
			f.opts.Grace = time.Second
		}, []ledger.Problem{{Kind: ledger.ChunkUnsequenced, Chunk: "c9", Version: 1}}},
		{"a chunk with a tombstone", func(t *testing.T, f *fixture) {
			f.store.chunks = f.store.chunks[1:]
			_, err := f.log.Append(context.Background(), ledger.Leaf{Type: ledger.LeafTombstone, Chunk: "c0", Version: 1, Time: leafTime})
			must(t, err)
		}, nil},
		{"a table with a tombstone", func(t *testing.T, f *fixture) {
			f.store.chunk("c0").rejections = nil
			_, err := f.log.Append(context.Background(), ledger.Leaf{
				Type: ledger.LeafTombstone, Chunk: "c0", Version: 1, Time: leafTime, Tables: map[string]ledger.TableRoot{"rejections": {Count: 2}},
			})
			must(t, err)
		}, nil},
		{"a checkpoint of another key", func(t *testing.T, f *fixture) {
			other, err := ledger.OpenLog(context.Background(), t.TempDir(), testKey(2), origin)
			must(t, err)
			must(t, os.WriteFile(filepath.Join(f.dir, "checkpoint"), other.Checkpoint().Raw, 0o600))
		}, []ledger.Problem{{Kind: ledger.CheckpointForged}}},
		{"a changed root in the checkpoint", func(t *testing.T, f *fixture) {
			raw := stdslices.Clone(f.log.Checkpoint().Raw)
			raw[len(origin)+4] ^= 1
			must(t, os.WriteFile(filepath.Join(f.dir, "checkpoint"), raw, 0o600))
		}, []ledger.Problem{{Kind: ledger.CheckpointForged}}},
		{"a leaf file cut short", func(t *testing.T, f *fixture) {
			must(t, os.Truncate(filepath.Join(f.dir, "tile", "entries", "000.p", "6"), 10))
		}, []ledger.Problem{{Kind: ledger.LogDamaged, Size: 6}}},
		{"the leaves gone", func(t *testing.T, f *fixture) {
			must(t, os.RemoveAll(filepath.Join(f.dir, "tile")))
		}, []ledger.Problem{{Kind: ledger.LogDamaged, Size: 6}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			tc.tamper(t, f)
			res := f.verify(t)
			if diff := cmp.Diff(res.Problems, tc.want); diff != "" {
				t.Errorf("(-got +want)\n%s", diff)
			}
			if res.Witnessed {
				t.Error("witnessed without a checkpoint kept elsewhere")
			}
		})
	}
}

func TestVerifyRefusesForgedKeptCheckpoint(t *testing.T) {
	f := newFixture(t)
	f.opts.Kept = []byte("no checkpoint")
	if _, err := ledger.Verify(context.Background(), f.store, f.log, f.opts, nil); err == nil {
		t.Fatal("accepted")
	}
}

func TestMessages(t *testing.T) {
	c, err := text.Load()
	must(t, err)
	p := ledger.Problem{Kind: ledger.RowChanged, Chunk: "c3", Version: 1, Table: "entries", Row: 4, EntryID: "s-0-400"}
	if got, want := p.Message(c.For("en")), "Row 4 of entries in chunk c3 (version 1) was changed: s-0-400."; got != want {
		t.Errorf("(-got +want)\n%s", cmp.Diff(got, want))
	}
	for _, lang := range text.Languages {
		for _, k := range []ledger.ProblemKind{
			ledger.RowChanged, ledger.RowRemoved, ledger.RowAdded, ledger.TableDiffers, ledger.ChunkMissing, ledger.ChunkUnsequenced,
			ledger.ChunkUnknown, ledger.ChunkHidden,
			ledger.CheckpointForged, ledger.LogDamaged, ledger.LogRolledBack, ledger.LogForked,
		} {
			if m := (ledger.Problem{Kind: k}).Message(c.For(lang)); m == "" || m[0] == '!' {
				t.Errorf("no %s text of %s", lang, k)
			}
		}
		if m := (&ledger.Result{}).Message(c.For(lang)); m == "" || m[0] == '!' {
			t.Errorf("no %s text of unwitnessed", lang)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	store, dir := &memory{}, b.TempDir()
	l, err := ledger.OpenLog(context.Background(), dir, testKey(1), origin)
	if err != nil {
		b.Fatal(err)
	}
	for i := range 8 {
		leaf, _ := store.add(fmt.Sprintf("c%d", i), 10_000)
		if _, err := l.Append(context.Background(), leaf); err != nil {
			b.Fatal(err)
		}
	}
	rows := uint64(0)
	for b.Loop() {
		res, err := ledger.Verify(context.Background(), store, l, ledger.Options{Public: testKey(1).Public(), Origin: origin, Workers: 2}, nil)
		if err != nil || !res.OK() {
			b.Fatalf("%v, %v", err, res.Problems)
		}
		rows += res.Rows
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}
