package file

import (
	"time"

	"github.com/tallystick/tallystick/audit/source"
)

// orphaned is a stream whose file is gone or was cut before it was finished.
type orphaned struct {
	kind  source.GapKind
	since time.Time
}

func (t *Tailer) orphan(c *cursor, kind source.GapKind, now time.Time) {
	if _, ok := t.orphans[c]; !ok {
		t.orphans[c] = orphaned{kind: kind, since: now}
	}
}

// settle looks for streams that lost their file. A stream that a copy
// continues is no longer lost; the others become gaps after the grace.
func (t *Tailer) settle(pending map[string]bool, now time.Time) {
	for base := range t.bases {
		if t.settled[base] || pending[base] {
			continue
		}
		t.settled[base] = true
		for _, c := range t.deps.State.unread(t.deps.State.pathMark(t.cfg.Host, base)) {
			t.orphan(c, source.GapVanished, now)
		}
	}
	for c, o := range t.orphans {
		continued := !t.deps.State.free(c)
		switch {
		case continued && o.kind == source.GapVanished:
			delete(t.orphans, c)
		case continued || now.Sub(o.since) >= t.cfg.Grace:
			g := source.Gap{Kind: o.kind, Stream: c.Stream, Generation: c.Generation, Offset: c.place(), Copied: continued}
			if !continued {
				g.Lost = c.left()
				t.deps.State.finish(c, true)
			}
			t.gap(g, now)
			delete(t.orphans, c)
		}
	}
}

// left is how many bytes behind the position the file had when it was last
// read.
func (c *cursor) left() uint64 {
	size, offset := c.read.size, c.read.offset
	if c.read.tail == nil {
		size, offset = c.Size, c.Offset
	}
	return uint64(max(0, size-int64(offset)))
}

func (t *Tailer) gap(g source.Gap, now time.Time) {
	g.Source, g.Seen = t.cfg.Source, now.UTC()
	t.deps.Logger.Warn("lines of a file are or may be lost", "source", g.Source, "kind", string(g.Kind), "stream", g.Stream, "offset", g.Offset, "bytes", g.Lost, "copied", g.Copied)
	if t.deps.Gap != nil {
		t.deps.Gap(g)
	}
}
