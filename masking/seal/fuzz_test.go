package seal_test

import (
	"bytes"
	"testing"

	"github.com/tallystick/tallystick/masking/seal"
)

func FuzzHeader(f *testing.F) {
	s := newSite(f)
	h := header(s.prf)
	h.Tap, h.Lines, h.First, h.Until = "local", 3, 9, 400
	b, err := h.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := seal.DecodeHeader(b)
		if err != nil {
			return
		}
		again, err := h.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x decodes to %+v, which encodes to %x, error %v", b, h, again, err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	s := newSite(f)
	msg, _, err := s.sealer.Seal(header(s.prf), nginxLines(2, 1))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(msg)
	f.Add([]byte("TSB1"))
	f.Add(msg[:100])
	f.Fuzz(func(t *testing.T, b []byte) {
		// Keys are fresh in each process: only what this one sealed may open.
		if _, lines, _, err := s.opener.Open(b); err == nil && !bytes.Equal(b, msg) || err != nil && len(lines) > 0 {
			t.Fatalf("a forged message of %d bytes gave %d lines, error %v", len(b), len(lines), err)
		}
	})
}

// FuzzRecords reaches the decoder behind the seal.
func FuzzRecords(f *testing.F) {
	s := newSite(f)
	h := seal.Header{Stream: "s", First: 5, Until: 10, Lines: 2}
	f.Add([]byte("\x00\x03\x03abc\x04\x02\x02de"), uint64(5), uint64(10), uint32(2))
	f.Add([]byte{}, uint64(0), uint64(0), uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, first, until uint64, n uint32) {
		h := h
		h.First, h.Until, h.Lines = first, until, n%seal.MaxLines
		lines, err := s.opener.Records(b, &h)
		if err != nil {
			if len(lines) != 0 {
				t.Fatal("lines came with an error")
			}
			return
		}
		total := 0
		for i, l := range lines {
			total += l.Text.Len()
			if l.Length < l.Text.Len() || (i > 0 && l.Origin.Offset <= lines[i-1].Origin.Offset) {
				t.Fatalf("line %d breaks the order", i)
			}
		}
		if len(lines) != int(h.Lines) || total > len(b) {
			t.Fatalf("%d lines of %d bytes from %d bytes", len(lines), total, len(b))
		}
	})
}

// FuzzUnpack: whatever a tap packed, opening ends within its bounds.
func FuzzUnpack(f *testing.F) {
	unpack, err := seal.Unpacker()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("\x28\xb5\x2f\xfd"))
	f.Add(seal.PackS2(nil, bytes.Repeat([]byte("line "), 100)))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		raw, err := unpack(b)
		if err != nil || len(raw) > 1<<20 {
			return
		}
		again, err := unpack(seal.PackS2(nil, raw))
		if err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%d bytes come back as %d, error %v", len(raw), len(again), err)
		}
	})
}
