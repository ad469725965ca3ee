package auditor_test

import (
	"testing"

	"github.com/tallystick/tallystick/services/auditor"
)

// TestWhenAChunkCloses: a chunk is looked at twice in each 500 ms.
func TestWhenAChunkCloses(t *testing.T) {
	for _, c := range []struct {
		name                  string
		lines, findings, calm int
		behind                bool
		looked                int // at which it closes
	}{
		{"a busy site, after 500 ms", 1000, 0, 0, false, 2},
		{"a finding, after 500 ms", 1, 1, 0, false, 2},
		{"a finding in a trickle, after 500 ms", 1, 1, 9, false, 2},
		{"few lines, after 2.5 s", 3, 0, 3, false, 10},
		{"a busy site whose lines wait in the broker, after 1.5 s", 1000, 1, 0, true, 6},
		{"a trickle, after 8 s", 3, 0, 4, false, 32},
	} {
		t.Run(c.name, func(t *testing.T) {
			for looked := range 60 {
				if auditor.Late(c.lines, c.findings, looked, c.calm, c.behind) {
					if looked != c.looked {
						t.Fatalf("closes when looked at for the %d. time, want the %d.", looked, c.looked)
					}
					return
				}
			}
			t.Fatal("never closes")
		})
	}
	if !auditor.Late(3, 1, 7, 9, false) {
		t.Error("a finding that comes late waits for more than 250 ms")
	}
	if auditor.Late(1000, 0, 7, 0, false) {
		t.Error("a busy site's chunk closes between its ages")
	}
}
