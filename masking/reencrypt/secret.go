package reencrypt

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"

	"gitlab.com/yawning/secp256k1-voi"
	"golang.org/x/crypto/chacha20poly1305"
)

// KeySize is the size in bytes of a key that a Secret gives.
const KeySize = chacha20poly1305.KeySize

// Overhead is the number of bytes that Seal adds: nonce and tag.
const Overhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

// Secret is what a capsule carries. It prints as nothing; its zero value gives
// no key.
type Secret struct {
	// The shared point, compressed: behind a pointer, as printing a struct that
	// holds a Secret does not ask Format.
	shared *[pointSize]byte
}

func newSecret(p *secp256k1.Point) (Secret, error) {
	q, err := newPoint(p)
	if err != nil {
		return Secret{}, err
	}
	return Secret{shared: &q.enc}, nil
}

// Key derives a key for a use: HKDF-SHA256 without salt. Different info gives
// unrelated keys; the empty info gives the key of Seal.
func (s Secret) Key(info string) ([]byte, error) {
	if s.shared == nil {
		return nil, ErrMissing
	}
	return hkdf.Key(sha256.New, s.shared[:], nil, info, KeySize)
}

// Seal encrypts bytes under the secret that Encapsulate gave with c: a random
// nonce of 24 bytes, then XChaCha20-Poly1305 with the capsule as associated data.
func (s Secret) Seal(c *Capsule, plaintext []byte) ([]byte, error) {
	key, err := s.Key("")
	if err != nil || !c.ok() {
		return nil, ErrMissing
	}
	a, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	out := make([]byte, chacha20poly1305.NonceSizeX, len(plaintext)+Overhead)
	if _, err := rand.Read(out); err != nil {
		return nil, fmt.Errorf("failed to read random bytes: %w", err)
	}
	return a.Seal(out, out, plaintext, c.simple()), nil
}

// Unseal decrypts what Seal made: ErrCiphertext if it was not made with this
// secret and capsule.
func (s Secret) Unseal(c *Capsule, ciphertext []byte) ([]byte, error) {
	key, err := s.Key("")
	if err != nil || !c.ok() {
		return nil, ErrMissing
	}
	if len(ciphertext) < Overhead {
		return nil, ErrCiphertext
	}
	a, err := chacha20poly1305.NewX(key)
	if err != nil {
		return nil, err
	}
	const n = chacha20poly1305.NonceSizeX
	plain, err := a.Open(nil, ciphertext[:n], ciphertext[n:], c.simple())
	if err != nil {
		return nil, ErrCiphertext
	}
	return plain, nil
}

// Format hides the secret from every verb of package fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(hidden)) }

// LogValue hides the secret from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(hidden) }
