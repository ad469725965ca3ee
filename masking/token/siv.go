// Package token makes the reversible tokens of the stand-alone masker: AES-SIV
// (RFC 5297), deterministic and authenticated, and FF1 (NIST SP 800-38G), which
// keeps the format of a number.
//
// The keys are those of masking/keys; for the same 64-byte key Sealer's output
// equals that of Tink's AES-SIV, which takes longer. Entries never hold such
// tokens: what identifies a person there is made with the key of the day.
// Package transform calls it.
package token

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"errors"
	"fmt"
	"sync"
)

const block = aes.BlockSize

// ErrNotOurs is the error of a token that was changed or made with another key.
var ErrNotOurs = errors.New("the token was changed or made with another key")

// Sealer is AES-SIV under one key. It is safe for concurrent use.
type Sealer struct {
	mac, ctr cipher.Block
	k1, k2   [block]byte // subkeys of CMAC, RFC 4493
	zero     [block]byte // CMAC of the block of zeros, where S2V begins
	pool     sync.Pool   // of *scratch
}

// scratch keeps the blocks of a call off the heap: d is the state of S2V, y that
// of CMAC, x a block on its way.
type scratch struct{ d, x, y [block]byte }

// NewSealer takes a key of 32, 48 or 64 bytes: its first half is for the
// authentication.
func NewSealer(key []byte) (*Sealer, error) {
	if len(key) != 32 && len(key) != 48 && len(key) != 64 {
		return nil, fmt.Errorf("an AES-SIV key has 32, 48 or 64 bytes, not %d", len(key))
	}
	s := &Sealer{}
	s.pool.New = func() any { return new(scratch) }
	var err error
	if s.mac, err = aes.NewCipher(key[:len(key)/2]); err != nil {
		return nil, err
	}
	if s.ctr, err = aes.NewCipher(key[len(key)/2:]); err != nil {
		return nil, err
	}
	s.mac.Encrypt(s.k1[:], s.k1[:])
	double(&s.k1)
	s.k2 = s.k1
	double(&s.k2)
	t := new(scratch)
	s.cmac(t, make([]byte, block), len(s.zero))
	s.zero = t.y
	return s, nil
}

// double multiplies by x in GF(2^128).
func double(b *[block]byte) {
	carry := b[0] >> 7
	for i := range block - 1 {
		b[i] = b[i]<<1 | b[i+1]>>7
	}
	b[block-1] = b[block-1]<<1 ^ carry*0x87
}

// cmac sets t.y to AES-CMAC (RFC 4493) of text, with t.d XORed into it from
// offset end on.
func (s *Sealer) cmac(t *scratch, text []byte, end int) {
	clear(t.y[:])
	for i := 0; ; i += block {
		n := copy(t.x[:], text[i:])
		for k := max(0, end-i); k < n; k++ {
			t.x[k] ^= t.d[i+k-end]
		}
		subtle.XORBytes(t.y[:], t.y[:], t.x[:n])
		last := i+block >= len(text)
		switch {
		case last && n == block:
			subtle.XORBytes(t.y[:], t.y[:], s.k1[:])
		case last:
			t.y[n] ^= 0x80
			subtle.XORBytes(t.y[:], t.y[:], s.k2[:])
		}
		s.mac.Encrypt(t.y[:], t.y[:])
		if last {
			return
		}
	}
}

// s2v sets t.d to the synthetic IV of associated data and plaintext.
func (s *Sealer) s2v(t *scratch, plain []byte, data [][]byte) {
	t.d = s.zero
	for _, a := range data {
		double(&t.d)
		s.cmac(t, a, len(a))
		subtle.XORBytes(t.d[:], t.d[:], t.y[:])
	}
	if len(plain) >= block {
		s.cmac(t, plain, len(plain)-block)
		t.d = t.y
		return
	}
	double(&t.d)
	subtle.XORBytes(t.d[:], t.d[:], plain)
	t.d[len(plain)] ^= 0x80
	// CMAC of one whole block, which t.d is.
	subtle.XORBytes(t.d[:], t.d[:], s.k1[:])
	s.mac.Encrypt(t.d[:], t.d[:])
}

// xor encrypts or decrypts b in place, in counter mode from t.d on.
func (s *Sealer) xor(t *scratch, b []byte) {
	t.x = t.d
	t.x[8] &= 0x7f
	t.x[12] &= 0x7f
	for ; len(b) > 0; b = b[min(block, len(b)):] {
		s.ctr.Encrypt(t.y[:], t.x[:])
		subtle.XORBytes(b, b[:min(block, len(b))], t.y[:])
		for k := block - 1; k >= 0; k-- {
			if t.x[k]++; t.x[k] != 0 {
				break
			}
		}
	}
}

// Seal appends the 16-byte synthetic IV and the ciphertext to dst.
func (s *Sealer) Seal(dst, plain []byte, data ...[]byte) []byte {
	t := s.pool.Get().(*scratch)
	s.s2v(t, plain, data)
	dst = append(dst, t.d[:]...)
	n := len(dst)
	dst = append(dst, plain...)
	s.xor(t, dst[n:])
	s.pool.Put(t)
	return dst
}

// Open appends the plaintext to dst, if the token is genuine.
func (s *Sealer) Open(dst, sealed []byte, data ...[]byte) ([]byte, error) {
	if len(sealed) < block {
		return nil, ErrNotOurs
	}
	t := s.pool.Get().(*scratch)
	defer s.pool.Put(t)
	t.d = [block]byte(sealed)
	n := len(dst)
	dst = append(dst, sealed[block:]...)
	s.xor(t, dst[n:])
	s.s2v(t, dst[n:], data)
	if subtle.ConstantTimeCompare(t.d[:], sealed[:block]) != 1 {
		clear(dst[n:])
		return nil, ErrNotOurs
	}
	return dst, nil
}
