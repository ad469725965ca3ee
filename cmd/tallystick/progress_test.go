package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/tallystick/tallystick/services"
)

func TestProgressLine(t *testing.T) {
	for _, tc := range []struct {
		name, unit string
		at         services.Progress
		want       string
	}{
		{"verify", "rows", services.Progress{Done: 3_000_000, Total: 12_000_000, Lines: 3_000_000}, "verify: 25 %, 30s left, 3000000 rows, 300000/s"},
		{"ingest", "lines", services.Progress{Done: 500, Total: 1000, Lines: 20}, "ingest: 50 %, 10s left, 20 lines, 2/s"},
		{"ingest", "lines", services.Progress{}, "ingest: "},
	} {
		var b bytes.Buffer
		if got := newProgress(&b, tc.name, tc.unit).line(tc.at, 10*time.Second); got != tc.want {
			t.Errorf("%q, want %q", got, tc.want)
		}
	}
}
