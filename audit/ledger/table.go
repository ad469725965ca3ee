package ledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

const (
	blindSize = 16
	// MarkSize is how many bytes of a row hash are kept as its mark.
	MarkSize = 8
	// SaltSize is the length of a chunk's salt.
	SaltSize = 32
)

// Hash is a SHA-256 hash of the tree.
type Hash = [sha256.Size]byte

// Table makes the Merkle root (RFC 6962 section 2.1) of one table of a chunk.
// The leaf hash of row n is SHA-256(0x00 ‖ blind ‖ canonical row) with blind =
// HMAC-SHA-256(salt, n as a big-endian uint64)[:16]: without the chunk's salt
// the hash of a row confirms no guess of it. Use one per goroutine.
type Table struct {
	hasher rowHasher
	tree   tree
	marks  []byte
}

// NewTable returns an empty table of the chunk with that salt.
func NewTable(salt []byte) *Table {
	return &Table{hasher: newRowHasher(salt)}
}

// Add appends a row. It keeps no reference to canonical.
func (t *Table) Add(canonical []byte) {
	t.AddHash(t.hasher.hash(t.tree.count, canonical))
}

// AddHash appends a row whose hash is known.
func (t *Table) AddHash(h Hash) {
	t.marks = append(t.marks, h[:MarkSize]...)
	t.tree.add(h)
}

// Count is the number of rows.
func (t *Table) Count() uint64 { return t.tree.count }

// Marks are the first 8 bytes of each row hash, in row order. The slice grows
// with the table; copy it to keep it.
func (t *Table) Marks() []byte { return t.marks }

// Root is the root over the rows so far. That of no rows is the hash of nothing,
// as RFC 6962 has it.
func (t *Table) Root() []byte {
	h := t.tree.root()
	return h[:]
}

// tree makes an RFC 6962 root over leaf hashes that come one by one.
type tree struct {
	stack []Hash // roots of the perfect subtrees so far, largest first
	count uint64
}

func (t *tree) add(h Hash) {
	for n := t.count; n&1 == 1; n >>= 1 {
		last := len(t.stack) - 1
		h = nodeHash(&t.stack[last], &h)
		t.stack = t.stack[:last]
	}
	t.stack = append(t.stack, h)
	t.count++
}

func (t *tree) root() Hash {
	if t.count == 0 {
		return sha256.Sum256(nil)
	}
	h := t.stack[len(t.stack)-1]
	for i := len(t.stack) - 2; i >= 0; i-- {
		h = nodeHash(&t.stack[i], &h)
	}
	return h
}

func nodeHash(left, right *Hash) Hash {
	var b [1 + 2*sha256.Size]byte
	b[0] = 1
	copy(b[1:], left[:])
	copy(b[1+sha256.Size:], right[:])
	return sha256.Sum256(b[:])
}

// RowHash is the leaf hash of row n of a table of the chunk with that salt.
func RowHash(salt []byte, n uint64, canonical []byte) Hash {
	h := newRowHasher(salt)
	return h.hash(n, canonical)
}

// rowHasher hashes rows of one chunk without allocating.
type rowHasher struct {
	mac   hash.Hash
	blind [sha256.Size]byte
	num   [8]byte
	buf   []byte
}

func newRowHasher(salt []byte) rowHasher {
	return rowHasher{mac: hmac.New(sha256.New, salt), buf: make([]byte, 0, 2048)}
}

func (r *rowHasher) hash(row uint64, canonical []byte) Hash {
	r.buf = append(r.buf[:0], 0)
	r.buf = append(r.buf, r.blindOf(row)...)
	r.buf = append(r.buf, canonical...)
	return sha256.Sum256(r.buf)
}

// blindOf is valid until the next call.
func (r *rowHasher) blindOf(row uint64) []byte {
	binary.BigEndian.PutUint64(r.num[:], row)
	r.mac.Reset()
	r.mac.Write(r.num[:])
	return r.mac.Sum(r.blind[:0])[:blindSize]
}
