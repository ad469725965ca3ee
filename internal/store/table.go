package store

import (
	"math"
	"strings"
	"time"
	"unsafe"

	"github.com/tallystick/tallystick/audit"
)

// words64 is a kind beyond those of audit: Array(UInt64).
const words64 audit.Kind = math.MaxUint8

// field is one column of a table and how to reach its value in a T. Exactly
// the accessor that fits kind is set.
type field[T any] struct {
	name string
	kind audit.Kind

	str  func(*T) *string
	strs func(*T) *[]string
	bool func(*T) *bool
	u16  func(*T) *uint16
	u32  func(*T) *uint32
	u64  func(*T) *uint64
	u64s func(*T) *[]uint64
	time func(*T) *time.Time
	kv   func(*T) *map[string]string
}

// offset is where the value lies in a T.
func (f *field[T]) offset() uintptr {
	v := new(T)
	var p unsafe.Pointer
	switch {
	case f.str != nil:
		p = unsafe.Pointer(f.str(v))
	case f.strs != nil:
		p = unsafe.Pointer(f.strs(v))
	case f.bool != nil:
		p = unsafe.Pointer(f.bool(v))
	case f.u16 != nil:
		p = unsafe.Pointer(f.u16(v))
	case f.u32 != nil:
		p = unsafe.Pointer(f.u32(v))
	case f.u64 != nil:
		p = unsafe.Pointer(f.u64(v))
	case f.u64s != nil:
		p = unsafe.Pointer(f.u64s(v))
	case f.time != nil:
		p = unsafe.Pointer(f.time(v))
	case f.kv != nil:
		p = unsafe.Pointer(f.kv(v))
	}
	at := uintptr(p) - uintptr(unsafe.Pointer(v))
	if at >= unsafe.Sizeof(*v) {
		panic("store: the accessor of " + f.name + " points outside its row")
	}
	return at
}

// table is a table of the store with the columns that a T fills.
type table[T any] struct {
	name   string
	fields []field[T]
}

// typeName is the type of a kind in ClickHouse.
func typeName(k audit.Kind) string {
	switch k {
	case audit.Word:
		return "LowCardinality(String)"
	case audit.Text:
		return "String"
	case audit.Words:
		return "Array(LowCardinality(String))"
	case audit.Texts:
		return "Array(String)"
	case audit.Bool:
		return "Bool"
	case audit.Uint16:
		return "UInt16"
	case audit.Uint32:
		return "UInt32"
	case audit.Uint64:
		return "UInt64"
	case audit.Time:
		return "DateTime64(9, 'UTC')"
	case audit.Map:
		return "Map(LowCardinality(String), String)"
	case words64:
		return "Array(UInt64)"
	}
	panic("store: a kind without a type")
}

// columns lists the columns, quoted.
func (t *table[T]) columns() string {
	var b strings.Builder
	for i, f := range t.fields {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("`" + f.name + "`")
	}
	return b.String()
}

// entriesTable has the fields of an entry as audit declares them.
func entriesTable() *table[audit.Entry] {
	t := &table[audit.Entry]{name: "entries_all"}
	for _, f := range audit.EntryFields {
		t.fields = append(t.fields, field[audit.Entry]{
			name: f.Name, kind: f.Kind,
			str: f.Str, strs: f.Strs, bool: f.Bool, u16: f.U16, u32: f.U32, u64: f.U64, time: f.Time, kv: f.Map,
		})
	}
	return t
}

func word[T any](name string, f func(*T) *string) field[T] {
	return field[T]{name: name, kind: audit.Word, str: f}
}

func str[T any](name string, f func(*T) *string) field[T] {
	return field[T]{name: name, kind: audit.Text, str: f}
}

func words[T any](name string, f func(*T) *[]string) field[T] {
	return field[T]{name: name, kind: audit.Words, strs: f}
}

func strs[T any](name string, f func(*T) *[]string) field[T] {
	return field[T]{name: name, kind: audit.Texts, strs: f}
}

func u16[T any](name string, f func(*T) *uint16) field[T] {
	return field[T]{name: name, kind: audit.Uint16, u16: f}
}

func u32[T any](name string, f func(*T) *uint32) field[T] {
	return field[T]{name: name, kind: audit.Uint32, u32: f}
}

func u64[T any](name string, f func(*T) *uint64) field[T] {
	return field[T]{name: name, kind: audit.Uint64, u64: f}
}

func u64s[T any](name string, f func(*T) *[]uint64) field[T] {
	return field[T]{name: name, kind: words64, u64s: f}
}

func at[T any](name string, f func(*T) *time.Time) field[T] {
	return field[T]{name: name, kind: audit.Time, time: f}
}

func kv[T any](name string, f func(*T) *map[string]string) field[T] {
	return field[T]{name: name, kind: audit.Map, kv: f}
}
