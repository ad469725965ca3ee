//go:build !race

package detect_test

import (
	"testing"

	"github.com/tallystick/tallystick/masking/detect"
)

// TestScanDoesNotAllocate runs without the race detector, under which a
// sync.Pool forgets at random.
func TestScanDoesNotAllocate(t *testing.T) {
	dst := make([]detect.Match, 0, 16)
	for _, s := range []string{
		"GET /api/v1/orders/123 a@b.de", "/s?email=alice%40example.com", "2001:db8::7 203.0.113.7 4111 1111 1111 1111 +49 151 1234567",
		`{"cpf":52998224725,"first_name":"Ana","iban":"DE89370400440532013000","street":"H\u00f6he 5"}`,
		"q=eyJlbWFpbCI6ImFsaWNlQGV4YW1wbGUuY29tIn0=", "t eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln x",
	} {
		if n := testing.AllocsPerRun(100, func() { dst = detector.Scan(dst[:0], s) }); n != 0 {
			t.Errorf("%q: %v allocations", s, n)
		}
		if len(dst) == 0 {
			t.Errorf("%q: nothing found", s)
		}
	}
}
