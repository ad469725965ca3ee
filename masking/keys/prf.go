package keys

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"sync"

	"github.com/tink-crypto/tink-go/v2/keyset"
)

// PRF is HMAC-SHA-256 under one key, made for millions of short messages: Sum
// allocates nothing. Its output equals that of Tink's PRF under the same key.
// It is safe for concurrent use.
type PRF struct {
	// ID is the key id: short text, unique among keys.
	ID   string
	pool sync.Pool // of *mac
}

// mac is an HMAC whose padded key blocks are already hashed, with a buffer
// that keeps callers' messages and results off the heap.
type mac struct {
	h   hash.Hash
	buf [256]byte
}

func newPRF(secret []byte, id string) *PRF {
	p := &PRF{ID: id}
	p.pool.New = func() any {
		m := &mac{h: hmac.New(sha256.New, secret)}
		m.h.Reset() // from the first Reset on crypto/hmac reuses the states after the key blocks
		return m
	}
	return p
}

// Sum appends the 32-byte PRF of msg to dst.
func (p *PRF) Sum(dst, msg []byte) []byte {
	m := p.pool.Get().(*mac)
	m.h.Reset()
	for len(msg) > 0 { // through buf, so that msg does not escape to the heap
		n := copy(m.buf[:], msg)
		_, _ = m.h.Write(m.buf[:n])
		msg = msg[n:]
	}
	dst = append(dst, m.h.Sum(m.buf[:0])...)
	p.pool.Put(m)
	return dst
}

func prfOf(h *keyset.Handle) (*PRF, error) {
	e, err := h.Primary()
	if err != nil {
		return nil, err
	}
	b, err := secretOf(e)
	if err != nil {
		return nil, err
	}
	return newPRF(b, keyID(e.KeyID())), nil
}
