package token_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/daead/subtle"

	"github.com/tallystick/tallystick/masking/token"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRFC5297 are the examples of appendix A.
func TestRFC5297(t *testing.T) {
	for _, tc := range []struct {
		name, key   string
		data        []string
		plain, want string
	}{
		{
			"A.1 deterministic", "fffefdfc fbfaf9f8 f7f6f5f4 f3f2f1f0 f0f1f2f3 f4f5f6f7 f8f9fafb fcfdfeff",
			[]string{"10111213 14151617 18191a1b 1c1d1e1f 20212223 24252627"}, "11223344 55667788 99aabbcc ddee",
			"85632d07 c6e8f37f 950acd32 0a2ecc93 40c02b96 90c4dc04 daef7f6a fe5c",
		},
		{
			"A.2 with a nonce", "7f7e7d7c 7b7a7978 77767574 73727170 40414243 44454647 48494a4b 4c4d4e4f",
			[]string{
				"00112233 44556677 8899aabb ccddeeff deaddada deaddada ffeeddcc bbaa9988 77665544 33221100",
				"10203040 50607080 90a0", "09f91102 9d74e35b d84156c5 635688c0",
			},
			"74686973 20697320 736f6d65 20706c61 696e7465 78742074 6f20656e 63727970 74207573 696e6720 5349562d 414553",
			"7bdb6e3b 432667eb 06f4d14b ff2fbd0f cb900f2f ddbe4043 26601965 c889bf17 dba77ceb 094fa663 b7a3f748 ba8af829 ea64ad54 4a272e9c 485b62a3 fd5c0d",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := token.NewSealer(unhex(t, tc.key))
			if err != nil {
				t.Fatal(err)
			}
			var data [][]byte
			for _, d := range tc.data {
				data = append(data, unhex(t, d))
			}
			got := s.Seal(nil, unhex(t, tc.plain), data...)
			if !bytes.Equal(got, unhex(t, tc.want)) {
				t.Fatalf("got %x", got)
			}
			back, err := s.Open(nil, got, data...)
			if err != nil || !bytes.Equal(back, unhex(t, tc.plain)) {
				t.Fatalf("opened %x, %v", back, err)
			}
			for i := range got {
				bad := bytes.Clone(got)
				bad[i] ^= 1
				if _, err := s.Open(nil, bad, data...); !errors.Is(err, token.ErrNotOurs) {
					t.Fatalf("a change of byte %d: %v", i, err)
				}
			}
		})
	}
}

// TestSealerIsTinks holds that the outputs are those of Tink's AES-SIV.
func TestSealerIsTinks(t *testing.T) {
	key := make([]byte, 64)
	for i := range key {
		key[i] = byte(i * 7)
	}
	theirs, err := subtle.NewAESSIV(key)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := token.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte("0123456789abcde"), 10)
	for n := range 100 {
		for _, data := range [][]byte{nil, []byte("a"), text[:16], text[:33]} {
			want, err := theirs.EncryptDeterministically(text[:n], data)
			if err != nil {
				t.Fatal(err)
			}
			if got := ours.Seal(nil, text[:n], data); !bytes.Equal(got, want) {
				t.Fatalf("%d bytes with %d of data: %x, Tink has %x", n, len(data), got, want)
			}
			if back, err := ours.Open([]byte("x"), want, data); err != nil || string(back) != "x"+string(text[:n]) {
				t.Fatalf("%d bytes: %q, %v", n, back, err)
			}
		}
	}
}

func TestSealerFaults(t *testing.T) {
	if _, err := token.NewSealer(make([]byte, 16)); err == nil {
		t.Error("a short key was taken")
	}
	s, err := token.NewSealer(make([]byte, 64))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(nil, make([]byte, 15)); !errors.Is(err, token.ErrNotOurs) {
		t.Errorf("got %v", err)
	}
}

// TestFF1 are NIST's samples of FF1 (SP 800-38G).
func TestFF1(t *testing.T) {
	const key = "2B7E151628AED2A6ABF7158809CF4F3CEF4359D8D580AA4F7F036D6F04FC6A94"
	const digits, letters = "0123456789", "0123456789abcdefghi"
	for _, tc := range []struct {
		name  string
		bytes int
		radix int
		tweak string
		plain string
		want  string
	}{
		{"1 AES-128", 16, 10, "", digits, "2433477484"},
		{"2 AES-128", 16, 10, "39383736353433323130", digits, "6124200773"},
		{"3 AES-128", 16, 36, "3737373770717273373737", letters, "a9tv40mll9kdu509eum"},
		{"4 AES-192", 24, 10, "", digits, "2830668132"},
		{"5 AES-192", 24, 10, "39383736353433323130", digits, "2496655549"},
		{"6 AES-192", 24, 36, "3737373770717273373737", letters, "xbj3kv35jrawxv32ysr"},
		{"7 AES-256", 32, 10, "", digits, "6657667009"},
		{"8 AES-256", 32, 10, "39383736353433323130", digits, "1001623463"},
		{"9 AES-256", 32, 36, "3737373770717273373737", letters, "xs8a0azh2avyalyzuwd"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, err := token.NewFF1(unhex(t, key)[:tc.bytes], tc.radix)
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Encrypt(tc.plain, unhex(t, tc.tweak))
			if err != nil || got != tc.want {
				t.Fatalf("got %s, %v", got, err)
			}
			if back, err := f.Decrypt(got, unhex(t, tc.tweak)); err != nil || back != tc.plain {
				t.Fatalf("back %s, %v", back, err)
			}
		})
	}
}

func TestFF1Faults(t *testing.T) {
	f, err := token.NewFF1(make([]byte, 32), 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Encrypt("12345", nil); !errors.Is(err, token.ErrSmallDomain) {
		t.Errorf("five digits: %v", err)
	}
	if _, err := f.Encrypt("123456", nil); err != nil {
		t.Errorf("six digits: %v", err)
	}
	for _, s := range []string{"12345a", "12345-", "12345 ", "123456" + strings.Repeat("0", 300)} {
		if _, err := f.Encrypt(s, nil); err == nil {
			t.Errorf("%d characters were taken", len(s))
		}
	}
	for _, radix := range []int{1, 37} {
		if _, err := token.NewFF1(make([]byte, 32), radix); err == nil {
			t.Errorf("radix %d was taken", radix)
		}
	}
	g, err := token.NewFF1(make([]byte, 32), 36)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Encrypt("abc", nil); !errors.Is(err, token.ErrSmallDomain) {
		t.Errorf("three letters: %v", err)
	}
}

// FuzzFF1: every number of every length comes back, in the same format.
func FuzzFF1(f *testing.F) {
	f.Add("000000", []byte("t"))
	f.Add("4111111111111111", []byte{})
	c, err := token.NewFF1(make([]byte, 32), 10)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string, tweak []byte) {
		e, err := c.Encrypt(s, tweak)
		if err != nil {
			return
		}
		back, err := c.Decrypt(e, tweak)
		if err != nil || back != s || len(e) != len(s) || strings.Trim(e, "0123456789") != "" {
			t.Fatalf("%q became %q and %q: %v", s, e, back, err)
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	key, text, data := make([]byte, 64), bytes.Repeat([]byte("x"), 64), []byte("domain")
	theirs, err := subtle.NewAESSIV(key)
	if err != nil {
		b.Fatal(err)
	}
	ours, err := token.NewSealer(key)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("ours", func(b *testing.B) {
		dst := make([]byte, 0, 128)
		b.ReportAllocs()
		for b.Loop() {
			dst = ours.Seal(dst[:0], text, data)
		}
	})
	b.Run("tink", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := theirs.EncryptDeterministically(text, data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
