package reencrypt

import (
	"fmt"

	"gitlab.com/yawning/secp256k1-voi"
)

// Capsule carries a secret for whoever holds the delegator's private key. It
// is public, and valid: nothing makes another.
type Capsule struct {
	e, v point
	s    *secp256k1.Scalar
}

// Encapsulate makes a fresh secret and the capsule that carries it to k.
// Constant time.
func (k *PublicKey) Encapsulate() (*Capsule, Secret, error) {
	if !k.known() {
		return nil, Secret{}, ErrMissing
	}
	r, err := randomScalar()
	if err != nil {
		return nil, Secret{}, err
	}
	u, err := randomScalar()
	if err != nil {
		return nil, Secret{}, err
	}
	c := &Capsule{s: secp256k1.NewScalar()}
	if c.e, err = newPoint(multBase(r)); err != nil {
		return nil, Secret{}, err
	}
	if c.v, err = newPoint(multBase(u)); err != nil {
		return nil, Secret{}, err
	}
	c.s.Multiply(r, c.hash())
	c.s.Add(u, c.s)
	secret, err := newSecret(k.times(r.Add(r, u))) // infinity where r = -u: 1 in 2^256
	if err != nil {
		return nil, Secret{}, err
	}
	return c, secret, nil
}

// Decapsulate returns the secret in a capsule that was made for k. For another
// key's capsule it returns another secret, under which nothing unseals.
// Constant time.
func (k *PrivateKey) Decapsulate(c *Capsule) (Secret, error) {
	if !k.ok() || !c.ok() {
		return Secret{}, ErrMissing
	}
	return newSecret(mult(k.scalar, add(c.e.p, c.v.p)))
}

// ParseCapsule decodes a capsule and refuses one that is not valid.
func ParseCapsule(b []byte) (*Capsule, error) {
	c := &Capsule{}
	var s [scalarSize]byte
	d := &decoder{b: b}
	d.array(3)
	d.point(&c.e)
	d.point(&c.v)
	d.exactly(s[:])
	err := d.end()
	if err == nil {
		c.s, err = parseScalar(s[:])
	}
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read a capsule: %w", err)
	}
	return c, nil
}

// Bytes encodes the capsule as ParseCapsule reads it.
func (c *Capsule) Bytes() []byte {
	if !c.ok() {
		return nil
	}
	b := appendArray(make([]byte, 0, 105), 3)
	b = appendBin(b, c.e.enc[:])
	b = appendBin(b, c.v.enc[:])
	return appendBin(b, c.s.Bytes())
}

// check tells whether sG = V + hE. All of it is public.
func (c *Capsule) check() error {
	h := c.hash()
	// sG - hE
	got := new(secp256k1.Point).DoubleScalarMultBasepointVartime(c.s, h.Negate(h), c.e.p)
	if got.Equal(c.v.p) == 0 {
		return ErrCapsule
	}
	return nil
}

func (c *Capsule) ok() bool { return c != nil && c.s != nil && c.e.ok() && c.v.ok() }

func (c *Capsule) hash() *secp256k1.Scalar {
	return hashToScalar("CAPSULE_POINTS", c.e.enc[:], c.v.enc[:])
}

// simple is the plain concatenation that ciphertexts are bound to.
func (c *Capsule) simple() []byte {
	b := append(make([]byte, 0, 2*pointSize+scalarSize), c.e.enc[:]...)
	b = append(b, c.v.enc[:]...)
	return append(b, c.s.Bytes()...)
}

func (c *Capsule) same(o *Capsule) bool {
	return c.e.enc == o.e.enc && c.v.enc == o.v.enc && c.s.Equal(o.s) == 1
}
