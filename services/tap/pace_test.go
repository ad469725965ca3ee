package tap_test

import (
	"slices"
	"testing"
	"time"

	"github.com/tallystick/tallystick/services/tap"
)

// TestPace: a trickle is read less and less often, until many lines or a silence
// come.
func TestPace(t *testing.T) {
	const ms = time.Millisecond
	pace, now := tap.NewPace(), time.Now()
	var got []time.Duration
	run := func(few bool, later time.Duration) {
		now = now.Add(later)
		pause := pace(few, now)
		got = append(got, pause)
		now = now.Add(pause)
	}
	for range 5 {
		run(true, 50*ms)
	}
	run(false, 50*ms)
	run(true, 50*ms)
	run(true, 50*ms)
	run(true, 3*time.Second)
	want := []time.Duration{150 * ms, 300 * ms, 600 * ms, 750 * ms, 750 * ms, 0, 150 * ms, 300 * ms, 150 * ms}
	if !slices.Equal(got, want) {
		t.Errorf("pauses %v, want %v", got, want)
	}
}
