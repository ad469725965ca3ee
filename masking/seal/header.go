package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"
)

// Header says in clear whose batch it is and where its lines come from. It is
// bound into the seal and signed by the tap.
type Header struct {
	Tap      string // id of the enrolled tap
	Source   string // name in tallystick.yaml
	Stream   string // audit.Origin.Stream
	Boot     string // random id of the tap's start
	Sequence uint64 // 1 for the first batch of (tap, boot, stream), then one more each
	// Generation is that of every line's origin.
	Generation uint32
	// First is the offset of the first line, Until where the line after the
	// last one begins: batches that follow each other touch. Both are as the
	// caller set them when there is no line.
	First, Until uint64
	Lines        uint32
	// Before is how many lines the chain (tap, boot, stream) carried before
	// this batch, so that missing batches are known in lines.
	Before   uint64
	Received time.Time // when the tap read the lines; kept to the microsecond, UTC
	Prev     [32]byte  // head of the batch before in the chain; zero for the first
}

// ID names the batch in findings: TAP/BOOT/STREAM/SEQUENCE.
func (h *Header) ID() string {
	return fmt.Sprintf("%s/%s/%s/%d", h.Tap, h.Boot, h.Stream, h.Sequence)
}

const (
	headerVersion = 1
	maxHeader     = 1024
	maxName       = 200
)

// encode is deterministic: equal headers give equal bytes, and decodeHeader
// accepts no other bytes for the same header.
func (h *Header) encode() ([]byte, error) {
	b := append(make([]byte, 0, 192), headerVersion)
	for _, s := range []string{h.Tap, h.Source, h.Stream, h.Boot} {
		if s == "" || len(s) > maxName {
			return nil, errors.New("failed to seal a batch: tap, source, stream and boot must have 1 to 200 bytes")
		}
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	if h.Sequence == 0 {
		return nil, errors.New("failed to seal a batch: sequence numbers begin at 1")
	}
	for _, n := range []uint64{h.Sequence, uint64(h.Generation), h.First, h.Until, uint64(h.Lines), h.Before, uint64(h.Received.UnixMicro())} {
		b = binary.AppendUvarint(b, n)
	}
	return append(b, h.Prev[:]...), nil
}

func decodeHeader(b []byte) (Header, error) {
	var h Header
	r := reader{b: b}
	if v := r.take(1); len(v) != 1 || v[0] != headerVersion {
		return h, fmt.Errorf("%w: unknown version of the header", ErrMalformed)
	}
	for _, s := range []*string{&h.Tap, &h.Source, &h.Stream, &h.Boot} {
		n := r.uvarint()
		if n == 0 || n > maxName {
			r.bad = true
			break
		}
		*s = string(r.take(int(n)))
	}
	h.Sequence = r.uvarint()
	generation := r.uvarint()
	h.First, h.Until = r.uvarint(), r.uvarint()
	lines, before, received := r.uvarint(), r.uvarint(), r.uvarint()
	prev := r.take(len(h.Prev))
	switch {
	case r.bad || len(r.b) != 0 || len(prev) != len(h.Prev):
		return Header{}, fmt.Errorf("%w: the header can't be read", ErrMalformed)
	case h.Sequence == 0 || generation > math.MaxUint32 || lines > MaxLines || h.Until < h.First:
		return Header{}, fmt.Errorf("%w: a number of the header is out of range", ErrMalformed)
	}
	h.Generation, h.Lines, h.Before = uint32(generation), uint32(lines), before
	h.Received = time.UnixMicro(int64(received)).UTC()
	copy(h.Prev[:], prev)
	return h, nil
}

// reader takes bytes and numbers off b; bad is set for ever at the first fault.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.b) {
		r.bad = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// uvarint accepts the shortest form only.
func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if r.bad || n <= 0 || (n > 1 && r.b[n-1] == 0) {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}
