package reencrypt

import (
	"gitlab.com/yawning/secp256k1-voi"
)

// EncodedU is the constant second generator.
const EncodedU = encodedU

// NonZero is the step from a digest to a scalar of 1 to q-1.
func NonZero(h [32]byte) []byte { return nonZero(&h).Bytes() }

// MultU returns s times U by the table, in constant and in variable time.
func MultU(s *secp256k1.Scalar) (constant, variable *secp256k1.Point) {
	return generatorU().mult(s), generatorU().multVartime(s)
}

// Simple is the plain concatenation that ciphertexts are bound to.
func (c *Capsule) Simple() []byte { return c.simple() }

// Simple is the fragment's plain concatenation.
func (f *CapsuleFragment) Simple() []byte {
	var b []byte
	for _, p := range []*point{&f.e1, &f.v1} {
		b = append(b, p.enc[:]...)
	}
	b = append(b, f.id[:]...)
	for _, p := range []*point{&f.precursor, &f.e2, &f.v2, &f.commitment, &f.u2} {
		b = append(b, p.enc[:]...)
	}
	return append(append(b, f.z3.Bytes()...), f.forReader[:]...)
}

// Unchecked is what Verify returns, without verifying.
func (f *CapsuleFragment) Unchecked(c *Capsule, p Parties) *VerifiedFragment {
	return &VerifiedFragment{fragment: f, capsule: c, delegator: p.Delegator, receiver: p.Receiver}
}

// HasTable tells whether the key has its table.
func (k *PublicKey) HasTable() bool { return k.fixed.Load() != nil }

// Recover interpolates the delegator's private key, as custodians who hold the
// fragments and their reader can.
func (k *PrivateKey) Recover(held []*KeyFragment, verified []*VerifiedFragment) ([]byte, error) {
	x := held[0].precursor
	shared, err := newAgreement(x, k.public, mult(k.scalar, x.p))
	if err != nil {
		return nil, err
	}
	lambda, err := shared.coefficients(verified)
	if err != nil {
		return nil, err
	}
	sum := secp256k1.NewScalar()
	for i, f := range held {
		sum.Add(sum, lambda[i].Multiply(lambda[i], f.key))
	}
	return sum.Multiply(sum, shared.d()).Bytes(), nil
}
