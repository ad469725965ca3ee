package keys

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/signature"
	tinked25519 "github.com/tink-crypto/tink-go/v2/signature/ed25519"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Signer signs with an Ed25519 key. Signatures are raw: 64 bytes that any
// Ed25519 implementation verifies with Public. It is safe for concurrent use.
type Signer struct {
	// ID is the key id.
	ID     string
	public ed25519.PublicKey
	sign   tink.Signer
}

// Public is the public half.
func (s *Signer) Public() ed25519.PublicKey { return s.public }

// ParsePublic reads a public key as Signer prints it: base64 of 32 bytes.
func ParsePublic(s string) (ed25519.PublicKey, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, errors.New("not an Ed25519 public key in base64")
	}
	return b, nil
}

// Sign returns the 64-byte signature of msg.
func (s *Signer) Sign(msg []byte) ([]byte, error) { return s.sign.Sign(msg) }

func (s *Store) signer(r Role) (*Signer, error) {
	h, err := s.handle(r)
	if err != nil {
		return nil, err
	}
	return signerOf(r, h)
}

func signerOf(r Role, h *keyset.Handle) (*Signer, error) {
	e, err := h.Primary()
	if err != nil {
		return nil, err
	}
	k, ok := e.Key().(*tinked25519.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("keyset %s has no Ed25519 key", r)
	}
	pub, err := k.PublicKey()
	if err != nil {
		return nil, err
	}
	raw, ok := pub.(*tinked25519.PublicKey)
	if !ok || len(raw.OutputPrefix()) != 0 {
		return nil, errors.New("the key does not sign raw Ed25519")
	}
	prim, err := signature.NewSigner(h)
	if err != nil {
		return nil, err
	}
	return &Signer{ID: keyID(e.KeyID()), public: raw.KeyBytes(), sign: prim}, nil
}

// BatchSigner signs a tap's batches with its key of now: it follows the keyset,
// so that a rotation needs no restart. It is safe for concurrent use.
type BatchSigner struct{ store *Store }

// BatchSigner returns the signer that package seal takes.
func (s *Store) BatchSigner() (*BatchSigner, error) {
	_, err := s.TapSigner()
	return &BatchSigner{s}, err
}

// Sign returns the 64-byte signature of msg.
func (b *BatchSigner) Sign(msg []byte) ([]byte, error) {
	k, err := b.store.TapSigner()
	if err != nil {
		return nil, err
	}
	return k.Sign(msg)
}
