package auditor

import (
	"context"

	"github.com/tallystick/tallystick/audit"
)

// Coverage is coverage for property tests.
type Coverage = coverage

func NewCoverage(stored []audit.StreamRange) *Coverage { return newCoverage(stored) }

func (c *Coverage) Add(generation uint32, from, until uint64) { c.add(generation, span{from, until}) }

func (c *Coverage) Overlaps(from, until uint64) bool { return c.overlaps(span{from, until}) }

func (c *Coverage) Covers(o uint64) bool { return c.covers(o) }

func (c *Coverage) Latest() uint32 { return c.latest }

func (c *Coverage) Unknown(known map[uint64][]uint32, lines []audit.Line) ([]audit.Line, bool) {
	return c.unknown(known, lines)
}

// Spans is how many ranges c keeps.
func (c *Coverage) Spans() (n int) {
	for _, list := range c.generations {
		n += len(list)
	}
	return n
}

// Late is late of a chunk with so many lines and findings, behind which more
// messages wait or do not.
func Late(lines, findings, looked, calm int, behind bool) bool {
	return (&building{lines: lines, findings: make([]audit.Finding, findings), behind: behind}).late(looked, calm)
}

// FillVersion stores version c of a chunk without a line as a replay does.
func FillVersion(ctx context.Context, s ReplayStore, c *audit.Chunk) error {
	b := newBuilding(map[string]bool{})
	b.begin(c)
	return (&Replayer{deps: ReplayDeps{Store: s}}).fill(ctx, b, func(context.Context) error { return nil })
}
