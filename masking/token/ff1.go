package token

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/big"
)

// MinDomain is how many values the numbers of one length must have at least
// (NIST SP 800-38G Rev. 1): with fewer, a table of all of them is soon made.
const MinDomain = 1_000_000

// ErrSmallDomain is the error of a number that is too short for FF1.
var ErrSmallDomain = errors.New("there are fewer than 1,000,000 numbers of this length")

// maxLength bounds a number: longer ones are no format that anyone keeps.
const maxLength = 256

// FF1 is format-preserving encryption of strings of digits in a radix (NIST SP
// 800-38G, algorithms 7 and 8). It is safe for concurrent use.
type FF1 struct {
	block cipher.Block
	radix int
	min   int // digits
}

// NewFF1 takes an AES key and a radix of 2 to 36.
func NewFF1(key []byte, radix int) (*FF1, error) {
	if radix < 2 || radix > 36 {
		return nil, fmt.Errorf("radix %d is not between 2 and 36", radix)
	}
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	f := &FF1{block: b, radix: radix}
	for values := 1; values < MinDomain; values *= radix {
		f.min++
	}
	return f, nil
}

// Encrypt returns digits (small letters above 9) encrypted to as many others.
func (f *FF1) Encrypt(digits string, tweak []byte) (string, error) {
	return f.run(digits, tweak, true)
}

// Decrypt reverses Encrypt under the same tweak.
func (f *FF1) Decrypt(digits string, tweak []byte) (string, error) {
	return f.run(digits, tweak, false)
}

// run is the ten rounds of the Feistel network, forwards or backwards.
func (f *FF1) run(digits string, tweak []byte, forward bool) (string, error) {
	n := len(digits)
	if n < f.min {
		return "", ErrSmallDomain
	}
	if n > maxLength || len(tweak) > math.MaxInt16 {
		return "", fmt.Errorf("a number of more than %d digits has no format to keep", maxLength)
	}
	u := n / 2
	v := n - u
	a, okA := f.number(digits[:u])
	b, okB := f.number(digits[u:])
	if !okA || !okB {
		return "", fmt.Errorf("not all characters are digits of radix %d", f.radix)
	}
	radix := big.NewInt(int64(f.radix))
	power := [2]*big.Int{new(big.Int).Exp(radix, big.NewInt(int64(u)), nil), new(big.Int).Exp(radix, big.NewInt(int64(v)), nil)}
	r := round{f: f, tweak: tweak, width: (new(big.Int).Sub(power[1], big.NewInt(1)).BitLen() + 7) / 8}
	r.head = append(r.head, 1, 2, 1, byte(f.radix>>16), byte(f.radix>>8), byte(f.radix), 10, byte(u))
	r.head = binary.BigEndian.AppendUint32(r.head, uint32(n))
	r.head = binary.BigEndian.AppendUint32(r.head, uint32(len(tweak)))
	for k := range 10 {
		if forward {
			y := r.of(byte(k), b)
			a, b = b, y.Add(a, y).Mod(y, power[k%2])
			continue
		}
		i := 9 - k
		y := r.of(byte(i), a)
		a, b = y.Sub(b, y).Mod(y, power[i%2]), a
	}
	return f.text(a, u) + f.text(b, v), nil
}

// round is the round function for one number.
type round struct {
	f     *FF1
	head  []byte // the block P
	tweak []byte
	width int // bytes of the longer half
}

// of is the number that round i makes of a half.
func (r *round) of(i byte, half *big.Int) *big.Int {
	q := append([]byte(nil), r.tweak...)
	for (len(q)+r.width+1)%aes.BlockSize != 0 {
		q = append(q, 0)
	}
	q = append(q, i)
	q = append(q, half.FillBytes(make([]byte, r.width))...)
	mac := make([]byte, aes.BlockSize)
	for _, in := range [][]byte{r.head, q} { // PRF: CBC-MAC
		for ; len(in) > 0; in = in[aes.BlockSize:] {
			for k := range mac {
				mac[k] ^= in[k]
			}
			r.f.block.Encrypt(mac, mac)
		}
	}
	d := 4*((r.width+3)/4) + 4
	out := append([]byte(nil), mac...)
	for j := uint64(1); len(out) < d; j++ {
		x := append([]byte(nil), mac...)
		binary.BigEndian.PutUint64(x[8:], binary.BigEndian.Uint64(x[8:])^j)
		r.f.block.Encrypt(x, x)
		out = append(out, x...)
	}
	return new(big.Int).SetBytes(out[:d])
}

// number reads digits of the radix.
func (f *FF1) number(s string) (*big.Int, bool) {
	for i := range len(s) {
		v := int(s[i]) - '0'
		if s[i] >= 'a' {
			v = int(s[i]-'a') + 10
		} else if v > 9 {
			return nil, false
		}
		if v < 0 || v >= f.radix {
			return nil, false
		}
	}
	return new(big.Int).SetString(s, f.radix)
}

// text writes a number with n digits.
func (f *FF1) text(v *big.Int, n int) string {
	return fmt.Sprintf("%0*s", n, v.Text(f.radix))
}
