package reencrypt

import (
	"crypto/rand"
	"fmt"

	"gitlab.com/yawning/secp256k1-voi"
)

// CapsuleFragment is a capsule as one custodian transformed it, with a proof
// that it did so with the key fragment that the signer signed. It is public:
// only the receiver can open it, and only with enough others.
type CapsuleFragment struct {
	e1, v1     point
	id         [idSize]byte
	precursor  point
	e2, v2     point
	commitment point // U1, of the key fragment
	u2         point
	z3         *secp256k1.Scalar
	forReader  [signatureSize]byte
}

// Transform is what a custodian does with a capsule and the fragment it keeps.
// Constant time.
func (f *KeyFragment) Transform(c *Capsule) (*CapsuleFragment, error) {
	if !f.ok() || !c.ok() {
		return nil, ErrMissing
	}
	t, err := f.nonce(c)
	if err != nil {
		return nil, err
	}
	cf := &CapsuleFragment{
		id: f.id, precursor: f.precursor, commitment: f.commitment,
		forReader: f.forReader, z3: secp256k1.NewScalar(),
	}
	for _, m := range []struct {
		dst *point
		p   *secp256k1.Point
	}{
		{&cf.e1, mult(f.key, c.e.p)},
		{&cf.v1, mult(f.key, c.v.p)},
		{&cf.e2, mult(t, c.e.p)},
		{&cf.v2, mult(t, c.v.p)},
		{&cf.u2, generatorU().mult(t)},
	} {
		if *m.dst, err = newPoint(m.p); err != nil {
			return nil, err
		}
	}
	cf.z3.Multiply(f.key, cf.challenge(c))
	cf.z3.Add(cf.z3, t)
	if cf.z3.IsZero() != 0 { // 1 in 2^256, and no decoder takes it
		return nil, ErrZero
	}
	return cf, nil
}

// nonce returns the proof's secret scalar. A nonce known or used for two
// capsules would give the key fragment away, so it depends on the fragment and
// the capsule beside the random bytes.
func (f *KeyFragment) nonce(c *Capsule) (*secp256k1.Scalar, error) {
	var b [32]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, fmt.Errorf("failed to read random bytes: %w", err)
	}
	return hashToScalar("TALLYSTICK_PROOF_NONCE", b[:], f.key.Bytes(), c.e.enc[:], c.v.enc[:]), nil
}

func (f *CapsuleFragment) challenge(c *Capsule) *secp256k1.Scalar {
	u := &generatorU().enc
	return hashToScalar("CFRAG_VERIFICATION",
		c.e.enc[:], f.e1.enc[:], f.e2.enc[:],
		c.v.enc[:], f.v1.enc[:], f.v2.enc[:],
		u[:], f.commitment.enc[:], f.u2.enc[:])
}

// VerifiedFragment is a capsule fragment that Verify found to be a true
// transformation of a capsule, from delegator to receiver.
type VerifiedFragment struct {
	fragment            *CapsuleFragment
	capsule             *Capsule
	delegator, receiver *PublicKey
}

// Verify tells whether the fragment is c, transformed by a key fragment that
// the signer signed for delegator and receiver: ErrSignature, ErrProof. All
// that it reads is public; anybody who knows the three keys can do it.
func (f *CapsuleFragment) Verify(c *Capsule, p Parties) (*VerifiedFragment, error) {
	if !f.ok() || !c.ok() || !p.Signer.known() || !p.Delegator.known() || !p.Receiver.known() {
		return nil, ErrMissing
	}
	if !p.Signer.verifies(signedMessage(&f.id, &f.commitment, &f.precursor, p, BindBoth), &f.forReader) {
		return nil, ErrSignature
	}
	h := f.challenge(c)
	minus := secp256k1.NewScalar().Negate(h)
	// zE - hE1 = E2, the same of V and of U
	e := difference(f.z3, c.e.p, minus, f.e1.p)
	v := difference(f.z3, c.v.p, minus, f.v1.p)
	hu := new(secp256k1.Point).MultiScalarMultVartime([]*secp256k1.Scalar{minus}, []*secp256k1.Point{f.commitment.p})
	u := hu.Add(generatorU().multVartime(f.z3), hu)
	if e.Equal(f.e2.p)&v.Equal(f.v2.p)&u.Equal(f.u2.p) == 0 {
		return nil, ErrProof
	}
	return &VerifiedFragment{fragment: f, capsule: c, delegator: p.Delegator, receiver: p.Receiver}, nil
}

// difference returns s*p + t*q in variable time.
func difference(s *secp256k1.Scalar, p *secp256k1.Point, t *secp256k1.Scalar, q *secp256k1.Point) *secp256k1.Point {
	return new(secp256k1.Point).MultiScalarMultVartime([]*secp256k1.Scalar{s, t}, []*secp256k1.Point{p, q})
}

// ParseCapsuleFragment decodes a capsule fragment. It is not verified.
func ParseCapsuleFragment(b []byte) (*CapsuleFragment, error) {
	f := &CapsuleFragment{}
	var z [scalarSize]byte
	d := &decoder{b: b}
	d.array(5)
	d.point(&f.e1)
	d.point(&f.v1)
	d.exactly(f.id[:])
	d.point(&f.precursor)
	d.array(6)
	d.point(&f.e2)
	d.point(&f.v2)
	d.point(&f.commitment)
	d.point(&f.u2)
	d.exactly(z[:])
	d.exactly(f.forReader[:])
	err := d.end()
	if err == nil {
		f.z3, err = parseScalar(z[:])
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read a capsule fragment: %w", err)
	}
	return f, nil
}

// Bytes encodes the fragment as ParseCapsuleFragment reads it.
func (f *CapsuleFragment) Bytes() []byte {
	if !f.ok() {
		return nil
	}
	b := appendArray(make([]byte, 0, 381), 5)
	b = appendBin(b, f.e1.enc[:])
	b = appendBin(b, f.v1.enc[:])
	b = appendBin(b, f.id[:])
	b = appendBin(b, f.precursor.enc[:])
	b = appendArray(b, 6)
	b = appendBin(b, f.e2.enc[:])
	b = appendBin(b, f.v2.enc[:])
	b = appendBin(b, f.commitment.enc[:])
	b = appendBin(b, f.u2.enc[:])
	b = appendBin(b, f.z3.Bytes())
	return appendBin(b, f.forReader[:])
}

func (f *CapsuleFragment) ok() bool {
	return f != nil && f.z3 != nil && f.e1.ok() && f.v1.ok() && f.precursor.ok() &&
		f.e2.ok() && f.v2.ok() && f.commitment.ok() && f.u2.ok()
}
