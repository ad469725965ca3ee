package reencrypt

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"gitlab.com/yawning/secp256k1-voi"
)

const (
	pointSize  = secp256k1.CompressedPointSize
	scalarSize = secp256k1.ScalarSize
)

// point is a point of the group other than infinity, with its encoding: both
// are needed almost always, and each costs an inversion or a square root. The
// zero value has no point and is refused wherever it could come from outside.
type point struct {
	p   *secp256k1.Point
	enc [pointSize]byte
}

func (p *point) ok() bool { return p.p != nil }

// newPoint encodes q. It refuses infinity, in a time that tells only that.
func newPoint(q *secp256k1.Point) (point, error) {
	if q.IsIdentity() != 0 {
		return point{}, ErrInfinity
	}
	return point{p: q, enc: [pointSize]byte(q.CompressedBytes())}, nil
}

// parsePoint decodes the compressed form of SEC 1.
func parsePoint(b []byte) (point, error) {
	if len(b) == secp256k1.IdentityPointSize && b[0] == 0 {
		return point{}, ErrInfinity
	}
	if len(b) != pointSize {
		return point{}, ErrPoint
	}
	enc := [pointSize]byte(b)
	if enc == ([pointSize]byte{}) {
		return point{}, ErrInfinity
	}
	p, err := new(secp256k1.Point).SetCompressedBytes(b)
	if err != nil {
		return point{}, ErrPoint
	}
	return point{p: p, enc: enc}, nil
}

// parseScalar decodes a scalar of 1 to q-1. The time it takes tells whether it
// was one, nothing else.
func parseScalar(b []byte) (*secp256k1.Scalar, error) {
	if len(b) != scalarSize {
		return nil, ErrScalar
	}
	s, err := secp256k1.NewScalarFromCanonicalBytes((*[scalarSize]byte)(b))
	if err != nil {
		return nil, ErrScalar
	}
	if s.IsZero() != 0 {
		return nil, ErrZero
	}
	return s, nil
}

// randomScalar returns a uniform scalar of 1 to q-1.
func randomScalar() (*secp256k1.Scalar, error) {
	var b [scalarSize]byte
	for {
		if _, err := rand.Read(b[:]); err != nil {
			return nil, fmt.Errorf("failed to read random bytes: %w", err)
		}
		if s, err := parseScalar(b[:]); err == nil { // all but 1 in 2^128
			return s, nil
		}
	}
}

// hashToScalar is the scheme's H: SHA-256 over the length-prefixed domain and
// the parts, as an integer h, then (h mod (q-1)) + 1.
func hashToScalar(domain string, parts ...[]byte) *secp256k1.Scalar {
	h := sha256.New()
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(domain))))
	h.Write([]byte(domain))
	for _, p := range parts {
		h.Write(p)
	}
	return nonZero((*[sha256.Size]byte)(h.Sum(nil)))
}

// nonZero returns (h mod (q-1)) + 1 in constant time. As 2^256 < 2(q-1), that
// is h+1 modulo q, and one more where h >= q-1.
func nonZero(h *[sha256.Size]byte) *secp256k1.Scalar {
	one := secp256k1.NewScalarFromUint64(1)
	s, reduced := secp256k1.NewScalarFromBytes(h)
	s.Add(s, one)
	more := secp256k1.NewScalar()
	more.ConditionalSelect(more, one, reduced|s.IsZero())
	return s.Add(s, more)
}

func mult(s *secp256k1.Scalar, p *secp256k1.Point) *secp256k1.Point {
	return new(secp256k1.Point).ScalarMult(s, p)
}

func multBase(s *secp256k1.Scalar) *secp256k1.Point {
	return new(secp256k1.Point).ScalarBaseMult(s)
}

func add(p, q *secp256k1.Point) *secp256k1.Point { return new(secp256k1.Point).Add(p, q) }
