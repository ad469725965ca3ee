// Package seal turns lines of one stream into one sealed, signed message and
// back.
//
// A tap seals with the public line key and signs with its own key; only the
// auditor, which holds the private line key, opens. A message is
//
//	"TSB1" | uvarint length of header | header | signature (64) | ciphertext
//
// The ciphertext is HPKE (RFC 9180) of the packed records (pack.go), with the
// header as context info. The head is SHA-256(header | SHA-256(ciphertext));
// the tap signs it, and the next header of the chain (tap, boot, stream)
// carries it as Prev. The package also seals single rejected lines and checks
// chains. It sends and stores nothing; services/tap and services/auditor call it.
package seal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// The limits of one message, enforced on both sides.
const (
	// MaxMessage is the size of a message in bytes. Kafka brokers refuse about
	// 1 MiB by default.
	MaxMessage = 1_000_000
	// MaxRaw is the size of the records before compression, in bytes.
	MaxRaw = 64 << 20
	// MaxLines is the number of lines.
	MaxLines = 200_000
	// TargetRaw is how many bytes of lines a tap best collects for one
	// message: access logs compress enough for it to fit nearly always, and some
	// twenty messages may be in memory on their way.
	TargetRaw = 2 << 20
)

// The faults of a message. Open wraps exactly one of them, unless the fault is
// of the infrastructure (the enrolments could not be read).
var (
	// ErrTooLarge says that the lines do not fit one message: halve them. One
	// line of at most 64 KiB always fits.
	ErrTooLarge = errors.New("the lines do not fit one message")
	// ErrMalformed says that the bytes are not a message of ours, or that the
	// records do not agree with their header.
	ErrMalformed = errors.New("malformed batch")
	// ErrUnknownTap says that no such tap is enrolled. The header is not to be believed.
	ErrUnknownTap = errors.New("batch of an unknown tap")
	// ErrSignature says that the tap did not sign these bytes. The header is not to be believed.
	ErrSignature = errors.New("batch with a bad signature")
	// ErrSealed says that the tap signed the message but it does not open
	// under any line key.
	ErrSealed = errors.New("batch that does not open")
)

const (
	magic         = "TSB1"
	signatureSize = 64
	signContext   = "tallystick batch v1\x00"
)

// Signer signs with the tap's enrolled Ed25519 key; signatures are 64 bytes.
type Signer interface {
	Sign(msg []byte) ([]byte, error)
}

// Sealer seals the batches of one tap. It is safe for concurrent use.
type Sealer struct {
	tap    string
	enc    tink.HybridEncrypt
	signer Signer
	pack   func(packed, raw []byte) []byte
	spare  chan *buffers // not in use; a sync.Pool would lose them to each collection
}

type buffers struct{ raw, packed []byte }

// NewSealer returns the sealer of the tap with this enrolled id.
func NewSealer(tap string, enc tink.HybridEncrypt, signer Signer) (*Sealer, error) {
	pack, err := packZstd()
	if err != nil {
		return nil, fmt.Errorf("failed to start compression: %w", err)
	}
	return newSealer(tap, enc, signer, pack), nil
}

// NewNearSealer is NewSealer for a broker of this process, where a message
// crosses no network and lives for seconds: it compresses at a third of the
// processor time, to half as many bytes again.
func NewNearSealer(tap string, enc tink.HybridEncrypt, signer Signer) *Sealer {
	return newSealer(tap, enc, signer, packS2)
}

func newSealer(tap string, enc tink.HybridEncrypt, signer Signer, pack func(packed, raw []byte) []byte) *Sealer {
	return &Sealer{tap: tap, enc: enc, signer: signer, pack: pack, spare: make(chan *buffers, spareBuffers)}
}

// Seal seals lines of one stream, in the order of their offsets. The caller
// sets Source, Stream, Boot, Sequence, Generation, Until, Before, Received and
// Prev of h; Seal sets Tap, and First and Lines from the lines. It returns the
// message and its head, the next Prev. Sealing again gives other bytes: a retry must
// send the same message.
func (s *Sealer) Seal(h Header, lines []audit.Line) (msg []byte, head [32]byte, err error) {
	if len(lines) > MaxLines {
		return nil, head, fmt.Errorf("%w: %d lines, at most %d", ErrTooLarge, len(lines), MaxLines)
	}
	h.Tap, h.Lines = s.tap, uint32(len(lines))
	if len(lines) > 0 {
		h.First, h.Until = lines[0].Origin.Offset, max(h.Until, lines[len(lines)-1].Origin.Offset+1)
	}
	hdr, err := h.encode()
	if err != nil {
		return nil, head, err
	}
	b := s.take()
	defer s.give(b)
	if b.raw, err = appendRecords(b.raw[:0], h.First, lines); err != nil {
		return nil, head, err
	}
	b.packed = s.pack(b.packed[:0], b.raw)
	if len(b.packed) > MaxMessage {
		return nil, head, fmt.Errorf("%w: %d bytes compressed, at most %d", ErrTooLarge, len(b.packed), MaxMessage)
	}
	ct, err := s.enc.Encrypt(b.packed, hdr)
	if err != nil {
		return nil, head, fmt.Errorf("failed to seal a batch: %w", err)
	}
	head = headOf(hdr, ct)
	sig, err := s.signer.Sign(append([]byte(signContext), head[:]...))
	if err != nil {
		return nil, head, fmt.Errorf("failed to sign a batch: %w", err)
	}
	if len(sig) != signatureSize {
		return nil, head, fmt.Errorf("failed to sign a batch: the signature has %d bytes, want %d", len(sig), signatureSize)
	}
	size := len(magic) + binary.MaxVarintLen16 + len(hdr) + signatureSize + len(ct)
	if size > MaxMessage {
		return nil, head, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, size, MaxMessage)
	}
	msg = append(make([]byte, 0, size), magic...)
	msg = binary.AppendUvarint(msg, uint64(len(hdr)))
	msg = append(append(append(msg, hdr...), sig...), ct...)
	return msg, head, nil
}

// spareBuffers is how many buffers a sealer keeps: the sources of a tap seldom
// seal at once.
const spareBuffers = 2

func (s *Sealer) take() *buffers {
	select {
	case b := <-s.spare:
		return b
	default:
		return new(buffers)
	}
}

func (s *Sealer) give(b *buffers) {
	select {
	case s.spare <- b:
	default:
	}
}

func headOf(hdr, ciphertext []byte) [32]byte {
	c := sha256.Sum256(ciphertext)
	return sha256.Sum256(append(append(make([]byte, 0, len(hdr)+len(c)), hdr...), c[:]...))
}

// appendRecords appends for each line: uvarint offset less that of the line
// before (First for the first), uvarint true length, uvarint length, bytes.
func appendRecords(b []byte, first uint64, lines []audit.Line) ([]byte, error) {
	size := 0
	for i := range lines {
		size += lines[i].Text.Len() + 3*binary.MaxVarintLen32
	}
	b = slices.Grow(b, min(size, MaxRaw))
	at := first
	for i := range lines {
		l := &lines[i]
		off := l.Origin.Offset
		if off < at || (off == at && i > 0) {
			return b, errors.New("failed to seal a batch: its lines are not in the order of their offsets")
		}
		text := l.Text.Reveal(plainaccess.Token{})
		b = binary.AppendUvarint(b, off-at)
		b = binary.AppendUvarint(b, uint64(max(l.Length, len(text))))
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
		at = off
		if len(b) > MaxRaw {
			return b, fmt.Errorf("%w: more than %d bytes before compression", ErrTooLarge, MaxRaw)
		}
	}
	return b, nil
}
