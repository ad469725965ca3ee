package masking

import (
	"context"
	"hash/maphash"
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/pseudonym"
)

// DomainLinks is of the keys of tags, one for each calendar year.
const DomainLinks = "links"

// KindUser is the kind of a principal whom no subject of the line is.
const KindUser = "user"

// What found has for a person who was erased before the access, and where.
const (
	foundErased    = "erased"
	placeSubjects  = "subjects"
	placePrincipal = "principal"
)

// Day is the UTC day of a time, in days since 1970-01-01; what is out of range
// is the nearest day.
func Day(t time.Time) uint16 {
	s := t.Unix()
	return uint16(min(max(s, 0)/86400, 1<<16-1))
}

// Linking is what the stage needs to write links.
type Linking struct {
	Keys   pseudonym.Keys // of tags; of them only Year is asked
	Linked *Linked        // links that are stored
	Erased *Tombstones
}

// tags is how many tags are remembered with their values: those of links that
// are not stored yet.
const tags = 1 << 13

// Link makes the stage write the links of people other than declared staff and
// services, in Batch.Links, and mark accesses to people who were erased.
func (g *Engine) Link(l Linking) {
	g.linked, g.erased, g.tags = l.Linked, l.Erased, pseudonym.New(l.Keys, tags)
}

// Linked remembers which links are stored, so that most lines cost a look-up.
// It forgets the oldest of more than about linkedSize, which are written again
// then and stay one. It is safe for concurrent use.
type Linked struct {
	seed maphash.Seed

	mu         sync.RWMutex
	young, old map[uint64]struct{} // hashes of pseudonyms; guarded by mu
}

const linkedSize = 1 << 18

// NewLinked returns an empty memory.
func NewLinked() *Linked {
	return &Linked{seed: maphash.MakeSeed(), young: map[uint64]struct{}{}}
}

func (l *Linked) has(pseudonym string) bool {
	h := maphash.String(l.seed, pseudonym)
	l.mu.RLock()
	defer l.mu.RUnlock()
	if _, ok := l.young[h]; ok {
		return true
	}
	_, ok := l.old[h]
	return ok
}

// Stored says that links are durable.
func (l *Linked) Stored(links []audit.Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range links {
		if len(l.young) >= linkedSize/2 {
			l.old, l.young = l.young, map[uint64]struct{}{}
		}
		l.young[maphash.String(l.seed, links[i].Pseudonym)] = struct{}{}
	}
}

// Forget says that links may be gone.
func (l *Linked) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.young, l.old = map[uint64]struct{}{}, nil
}

// goneLine is what a line may not keep, because it is about people who were
// erased after it.
type goneLine struct {
	any, principal bool
	subjects       []int // indexes
	// accessed are the places of people who were erased on an earlier day.
	accessedSubject, accessedPrincipal bool
}

// person writes the link of a person on a line, if there is a pseudonym. index
// is that of the subject, -1 for the principal.
func (m *mask) person(e *audit.Event, index int, kind, value, token string) error {
	if m.g.linked == nil || value == "" {
		return nil
	}
	day := Day(e.Time)
	if s, ok := m.g.erased.find(kind, value); ok {
		if day > s.Day {
			m.gone.accessedPrincipal = m.gone.accessedPrincipal || index < 0
			m.gone.accessedSubject = m.gone.accessedSubject || index >= 0
		}
		if day <= s.Through {
			m.gone.any = true
			if index < 0 {
				m.gone.principal = true
			} else {
				m.gone.subjects = append(m.gone.subjects, index)
			}
			return nil
		}
	}
	if token == plain.Redacted || token == m.lastLinked || m.g.linked.has(token) {
		return nil
	}
	tag, err := m.tags.Year(DomainLinks, kind, value, e.Time)
	if err != nil {
		return err
	}
	m.lastLinked = token
	m.links = append(m.links, audit.Link{Tag: tag, Day: day, Pseudonym: token})
	return nil
}

// accessed marks an access to people who were erased before it: RT-01.
func (m *mask) accessed(out *audit.Entry) {
	for _, p := range []struct {
		is    bool
		place string
	}{{m.gone.accessedSubject, placeSubjects}, {m.gone.accessedPrincipal, placePrincipal}} {
		if p.is {
			out.FoundKinds, out.FoundPlaces = append(out.FoundKinds, foundErased), append(out.FoundPlaces, p.place)
		}
	}
}

// keeps reports whether the original of a field may be kept. The targets of a
// line hold its subjects; the other fields are the principal's.
func (g *goneLine) keeps(field string) bool {
	switch {
	case !g.any:
		return true
	case field == "target" || field == "referer":
		return false
	}
	return !g.principal
}

// begin starts the pass over a batch; a Batch lives within one call.
func (m *mask) begin(ctx context.Context, b *audit.Batch) {
	m.links = b.Links
	if m.g.tags != nil {
		m.tags = m.g.tags.Begin(ctx)
	}
}
