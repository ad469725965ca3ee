package seal_test

import (
	"math/rand/v2"
	"testing"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/seal"
)

// TestRoundTripOfAnyLines seals lines of random bytes, lengths and offsets.
func TestRoundTripOfAnyLines(t *testing.T) {
	s := newSite(t)
	r := rand.New(rand.NewPCG(11, 13))
	for range 300 {
		lines := make([]audit.Line, r.IntN(60))
		off := r.Uint64() >> r.IntN(64) >> 1
		for i := range lines {
			b := make([]byte, r.IntN(1<<r.IntN(10)+1))
			for j := range b {
				b[j] = byte(r.Uint32())
			}
			lines[i] = audit.Line{
				Origin: audit.Origin{Offset: off}, Text: plain.New(string(b)),
				Length: len(b) + r.IntN(2)*r.IntN(1<<20),
			}
			off += 1 + r.Uint64()>>(40+r.IntN(24))
		}
		h := header(s.prf)
		h.Sequence, h.Generation = r.Uint64()|1, r.Uint32()
		msg, head, err := s.sealer.Seal(h, lines)
		if err != nil {
			t.Fatal(err)
		}
		gotH, got, gotHead, err := s.opener.Open(msg)
		if err != nil || gotHead != head || gotH.Sequence != h.Sequence || len(got) != len(lines) {
			t.Fatalf("%d lines of %d, error %v", len(got), len(lines), err)
		}
		for i := range got {
			if got[i].Origin.Offset != lines[i].Origin.Offset || got[i].Length != lines[i].Length || text(got[i]) != text(lines[i]) {
				t.Fatalf("line %d differs", i)
			}
		}
		// One random bit anywhere spoils all of it.
		if bit := r.IntN(8 * len(msg)); len(msg) > 0 {
			msg[bit/8] ^= 1 << (bit % 8)
			if _, lines, _, err := s.opener.Open(msg); err == nil || len(lines) > 0 {
				t.Fatalf("bit %d was flipped unnoticed", bit)
			}
		}
	}
}

// TestHalvingEnds does what a tap does: halve until the parts fit.
func TestHalvingEnds(t *testing.T) {
	s := newSite(t)
	r := rand.New(rand.NewPCG(17, 19))
	lines := make([]audit.Line, 100)
	for i := range lines {
		b := make([]byte, 64<<10)
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		lines[i] = audit.Line{Origin: audit.Origin{Offset: uint64(i) << 16}, Text: plain.New(string(b)), Length: len(b)}
	}
	total := 0
	var send func([]audit.Line)
	send = func(part []audit.Line) {
		msg, _, err := s.sealer.Seal(header(s.prf), part)
		if err != nil && len(part) > 1 {
			send(part[:len(part)/2])
			send(part[len(part)/2:])
			return
		}
		if err != nil || len(msg) > seal.MaxMessage {
			t.Fatalf("%d lines: %d bytes, error %v", len(part), len(msg), err)
		}
		total += len(part)
	}
	send(lines)
	if total != len(lines) {
		t.Fatalf("%d lines went out", total)
	}
}
