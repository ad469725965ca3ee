//go:build !race

package keys_test

import (
	"context"
	"testing"

	"github.com/tallystick/tallystick/masking/keys"
)

// The race detector makes sync.Pool forget at random, so that these tests mean
// something only without it.

func TestPRFAllocatesNothing(t *testing.T) {
	s, _ := open(t)
	p, err := s.SitePRF()
	if err != nil {
		t.Fatal(err)
	}
	var sum [32]byte
	n := testing.AllocsPerRun(1000, func() {
		msg := [40]byte{1, 2, 3}
		p.Sum(sum[:0], msg[:])
	})
	if n > 0.01 { // a collection may empty the pool
		t.Fatalf("%v allocations a sum", n)
	}
}

func TestDayKeyHitAllocatesNothing(t *testing.T) {
	reg, kek := register(t)
	d := keys.NewDayKeys(reg, kek, 0)
	get(t, d, "own", day)
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := d.Day(ctx, "own", day); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Fatalf("%v allocations a hit", n)
	}
}
