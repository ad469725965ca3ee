package seal

import (
	"errors"
	"slices"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Packed records are a zstd frame, which begins with the byte 0x28, or this byte
// and an S2 block (a superset of Snappy's).
const beginsS2 = 0x01

// packZstd returns what appends raw to packed as a zstd frame.
func packZstd() (func(packed, raw []byte) []byte, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, err
	}
	return func(packed, raw []byte) []byte { return z.EncodeAll(raw, packed) }, nil
}

// packS2 appends raw to packed as an S2 block.
func packS2(packed, raw []byte) []byte {
	packed = append(slices.Grow(packed, 1+s2.MaxEncodedLen(len(raw))), beginsS2)
	at := len(packed)
	return packed[:at+len(s2.Encode(packed[at:cap(packed)], raw))]
}

var errTooMuch = errors.New("packed records are larger than allowed")

// unpacker returns what unpacks records of either form, MaxRaw bytes at most,
// into a buffer of their own.
func unpacker() (func(packed []byte) ([]byte, error), error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(MaxRaw), zstd.WithDecoderConcurrency(0))
	if err != nil {
		return nil, err
	}
	return func(packed []byte) ([]byte, error) {
		if len(packed) == 0 || packed[0] != beginsS2 {
			return z.DecodeAll(packed, nil)
		}
		switch n, err := s2.DecodedLen(packed[1:]); {
		case err != nil:
			return nil, err
		case n > MaxRaw:
			return nil, errTooMuch
		}
		return s2.Decode(nil, packed[1:])
	}, nil
}
