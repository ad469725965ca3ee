package reencrypt

import (
	"encoding/hex"
	"sync"

	"gitlab.com/yawning/secp256k1-voi"
)

// encodedU is the second generator U, whose logarithm nobody knows: hash to
// curve of RFC 9380, suite secp256k1_XMD:SHA-256_SSWU_RO_, domain PARAMETERS,
// message POINT_U.
const encodedU = "03079390d0fbe220fc34aab8ecbf49098098036820fadb98c03143e55db8ec73cd"

// generatorU is U and its table, made when first needed.
var generatorU = sync.OnceValue(func() *fixedPoint {
	b, err := hex.DecodeString(encodedU)
	if err != nil {
		panic(err) // a constant of this file
	}
	u, err := parsePoint(b)
	if err != nil {
		panic(err)
	}
	return newFixedPoint(u)
})

const (
	window  = 5                 // bits of a signed digit, -15 to 16
	entries = 1 << (window - 1) // multiples kept for each digit: 1 to 16
	digits  = 256/window + 1    // 52 digits hold 260 bits: no carry leaves the last
)

// fixedPoint is a point with multiples made ahead, so that multiplying it
// takes one addition for each digit of the scalar and no doubling.
type fixedPoint struct {
	point
	multiples [digits][entries]secp256k1.Point // [i][j] = (j+1) * 2^(5i) * point
}

func newFixedPoint(p point) *fixedPoint {
	t := &fixedPoint{point: p}
	base := secp256k1.NewPointFrom(p.p)
	for i := range t.multiples {
		row := &t.multiples[i]
		row[0].Set(base)
		for j := 1; j < entries; j++ {
			row[j].Add(&row[j-1], base)
		}
		base.Double(&row[entries-1])
	}
	return t
}

// recode writes s in signed digits, least significant first: d = magnitude,
// negated where sign is 1. It has no branch that depends on s.
func recode(s *secp256k1.Scalar) (magnitude, sign [digits]uint64) {
	b := s.Bytes()
	var carry uint64
	for i := range digits {
		bit := i * window
		d := carry
		for k := range 2 { // a digit spans two bytes at most
			if n := bit/8 + k; n < scalarSize {
				d += (uint64(b[scalarSize-1-n]) << (8 * k) >> (bit % 8)) & (1<<window - 1)
			}
		}
		// d is 0 to 32; above 16 it becomes d-32 and carries one.
		carry = (entries - d) >> 63
		sign[i] = carry
		magnitude[i] = (d ^ -carry) + carry + carry<<window
	}
	return magnitude, sign
}

// mult returns s times the point in constant time.
func (t *fixedPoint) mult(s *secp256k1.Scalar) *secp256k1.Point {
	magnitude, sign := recode(s)
	sum := secp256k1.NewIdentityPoint()
	term := secp256k1.NewIdentityPoint()
	for i := range t.multiples {
		row := &t.multiples[i]
		term.Identity()
		for j := range row {
			term.ConditionalSelect(term, &row[j], equal(magnitude[i], uint64(j+1)))
		}
		term.ConditionalNegate(term, sign[i])
		sum.Add(sum, term)
	}
	return sum
}

// multVartime is mult for a scalar that everybody may know.
func (t *fixedPoint) multVartime(s *secp256k1.Scalar) *secp256k1.Point {
	magnitude, sign := recode(s)
	sum := secp256k1.NewIdentityPoint()
	term := secp256k1.NewIdentityPoint()
	for i := range t.multiples {
		if magnitude[i] == 0 {
			continue
		}
		term.ConditionalNegate(&t.multiples[i][magnitude[i]-1], sign[i])
		sum.Add(sum, term)
	}
	return sum
}

// equal returns 1 if a == b, for numbers below 2^63, in constant time.
func equal(a, b uint64) uint64 { return ((a ^ b) - 1) >> 63 }
