package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/tallystick/tallystick/audit"
)

// block collects rows by columns and encodes them as one block of ClickHouse's
// Native format. It is reused: Reset keeps the memory. Not safe for concurrent
// use.
type block[T any] struct {
	t       *table[T]
	offsets []uintptr // of each field in a T
	cols    []column
	rows    int
	head    []byte // scratch of the encoding
}

// column is the content of one column in the form in which it is sent: data for
// plain values, ends for arrays, codes and dict for dictionary-encoded ones.
type column struct {
	data  []byte // values, little endian; or strings, each after its length
	ends  []byte // arrays and maps: running count of elements, UInt64
	count uint64 // elements so far, for ends
	codes []byte // one per value, into dict
	width uint8  // of a code: 1 << width bytes, as many as the dictionary needs so far
	dict  dictionary
}

func newBlock[T any](t *table[T]) *block[T] {
	b := &block[T]{t: t, offsets: make([]uintptr, len(t.fields)), cols: make([]column, len(t.fields))}
	for i := range t.fields {
		b.offsets[i] = t.fields[i].offset()
	}
	return b
}

func (b *block[T]) reset() {
	b.rows = 0
	for i := range b.cols {
		c := &b.cols[i]
		c.data, c.ends, c.codes, c.count, c.width = c.data[:0], c.ends[:0], c.codes[:0], 0, 0
		c.dict.reset()
	}
}

// The Unix seconds that DateTime64(9) can hold: the years 1900 to 2261.
var (
	minTime = time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	maxTime = time.Date(2262, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
)

// RowsAtOnce is how many rows go into a column before the next one: few enough
// to stay in a core's cache until the last column has them.
const RowsAtOnce = 64

// append adds a row. It copies what it needs of v. On an error the block must
// be reset.
func (b *block[T]) append(v *T) error { return b.appendAll([]*T{v}) }

// appendAll adds rows, a column of some of them after the other.
func (b *block[T]) appendAll(vs []*T) error {
	for some := range slices.Chunk(vs, RowsAtOnce) {
		for i := range b.cols {
			if !appendColumn(&b.cols[i], b.t.fields[i].kind, some, b.offsets[i]) {
				return fmt.Errorf("failed to store a row of %s: %s is outside the years 1900 to 2261", b.t.name, b.t.fields[i].name)
			}
		}
		b.rows += len(some)
	}
	return nil
}

// load is the value at an offset of v.
func load[V, T any](v *T, offset uintptr) V { return *(*V)(unsafe.Add(unsafe.Pointer(v), offset)) }

// appendColumn adds one field of rows, and says no to a time that the store
// can't hold.
func appendColumn[T any](c *column, kind audit.Kind, vs []*T, offset uintptr) bool {
	switch kind {
	case audit.Word:
		appendWords(c, vs, offset)
	case audit.Text:
		for _, v := range vs {
			c.data = appendString(c.data, load[string](v, offset))
		}
	case audit.Words:
		for _, v := range vs {
			c.words(load[[]string](v, offset))
		}
	case audit.Texts:
		for _, v := range vs {
			c.texts(load[[]string](v, offset))
		}
	case audit.Bool:
		for _, v := range vs {
			c.data = append(c.data, load[byte](v, offset)) // false is 0, true is 1, in Go as in ClickHouse
		}
	case audit.Uint16:
		for _, v := range vs {
			c.data = binary.LittleEndian.AppendUint16(c.data, load[uint16](v, offset))
		}
	case audit.Uint32:
		for _, v := range vs {
			c.data = binary.LittleEndian.AppendUint32(c.data, load[uint32](v, offset))
		}
	case audit.Uint64:
		for _, v := range vs {
			c.data = binary.LittleEndian.AppendUint64(c.data, load[uint64](v, offset))
		}
	case audit.Time:
		for _, v := range vs {
			t := load[time.Time](v, offset)
			if s := t.Unix(); s < minTime || s >= maxTime {
				return false
			}
			c.data = binary.LittleEndian.AppendUint64(c.data, uint64(t.UnixNano()))
		}
	case audit.Map:
		for _, v := range vs {
			c.kv(load[map[string]string](v, offset))
		}
	case words64:
		for _, v := range vs {
			list := load[[]uint64](v, offset)
			for _, n := range list {
				c.data = binary.LittleEndian.AppendUint64(c.data, n)
			}
			c.end(len(list))
		}
	}
	return true
}

// appendWords adds a word of each row. Rows that follow each other often have
// the very same one, so its memory is compared before its bytes.
func appendWords[T any](c *column, vs []*T, offset uintptr) {
	last := load[string](vs[0], offset)
	code := c.code(last)
	codes := c.codes
	for _, v := range vs {
		if s := load[string](v, offset); len(s) != len(last) || unsafe.StringData(s) != unsafe.StringData(last) {
			c.codes = codes
			last, code = s, c.code(s)
			codes = c.codes
		}
		if c.width == 0 {
			codes = append(codes, byte(code))
			continue
		}
		c.codes = codes
		c.put(code)
		codes = c.codes
	}
	c.codes = codes
}

// code is the code of a word, and makes the codes wide enough for it.
func (c *column) code(s string) uint32 {
	k := c.dict.of(s)
	for c.width < 2 && k>>(8<<c.width) != 0 {
		c.widen()
	}
	return k
}

// widen doubles the width of the codes so far.
func (c *column) widen() {
	wide := make([]byte, 0, max(4*len(c.codes), 4096))
	for i := 0; i < len(c.codes); i += 1 << c.width {
		if c.width == 0 {
			wide = append(wide, c.codes[i], 0)
		} else {
			wide = append(wide, c.codes[i], c.codes[i+1], 0, 0)
		}
	}
	c.codes = wide
	c.width++
}

// put appends a code that code returned.
func (c *column) put(k uint32) {
	switch c.width {
	case 0:
		c.codes = append(c.codes, byte(k))
	case 1:
		c.codes = binary.LittleEndian.AppendUint16(c.codes, uint16(k))
	default:
		c.codes = binary.LittleEndian.AppendUint32(c.codes, k)
	}
}

func (c *column) words(list []string) {
	for _, s := range list {
		c.put(c.code(s))
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
		c.put(c.code(k))
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
	parts := make([]part, 0, 4*len(b.cols))
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
			h = c.appendDictionary(h)
			parts = append(parts, part{len(h), c.codes})
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

// appendDictionary appends what comes before the codes.
func (c *column) appendDictionary(h []byte) []byte {
	if len(c.codes) == 0 {
		return h
	}
	h = binary.LittleEndian.AppendUint64(h, uint64(c.width)|hasAdditionalKeys|needUpdateDictionary)
	h = binary.LittleEndian.AppendUint64(h, uint64(len(c.dict.list)))
	for _, s := range c.dict.list {
		h = appendString(h, s)
	}
	return binary.LittleEndian.AppendUint64(h, uint64(len(c.codes)>>c.width))
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
