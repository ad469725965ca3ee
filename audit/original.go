package audit

import (
	"time"

	"github.com/tallystick/tallystick/masking/plain"
)

// Unsealed is the original of a masked field on its way from mask to the vault:
// clear, in memory only.
type Unsealed struct {
	Line  int    // index in Batch.Lines
	Class string // vault class of the masking policy
	// Field is a field of the entry; of a list it is NAME.INDEX, from 0.
	Field string
	Value plain.Text
}

// Original is what is kept of an Unsealed: the value under its chunk's data key
// of class and month, which nobody who stores it can open.
type Original struct {
	Origin  Origin // of the entry
	Class   string
	Month   string // of the entry's time in UTC: 2026-11
	Field   string
	Capsule string // Capsule.ID of the data key
	Sealed  []byte // nonce, ciphertext and tag, bound to the entry's id and Field
	Chunk   string
	Version uint16
	Row     uint32
}

// Capsule carries the data key of one vault class and month of a chunk for
// whoever holds the delegator's private key.
type Capsule struct {
	ID    string // first 16 hex digits of SHA-256 of Bytes
	Class string
	Month string
	// Delegator is the public key that it was made for, 33 bytes, and KeyID the
	// id of that key.
	Delegator []byte
	KeyID     string
	Bytes     []byte // as package reencrypt encodes a capsule
	// First and Last are the times of the earliest and latest entry whose
	// original is sealed under it, Originals how many there are.
	First, Last time.Time
	Originals   uint32
	Chunk       string
	Version     uint16
}
