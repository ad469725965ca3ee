package auditor_test

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/services/auditor"
)

// Against a set of offsets per generation.
func TestCoverageIsASet(t *testing.T) {
	const size = 60
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 1))
		var set [3][size]bool
		latest := uint32(0)
		var stored []audit.StreamRange
		c := auditor.NewCoverage(nil)
		for n := range 1 + r.IntN(12) {
			g, from := uint32(r.IntN(3)), r.IntN(size)
			until := from + r.IntN(size-from+1)
			for range 1 + n%2 { // adding again changes nothing
				c.Add(g, uint64(from), uint64(until))
			}
			stored = append(stored, audit.StreamRange{Generation: g, From: uint64(from), Until: uint64(until)})
			for o := from; o < until; o++ {
				set[g][o] = true
				latest = max(latest, g)
			}
		}
		runs := 0
		for g := range set {
			for o := range size {
				if set[g][o] && (o == 0 || !set[g][o-1]) {
					runs++
				}
			}
		}
		if c.Spans() != runs || c.Latest() != latest {
			t.Fatalf("seed %d: %d spans, want %d; latest %d, want %d", seed, c.Spans(), runs, c.Latest(), latest)
		}
		again := auditor.NewCoverage(stored)
		for range 40 {
			from := r.IntN(size)
			until := from + r.IntN(size-from+1)
			want := false
			for o := from; o < until; o++ {
				want = want || set[0][o] || set[1][o] || set[2][o]
			}
			if c.Overlaps(uint64(from), uint64(until)) != want || again.Overlaps(uint64(from), uint64(until)) != want {
				t.Fatalf("seed %d: overlaps [%d,%d) is not %v", seed, from, until, want)
			}
			if in := set[0][from] || set[1][from] || set[2][from]; c.Covers(uint64(from)) != in {
				t.Fatalf("seed %d: covers %d is not %v", seed, from, in)
			}
		}
	}
}

func TestUnknownLines(t *testing.T) {
	line := func(offset uint64, mark uint32) audit.Line {
		return audit.Line{Origin: audit.Origin{Stream: "s", Offset: offset}, Mark: mark}
	}
	in := func(generation uint32, l audit.Line) audit.Line {
		l.Origin.Generation = generation
		return l
	}
	for _, tc := range []struct {
		name    string
		stored  []audit.StreamRange
		known   map[uint64][]uint32
		lines   []audit.Line
		want    []audit.Line
		changed bool
	}{
		{"all known", []audit.StreamRange{{Until: 30}}, map[uint64][]uint32{0: {1}, 10: {2}, 20: {3}},
			[]audit.Line{line(0, 1), line(10, 2), line(20, 3)}, nil, false},
		{"the end is new", []audit.StreamRange{{Until: 20}}, map[uint64][]uint32{0: {1}, 10: {2}},
			[]audit.Line{line(10, 2), line(20, 3)}, []audit.Line{line(20, 3)}, false},
		{"a hole is filled in the latest generation", []audit.StreamRange{{Until: 10}, {Generation: 1, From: 20, Until: 30}},
			map[uint64][]uint32{0: {1}, 20: {3}}, []audit.Line{line(0, 1), line(10, 2), line(20, 3)}, []audit.Line{in(1, line(10, 2))}, false},
		{"other bytes begin a generation", []audit.StreamRange{{Until: 20}}, map[uint64][]uint32{0: {1}, 10: {2}},
			[]audit.Line{line(0, 1), line(10, 9), line(20, 3)}, []audit.Line{in(1, line(10, 9)), in(1, line(20, 3))}, true},
		{"old lines after changed ones are known", []audit.StreamRange{{Until: 30}}, map[uint64][]uint32{0: {1}, 10: {2}, 20: {3}},
			[]audit.Line{line(0, 1), line(10, 9), line(20, 3)}, []audit.Line{in(1, line(10, 9))}, true},
		{"both versions are known", []audit.StreamRange{{Until: 20}, {Generation: 1, From: 10, Until: 20}}, map[uint64][]uint32{0: {1}, 10: {2, 9}},
			[]audit.Line{line(0, 1), line(10, 2), line(10, 9)}, nil, false},
		{"let go by retention", []audit.StreamRange{{Until: 20}, {Generation: 1, From: 10, Until: 20}}, nil,
			[]audit.Line{line(0, 1), line(10, 2)}, nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, changed := auditor.NewCoverage(tc.stored).Unknown(tc.known, tc.lines)
			if changed != tc.changed {
				t.Errorf("changed is %v", changed)
			}
			if d := cmp.Diff(got, tc.want, cmp.AllowUnexported(audit.Line{}.Text)); d != "" {
				t.Errorf("lines (-got +want):\n%s", d)
			}
		})
	}
}
