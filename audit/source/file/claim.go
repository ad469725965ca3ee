package file

import (
	"bytes"
	"time"
)

// verdict is what became of a file's claim on its stream.
type verdict int

const (
	claimed verdict = iota // the file reads the stream from here on
	shadow                 // another open file holds the same bytes: a copy
	later                  // it can't be told yet: the file is being written, or a one-shot read is at it
	taken                  // another source reads the stream
)

// answer is whether a file holds the bytes that were read before.
type answer int

const (
	differs answer = iota
	same
	short // the file ends before the position
)

// claim finds the cursor that f continues, by the name of its stream and by
// the bytes before the position, or makes one. It sets the cursor's owner.
func (s *State) claim(f *tracked, stream string, head []byte, now time.Time) (*cursor, verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.streams[stream]
	for i := len(list) - 1; i >= 0; i-- {
		c := list[i]
		if f.tailer.cfg.Again && f.holds(c, s) != differs {
			return s.again(c, f), claimed
		}
		if c.owner != nil && c.owner.tailer != f.tailer {
			if c.owner.tailer.cfg.Once && !f.tailer.cfg.Once {
				return nil, later
			}
			return nil, taken
		}
		switch f.holds(c, s) {
		case same:
			if c.owner != nil {
				return c, shadow
			}
			return s.take(c, f), claimed
		case short:
			switch {
			case c.owner != nil:
				if f.packed || f.sameAs(c.owner) {
					return c, shadow
				}
			case f.id == fileID{c.Device, c.Inode}:
				// Cut and written again behind the same first line.
			case !f.tailer.cfg.Once && now.Sub(f.modified) < f.tailer.cfg.Grace:
				return nil, later
			default:
				// A shorter copy, or another file with the same first line.
				// Read again under the same generation: the auditor drops
				// what is equal and counts what differs.
				c.read = position{tail: []byte{}}
				return s.take(c, f), claimed
			}
		}
	}
	c := &cursor{record: record{
		Stream: stream, Path: s.pathMark(f.tailer.cfg.Host, f.base), Head: s.mark("head", head), Tail: s.mark("tail", nil),
	}}
	if n := len(list); n > 0 {
		c.Generation = list[n-1].Generation + 1
	}
	s.streams[stream] = append(list, c)
	return s.take(c, f), claimed
}

func (s *State) take(c *cursor, f *tracked) *cursor {
	c.owner = f
	c.Device, c.Inode = f.id.device, f.id.inode
	if !c.Followed && !f.tailer.cfg.Once {
		c.Followed, s.begun = true, true
	}
	c.Finished = false
	c.Size, c.Modified = f.size, f.modified.UnixNano()
	s.dirty = true
	return c
}

// again puts f at the beginning of a stream that was read before. A cursor that
// another file reads stays with it; f gets one of its own, which is not kept.
func (s *State) again(c *cursor, f *tracked) *cursor {
	if c.owner == nil {
		c.read = position{tail: []byte{}}
		return s.take(c, f)
	}
	return &cursor{record: record{Stream: c.Stream, Generation: c.Generation, Path: c.Path, Head: c.Head, Tail: s.mark("tail", nil)},
		read: position{tail: []byte{}}, owner: f}
}

// holds reports whether f has, before the cursor's position, the bytes that
// were read there.
func (f *tracked) holds(c *cursor, s *State) answer {
	offset, n := c.at()
	b, ok := f.before(offset, n)
	if !ok {
		return short
	}
	if c.read.tail != nil {
		if bytes.Equal(b, c.read.tail) {
			return same
		}
	} else if s.mark("tail", b) == c.Tail {
		return same
	}
	return differs
}

// sameAs compares the last bytes that both files have at the same place.
func (f *tracked) sameAs(g *tracked) bool {
	end := min(f.size, g.size)
	n := min(end, tailWindow)
	a, b := make([]byte, n), make([]byte, n)
	na, _ := f.file.ReadAt(a, end-n)
	nb, _ := g.file.ReadAt(b, end-n)
	return na == nb && bytes.Equal(a[:na], b[:nb])
}

// at is where reading goes on, and how many bytes before that place are known.
func (c *cursor) at() (offset uint64, known int) {
	if c.read.tail == nil {
		return c.Offset, c.TailLength
	}
	return c.read.offset, len(c.read.tail)
}

// place is the offset of the first byte that was not read.
func (c *cursor) place() uint64 {
	offset, _ := c.at()
	return offset
}

// fresh reports whether nothing was read of the stream.
func (c *cursor) fresh() bool { return c.Offset == 0 && c.read.offset == 0 }

// skip moves a new cursor on without reading.
func (s *State) skip(c *cursor, p position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.read = p
	c.Offset, c.Tail, c.TailLength = p.offset, s.mark("tail", p.tail), len(p.tail)
	s.dirty = true
}

// known reports whether anything was read of a stream.
func (s *State) known(stream string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.streams[stream]) > 0
}

// free reports whether no file reads the cursor.
func (s *State) free(c *cursor) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return c.owner == nil
}

// rewind takes the cursors that no file reads back to what was acknowledged.
func (s *State) rewind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, list := range s.streams {
		for _, c := range list {
			if c.owner == nil {
				c.read.tail = nil
			}
		}
	}
}

// finish gives up a cursor. done says that its file was rotated and read to
// its end.
func (s *State) finish(c *cursor, done bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.owner = nil
	if done {
		c.Finished = true
	}
	s.dirty = true
}

// unread are the followed streams of a base path that no file reads although
// none was finished.
func (s *State) unread(pathMark string) []*cursor {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*cursor
	for _, list := range s.streams {
		for _, c := range list {
			if c.Path == pathMark && c.Followed && !c.Finished && c.owner == nil {
				out = append(out, c)
			}
		}
	}
	return out
}
