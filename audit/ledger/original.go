package ledger

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// First bytes of the rows of originals and capsules.
const (
	rowOriginal = 'O'
	rowCapsule  = 'C'
)

// AppendOriginal appends the canonical row of o to dst. It has SHA-256 of the
// ciphertext with its random nonce, not the ciphertext: when an original is
// erased the row stays provable and says nothing.
func AppendOriginal(dst []byte, o *audit.Original) []byte {
	sum := sha256.Sum256(o.Sealed)
	dst = append(dst, rowOriginal, EncodingVersion)
	dst = appendString(dst, o.Origin.Stream)
	dst = binary.BigEndian.AppendUint32(dst, o.Origin.Generation)
	dst = binary.BigEndian.AppendUint64(dst, o.Origin.Offset)
	dst = appendString(dst, o.Class)
	dst = appendString(dst, o.Month)
	dst = appendString(dst, o.Field)
	dst = appendString(dst, o.Capsule)
	dst = append(dst, sum[:]...)
	dst = appendString(dst, o.Chunk)
	dst = binary.BigEndian.AppendUint16(dst, o.Version)
	return binary.BigEndian.AppendUint32(dst, o.Row)
}

// AppendCapsule appends the canonical row of c to dst. ParseCapsule reads it:
// a custodian takes class, month and times from there.
func AppendCapsule(dst []byte, c *audit.Capsule) []byte {
	dst = append(dst, rowCapsule, EncodingVersion)
	dst = appendString(dst, c.ID)
	dst = appendString(dst, c.Class)
	dst = appendString(dst, c.Month)
	dst = appendBytes(dst, c.Delegator)
	dst = appendString(dst, c.KeyID)
	dst = appendBytes(dst, c.Bytes)
	dst = appendTime(dst, c.First)
	dst = appendTime(dst, c.Last)
	dst = binary.BigEndian.AppendUint32(dst, c.Originals)
	dst = appendString(dst, c.Chunk)
	return binary.BigEndian.AppendUint16(dst, c.Version)
}

// SortCapsules puts capsules in the order in which a chunk commits to them: by
// class, month and id.
func SortCapsules(cs []audit.Capsule) {
	slices.SortFunc(cs, func(a, b audit.Capsule) int {
		return cmp.Or(strings.Compare(a.Class, b.Class), strings.Compare(a.Month, b.Month), strings.Compare(a.ID, b.ID))
	})
}

// ErrRow is wrapped for bytes that are no canonical row of the kind asked for.
var ErrRow = errors.New("not a canonical row of this kind")

// ParseCapsule reads a canonical row of a capsule.
func ParseCapsule(row []byte) (audit.Capsule, error) {
	var c audit.Capsule
	r := rowReader{b: row}
	if r.byte() != rowCapsule || r.byte() != EncodingVersion {
		return c, ErrRow
	}
	c.ID, c.Class, c.Month = string(r.bytes()), string(r.bytes()), string(r.bytes())
	c.Delegator, c.KeyID, c.Bytes = r.bytes(), string(r.bytes()), r.bytes()
	c.First, c.Last = r.time(), r.time()
	c.Originals = r.uint32()
	c.Chunk, c.Version = string(r.bytes()), r.uint16()
	if r.failed || len(r.b) > 0 {
		return audit.Capsule{}, ErrRow
	}
	return c, nil
}

// rowReader reads the fields of a canonical row. After a fault everything reads
// as nothing.
type rowReader struct {
	b      []byte
	failed bool
}

func (r *rowReader) next(n int) []byte {
	if r.failed || n < 0 || len(r.b) < n {
		r.failed = true
		return make([]byte, min(max(n, 0), 8))
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *rowReader) byte() byte     { return r.next(1)[0] }
func (r *rowReader) uint16() uint16 { return binary.BigEndian.Uint16(r.next(2)) }
func (r *rowReader) uint32() uint32 { return binary.BigEndian.Uint32(r.next(4)) }

func (r *rowReader) time() time.Time {
	n := int64(binary.BigEndian.Uint64(r.next(8)))
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// bytes reads a string; lengths that are not in their shortest form are refused.
func (r *rowReader) bytes() []byte {
	n, size := binary.Uvarint(r.b)
	if r.failed || size <= 0 || n > uint64(len(r.b)) || len(appendLength(nil, int(n))) != size {
		r.failed = true
		return nil
	}
	r.b = r.b[size:]
	return slices.Clone(r.next(int(n)))
}
