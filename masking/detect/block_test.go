package detect_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/masking/detect"
)

// mixed are texts of all lengths up to n in which few bytes differ from those
// that trigger something by more than one bit.
func mixed(n int, use func(s string)) {
	r := rand.New(rand.NewPCG(1, 2))
	near := "0123456789:;<=>?@AJKI%$&\\[]/.-+ aZ\x00\x7f\x80\xb0\xca\xff"
	for l := range n {
		for range 40 {
			b := make([]byte, l)
			for i := range b {
				if b[i] = near[r.IntN(len(near))]; r.IntN(3) == 0 {
					b[i] = byte(r.Uint32())
				}
			}
			use(string(b))
		}
	}
}

// TestTriggers holds that both ways to look over a block see every byte that
// triggers something, nothing behind it, and no more than the range of bytes
// that they are made for.
func TestTriggers(t *testing.T) {
	const range0 = "0123456789:;<=>?@J%\\"
	for c := range 256 {
		if detect.Triggers(byte(c)) && strings.IndexByte(range0, byte(c)) < 0 {
			t.Fatalf("%q triggers something, and no block has it", rune(c))
		}
	}
	mixed(150, func(s string) {
		for i := range len(s) {
			var want uint64
			end := min(len(s), i+detect.BlockSize)
			for k := i; k < end; k++ {
				if strings.IndexByte(range0, s[k]) >= 0 {
					want |= 1 << (k - i)
				}
			}
			if got := detect.TriggersFrom(s, i); got != want {
				t.Fatalf("%q from %d: %x, want %x", s, i, got, want)
			}
			if got := detect.TriggersByWords(s, i, end-i); got != want {
				t.Fatalf("%q from %d by words: %x, want %x", s, i, got, want)
			}
		}
	})
}

// TestEndsByWords holds that runs of digits and escapes are found by eight bytes
// as they are by one.
func TestEndsByWords(t *testing.T) {
	mixed(60, func(s string) {
		for i := range len(s) {
			digits, escape := i, i
			for digits < len(s) && s[digits]-'0' <= 9 {
				digits++
			}
			for escape < len(s) && s[escape] != '%' && s[escape] != '\\' {
				escape++
			}
			if got := detect.DigitsEnd(s, i); got != digits {
				t.Fatalf("digits of %q from %d end at %d, not %d", s, i, got, digits)
			}
			if got := detect.MayEscape(s, i); got != escape {
				t.Fatalf("%q from %d may escape at %d, not %d", s, i, got, escape)
			}
		}
	})
}

// TestLuhn holds the check against its definition: from the right every second
// digit counts twice, as the sum of its digits.
func TestLuhn(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for n := 1; n <= 30; n++ {
		for range 200 {
			b, sum, same := make([]byte, n), 0, true
			for i := range b {
				b[i] = byte('0' + r.IntN(10))
				v := int(b[i] - '0')
				if (n-i)%2 == 0 {
					v = 2*v/10 + 2*v%10
				}
				sum += v
				same = same && b[i] == b[0]
			}
			if got, want := detect.ValidLuhn(string(b)), sum%10 == 0 && !same; got != want {
				t.Fatalf("%s: %t, want %t", b, got, want)
			}
		}
	}
}

// TestDecode holds that a value is decoded as often as it was encoded, whether
// in a buffer that has another text or in none.
func TestDecode(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "plain": "plain", "100%": "100%", "a%40b": "a@b", "a%2540b": "a@b", "a%252540b": "a@b", "%2525252540": "%40",
		`a\u0040b`: "a@b", `\x41\x42`: "AB", `\\u0040`: "@", "%5Cu0040": "@", "%4%30": "@", "%%34%30": "@", `h\u00f6he \"x\"`: "höhe \"x\"", `\ud800`: "\ufffd",
	} {
		buf := []byte("something longer than that stands here")
		for range 2 {
			var got string
			if got, buf = detect.Decode(buf, in); got != want {
				t.Errorf("%q became %q, want %q", in, got, want)
			}
			buf = buf[:0:0]
		}
	}
}

// TestIndex holds that a match says where its kind stands among the detector's.
func TestIndex(t *testing.T) {
	r, err := detect.ParseRules("rules.yaml", []byte("version: 1\ndetectors:\n- {kind: a_no, category: user.unique_id, pattern: 'A-[0-9]+'}\n- {kind: b_no, category: user.unique_id, names: [bno]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []detect.Options{{}, {Rules: r}, {Rules: r, Off: []detect.Kind{"email", "cpf"}}, {Only: []detect.Kind{"ipv4", "card"}}} {
		d, err := detect.New(o)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, m := range d.Scan(nil, "192.0.2.77 a@b.de A-12 bno=x7 card=4111111111111111 cpf=52998224725 password=geheim1 q=a%40b.de") {
			if got := d.Kinds()[m.Index].Kind; got != m.Kind {
				t.Errorf("%s has the index of %s", m.Kind, got)
			}
			n++
		}
		if n < 2 {
			t.Errorf("only %d matches", n)
		}
	}
}
