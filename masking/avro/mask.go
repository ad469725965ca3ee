package avro

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"time"
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

// leaf rewrites a single value.
func (w *walker) leaf(s *schema, at transform.Place, name string) (empty bool, err error) {
	start := w.p
	v, err := w.text(s)
	if err != nil || s.kind == kindNull {
		return false, err
	}
	if w.mute > 0 {
		return false, nil
	}
	if at.Keeps() {
		w.out = append(w.out, w.in[start:w.p]...)
		return false, nil
	}
	out := at.Value(name, v)
	if opaque := s.kind == kindFixed || s.logical == "decimal"; out == v && !opaque && utf8.ValidString(v) {
		w.out = append(w.out, w.in[start:w.p]...)
		return false, nil
	}
	if w.fits(s, out) {
		return false, nil
	}
	w.empty(s)
	return true, nil
}

// text reads a single value and writes it as text; "" for decimals and fixed
// ones, which have none that a transform could work on.
func (w *walker) text(s *schema) (string, error) {
	switch s.kind {
	case kindBoolean:
		b, err := w.take(1)
		if err != nil || b[0] > 1 {
			return "", w.unless(err, "this is no boolean")
		}
		return strconv.FormatBool(b[0] == 1), nil
	case kindInt, kindLong:
		n, err := w.long()
		if err == nil && s.kind == kindInt && n != int64(int32(n)) {
			err = w.fault("this is no int")
		}
		if unit, ok := times[s.logical]; ok {
			return moment(n, unit).Format(time.RFC3339Nano), err
		}
		return strconv.FormatInt(n, 10), err
	case kindEnum:
		n, err := w.long()
		if err != nil || n < 0 || n >= int64(len(s.symbols)) {
			return "", w.unless(err, "the enum has no such symbol")
		}
		return s.symbols[n], nil
	case kindFloat:
		b, err := w.take(4)
		if err != nil {
			return "", err
		}
		return strconv.FormatFloat(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 'g', -1, 32), nil
	case kindDouble:
		b, err := w.take(8)
		if err != nil {
			return "", err
		}
		return strconv.FormatFloat(math.Float64frombits(binary.LittleEndian.Uint64(b)), 'g', -1, 64), nil
	case kindString, kindBytes:
		b, err := w.bytes()
		if s.logical == "decimal" {
			b = nil
		}
		return string(b), err
	case kindFixed:
		_, err := w.take(s.size)
		return "", err
	}
	return "", nil
}

func (w *walker) unless(err error, reason string) error {
	if err != nil {
		return err
	}
	return w.fault(reason)
}

// fits writes a text as a value of the type, if it is one.
func (w *walker) fits(s *schema, v string) bool {
	switch s.kind {
	case kindString:
		w.write([]byte(v))
	case kindBytes:
		if v == plain.Redacted || s.logical == "decimal" {
			return false
		}
		w.write([]byte(v))
	case kindInt, kindLong:
		n, ok := number(v, s.logical)
		if !ok || s.kind == kindInt && n != int64(int32(n)) {
			return false
		}
		w.out = binary.AppendVarint(w.out, n)
	case kindFloat:
		f, err := strconv.ParseFloat(v, 32)
		if err != nil {
			return false
		}
		w.out = binary.LittleEndian.AppendUint32(w.out, math.Float32bits(float32(f)))
	case kindDouble:
		f, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return false
		}
		w.out = binary.LittleEndian.AppendUint64(w.out, math.Float64bits(f))
	default:
		return false
	}
	return true
}

// times are the logical types that are moments, and their units.
var times = map[string]time.Duration{
	"date": 24 * time.Hour, "timestamp-millis": time.Millisecond, "timestamp-micros": time.Microsecond, "timestamp-nanos": time.Nanosecond,
	"local-timestamp-millis": time.Millisecond, "local-timestamp-micros": time.Microsecond, "local-timestamp-nanos": time.Nanosecond,
}

func moment(n int64, unit time.Duration) time.Time {
	per := int64(time.Second / unit)
	if per == 0 {
		return time.Unix(n*int64(unit/time.Second), 0).UTC()
	}
	return time.Unix(n/per, n%per*int64(unit)).UTC()
}

// number reads what a transform made of a whole number or a moment.
func number(v, logical string) (int64, bool) {
	unit, ok := times[logical]
	if !ok {
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	}
	for _, layout := range []string{time.DateOnly, "2006-01-02T15", "2006-01", "2006"} {
		t, err := time.Parse(layout, v)
		if err != nil {
			continue
		}
		if per := int64(time.Second / unit); per > 0 {
			return t.Unix() * per, true
		}
		return t.Unix() / int64(unit/time.Second), true
	}
	return 0, false
}

// empty writes the empty value of a type.
func (w *walker) empty(s *schema) {
	switch s.kind {
	case kindRecord:
		for i := range s.fields {
			w.empty(s.fields[i].typ)
		}
	case kindUnion:
		if s.null >= 0 {
			w.out = binary.AppendVarint(w.out, int64(s.null))
			return
		}
		w.out = append(w.out, 0)
		w.empty(s.union[0])
	case kindBoolean, kindInt, kindLong, kindEnum, kindBytes, kindString, kindArray, kindMap:
		w.out = append(w.out, 0)
	case kindFloat:
		w.out = append(w.out, make([]byte, 4)...)
	case kindDouble:
		w.out = append(w.out, make([]byte, 8)...)
	case kindFixed:
		w.out = append(w.out, make([]byte, s.size)...)
	}
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
