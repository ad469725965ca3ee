package masking

import (
	"sync/atomic"

	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/pseudonym"
)

// Tombstone says that a person was erased. Mark is the person under the
// erasure-check key: without that key it names nobody.
type Tombstone struct {
	Mark string
	Day  uint16 // of the erasure, in days since 1970-01-01
	// Through is the last day whose lines get neither
	// link nor original: that of the erasure, or the last one that was erased.
	Through uint16
}

// tagKind keeps the marks of tags apart from those of people. No kind of
// subject has a space in it.
const tagKind = "link tag"

// Tombstones are the people who were erased. It is safe for concurrent use.
type Tombstones struct {
	prf   *keys.PRF
	maker *pseudonym.Maker
	set   atomic.Pointer[map[string]Tombstone]
}

// NewTombstones returns the empty set under the erasure-check key.
func NewTombstones(prf *keys.PRF) *Tombstones {
	return &Tombstones{prf: prf, maker: pseudonym.New(nil, 1<<14)}
}

// Set replaces the set. It takes effect with the next line.
func (t *Tombstones) Set(list []Tombstone) {
	set := make(map[string]Tombstone, len(list))
	for _, s := range list {
		set[s.Mark] = s
	}
	t.set.Store(&set)
}

// Person is the mark of a person.
func (t *Tombstones) Person(kind string, value plain.Text) string {
	return pseudonym.Token(t.prf, kind, value.Reveal(access))
}

// Tag is the mark of a person's tag of a long epoch. By it links are known
// again that came back from a back-up.
func (t *Tombstones) Tag(tag string) string { return pseudonym.Token(t.prf, tagKind, tag) }

// OfTag returns the tombstone of a tag.
func (t *Tombstones) OfTag(tag string) (Tombstone, bool) { return t.find(tagKind, tag) }

func (t *Tombstones) find(kind, value string) (Tombstone, bool) {
	if t == nil {
		return Tombstone{}, false
	}
	set := t.set.Load()
	if set == nil || len(*set) == 0 {
		return Tombstone{}, false
	}
	s, ok := (*set)[t.maker.Token(t.prf, kind, value)]
	return s, ok
}
