package avro

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/transform"
)

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
		w.out = binary.AppendVarint(w.out, int64(s.blank))
		w.empty(s.union[s.blank])
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
