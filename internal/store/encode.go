package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// block collects rows by columns and encodes them as one block of ClickHouse's
// Native format. It is reused: Reset keeps the memory. Not safe for concurrent
// use.
type block[T any] struct {
	t    *table[T]
	cols []column
	rows int
	head []byte // scratch of the encoding
}

// column is the content of one column in the form in which it is sent: data for
// plain values, ends for arrays, codes and dict for dictionary-encoded ones.
type column struct {
	data  []byte   // values, little endian; or strings, each after its length
	ends  []byte   // arrays and maps: running count of elements, UInt64
	count uint64   // elements so far, for ends
	codes []uint32 // one per value, into dict
	dict  dictionary
}

func newBlock[T any](t *table[T]) *block[T] {
	return &block[T]{t: t, cols: make([]column, len(t.fields))}
}

func (b *block[T]) reset() {
	b.rows = 0
	for i := range b.cols {
		c := &b.cols[i]
		c.data, c.ends, c.codes, c.count = c.data[:0], c.ends[:0], c.codes[:0], 0
		c.dict.reset()
	}
}

// The times that DateTime64(9) can hold.
var (
	minTime = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC)
	maxTime = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC)
)

// append adds a row. It copies what it needs of v. On an error the block must
// be reset.
func (b *block[T]) append(v *T) error {
	for i := range b.t.fields {
		f, c := &b.t.fields[i], &b.cols[i]
		switch f.kind {
		case audit.Word:
			c.codes = append(c.codes, c.dict.of(*f.str(v)))
		case audit.Text:
			c.data = appendString(c.data, *f.str(v))
		case audit.Words:
			c.words(*f.strs(v))
		case audit.Texts:
			c.texts(*f.strs(v))
		case audit.Bool:
			n := byte(0)
			if *f.bool(v) {
				n = 1
			}
			c.data = append(c.data, n)
		case audit.Uint16:
			c.data = binary.LittleEndian.AppendUint16(c.data, *f.u16(v))
		case audit.Uint32:
			c.data = binary.LittleEndian.AppendUint32(c.data, *f.u32(v))
		case audit.Uint64:
			c.data = binary.LittleEndian.AppendUint64(c.data, *f.u64(v))
		case audit.Time:
			t := f.time(v)
			if t.Before(minTime) || !t.Before(maxTime) {
				return fmt.Errorf("failed to store a row of %s: %s is outside the years 1900 to 2261", b.t.name, f.name)
			}
			c.data = binary.LittleEndian.AppendUint64(c.data, uint64(t.UnixNano()))
		case audit.Map:
			c.kv(*f.kv(v))
		case words64:
			list := *f.u64s(v)
			for _, n := range list {
				c.data = binary.LittleEndian.AppendUint64(c.data, n)
			}
			c.end(len(list))
		}
	}
	b.rows++
	return nil
}

func (c *column) words(list []string) {
	for _, s := range list {
		c.codes = append(c.codes, c.dict.of(s))
	}
	c.end(len(list))
}

func (c *column) texts(list []string) {
	for _, s := range list {
		c.data = appendString(c.data, s)
	}
	c.end(len(list))
}

func (c *column) kv(m map[string]string) {
	for k, v := range m {
		c.codes = append(c.codes, c.dict.of(k))
		c.data = appendString(c.data, v)
	}
	c.end(len(m))
}

func (c *column) end(n int) {
	c.count += uint64(n)
	c.ends = binary.LittleEndian.AppendUint64(c.ends, c.count)
}

func appendString(b []byte, s string) []byte {
	if len(s) < 0x80 {
		b = append(b, byte(len(s)))
	} else {
		b = binary.AppendUvarint(b, uint64(len(s)))
	}
	return append(b, s...)
}

// Serialization of LowCardinality (SerializationLowCardinality.cpp): a version
// before everything else of the column; then, if there are values, a word with
// the width of the keys and two flags, the dictionary, and the keys.
const (
	lowCardinalityVersion = 1
	hasAdditionalKeys     = 1 << 9
	needUpdateDictionary  = 1 << 10
)

// encode returns the block as a reader. The block must not change until the
// reader was read.
func (b *block[T]) encode() io.Reader {
	b.head = b.head[:0]
	// Parts are either slices of head, known by their ends, or column memory.
	type part struct {
		end  int // of head so far
		data []byte
	}
	parts := make([]part, 0, 3*len(b.cols))
	h := binary.AppendUvarint(b.head, uint64(len(b.cols)))
	h = binary.AppendUvarint(h, uint64(b.rows))
	for i := range b.cols {
		f, c := &b.t.fields[i], &b.cols[i]
		h = appendString(h, f.name)
		h = appendString(h, typeName(f.kind))
		if b.rows == 0 {
			continue
		}
		switch f.kind {
		case audit.Word, audit.Words, audit.Map:
			h = binary.LittleEndian.AppendUint64(h, lowCardinalityVersion)
		}
		parts = append(parts, part{len(h), c.ends})
		switch f.kind {
		case audit.Word, audit.Words, audit.Map:
			h = c.appendLowCardinality(h)
		}
		parts = append(parts, part{len(h), c.data})
	}
	b.head = h
	readers := make([]io.Reader, 0, 2*len(parts)+1)
	from := 0
	for _, p := range parts {
		if p.end > from {
			readers = append(readers, bytes.NewReader(h[from:p.end]))
			from = p.end
		}
		if len(p.data) > 0 {
			readers = append(readers, bytes.NewReader(p.data))
		}
	}
	if from < len(h) {
		readers = append(readers, bytes.NewReader(h[from:]))
	}
	return io.MultiReader(readers...)
}

func (c *column) appendLowCardinality(h []byte) []byte {
	if len(c.codes) == 0 {
		return h
	}
	width, n := uint64(0), len(c.dict.list)
	switch {
	case n > math.MaxUint16+1:
		width = 2
	case n > math.MaxUint8+1:
		width = 1
	}
	h = binary.LittleEndian.AppendUint64(h, width|hasAdditionalKeys|needUpdateDictionary)
	h = binary.LittleEndian.AppendUint64(h, uint64(n))
	for _, s := range c.dict.list {
		h = appendString(h, s)
	}
	h = binary.LittleEndian.AppendUint64(h, uint64(len(c.codes)))
	switch width {
	case 0:
		at := len(h)
		h = append(h, make([]byte, len(c.codes))...)
		for i, k := range c.codes {
			h[at+i] = byte(k)
		}
	case 1:
		for _, k := range c.codes {
			h = binary.LittleEndian.AppendUint16(h, uint16(k))
		}
	default:
		for _, k := range c.codes {
			h = binary.LittleEndian.AppendUint32(h, k)
		}
	}
	return h
}

// dictionary gives each different string a code. Most rows share a few words:
// the last word, and a small cache, answer before the map.
type dictionary struct {
	last  string
	code  uint32 // of last, if there are any
	list  []string
	codes map[string]uint32
	cache [64]uint32 // code + 1 by slot, 0 if none
}

func (d *dictionary) of(s string) uint32 {
	if s == d.last && len(d.list) > 0 {
		return d.code
	}
	slot := 0
	if n := len(s); n > 0 {
		slot = (n*31 + int(s[0])*7 + int(s[n/2])*3 + int(s[n-1])) & 63
	}
	k := d.cache[slot] - 1
	if k == math.MaxUint32 || d.list[k] != s {
		k = d.look(s)
		d.cache[slot] = k + 1
	}
	d.last, d.code = d.list[k], k
	return k
}

func (d *dictionary) look(s string) uint32 {
	k, ok := d.codes[s]
	if !ok {
		s = strings.Clone(s) // the caller may use its memory again
		k = uint32(len(d.list))
		if d.codes == nil {
			d.codes = map[string]uint32{}
		}
		d.list = append(d.list, s)
		d.codes[s] = k
	}
	return k
}

func (d *dictionary) reset() {
	d.last, d.code, d.list = "", 0, d.list[:0]
	clear(d.codes)
	clear(d.cache[:])
}
