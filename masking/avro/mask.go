package avro

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/transform"
)

// Bounds of one value.
const (
	maxValues = 1 << 22 // single values: an array of nulls takes no bytes
	maxOut    = 64 << 20
)

// Mask appends the masked form of a value to dst. An error holds no value; dst
// is then returned as it was.
func (s *Schema) Mask(dst []byte, at transform.Place, value []byte) ([]byte, error) {
	w := &walker{in: value, out: dst, limit: len(dst) + maxOut}
	if _, err := w.value(s.root, at, "", 0); err != nil {
		return dst, err
	}
	if w.p < len(w.in) {
		return dst, w.fault("the value ends, and more bytes follow")
	}
	return w.out, nil
}

// walker rewrites one value while it reads it.
type walker struct {
	in, out []byte
	p       int
	limit   int
	values  int
	mute    int // above 0: nothing is written
}

func (w *walker) fault(reason string) error { return fmt.Errorf("byte %d: %s", w.p+1, reason) }

// value rewrites the value at p. It reports whether the type's empty value
// stands for it, so that a union can put null there instead.
func (w *walker) value(s *schema, at transform.Place, name string, depth int) (empty bool, err error) {
	w.values++
	switch {
	case depth > maxNested:
		return false, w.fault(fmt.Sprintf("it is nested deeper than %d levels", maxNested))
	case w.values > maxValues:
		return false, w.fault(fmt.Sprintf("it has more than %d values", maxValues))
	case len(w.out) > w.limit:
		return false, w.fault("masked it would be larger than 64 MiB")
	}
	switch s.kind {
	case kindUnion:
		return w.inUnion(s, at, name, depth)
	case kindArray:
		return false, w.blocks(func() error {
			_, err := w.value(s.item, at, name, depth+1)
			return err
		})
	case kindRecord, kindMap:
		if w.mute == 0 && at.Blanks() {
			return true, w.gone(s, at, depth)
		}
		if s.kind == kindMap {
			return false, w.entries(s, at, depth)
		}
		return false, w.members(s, at, depth)
	}
	return w.leaf(s, at, name)
}

// gone reads a value and writes its type's empty one.
func (w *walker) gone(s *schema, at transform.Place, depth int) error {
	if err := w.skip(s, at, depth); err != nil {
		return err
	}
	w.empty(s)
	return nil
}

func (w *walker) skip(s *schema, at transform.Place, depth int) error {
	w.mute++
	start := len(w.out)
	_, err := w.value(s, at, "", depth)
	w.out = w.out[:start]
	w.mute--
	return err
}

func (w *walker) inUnion(s *schema, at transform.Place, name string, depth int) (empty bool, err error) {
	i, err := w.long()
	if err != nil {
		return false, err
	}
	if i < 0 || i >= int64(len(s.union)) {
		return false, w.fault("the union has no such branch")
	}
	start := len(w.out)
	w.out = binary.AppendVarint(w.out, i)
	empty, err = w.value(s.union[i], at, name, depth+1)
	if empty && err == nil && s.null >= 0 {
		w.out = binary.AppendVarint(w.out[:start], int64(s.null))
	}
	return empty, err
}

// blocks rewrites the items of an array or map, in blocks without sizes.
func (w *walker) blocks(item func() error) error {
	for {
		n, err := w.long()
		if err != nil {
			return err
		}
		if n < 0 { // the block's size in bytes follows
			if n == math.MinInt64 {
				return w.fault("a block has no such number of items")
			}
			n = -n
			if _, err := w.long(); err != nil {
				return err
			}
		}
		w.out = binary.AppendVarint(w.out, n)
		if n == 0 {
			return nil
		}
		for ; n > 0; n-- {
			if err := item(); err != nil {
				return err
			}
		}
	}
}

// entries rewrites a map. A name that the policy does not have can be a person's.
func (w *walker) entries(s *schema, at transform.Place, depth int) error {
	unnamed := 0
	return w.blocks(func() error {
		raw, err := w.bytes()
		if err != nil {
			return err
		}
		key := string(raw)
		next, named := at.Field(key)
		if !named || !utf8.ValidString(key) {
			unnamed++
			key = plain.Redacted
			if unnamed > 1 { // a key stands once in a map
				key += " " + strconv.Itoa(unnamed)
			}
		}
		w.write([]byte(key))
		return w.member(s.item, next, string(raw), depth)
	})
}

func (w *walker) members(s *schema, at transform.Place, depth int) error {
	for i := range s.fields {
		f := &s.fields[i]
		next, _ := at.Field(f.name)
		if err := w.member(f.typ, next, f.name, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) member(s *schema, at transform.Place, name string, depth int) error {
	if w.mute == 0 && at.Drops() {
		return w.gone(s, at, depth+1)
	}
	_, err := w.value(s, at, name, depth+1)
	return err
}

const short = "it ends within a value"

func (w *walker) take(n int) ([]byte, error) {
	if n < 0 || n > len(w.in)-w.p {
		return nil, w.fault(short)
	}
	b := w.in[w.p : w.p+n]
	w.p += n
	return b, nil
}

func (w *walker) long() (int64, error) {
	v, n := binary.Varint(w.in[w.p:])
	if n <= 0 {
		return 0, w.fault("this is no number, or it ends within one")
	}
	w.p += n
	return v, nil
}

// bytes reads a length and so many bytes.
func (w *walker) bytes() ([]byte, error) {
	n, err := w.long()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > int64(len(w.in)-w.p) {
		return nil, w.fault(short)
	}
	return w.take(int(n))
}

func (w *walker) write(b []byte) {
	w.out = binary.AppendVarint(w.out, int64(len(b)))
	w.out = append(w.out, b...)
}
