package ledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// errRow is what DecodeEntry returns for bytes that are no canonical row.
var errRow = errors.New("not the canonical row of an entry")

// DecodeEntry reads a canonical row. It accepts exactly what AppendEntry makes.
func DecodeEntry(b []byte) (*audit.Entry, error) {
	if len(b) < 2 || b[0] != rowEntry || b[1] != EncodingVersion {
		return nil, errRow
	}
	d := rowDecoder{rest: b[2:]}
	e := &audit.Entry{}
	for i := range audit.EntryFields {
		d.field(&audit.EntryFields[i], e)
	}
	if d.bad || len(d.rest) > 0 || !bytes.Equal(AppendEntry(nil, e), b) {
		return nil, errRow
	}
	return e, nil
}

// rowDecoder takes fields off the front of rest; bad stays set after the first
// that is not there.
type rowDecoder struct {
	rest []byte
	bad  bool
}

func (d *rowDecoder) field(f *audit.EntryField, e *audit.Entry) {
	switch f.Kind {
	case audit.Word, audit.Text:
		*f.Str(e) = d.str()
	case audit.Words, audit.Texts:
		*f.Strs(e) = d.strs()
	case audit.Bool:
		b := d.take(1)
		*f.Bool(e) = b[0] != 0
	case audit.Uint16:
		*f.U16(e) = binary.BigEndian.Uint16(d.take(2))
	case audit.Uint32:
		*f.U32(e) = binary.BigEndian.Uint32(d.take(4))
	case audit.Uint64:
		*f.U64(e) = binary.BigEndian.Uint64(d.take(8))
	case audit.Time:
		if ns := int64(binary.BigEndian.Uint64(d.take(8))); ns != 0 {
			*f.Time(e) = time.Unix(0, ns).UTC()
		}
	case audit.Map:
		*f.Map(e) = d.strMap()
	}
}

// nothing stands for a number that is not there.
var nothing [8]byte

func (d *rowDecoder) take(n int) []byte {
	if d.bad || n > len(d.rest) {
		d.bad = true
		return nothing[:min(n, len(nothing))]
	}
	out := d.rest[:n]
	d.rest = d.rest[n:]
	return out
}

// length reads a length; each of what it counts takes a byte or more of rest.
func (d *rowDecoder) length() int {
	n, w := binary.Uvarint(d.rest)
	if d.bad || w <= 0 || n > uint64(len(d.rest)) {
		d.bad = true
		return 0
	}
	d.rest = d.rest[w:]
	return int(n)
}

func (d *rowDecoder) str() string {
	n := d.length()
	if n > len(d.rest) {
		d.bad = true
		return ""
	}
	return string(d.take(n))
}

func (d *rowDecoder) strs() []string {
	var out []string
	for n := d.length(); n > 0 && !d.bad; n-- {
		out = append(out, d.str())
	}
	return out
}

func (d *rowDecoder) strMap() map[string]string {
	n := d.length()
	if n == 0 {
		return nil
	}
	out := map[string]string{}
	for ; n > 0 && !d.bad; n-- {
		k := d.str()
		out[k] = d.str()
	}
	return out
}
