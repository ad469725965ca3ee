package http

import (
	"container/list"
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// The window in which an Idempotency-Key is remembered. It ends with the
// process, too.
const (
	keyAge  = 24 * time.Hour
	maxKeys = 10_000
)

// keys remembers the requests that came with an Idempotency-Key: how many of
// their lines were taken, so that a retry brings only the rest. It keeps no
// line.
type keys struct {
	seed  maphash.Seed
	clock func() time.Time

	mu    sync.Mutex
	known map[string]*list.Element // of *attempt
	order *list.List               // oldest first
}

// attempt is a request and its retries. Whoever holds it owns its fields.
type attempt struct {
	key   string
	began time.Time
	held  chan struct{} // holds a value while a request has it

	taken uint64 // lines put in
	last  uint64 // number of the last of them
	sum   uint64 // of the lines taken
	done  bool   // all of the request's lines are taken
}

func newKeys(clock func() time.Time) *keys {
	return &keys{seed: maphash.MakeSeed(), clock: clock, known: map[string]*list.Element{}, order: list.New()}
}

// lock returns what is known of a key, waiting while another request holds it;
// of the key "" nothing ever is.
func (k *keys) lock(ctx context.Context, key string) (a *attempt, release func(), err error) {
	if key == "" {
		return &attempt{}, func() {}, nil
	}
	a = k.find(key)
	select {
	case a.held <- struct{}{}:
		return a, func() { <-a.held }, nil
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

func (k *keys) find(key string) *attempt {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.clock()
	for e := k.order.Front(); e != nil; e = k.order.Front() {
		if old := e.Value.(*attempt); now.Sub(old.began) <= keyAge && k.order.Len() < maxKeys {
			break
		}
		delete(k.known, e.Value.(*attempt).key)
		k.order.Remove(e)
	}
	if e := k.known[key]; e != nil {
		return e.Value.(*attempt)
	}
	a := &attempt{key: key, began: now, held: make(chan struct{}, 1)}
	k.known[key] = k.order.PushBack(a)
	return a
}
