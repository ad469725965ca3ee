package parse_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/audit/parse"
)

func TestAllASCII(t *testing.T) {
	for n := range 80 {
		s := strings.Repeat("~", n)
		if !parse.AllASCII(s) {
			t.Errorf("%d letters are none", n)
		}
		for at := range n {
			for _, c := range []string{"\x00", "\x80", "\xff"} {
				if parse.AllASCII(s[:at] + c + s[at+1:]) {
					t.Errorf("%q at %d of %d is taken", c, at, n)
				}
			}
			if !parse.AllASCII(s[:at] + "\x01" + s[at+1:]) {
				t.Errorf("0x01 at %d of %d is refused", at, n)
			}
		}
	}
}

func TestStandsAt(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	letters := func(most int) string {
		b := make([]byte, rnd.IntN(most))
		for i := range b {
			b[i] = `" a`[rnd.IntN(3)]
		}
		return string(b)
	}
	for range 100_000 {
		text, s := letters(11), letters(30)
		at := rnd.IntN(len(s) + 5)
		if got, want := parse.StandsAt(text, s, at), at <= len(s) && strings.HasPrefix(s[min(at, len(s)):], text); got != want {
			t.Fatalf("%q in %q at %d: %t", text, s, at, got)
		}
	}
}
