package reencrypt

import (
	"crypto/sha256"
	"fmt"
	"log/slog"
	"sync/atomic"

	"gitlab.com/yawning/secp256k1-voi"
	"gitlab.com/yawning/secp256k1-voi/secec"
)

// The sizes of keys in bytes.
const (
	PrivateKeySize = scalarSize
	PublicKeySize  = pointSize
)

const hidden = "reencrypt: secret"

// PrivateKey is a key pair of a delegator, of a receiver or of a signer. It
// prints as nothing.
type PrivateKey struct {
	scalar *secp256k1.Scalar
	sign   *secec.PrivateKey
	public *PublicKey
}

// PublicKey is the public half. It is safe for concurrent use.
type PublicKey struct {
	point
	verify *secec.PublicKey
	uses   atomic.Int64               // multiplications so far, up to the table
	fixed  atomic.Pointer[fixedPoint] // nil until the key is long-lived
}

// GenerateKey makes a random key pair.
func GenerateKey() (*PrivateKey, error) {
	s, err := randomScalar()
	if err != nil {
		return nil, err
	}
	return newPrivateKey(s)
}

// NewPrivateKey makes the key pair of 32 bytes, big-endian: ErrScalar, ErrZero.
func NewPrivateKey(b []byte) (*PrivateKey, error) {
	s, err := parseScalar(b)
	if err != nil {
		return nil, fmt.Errorf("failed to read a private key: %w", err)
	}
	return newPrivateKey(s)
}

func newPrivateKey(s *secp256k1.Scalar) (*PrivateKey, error) {
	k, err := secec.NewPrivateKeyFromScalar(s)
	if err != nil {
		return nil, ErrZero
	}
	p, err := newPoint(k.PublicKey().Point())
	if err != nil {
		return nil, err
	}
	return &PrivateKey{scalar: s, sign: k, public: &PublicKey{point: p, verify: k.PublicKey()}}, nil
}

// Bytes is the secret: 32 bytes, big-endian, for a wrapped keyset only.
func (k *PrivateKey) Bytes() []byte {
	if !k.ok() {
		return nil
	}
	return k.scalar.Bytes()
}

// Public is the public half.
func (k *PrivateKey) Public() *PublicKey {
	if !k.ok() {
		return nil
	}
	return k.public
}

func (k *PrivateKey) ok() bool { return k != nil && k.scalar != nil }

// Format hides the key from every verb of package fmt.
func (k *PrivateKey) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(hidden)) }

// LogValue hides the key from logs.
func (k *PrivateKey) LogValue() slog.Value { return slog.StringValue(hidden) }

// NewPublicKey decodes a compressed point of 33 bytes: ErrPoint, ErrInfinity.
func NewPublicKey(b []byte) (*PublicKey, error) {
	p, err := parsePoint(b)
	if err != nil {
		return nil, fmt.Errorf("failed to read a public key: %w", err)
	}
	v, err := secec.NewPublicKeyFromPoint(p.p)
	if err != nil {
		return nil, fmt.Errorf("failed to read a public key: %w", ErrInfinity)
	}
	return &PublicKey{point: p, verify: v}, nil
}

// Bytes is the compressed point, 33 bytes.
func (k *PublicKey) Bytes() []byte {
	if !k.known() {
		return nil
	}
	return append([]byte(nil), k.enc[:]...)
}

// Equal tells whether both are the same key.
func (k *PublicKey) Equal(o *PublicKey) bool {
	return k.known() && o.known() && k.enc == o.enc
}

func (k *PublicKey) known() bool { return k != nil && k.p != nil }

// tableAfter is the number of multiplications after which a key is long-lived:
// its table takes the time of ten to make and 90 KB to keep.
const tableAfter = 16

// times returns s times the key in constant time.
func (k *PublicKey) times(s *secp256k1.Scalar) *secp256k1.Point {
	if t := k.fixed.Load(); t != nil {
		return t.mult(s)
	}
	if k.uses.Add(1) == tableAfter {
		k.fixed.Store(newFixedPoint(k.point))
	}
	return mult(s, k.p)
}

const signatureSize = 2 * scalarSize

// signMessage returns the ECDSA signature r || s of SHA-256 of msg, s low.
func (k *PrivateKey) signMessage(msg []byte) (sig [signatureSize]byte, err error) {
	d := sha256.Sum256(msg)
	b, err := k.sign.Sign(nil, d[:], &secec.ECDSAOptions{Encoding: secec.EncodingCompact})
	if err != nil {
		return sig, fmt.Errorf("failed to sign: %w", err)
	}
	return [signatureSize]byte(b), nil
}

// verifies tells whether sig is k's signature of msg, with s low.
func (k *PublicKey) verifies(msg []byte, sig *[signatureSize]byte) bool {
	d := sha256.Sum256(msg)
	return k.verify.Verify(d[:], sig[:], &secec.ECDSAOptions{Encoding: secec.EncodingCompact, RejectMalleable: true})
}

// Sign signs a message, 64 bytes, to prove possession of the private key. The
// message begins with what it is for. Constant time.
func (k *PrivateKey) Sign(msg []byte) ([]byte, error) {
	if !k.ok() {
		return nil, ErrMissing
	}
	sig, err := k.signMessage(msg)
	return sig[:], err
}

// Verify checks what Sign made: ErrSignature.
func (k *PublicKey) Verify(msg, sig []byte) error {
	if !k.known() || len(sig) != signatureSize || !k.verifies(msg, (*[signatureSize]byte)(sig)) {
		return ErrSignature
	}
	return nil
}
