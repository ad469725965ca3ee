package pseudonym

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/tallystick/tallystick/masking/keys"
)

// shards is how many locks the cache has.
const shards = 16

// slot is where a token is kept. Keys are compared by identity: a new key never
// meets a token of an old one.
type slot struct {
	prf  *keys.PRF
	hash uint64 // of kind and value
}

// entry is a token, and of which value it is: two values may have one hash.
type entry struct {
	kind, value, token string
}

// cache remembers recent tokens. Each shard has two generations: when the young
// one is full it becomes the old one, and what was old is forgotten.
type cache struct {
	seed   maphash.Seed
	limit  int // entries of a generation of a shard
	shards [shards]shard
}

type shard struct {
	mu         sync.Mutex
	young, old map[slot]entry // guarded by mu
	_          [40]byte       // keeps neighbours off one cache line
}

func newCache(size int) *cache {
	c := &cache{seed: maphash.MakeSeed(), limit: max(size/shards/2, 1)}
	for i := range c.shards {
		c.shards[i].young = map[slot]entry{}
	}
	return c
}

// slot is that of a value.
func (c *cache) slot(prf *keys.PRF, kind, value string) slot {
	// The odd factor keeps a kind and a value that are the same text apart.
	return slot{prf, maphash.String(c.seed, value) + maphash.String(c.seed, kind)*0x9e3779b97f4a7c15}
}

func (c *cache) get(k slot, kind, value string) (string, bool) {
	s := &c.shards[k.hash%shards]
	s.mu.Lock()
	e, ok := s.young[k]
	if !ok {
		if e, ok = s.old[k]; ok {
			s.keep(c.limit, k, e)
		}
	}
	s.mu.Unlock()
	return e.token, ok && e.kind == kind && e.value == value
}

func (c *cache) put(k slot, kind, value, token string) {
	s := &c.shards[k.hash%shards]
	e := entry{strings.Clone(kind), strings.Clone(value), token} // not the whole line
	s.mu.Lock()
	s.keep(c.limit, k, e)
	s.mu.Unlock()
}

// keep puts an entry into the young generation; mu is held.
func (s *shard) keep(limit int, k slot, e entry) {
	if len(s.young) >= limit {
		s.old, s.young = s.young, make(map[slot]entry, limit)
	}
	s.young[k] = e
}
