package seal_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/tallystick/tallystick/masking/seal"
)

func TestChain(t *testing.T) {
	// A step is sequence:head:prev, with one letter for a head and - for none.
	for _, tc := range []struct {
		name  string
		seed  string // sequence:head
		steps []string
		want  []string // ok, dup, gap N, broken, replayed
	}{
		{"in order", "", []string{"1:a:-", "2:b:a", "3:c:b"}, []string{"ok", "ok", "ok"}},
		{"begins late", "", []string{"3:c:b", "4:d:c"}, []string{"gap 2", "ok"}},
		{"first with a predecessor", "", []string{"1:a:z", "2:b:a"}, []string{"broken", "ok"}},
		{"gap", "", []string{"1:a:-", "4:d:c", "5:e:d"}, []string{"ok", "gap 2", "ok"}},
		{"gap filled late", "", []string{"1:a:-", "3:c:b", "2:b:a", "2:b:a", "4:d:c"}, []string{"ok", "gap 1", "ok", "dup", "ok"}},
		{"duplicates", "", []string{"1:a:-", "2:b:a", "1:a:-", "2:b:a", "3:c:b"}, []string{"ok", "ok", "dup", "dup", "ok"}},
		{"broken, then on", "", []string{"1:a:-", "2:b:x", "3:c:b"}, []string{"ok", "broken", "ok"}},
		{"replayed", "", []string{"1:a:-", "2:b:a", "2:x:a", "3:c:b", "1:y:-"}, []string{"ok", "ok", "replayed", "ok", "replayed"}},
		{"seeded", "7:g", []string{"8:h:g", "7:g:f", "7:x:f", "6:f:e"}, []string{"ok", "dup", "replayed", "ok"}},
		{"seeded, broken", "7:g", []string{"8:h:x"}, []string{"broken"}},
		{"seeded, gap", "7:g", []string{"10:j:i"}, []string{"gap 2"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := seal.NewChain()
			head := func(s byte) (h [32]byte) {
				if s != '-' {
					h[0] = s
				}
				return h
			}
			if tc.seed != "" {
				var n uint64
				var s string
				if _, err := fmt.Sscanf(tc.seed, "%d:%1s", &n, &s); err != nil {
					t.Fatal(err)
				}
				c.Seed("tap", "boot", "stream", n, head(s[0]))
			}
			for i, step := range tc.steps {
				h := seal.Header{Tap: "tap", Boot: "boot", Stream: "stream"}
				var own, prev string
				if _, err := fmt.Sscanf(step, "%d:%1s:%1s", &h.Sequence, &own, &prev); err != nil {
					t.Fatal(err)
				}
				h.Prev = head(prev[0])
				dup, err := c.Check(&h, head(own[0]))
				got := "ok"
				var gap *seal.GapError
				switch {
				case dup:
					got = "dup"
				case errors.As(err, &gap):
					got = fmt.Sprintf("gap %d", gap.Missing)
				case errors.Is(err, seal.ErrBroken):
					got = "broken"
				case errors.Is(err, seal.ErrReplayed):
					got = "replayed"
				}
				if got != tc.want[i] {
					t.Errorf("step %d (%s): got %s, want %s", i, step, got, tc.want[i])
				}
			}
		})
	}
}

func TestChainsAreApart(t *testing.T) {
	c := seal.NewChain()
	for i := range 20 { // more boots than are kept
		for _, stream := range []string{"s", "t"} {
			h := seal.Header{Tap: "tap", Boot: fmt.Sprint("boot", i), Stream: stream, Sequence: 1}
			if dup, err := c.Check(&h, [32]byte{byte(i)}); dup || err != nil {
				t.Fatalf("boot %d: duplicate %v, error %v", i, dup, err)
			}
		}
	}
	h := seal.Header{Tap: "tap", Boot: "boot19", Stream: "s", Sequence: 1}
	if dup, err := c.Check(&h, [32]byte{19}); !dup || err != nil {
		t.Fatalf("the last boot was forgotten: %v, %v", dup, err)
	}
}
