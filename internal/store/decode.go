package store

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
	"unsafe"

	"github.com/tallystick/tallystick/audit"
)

// decoder reads blocks in the Native format, column by column, into the rows
// of a table. It trusts lengths only as far as data follows them.
type decoder[T any] struct {
	t    *table[T]
	r    *bufio.Reader
	cols []decoded
	buf  []byte

	lengths []int // scratch of strings
}

// decoded is the content of one column of the current block.
type decoded struct {
	strs  []string // strings, or the dictionary
	codes []uint32
	nums  []byte // little endian
	ends  []uint64
}

// limits of a block: what is larger is malformed.
const (
	maxRows   = 1 << 24
	maxString = 1 << 30
)

func newDecoder[T any](t *table[T], r io.Reader) *decoder[T] {
	return &decoder[T]{t: t, r: bufio.NewReaderSize(r, 256<<10), cols: make([]decoded, len(t.fields))}
}

// each calls fn for each row. The row is reused: fn keeps no pointer to it, but
// may keep its strings and slices.
func (d *decoder[T]) each(fn func(*T) error) error {
	var v, zero T
	for {
		rows, err := d.block()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("failed to decode rows of %s: %w", d.t.name, err)
		}
		for i := range rows {
			v = zero
			d.row(&v, i)
			if err := fn(&v); err != nil {
				return err
			}
		}
	}
}

// block reads the next block and returns its rows; io.EOF at the end.
func (d *decoder[T]) block() (int, error) {
	if _, err := d.r.Peek(1); err != nil {
		return 0, err
	}
	cols, err := d.uvarint(1 << 12)
	if err != nil {
		return 0, err
	}
	rows, err := d.uvarint(maxRows)
	if err != nil {
		return 0, err
	}
	if cols == 0 && rows == 0 {
		return 0, nil
	}
	if cols != len(d.t.fields) {
		return 0, fmt.Errorf("%d columns instead of %d", cols, len(d.t.fields))
	}
	for i := range d.t.fields {
		f := &d.t.fields[i]
		name, err := d.str()
		if err != nil {
			return 0, err
		}
		typ, err := d.str()
		if err != nil {
			return 0, err
		}
		if name != f.name || typ != typeName(f.kind) {
			return 0, fmt.Errorf("column %s %s instead of %s %s", name, typ, f.name, typeName(f.kind))
		}
		if rows == 0 {
			continue
		}
		if err := d.column(&d.cols[i], f.kind, rows); err != nil {
			return 0, fmt.Errorf("column %s: %w", f.name, err)
		}
	}
	return rows, nil
}

func (d *decoder[T]) column(c *decoded, k audit.Kind, rows int) (err error) {
	switch k {
	case audit.Word, audit.Words, audit.Map:
		v, err := d.u64()
		if err != nil {
			return err
		}
		if v != lowCardinalityVersion {
			return fmt.Errorf("dictionary version %d", v)
		}
	}
	switch k {
	case audit.Word:
		return d.lowCardinality(c, rows)
	case audit.Text:
		c.strs, err = d.strings(rows)
		return err
	case audit.Bool:
		return d.numbers(c, rows)
	case audit.Uint16:
		return d.numbers(c, 2*rows)
	case audit.Uint32:
		return d.numbers(c, 4*rows)
	case audit.Uint64, audit.Time:
		return d.numbers(c, 8*rows)
	}
	n, err := d.ends(c, rows)
	if err != nil {
		return err
	}
	switch k {
	case audit.Words:
		return d.lowCardinality(c, n)
	case audit.Texts:
		c.strs, err = d.strings(n)
		return err
	case words64:
		return d.numbers(c, 8*n)
	}
	// A map: keys into codes with their dictionary, then the values. The
	// dictionary goes behind the values in strs.
	if err := d.lowCardinality(c, n); err != nil {
		return err
	}
	dict := c.strs
	values, err := d.strings(n)
	if err != nil {
		return err
	}
	c.strs = append(values, dict...)
	return nil
}

// ends reads the running counts of an array column and returns the last.
func (d *decoder[T]) ends(c *decoded, rows int) (int, error) {
	if err := d.numbers(c, 8*rows); err != nil {
		return 0, err
	}
	c.ends = c.ends[:0]
	last := uint64(0)
	for i := range rows {
		e := binary.LittleEndian.Uint64(c.nums[8*i:])
		if e < last || e > maxRows {
			return 0, errors.New("array ends out of order")
		}
		c.ends, last = append(c.ends, e), e
	}
	return int(last), nil
}

func (d *decoder[T]) lowCardinality(c *decoded, n int) error {
	c.codes = c.codes[:0]
	if n == 0 {
		c.strs = c.strs[:0]
		return nil
	}
	meta, err := d.u64()
	if err != nil {
		return err
	}
	if meta&hasAdditionalKeys == 0 || meta&(1<<8) != 0 || meta&0xff > 2 {
		return fmt.Errorf("dictionary flags %#x", meta)
	}
	size, err := d.u64()
	if err != nil {
		return err
	}
	if size > maxRows {
		return errors.New("dictionary too large")
	}
	if c.strs, err = d.strings(int(size)); err != nil {
		return err
	}
	keys, err := d.u64()
	if err != nil {
		return err
	}
	if keys != uint64(n) {
		return fmt.Errorf("%d keys instead of %d", keys, n)
	}
	width := 1 << (meta & 0xff)
	raw, err := d.bytes(width * n)
	if err != nil {
		return err
	}
	for i := range n {
		var k uint32
		switch width {
		case 1:
			k = uint32(raw[i])
		case 2:
			k = uint32(binary.LittleEndian.Uint16(raw[2*i:]))
		default:
			k = binary.LittleEndian.Uint32(raw[4*i:])
		}
		if uint64(k) >= size {
			return errors.New("key outside the dictionary")
		}
		c.codes = append(c.codes, k)
	}
	return nil
}

// row fills v from row i of the current block.
func (d *decoder[T]) row(v *T, i int) {
	for n := range d.t.fields {
		f, c := &d.t.fields[n], &d.cols[n]
		switch f.kind {
		case audit.Word:
			*f.str(v) = c.strs[c.codes[i]]
		case audit.Text:
			*f.str(v) = c.strs[i]
		case audit.Bool:
			*f.bool(v) = c.nums[i] != 0
		case audit.Uint16:
			*f.u16(v) = binary.LittleEndian.Uint16(c.nums[2*i:])
		case audit.Uint32:
			*f.u32(v) = binary.LittleEndian.Uint32(c.nums[4*i:])
		case audit.Uint64:
			*f.u64(v) = binary.LittleEndian.Uint64(c.nums[8*i:])
		case audit.Time:
			*f.time(v) = time.Unix(0, int64(binary.LittleEndian.Uint64(c.nums[8*i:]))).UTC()
		default:
			d.list(v, f, c, i)
		}
	}
}

// list fills an array or map; an empty one stays nil.
func (d *decoder[T]) list(v *T, f *field[T], c *decoded, i int) {
	from, until := uint64(0), c.ends[i]
	if i > 0 {
		from = c.ends[i-1]
	}
	if from == until {
		return
	}
	switch f.kind {
	case audit.Texts:
		*f.strs(v) = c.strs[from:until:until]
	case audit.Words:
		l := make([]string, 0, until-from)
		for _, k := range c.codes[from:until] {
			l = append(l, c.strs[k])
		}
		*f.strs(v) = l
	case words64:
		l := make([]uint64, 0, until-from)
		for j := from; j < until; j++ {
			l = append(l, binary.LittleEndian.Uint64(c.nums[8*j:]))
		}
		*f.u64s(v) = l
	case audit.Map:
		values, dict := c.strs[:c.ends[len(c.ends)-1]], c.strs[c.ends[len(c.ends)-1]:]
		m := make(map[string]string, until-from)
		for j := from; j < until; j++ {
			m[dict[c.codes[j]]] = values[j]
		}
		*f.kv(v) = m
	}
}

func (d *decoder[T]) numbers(c *decoded, n int) error {
	b, err := d.bytes(n)
	c.nums = append(c.nums[:0], b...)
	return err
}

// strings reads n strings into one piece of memory and returns them.
func (d *decoder[T]) strings(n int) ([]string, error) {
	out := make([]string, 0, min(n, 1<<12)) // more only as data comes
	lengths := d.lengths[:0]
	var all []byte
	for range n {
		l, err := d.uvarint(maxString)
		if err != nil {
			return nil, err
		}
		if all, err = d.appendN(all, l); err != nil {
			return nil, err
		}
		lengths = append(lengths, l)
	}
	d.lengths = lengths
	s, at := unsafe.String(unsafe.SliceData(all), len(all)), 0 // nothing writes to all any more
	for _, l := range lengths {
		out = append(out, s[at:at+l])
		at += l
	}
	return out, nil
}

func (d *decoder[T]) str() (string, error) {
	n, err := d.uvarint(1 << 16)
	if err != nil {
		return "", err
	}
	b, err := d.bytes(n)
	return string(b), err
}

func (d *decoder[T]) u64() (uint64, error) {
	b, err := d.bytes(8)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// bytes reads n bytes into memory that the next call uses again.
func (d *decoder[T]) bytes(n int) (b []byte, err error) {
	d.buf, err = d.appendN(d.buf[:0], n)
	return d.buf, err
}

// appendN reads n bytes behind b, growing it no faster than data comes.
func (d *decoder[T]) appendN(b []byte, n int) ([]byte, error) {
	for n > 0 {
		p, err := d.r.Peek(min(n, max(d.r.Buffered(), 1)))
		if err != nil {
			return b, unexpected(err)
		}
		b = append(b, p...)
		n -= len(p)
		_, _ = d.r.Discard(len(p))
	}
	return b, nil
}

func (d *decoder[T]) uvarint(limit uint64) (int, error) {
	n, err := binary.ReadUvarint(d.r)
	if err != nil {
		return 0, unexpected(err)
	}
	if n > limit {
		return 0, errors.New("a length over the limit")
	}
	return int(n), nil
}

func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
