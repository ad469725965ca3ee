package ledger_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	stdslices "slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
)

func TestVerifyAgainstKeptCheckpoint(t *testing.T) {
	for _, tc := range []struct {
		name      string
		prepare   func(t *testing.T, f *fixture)
		want      []ledger.Problem
		witnessed bool
	}{
		{"an older one of the same log", func(_ *testing.T, f *fixture) { f.opts.Kept = f.middle.Raw }, nil, true},
		{"the same one", func(_ *testing.T, f *fixture) { f.opts.Kept = f.log.Checkpoint().Raw }, nil, true},
		{"log and store rolled back together", func(t *testing.T, f *fixture) {
			f.opts.Kept = f.log.Checkpoint().Raw
			must(t, os.WriteFile(filepath.Join(f.dir, "checkpoint"), f.middle.Raw, 0o600))
			f.store.chunks = f.store.chunks[:3]
		}, []ledger.Problem{{Kind: ledger.LogRolledBack, Size: 3, Other: 6}}, false},
		{"everything rewritten with the key", func(t *testing.T, f *fixture) {
			f.opts.Kept = f.middle.Raw
			f.dir, f.store = t.TempDir(), &memory{}
			f.log = openLog(t, f.dir)
			for i := range 6 {
				f.sequence(t, fmt.Sprintf("d%d", i), 10)
			}
		}, []ledger.Problem{{Kind: ledger.LogForked, Size: 6, Other: 3}}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			tc.prepare(t, f)
			res := f.verify(t)
			if diff := cmp.Diff(res.Problems, tc.want); diff != "" || res.Witnessed != tc.witnessed {
				t.Errorf("witnessed %v (-got +want)\n%s", res.Witnessed, diff)
			}
		})
	}
}

// TestVerifySpan recomputes only what was recorded in a time, or since a
// checkpoint.
func TestVerifySpan(t *testing.T) {
	f := newFixture(t)
	leaf, _ := f.store.add("late", 10)
	leaf.Time = leafTime.AddDate(0, 0, 2)
	_, err := f.log.Append(context.Background(), leaf)
	must(t, err)
	f.store.chunk("c0").entries[1].StatusCode = 403
	day := 24 * time.Hour
	for _, tc := range []struct {
		name            string
		from, until     time.Time
		since           bool
		chunks, problem int
	}{
		{"all", time.Time{}, time.Time{}, false, 7, 1},
		{"before", time.Time{}, leafTime, false, 0, 0},
		{"the first day", leafTime, leafTime.Add(day), false, 6, 1},
		{"from the second day", leafTime.Add(day), time.Time{}, false, 1, 0},
		{"since a checkpoint", time.Time{}, time.Time{}, true, 4, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f.opts.From, f.opts.Until, f.opts.SinceKept, f.opts.Kept = tc.from, tc.until, tc.since, nil
			if tc.since {
				f.opts.Kept = f.middle.Raw
			}
			res := f.verify(t)
			if res.Chunks != uint64(tc.chunks) || len(res.Problems) != tc.problem || res.Leaves != 7 || res.Witnessed != tc.since {
				t.Errorf("%+v", res)
			}
		})
	}
}

// TestVerifyNamesTheFirstRow tampers at random and compares with what was done.
func TestVerifyNamesTheFirstRow(t *testing.T) {
	f := newFixture(t)
	c := f.store.chunk("c3")
	whole := stdslices.Clone(c.entries)
	r := rand.New(rand.NewPCG(3, 4))
	for range 150 {
		c.entries = stdslices.Clone(whole)
		first, kind := 1<<32, ledger.ProblemKind("")
		note := func(row int, k ledger.ProblemKind) {
			if row < first || row == first && k == ledger.RowAdded {
				first, kind = row, k
			}
		}
		removed := map[int]bool{}
		for range r.IntN(3) {
			row := r.IntN(len(whole))
			removed[row] = true
			note(row, ledger.RowRemoved)
		}
		for range r.IntN(3) {
			if row := r.IntN(len(whole)); !removed[row] {
				c.entries[row].BytesOut++
				note(row, ledger.RowChanged)
			}
		}
		c.entries = stdslices.DeleteFunc(c.entries, func(e audit.Entry) bool { return removed[int(e.Row)] })
		for range r.IntN(3) {
			row := r.IntN(2 * len(whole))
			if removed[row] {
				continue // would stand in for the row that went
			}
			e := whole[r.IntN(len(whole))]
			e.Row, e.Offset = uint32(row), uint64(7_000+row)
			c.entries = append(c.entries, e)
			note(row, ledger.RowAdded)
		}
		r.Shuffle(len(c.entries), func(i, j int) { c.entries[i], c.entries[j] = c.entries[j], c.entries[i] })
		var want []ledger.Problem
		if kind != "" {
			want = []ledger.Problem{{Kind: kind, Chunk: "c3", Version: 1, Table: "entries", Row: uint64(first)}}
		}
		got := f.verify(t).Problems
		if diff := cmp.Diff(got, want, cmpopts.IgnoreFields(ledger.Problem{}, "EntryID")); diff != "" {
			t.Fatalf("(-got +want)\n%s", diff)
		}
	}
}
