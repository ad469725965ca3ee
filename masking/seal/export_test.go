package seal

import "github.com/tallystick/tallystick/audit"

// DecodeHeader and Encode are the codec of headers.
func DecodeHeader(b []byte) (Header, error) { return decodeHeader(b) }

func (h *Header) Encode() ([]byte, error) { return h.encode() }

// Records decodes decompressed records.
func (o *Opener) Records(raw []byte, h *Header) ([]audit.Line, error) { return o.records(raw, h, nil) }

// PackS2 and Unpacker are the packing of records.
var (
	PackS2   = packS2
	Unpacker = unpacker
)
