package auditor

import (
	"slices"

	"github.com/tallystick/tallystick/audit"
)

// span is a half-open range of offsets.
type span struct{ from, until uint64 }

// coverage knows which offsets of a stream the record has, per generation:
// those of the store and those that this worker has accepted since.
type coverage struct {
	generations map[uint32][]span // sorted, apart
	latest      uint32
}

func newCoverage(stored []audit.StreamRange) *coverage {
	c := &coverage{generations: map[uint32][]span{}}
	for _, r := range stored {
		c.add(r.Generation, span{r.From, r.Until})
	}
	return c
}

// add merges s into generation g.
func (c *coverage) add(g uint32, s span) {
	if s.from >= s.until {
		return
	}
	c.latest = max(c.latest, g)
	list := c.generations[g]
	i, _ := slices.BinarySearchFunc(list, s.from, func(e span, from uint64) int {
		if e.until < from {
			return -1
		}
		return 1
	})
	j := i
	for j < len(list) && list[j].from <= s.until {
		s.from, s.until = min(s.from, list[j].from), max(s.until, list[j].until)
		j++
	}
	c.generations[g] = slices.Replace(list, i, j, s)
}

// overlaps reports whether any generation has offsets of s.
func (c *coverage) overlaps(s span) bool {
	if s.from >= s.until {
		return false
	}
	for _, list := range c.generations {
		for _, e := range list {
			if e.from < s.until && s.from < e.until {
				return true
			}
		}
	}
	return false
}

// covers reports whether any generation has offset o.
func (c *coverage) covers(o uint64) bool { return c.overlaps(span{o, o + 1}) }

// unknown returns the lines of a batch that the record does not have; known are
// the marks that it has, by offset. A line whose bytes differ from what the
// record has at its offset begins a new generation for itself and the lines
// after it; changed says so. A covered line without a mark is one that the
// record had and let go.
func (c *coverage) unknown(known map[uint64][]uint32, lines []audit.Line) (fresh []audit.Line, changed bool) {
	generation := c.latest
	for _, l := range lines {
		marks, at := known[l.Origin.Offset]
		if slices.Contains(marks, l.Mark) || !at && !changed && c.covers(l.Origin.Offset) {
			continue
		}
		if at && !changed {
			changed = true
			generation = c.latest + 1
		}
		l.Origin.Generation = generation
		fresh = append(fresh, l)
	}
	return fresh, changed
}
