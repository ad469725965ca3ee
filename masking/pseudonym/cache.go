package pseudonym

import (
	"hash/maphash"
	"strings"
	"sync"

	"github.com/tallystick/tallystick/masking/keys"
)

// shards is how many locks the cache has.
const shards = 16

// entry is what a token was made of. Keys are compared by identity: a new key
// never meets a token of an old one.
type entry struct {
	prf   *keys.PRF
	kind  string
	value string
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
	young, old map[entry]string // guarded by mu
	_          [40]byte         // keeps neighbours off one cache line
}

func newCache(size int) *cache {
	c := &cache{seed: maphash.MakeSeed(), limit: max(size/shards/2, 1)}
	for i := range c.shards {
		c.shards[i].young = map[entry]string{}
	}
	return c
}

func (c *cache) shard(k entry) *shard {
	return &c.shards[maphash.String(c.seed, k.value)%shards]
}

func (c *cache) get(k entry) (string, bool) {
	s := c.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if t, ok := s.young[k]; ok {
		return t, true
	}
	t, ok := s.old[k]
	if ok {
		k.value = strings.Clone(k.value)
		s.keep(c.limit, k, t)
	}
	return t, ok
}

func (c *cache) put(k entry, token string) {
	s := c.shard(k)
	k.kind, k.value = strings.Clone(k.kind), strings.Clone(k.value) // not the whole line
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(c.limit, k, token)
}

// keep puts an entry into the young generation; mu is held.
func (s *shard) keep(limit int, k entry, token string) {
	if len(s.young) >= limit {
		s.old, s.young = s.young, make(map[entry]string, limit)
	}
	s.young[k] = token
}
