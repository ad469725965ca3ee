package seal

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"github.com/dchest/siphash"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
)

// TapKeys knows the enrolled taps.
type TapKeys interface {
	// TapPublic returns the keys that the tap may sign with, or an error that is
	// keys.ErrNotEnrolled; any other error is the infrastructure's.
	TapPublic(id string) ([]ed25519.PublicKey, error)
}

// Opener opens batches. It is safe for concurrent use.
type Opener struct {
	dec    tink.HybridDecrypt
	taps   TapKeys
	k0, k1 uint64 // SipHash key of line marks
	unpack func(packed []byte) ([]byte, error)
}

// NewOpener returns an opener; marks come from a key derived from site.
func NewOpener(dec tink.HybridDecrypt, taps TapKeys, site *keys.PRF) (*Opener, error) {
	unpack, err := unpacker()
	if err != nil {
		return nil, fmt.Errorf("failed to start decompression: %w", err)
	}
	k := site.Sum(nil, []byte("tallystick line mark v1"))
	return &Opener{
		dec: dec, taps: taps, unpack: unpack,
		k0: binary.LittleEndian.Uint64(k), k1: binary.LittleEndian.Uint64(k[8:]),
	}, nil
}

// Open verifies and opens a message: OpenInto with fresh lines.
func (o *Opener) Open(msg []byte) (Header, []audit.Line, [32]byte, error) {
	return o.OpenInto(msg, nil)
}

// OpenInto is Open with room for the lines: they are appended to lines[:0]. The
// texts share one new buffer, which lives as long as any of them. With a fault
// the header and the head are returned as far as they could be read; whether
// they can be believed, the error says.
func (o *Opener) OpenInto(msg []byte, lines []audit.Line) (h Header, _ []audit.Line, head [32]byte, err error) {
	lines = lines[:0]
	hdr, sig, ct, err := split(msg)
	if err != nil {
		return h, lines, head, err
	}
	if h, err = decodeHeader(hdr); err != nil {
		return h, lines, head, err
	}
	head = headOf(hdr, ct)
	pubs, err := o.taps.TapPublic(h.Tap)
	if errors.Is(err, keys.ErrNotEnrolled) {
		return h, lines, head, ErrUnknownTap
	}
	if err != nil {
		return h, lines, head, fmt.Errorf("failed to look up a tap: %w", err)
	}
	signed := append([]byte(signContext), head[:]...)
	if !slices.ContainsFunc(pubs, func(k ed25519.PublicKey) bool { return ed25519.Verify(k, signed, sig) }) {
		return h, lines, head, ErrSignature
	}
	packed, err := o.dec.Decrypt(ct, hdr)
	if errors.Is(err, keys.ErrUnavailable) {
		return h, lines, head, fmt.Errorf("failed to open a batch: %w", err)
	}
	if err != nil { // what Tink says adds nothing: no key fits
		return h, lines, head, ErrSealed
	}
	raw, err := o.unpack(packed)
	if err != nil {
		return h, lines, head, fmt.Errorf("%w: its records do not decompress", ErrMalformed)
	}
	lines, err = o.records(raw, &h, lines)
	return h, lines, head, err
}

// split takes a message apart; its parts alias msg.
func split(msg []byte) (hdr, sig, ct []byte, err error) {
	if len(msg) > MaxMessage {
		return nil, nil, nil, fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(msg), MaxMessage)
	}
	r := reader{b: msg}
	m := r.take(len(magic))
	n := r.uvarint()
	if r.bad || string(m) != magic || n > maxHeader {
		return nil, nil, nil, fmt.Errorf("%w: it does not begin like a batch", ErrMalformed)
	}
	hdr, sig = r.take(int(n)), r.take(signatureSize)
	if r.bad {
		return nil, nil, nil, fmt.Errorf("%w: it ends within the header", ErrMalformed)
	}
	return hdr, sig, r.b, nil
}

// records appends the lines in raw, which it owns: the texts are substrings of
// it without a copy, so raw is never written again.
func (o *Opener) records(raw []byte, h *Header, lines []audit.Line) ([]audit.Line, error) {
	disagree := func() ([]audit.Line, error) {
		return lines[:0], fmt.Errorf("%w: its records do not agree with its header", ErrMalformed)
	}
	if cap(lines) < int(h.Lines) {
		lines = make([]audit.Line, 0, h.Lines)
	}
	at := h.First
	r := reader{b: raw}
	for i := range h.Lines {
		delta, length, n := r.uvarint(), r.uvarint(), r.uvarint()
		if n > uint64(len(r.b)) || length < n || length > math.MaxInt64 || at+delta < at || (delta == 0) != (i == 0) {
			return disagree()
		}
		at += delta
		b := r.take(int(n))
		if r.bad {
			return disagree()
		}
		lines = append(lines, audit.Line{
			Origin: audit.Origin{Stream: h.Stream, Generation: h.Generation, Offset: at},
			Text:   plain.New(unsafe.String(unsafe.SliceData(b), len(b))),
			Length: int(length),
			Mark:   uint32(siphash.Hash(o.k0, o.k1, b)),
		})
	}
	if r.bad || len(r.b) != 0 || (h.Lines > 0 && at >= h.Until) {
		return disagree()
	}
	return lines, nil
}
