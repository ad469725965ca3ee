package seal

import (
	"errors"
	"fmt"
)

// The faults of a chain of headers. Each is a finding; what becomes of the
// batch the fault says.
var (
	// ErrBroken says that Prev is not the head of the batch before, although
	// the sequence is: the batch is a rejection. The chain goes on from it.
	ErrBroken = errors.New("broken chain of batches")
	// ErrReplayed says that the sequence was used before with other bytes: the
	// batch is a rejection.
	ErrReplayed = errors.New("sequence used twice with other bytes")
)

// GapError says that batches before this one did not arrive. The batch itself
// is good and the chain goes on from it.
type GapError struct {
	Missing uint64 // batches
	Lines   uint64 // their lines, 0 if the batch before them is not remembered
}

func (e *GapError) Error() string { return fmt.Sprintf("%d batches of the tap are missing", e.Missing) }

const (
	remembered = 32 // heads kept per chain
	boots      = 4  // boots kept per tap and stream
)

// Chain checks that the batches of each (tap, boot, stream) follow each other.
// It belongs to whoever reads one partition and is not safe for concurrent use.
type Chain struct {
	links map[chainID]*links
	boots map[[2]string][]string // boots of a tap and stream, oldest first
}

type chainID struct{ tap, boot, stream string }

// links are the last heads of one chain: heads[s%remembered] is that of
// sequence s, for last-remembered < s <= last, if known says so.
type links struct {
	last  uint64
	lines uint64 // of the chain up to last; 0 if that is not known
	heads [remembered][32]byte
	known [remembered]uint64 // which sequence the slot holds, 0 for none
}

func (l *links) set(seq uint64, head [32]byte) {
	l.last = max(l.last, seq)
	l.heads[seq%remembered], l.known[seq%remembered] = head, seq
}

func (l *links) get(seq uint64) ([32]byte, bool) {
	return l.heads[seq%remembered], l.known[seq%remembered] == seq
}

// NewChain returns a chain that has seen nothing: each (tap, boot, stream)
// must begin at sequence 1.
func NewChain() *Chain {
	return &Chain{links: map[chainID]*links{}, boots: map[[2]string][]string{}}
}

// Seed tells where a chain stood in what is stored.
func (c *Chain) Seed(tap, boot, stream string, sequence uint64, head [32]byte) {
	c.chain(chainID{tap, boot, stream}).set(sequence, head)
}

// Check takes the next batch, opened and believed, and its head. A duplicate
// is the very same message again, to be skipped without a finding. An older
// batch that was not seen before passes: what it overlaps is told by its
// lines' offsets and marks.
func (c *Chain) Check(h *Header, head [32]byte) (duplicate bool, err error) {
	l := c.chain(chainID{h.Tap, h.Boot, h.Stream})
	known, seen := l.get(h.Sequence)
	switch {
	case seen && known == head:
		return true, nil
	case seen:
		return false, ErrReplayed
	case h.Sequence < l.last:
		if h.Sequence+remembered > l.last {
			l.set(h.Sequence, head)
		}
		return false, nil
	}
	before, ok := l.get(h.Sequence - 1)
	gap := GapError{Missing: h.Sequence - l.last - 1}
	if l.lines > 0 || l.last == 0 {
		gap.Lines = max(h.Before, l.lines) - l.lines
	}
	l.set(h.Sequence, head)
	l.lines = h.Before + uint64(h.Lines)
	switch {
	case gap.Missing > 0:
		return false, &gap
	case ok && before != h.Prev, h.Sequence == 1 && h.Prev != [32]byte{}:
		return false, ErrBroken
	}
	return false, nil
}

func (c *Chain) chain(id chainID) *links {
	if l := c.links[id]; l != nil {
		return l
	}
	k := [2]string{id.tap, id.stream}
	c.boots[k] = append(c.boots[k], id.boot)
	if b := c.boots[k]; len(b) > boots {
		delete(c.links, chainID{id.tap, b[0], id.stream})
		c.boots[k] = b[1:]
	}
	l := &links{}
	c.links[id] = l
	return l
}
