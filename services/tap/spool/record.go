package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

// Record is one sealed message that waits.
type Record struct {
	At         time.Time // when it was spooled; kept to the microsecond
	Lines      uint64    // how many lines it holds, for counting
	Bytes      uint64    // of those lines
	Key, Value []byte

	size int // on disk, of a record that was read
}

// A record on disk is
//
//	length of the body (4) | CRC-32C of the body (4) | body
//
// with the body
//
//	uvarint time, µs since 1970 | uvarint lines | uvarint bytes | uvarint length of the key | key | value
const (
	headSize = 8
	maxBody  = 4 << 20
)

// The faults of bytes that are no record. The two tell apart what a crash
// leaves at the end of a file from what the disk did.
var (
	errTorn    = errors.New("the bytes end within a record")
	errDamaged = errors.New("the bytes are no record")
)

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

func (r *Record) append(b []byte) []byte {
	start := len(b)
	b = append(b, make([]byte, headSize)...)
	for _, n := range []uint64{uint64(r.At.UnixMicro()), r.Lines, r.Bytes, uint64(len(r.Key))} {
		b = binary.AppendUvarint(b, n)
	}
	b = append(append(b, r.Key...), r.Value...)
	body := b[start+headSize:]
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], crc32.Checksum(body, castagnoli()))
	return b
}

// decode reads the record that b begins with and returns its size on disk. Key
// and value alias b.
func decode(b []byte) (r Record, size int, err error) {
	if len(b) < headSize {
		return r, 0, errTorn
	}
	n := binary.LittleEndian.Uint32(b)
	if n > maxBody {
		return r, 0, errDamaged
	}
	size = headSize + int(n)
	if len(b) < size {
		return r, 0, errTorn
	}
	body := b[headSize:size]
	if crc32.Checksum(body, castagnoli()) != binary.LittleEndian.Uint32(b[4:]) {
		return r, 0, errDamaged
	}
	var fields [4]uint64
	for i := range fields {
		v, k := binary.Uvarint(body)
		if k <= 0 {
			return r, 0, errDamaged
		}
		fields[i], body = v, body[k:]
	}
	if fields[3] > uint64(len(body)) {
		return r, 0, errDamaged
	}
	r = Record{At: time.UnixMicro(int64(fields[0])).UTC(), Lines: fields[1], Bytes: fields[2], Key: body[:fields[3]], Value: body[fields[3]:], size: size}
	return r, size, nil
}
