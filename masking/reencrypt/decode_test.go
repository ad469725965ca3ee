package reencrypt_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/tallystick/tallystick/masking/reencrypt"
)

const (
	orderHex   = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
	offCurve   = "02" + "0000000000000000000000000000000000000000000000000000000000000005"
	aboveField = "02" + "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// replaced is b with the bytes at i replaced.
func replaced(b []byte, i int, with []byte) []byte {
	return append(append(bytes.Clone(b[:i]), with...), b[min(len(b), i+len(with)):]...)
}

// TestInvalidParts puts every kind of invalid part in every place of each encoding.
func TestInvalidParts(t *testing.T) {
	s := newScene(t, 1, 1, reencrypt.BindBoth)
	for _, tc := range []struct {
		name            string
		b               []byte
		points, scalars []int // offsets behind the length byte
		parse           func([]byte) error
	}{
		{"capsule", s.capsule.Bytes(), []int{3, 38}, []int{73},
			func(b []byte) error { return second(reencrypt.ParseCapsule(b)) }},
		{"key fragment", s.fragments[0].Bytes(), []int{4, 107, 143}, []int{73},
			func(b []byte) error { return second(reencrypt.ParseKeyFragment(b)) }},
		{"capsule fragment", s.transform(t, 1)[0].Bytes(), []int{3, 38, 107, 143, 178, 213, 248}, []int{283},
			func(b []byte) error { return second(reencrypt.ParseCapsuleFragment(b)) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, i := range tc.points {
				infinity := append(bytes.Clone(tc.b[:i-1]), 1, 0)
				infinity = append(infinity, tc.b[i+33:]...)
				for _, bad := range []struct {
					name string
					b    []byte
					want error
				}{
					{"off the curve", replaced(tc.b, i, unhex(t, offCurve)), reencrypt.ErrPoint},
					{"coordinate above the field", replaced(tc.b, i, unhex(t, aboveField)), reencrypt.ErrPoint},
					{"uncompressed", replaced(tc.b, i, []byte{4}), reencrypt.ErrPoint},
					{"infinity", infinity, reencrypt.ErrInfinity},
					{"infinity of 33 bytes", replaced(tc.b, i, make([]byte, 33)), reencrypt.ErrInfinity},
				} {
					if err := tc.parse(bad.b); !errors.Is(err, bad.want) {
						t.Errorf("point at %d, %s: error %v, want %v", i, bad.name, err, bad.want)
					}
				}
			}
			for _, i := range tc.scalars {
				if err := tc.parse(replaced(tc.b, i, unhex(t, orderHex))); !errors.Is(err, reencrypt.ErrScalar) {
					t.Errorf("scalar at %d is the order: error %v", i, err)
				}
				if err := tc.parse(replaced(tc.b, i, make([]byte, 32))); !errors.Is(err, reencrypt.ErrZero) {
					t.Errorf("scalar at %d is zero: error %v", i, err)
				}
			}
			if err := tc.parse(append(bytes.Clone(tc.b), 0xc0)); !errors.Is(err, reencrypt.ErrTrailing) {
				t.Errorf("bytes after the end: error %v", err)
			}
			for n := range len(tc.b) {
				if err := tc.parse(tc.b[:n]); !errors.Is(err, reencrypt.ErrEncoding) {
					t.Fatalf("cut at %d: error %v", n, err)
				}
			}
		})
	}
}

// TestInvalidMeaning has well-formed encodings that are not valid.
func TestInvalidMeaning(t *testing.T) {
	s := newScene(t, 1, 1, reencrypt.BindBoth)
	one := unhex(t, "0000000000000000000000000000000000000000000000000000000000000001")
	if _, err := reencrypt.ParseCapsule(replaced(s.capsule.Bytes(), 73, one)); !errors.Is(err, reencrypt.ErrCapsule) {
		t.Errorf("capsule with another s: error %v", err)
	}
	kf := s.fragments[0].Bytes()
	if _, err := reencrypt.ParseKeyFragment(replaced(kf, 4, s.parties.Signer.Bytes())); !errors.Is(err, reencrypt.ErrParameters) {
		t.Errorf("key fragment with another generator: error %v", err)
	}
	f, err := reencrypt.ParseKeyFragment(replaced(kf, 73, one))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Verify(s.parties); !errors.Is(err, reencrypt.ErrCommitment) {
		t.Errorf("key fragment with another key: error %v", err)
	}
	// A custodian with a wrong key is found out by its proof.
	cf, err := f.Transform(s.capsule)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := cf.Verify(s.capsule, s.parties); !errors.Is(err, reencrypt.ErrProof) {
		t.Errorf("transformed with another key: error %v", err)
	}
	if _, err := f.Transform(&reencrypt.Capsule{}); !errors.Is(err, reencrypt.ErrMissing) {
		t.Errorf("empty capsule: error %v", err)
	}
}

// TestHighS turns a signature into its other form, which must not verify.
func TestHighS(t *testing.T) {
	s := newScene(t, 1, 1, reencrypt.BindBoth)
	b := s.transform(t, 1)[0].Bytes()
	const at = 381 - 32
	b = replaced(b, at, negated(b[at:]))
	f, err := reencrypt.ParseCapsuleFragment(b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Verify(s.capsule, s.parties); !errors.Is(err, reencrypt.ErrSignature) {
		t.Errorf("error %v, want %v", err, reencrypt.ErrSignature)
	}
}

func TestKeys(t *testing.T) {
	for _, tc := range []struct {
		name string
		hex  string
		want error
	}{
		{"zero", "0000000000000000000000000000000000000000000000000000000000000000", reencrypt.ErrZero},
		{"order", orderHex, reencrypt.ErrScalar},
		{"short", "01", reencrypt.ErrScalar},
		{"empty", "", reencrypt.ErrScalar},
	} {
		if _, err := reencrypt.NewPrivateKey(unhex(t, tc.hex)); !errors.Is(err, tc.want) {
			t.Errorf("private key %s: error %v, want %v", tc.name, err, tc.want)
		}
	}
	for _, tc := range []struct {
		name string
		hex  string
		want error
	}{
		{"off the curve", offCurve, reencrypt.ErrPoint},
		{"infinity", "00", reencrypt.ErrInfinity},
		{"empty", "", reencrypt.ErrPoint},
	} {
		if _, err := reencrypt.NewPublicKey(unhex(t, tc.hex)); !errors.Is(err, tc.want) {
			t.Errorf("public key %s: error %v, want %v", tc.name, err, tc.want)
		}
	}
}

// TestNothingPanics calls everything on nothing.
func TestNothingPanics(t *testing.T) {
	s := newScene(t, 1, 1, reencrypt.BindBoth)
	var (
		noKey     *reencrypt.PrivateKey
		noPublic  *reencrypt.PublicKey
		noCapsule *reencrypt.Capsule
		noKF      *reencrypt.KeyFragment
		noCF      *reencrypt.CapsuleFragment
		noSecret  reencrypt.Secret
	)
	empty := reencrypt.Parties{Signer: &reencrypt.PublicKey{}, Delegator: &reencrypt.PublicKey{}, Receiver: &reencrypt.PublicKey{}}
	cf := s.transform(t, 1)[0]
	for name, err := range map[string]error{
		"decapsulate":       second(noKey.Decapsulate(s.capsule)),
		"decapsulate none":  second(s.delegator.Decapsulate(noCapsule)),
		"encapsulate":       second2(noPublic.Encapsulate()),
		"encapsulate empty": second2((&reencrypt.PublicKey{}).Encapsulate()),
		"grant":             second(noKey.Grant(s.parties.Receiver, s.signer, 1, 1, 0)),
		"grant to none":     second(s.delegator.Grant(nil, s.signer, 1, 1, 0)),
		"grant by none":     second(s.delegator.Grant(s.parties.Receiver, noKey, 1, 1, 0)),
		"verify":            noKF.Verify(s.parties),
		"verify empty":      (&reencrypt.KeyFragment{}).Verify(s.parties),
		"verify for empty":  s.fragments[0].Verify(empty),
		"transform":         second(noKF.Transform(s.capsule)),
		"transform none":    second(s.fragments[0].Transform(nil)),
		"verify fragment":   second(noCF.Verify(s.capsule, s.parties)),
		"verify for none":   second(cf.Verify(nil, s.parties)),
		"verify by empty":   second(cf.Verify(s.capsule, empty)),
		"open":              second(noKey.Open(nil)),
		"key":               second(noSecret.Key("")),
		"seal":              second(noSecret.Seal(s.capsule, nil)),
		"unseal":            second(noSecret.Unseal(s.capsule, nil)),
	} {
		if !errors.Is(err, reencrypt.ErrMissing) {
			t.Errorf("%s: error %v, want %v", name, err, reencrypt.ErrMissing)
		}
	}
	if noKey.Bytes() != nil || noPublic.Bytes() != nil || noCapsule.Bytes() != nil || noKF.Bytes() != nil || noCF.Bytes() != nil ||
		noKey.Public() != nil || noPublic.Equal(noPublic) || noKF.Binding() != 0 {
		t.Error("nothing has bytes")
	}
}

func second2[A, B any](_ A, _ B, err error) error { return err }
