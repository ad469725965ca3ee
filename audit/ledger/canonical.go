package ledger

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/tallystick/tallystick/audit"
)

// EncodingVersion is the version of the canonical rows. It is the second byte
// of each row and stands in each leaf.
//
// A row is a byte for its table, the encoding version and the fields in order.
// Each field delimits itself, so two different rows never have the same bytes:
// a string is its length (unsigned varint) and its bytes; a list is its length
// and its strings; a map is its length and its keys and values, sorted by key; a
// bool is one byte; a number is big-endian of its own width; a time is its unix
// nanoseconds as a signed 64-bit number, 0 for the zero time. Empty and nil
// lists are the same.
const EncodingVersion = 1

// First bytes of a row, one per table.
const (
	rowEntry     = 'E'
	rowRejection = 'R'
	rowFinding   = 'F'
)

// AppendEntry appends the canonical row of e to dst. The bytes are the same for
// an entry as written and as read back from the store. It allocates only for an
// entry with labels.
func AppendEntry(dst []byte, e *audit.Entry) []byte {
	dst = append(dst, rowEntry, EncodingVersion)
	for _, f := range entryPlaces {
		switch p := unsafe.Add(unsafe.Pointer(e), f.at); f.kind {
		case audit.Word, audit.Text:
			dst = appendString(dst, *(*string)(p))
		case audit.Words, audit.Texts:
			dst = appendStrings(dst, *(*[]string)(p))
		case audit.Bool:
			dst = appendBool(dst, *(*bool)(p))
		case audit.Uint16:
			dst = binary.BigEndian.AppendUint16(dst, *(*uint16)(p))
		case audit.Uint32:
			dst = binary.BigEndian.AppendUint32(dst, *(*uint32)(p))
		case audit.Uint64:
			dst = binary.BigEndian.AppendUint64(dst, *(*uint64)(p))
		case audit.Time:
			dst = appendTime(dst, *(*time.Time)(p))
		case audit.Map:
			dst = appendMap(dst, *(*map[string]string)(p))
		}
	}
	return dst
}

// place is where a field lies in an entry.
type place struct {
	kind audit.Kind
	at   uintptr
}

// entryPlaces are audit.EntryFields: a call for each of eighty fields takes as
// long as writing them.
var entryPlaces = placesOf(audit.EntryFields)

func placesOf(fields []audit.EntryField) []place {
	e := new(audit.Entry)
	places := make([]place, len(fields))
	for i := range fields {
		f := &fields[i]
		var p unsafe.Pointer
		switch f.Kind {
		case audit.Word, audit.Text:
			p = unsafe.Pointer(f.Str(e))
		case audit.Words, audit.Texts:
			p = unsafe.Pointer(f.Strs(e))
		case audit.Bool:
			p = unsafe.Pointer(f.Bool(e))
		case audit.Uint16:
			p = unsafe.Pointer(f.U16(e))
		case audit.Uint32:
			p = unsafe.Pointer(f.U32(e))
		case audit.Uint64:
			p = unsafe.Pointer(f.U64(e))
		case audit.Time:
			p = unsafe.Pointer(f.Time(e))
		case audit.Map:
			p = unsafe.Pointer(f.Map(e))
		}
		places[i] = place{f.Kind, uintptr(p) - uintptr(unsafe.Pointer(e))}
		if places[i].at >= unsafe.Sizeof(*e) {
			panic("ledger: the accessor of " + f.Name + " points outside its entry")
		}
	}
	return places
}

// AppendRejection appends the canonical row of r to dst. Rejection.Line, the
// place in a batch, is not part of the record.
func AppendRejection(dst []byte, r *audit.Rejection) []byte {
	dst = append(dst, rowRejection, EncodingVersion)
	dst = appendString(dst, r.Origin.Stream)
	dst = binary.BigEndian.AppendUint32(dst, r.Origin.Generation)
	dst = binary.BigEndian.AppendUint64(dst, r.Origin.Offset)
	dst = appendString(dst, r.Source)
	dst = appendString(dst, r.Format)
	dst = appendTime(dst, r.Received)
	dst = appendString(dst, string(r.Reason))
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Column))
	dst = appendString(dst, r.Expected)
	dst = binary.BigEndian.AppendUint64(dst, uint64(r.Length))
	dst = binary.BigEndian.AppendUint32(dst, r.Mark)
	dst = appendBytes(dst, r.SealedKey)
	return appendBytes(dst, r.Sealed)
}

// AppendFinding appends the canonical row of f to dst.
func AppendFinding(dst []byte, f *audit.Finding) []byte {
	dst = append(dst, rowFinding, EncodingVersion)
	dst = appendString(dst, f.ID)
	dst = appendString(dst, string(f.Kind))
	dst = appendString(dst, f.Control)
	dst = binary.BigEndian.AppendUint16(dst, f.ControlVersion)
	dst = appendString(dst, string(f.Severity))
	dst = appendTime(dst, f.Time)
	dst = appendTime(dst, f.Until)
	dst = appendTime(dst, f.Detected)
	dst = appendString(dst, f.Source)
	dst = appendString(dst, f.System)
	dst = appendString(dst, f.Principal)
	dst = appendString(dst, string(f.PrincipalKind))
	dst = appendString(dst, f.PrincipalLabel)
	dst = appendString(dst, f.Resource)
	dst = appendString(dst, f.Purpose)
	dst = appendStrings(dst, f.Categories)
	dst = appendStrings(dst, f.Subjects)
	dst = appendString(dst, f.EntryID)
	dst = binary.BigEndian.AppendUint64(dst, f.Count)
	dst = appendMap(dst, f.Facts)
	return appendString(dst, f.Chunk)
}

// SortRejections puts rejections in the order in which a chunk commits to them:
// by stream, generation and offset, then by reason.
func SortRejections(rs []audit.Rejection) {
	slices.SortStableFunc(rs, func(a, b audit.Rejection) int { return compareRejections(&a, &b) })
}

func compareRejections(a, b *audit.Rejection) int {
	return cmp.Or(
		cmp.Compare(a.Origin.Stream, b.Origin.Stream),
		cmp.Compare(a.Origin.Generation, b.Origin.Generation),
		cmp.Compare(a.Origin.Offset, b.Origin.Offset),
		cmp.Compare(a.Reason, b.Reason),
		bytes.Compare(a.Sealed, b.Sealed),
	)
}

// SortFindings puts findings in the order in which a chunk commits to them: by
// id.
func SortFindings(fs []audit.Finding) {
	slices.SortStableFunc(fs, func(a, b audit.Finding) int { return strings.Compare(a.ID, b.ID) })
}

func appendString(dst []byte, s string) []byte {
	return append(appendLength(dst, len(s)), s...)
}

func appendBytes(dst, b []byte) []byte {
	return append(appendLength(dst, len(b)), b...)
}

func appendLength(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	return binary.AppendUvarint(dst, uint64(n))
}

func appendStrings(dst []byte, list []string) []byte {
	dst = appendLength(dst, len(list))
	for _, s := range list {
		dst = appendString(dst, s)
	}
	return dst
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendTime(dst []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.BigEndian.AppendUint64(dst, 0)
	}
	return binary.BigEndian.AppendUint64(dst, uint64(t.UnixNano()))
}

func appendMap(dst []byte, m map[string]string) []byte {
	dst = appendLength(dst, len(m))
	if len(m) == 0 {
		return dst
	}
	var space [16]string
	keys := space[:0]
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		dst = appendString(appendString(dst, k), m[k])
	}
	return dst
}
