package pseudonym

import (
	"hash/maphash"
	"strings"
	"sync"
	"unsafe"

	"github.com/tallystick/tallystick/masking/keys"
)

// shards is how many locks the cache has.
const shards = 16

// entry is a token, and what it was made of: two values may have one hash. Keys
// are compared by identity: a new key never meets a token of an old one.
type entry struct {
	prf                *keys.PRF
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
	young, old map[uint64]entry // by hash; guarded by mu
	_          [40]byte         // keeps neighbours off one cache line
}

func newCache(size int) *cache {
	c := &cache{seed: maphash.MakeSeed(), limit: max(size/shards/2, 1)}
	for i := range c.shards {
		c.shards[i].young = map[uint64]entry{}
	}
	return c
}

// hash is where the token of a value is kept. Of key and kind it takes as much as
// keeps them apart: where the key lies, and some of the kind's letters.
func (c *cache) hash(prf *keys.PRF, kind, value string) uint64 {
	const odd = 0x9e3779b97f4a7c15
	h := maphash.String(c.seed, value) + uint64(uintptr(unsafe.Pointer(prf)))*odd
	if n := len(kind); n > 0 {
		h += uint64(n<<16|int(kind[0])<<8|int(kind[n-1])) * odd
	}
	return h
}

func (c *cache) get(hash uint64, prf *keys.PRF, kind, value string) (string, bool) {
	s := &c.shards[hash%shards]
	s.mu.Lock()
	e, ok := s.young[hash]
	if !ok {
		if e, ok = s.old[hash]; ok {
			s.keep(c.limit, hash, e)
		}
	}
	s.mu.Unlock()
	return e.token, ok && e.prf == prf && e.kind == kind && e.value == value
}

func (c *cache) put(hash uint64, prf *keys.PRF, kind, value, token string) {
	s := &c.shards[hash%shards]
	e := entry{prf, strings.Clone(kind), strings.Clone(value), token} // not the whole line
	s.mu.Lock()
	s.keep(c.limit, hash, e)
	s.mu.Unlock()
}

// keep puts an entry into the young generation; mu is held.
func (s *shard) keep(limit int, hash uint64, e entry) {
	if len(s.young) >= limit {
		s.old, s.young = s.young, make(map[uint64]entry, limit)
	}
	s.young[hash] = e
}
