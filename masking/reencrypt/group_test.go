package reencrypt_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"math/big"
	"testing"

	"gitlab.com/yawning/secp256k1-voi"
	"gitlab.com/yawning/secp256k1-voi/secec/h2c"

	"github.com/tallystick/tallystick/masking/reencrypt"
)

var order, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)

// TestGeneratorU derives U as RFC 9380 has it.
func TestGeneratorU(t *testing.T) {
	u, err := h2c.Secp256k1_XMD_SHA256_SSWU_RO([]byte("PARAMETERS"), []byte("POINT_U"))
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(u.CompressedBytes()); got != reencrypt.EncodedU {
		t.Errorf("hash to curve gives %s, the constant is %s", got, reencrypt.EncodedU)
	}
}

// edges are integers about which reduction and recoding could be wrong.
func edges() [][32]byte {
	var out [][32]byte
	add := func(n *big.Int) {
		if n.Sign() >= 0 && n.BitLen() <= 256 {
			out = append(out, [32]byte(n.FillBytes(make([]byte, 32))))
		}
	}
	for d := int64(-3); d <= 3; d++ {
		add(big.NewInt(d))
		add(new(big.Int).Add(order, big.NewInt(d)))
		for i := uint(1); i <= 256; i++ {
			add(new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), i), big.NewInt(d)))
		}
	}
	for range 64 {
		var b [32]byte
		_, _ = rand.Read(b[:])
		out = append(out, b)
	}
	return out
}

// TestNonZero compares with the definition, (h mod (q-1)) + 1.
func TestNonZero(t *testing.T) {
	less := new(big.Int).Sub(order, big.NewInt(1))
	for _, h := range edges() {
		n := new(big.Int).SetBytes(h[:])
		want := n.Mod(n, less).Add(n, big.NewInt(1)).FillBytes(make([]byte, 32))
		if got := reencrypt.NonZero(h); !bytes.Equal(got, want) {
			t.Fatalf("%x gives %x, want %x", h, got, want)
		}
	}
}

// TestFixedPoint compares the table with the library's multiplication.
func TestFixedPoint(t *testing.T) {
	b, err := hex.DecodeString(reencrypt.EncodedU)
	if err != nil {
		t.Fatal(err)
	}
	u, err := secp256k1.NewPointFromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range edges() {
		s, _ := secp256k1.NewScalarFromBytes(&h)
		want := secp256k1.NewIdentityPoint().ScalarMult(s, u)
		constant, variable := reencrypt.MultU(s)
		if constant.Equal(want) != 1 || variable.Equal(want) != 1 {
			t.Fatalf("scalar %x: the table gives another point", s.Bytes())
		}
	}
}

// negated returns the scalar q - b.
func negated(b []byte) []byte {
	n := new(big.Int).SetBytes(b)
	return n.Sub(order, n).FillBytes(make([]byte, 32))
}
