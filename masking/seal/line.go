package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

const lineKeyContext = "tallystick rejected lines v1"

// LineSealer seals single lines, the rejections of one chunk: a random
// AES-256-GCM key is encapsulated once to the line public key. It is safe for
// concurrent use.
type LineSealer struct {
	sealedKey []byte
	aead      cipher.AEAD
}

// NewLineSealer makes the key of one chunk.
func NewLineSealer(enc tink.HybridEncrypt) (*LineSealer, error) {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	sealed, err := enc.Encrypt(key, []byte(lineKeyContext))
	if err != nil {
		return nil, fmt.Errorf("failed to seal the key of rejected lines: %w", err)
	}
	a, err := lineAEAD(key)
	if err != nil {
		return nil, err
	}
	return &LineSealer{sealedKey: sealed, aead: a}, nil
}

func lineAEAD(key []byte) (cipher.AEAD, error) {
	c, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("failed to use the key of rejected lines: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(c)
}

// SealedKey is stored beside each line: audit.Rejection.SealedKey.
func (s *LineSealer) SealedKey() []byte { return s.sealedKey }

// Seal seals a line, bound to the id of its rejection: audit.Rejection.Sealed.
func (s *LineSealer) Seal(entryID string, line plain.Text) []byte {
	return s.aead.Seal(nil, nil, []byte(line.Reveal(plainaccess.Token{})), []byte(entryID))
}

// OpenLine opens what a LineSealer sealed, for a later replay.
func OpenLine(dec tink.HybridDecrypt, sealedKey []byte, entryID string, sealed []byte) (plain.Text, error) {
	key, err := dec.Decrypt(sealedKey, []byte(lineKeyContext))
	if errors.Is(err, keys.ErrUnavailable) {
		return plain.Text{}, fmt.Errorf("failed to open a rejected line: %w", err)
	}
	if err != nil {
		return plain.Text{}, ErrSealed
	}
	a, err := lineAEAD(key)
	if err != nil {
		return plain.Text{}, err
	}
	b, err := a.Open(nil, nil, sealed, []byte(entryID))
	if err != nil {
		return plain.Text{}, ErrSealed
	}
	return plain.New(string(b)), nil
}
