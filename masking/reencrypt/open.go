package reencrypt

import (
	"gitlab.com/yawning/secp256k1-voi"
)

// Open returns the secret of the capsule that the fragments transform, for the
// receiver k. It takes threshold fragments or more: ErrTooFew for fewer.
// Verified fragments are told apart from each other, never trusted to belong
// together: ErrDuplicate, ErrForeign, ErrMixed, ErrReceiver. Constant time,
// but for the number of fragments.
func (k *PrivateKey) Open(fragments []*VerifiedFragment) (Secret, error) {
	if !k.ok() {
		return Secret{}, ErrMissing
	}
	if err := k.together(fragments); err != nil {
		return Secret{}, err
	}
	first := fragments[0]
	x := first.fragment.precursor
	shared, err := newAgreement(x, k.public, mult(k.scalar, x.p))
	if err != nil {
		return Secret{}, err
	}
	lambda, err := shared.coefficients(fragments)
	if err != nil {
		return Secret{}, err
	}
	e, v := make([]*secp256k1.Point, len(fragments)), make([]*secp256k1.Point, len(fragments))
	for i, f := range fragments {
		e[i], v[i] = f.fragment.e1.p, f.fragment.v1.p
	}
	sumE := new(secp256k1.Point).MultiScalarMult(lambda, e)
	sumV := new(secp256k1.Point).MultiScalarMult(lambda, v)

	// (s/d)A = hE' + V' holds for the capsule that the delegator can open, and
	// fails when the fragments are too few.
	d := shared.d()
	c := first.capsule
	left := mult(secp256k1.NewScalar().Multiply(c.s, secp256k1.NewScalar().Invert(d)), first.delegator.p)
	right := add(mult(c.hash(), sumE), sumV)
	if left.Equal(right) == 0 {
		return Secret{}, ErrTooFew
	}
	return newSecret(mult(d, sumE.Add(sumE, sumV)))
}

// together tells whether the fragments are different ones of one grant to k,
// for one capsule.
func (k *PrivateKey) together(fragments []*VerifiedFragment) error {
	if len(fragments) == 0 {
		return ErrNoFragments
	}
	ids := make(map[[idSize]byte]bool, len(fragments))
	for _, f := range fragments {
		if f == nil || f.fragment == nil {
			return ErrMissing
		}
		first := fragments[0]
		switch {
		case !f.receiver.Equal(k.public):
			return ErrReceiver
		case !f.capsule.same(first.capsule), !f.delegator.Equal(first.delegator):
			return ErrMixed
		case f.fragment.precursor.enc != first.fragment.precursor.enc:
			return ErrForeign
		case ids[f.fragment.id]:
			return ErrDuplicate
		}
		ids[f.fragment.id] = true
	}
	return nil
}

// coefficients are Lagrange's, for the value at zero: the i-th is the product
// over j != i of z_j / (z_j - z_i). The denominators take one inversion
// together, by Montgomery's trick.
func (a *agreement) coefficients(fragments []*VerifiedFragment) ([]*secp256k1.Scalar, error) {
	n := len(fragments)
	z := make([]*secp256k1.Scalar, n)
	for i, f := range fragments {
		z[i] = a.argument(&f.fragment.id)
	}
	numerator, denominator := make([]*secp256k1.Scalar, n), make([]*secp256k1.Scalar, n)
	before := make([]*secp256k1.Scalar, n) // products of the denominators before i
	all, diff := secp256k1.NewScalar().One(), secp256k1.NewScalar()
	for i := range z {
		numerator[i], denominator[i] = secp256k1.NewScalar().One(), secp256k1.NewScalar().One()
		for j := range z {
			if j != i {
				numerator[i].Multiply(numerator[i], z[j])
				denominator[i].Multiply(denominator[i], diff.Subtract(z[j], z[i]))
			}
		}
		before[i] = secp256k1.NewScalarFrom(all)
		all.Multiply(all, denominator[i])
	}
	if all.IsZero() != 0 { // different ids of one argument: a collision of SHA-256
		return nil, ErrDuplicate
	}
	inverse := secp256k1.NewScalar().Invert(all)
	for i := n - 1; i >= 0; i-- {
		numerator[i].Multiply(numerator[i], inverse).Multiply(numerator[i], before[i])
		inverse.Multiply(inverse, denominator[i])
	}
	return numerator, nil
}
