package avro_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/masking/avro"
	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/transform"
)

func masker(t testing.TB, fields string) *transform.Masker {
	t.Helper()
	p, err := transform.ParsePolicy("policy", []byte("version: 1\ndomain: test\nfields: {"+fields+"}"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := transform.New(p, detect.Default(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func long(n int64) string   { return hex.EncodeToString(binary.AppendVarint(nil, n)) }
func text(s string) string  { return long(int64(len(s))) + hex.EncodeToString([]byte(s)) }
func bits(f float64) string { return fmt.Sprintf("%016x", swap(math.Float64bits(f))) }
func swap(n uint64) uint64 {
	return binary.BigEndian.Uint64(binary.LittleEndian.AppendUint64(nil, n))
}

const redacted = "[redacted]"

// TestMask has each type; the first encodings are those of the specification.
func TestMask(t *testing.T) {
	record := func(fields string) string { return `{"type":"record","name":"R","fields":[` + fields + `]}` }
	one := func(typ string) string { return record(`{"name":"a","type":` + typ + `}`) }
	for _, tc := range []struct{ name, schema, fields, in, want string }{
		{"the specification's record", record(`{"name":"a","type":"long"},{"name":"b","type":"string"}`), "a: keep, b: keep", "3606666f6f", "3606666f6f"},
		{"its array, in blocks with sizes", one(`{"type":"array","items":"long"}`), "a: keep", "01020601023600", "0206023600"},
		{"what is not named", record(`{"name":"a","type":"long"},{"name":"b","type":"string"}`), "a: keep", "3606666f6f", "36" + text(redacted)},
		{"text", one(`"string"`), "a: last 4", text("4111111111111111"), text("***1111")},
		{"text in a union", one(`["null","string"]`), "a: last 4", "02" + text("4111111111111111"), "02" + text("***1111")},
		{"null stays", one(`["null","string"]`), "a: redact", "00", "00"},
		{"drop", one(`["null","string"]`), "a: drop", "02" + text("x"), "00"},
		{"drop without null", one(`"string"`), "a: drop", text("x"), "00"},
		{"a number that is redacted", one(`["long","null"]`), "a: redact", "00" + long(42), "02"},
		{"a number without null", one(`"int"`), "a: redact", long(42), "00"},
		{"a number that is rounded", one(`"long"`), "a: round 10", long(-47), long(-50)},
		{"too large for an int", one(`"int"`), "a: round 10000000000", long(2147483647), "00"},
		{"a double", one(`"double"`), "a: round 0.5", bits(1.3), bits(1.5)},
		{"a band", one(`["null","double"]`), "a: bands 0 10", "02" + bits(1.3), "00"},
		{"a boolean", one(`"boolean"`), "a: redact", "01", "00"},
		{"an enum", one(`{"type":"enum","name":"E","symbols":["x","y"]}`), "a: redact", "02", "00"},
		{"an enum that stays", one(`{"type":"enum","name":"E","symbols":["x","y"]}`), "a: keep", "02", "02"},
		{"bytes", one(`"bytes"`), "a: redact", text("secret"), "00"},
		{"fixed", one(`{"type":"fixed","name":"F","size":4}`), "a: first 1", "01020304", "00000000"},
		{"a decimal", one(`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`), "a: last 1", text("12"), "00"},
		{"a moment", one(`{"type":"long","logicalType":"timestamp-millis"}`), "a: date day", long(1795253979123), long(1795219200000)},
		{"a date", one(`{"type":"int","logicalType":"date"}`), "a: date year", long(20777), long(20454)},
		{"map", one(`{"type":"map","values":"long"}`), "a.x: keep", "06" + text("x") + "02" + text("ann@example.com") + "04" + text("bob") + "06" + "00",
			"06" + text("x") + "02" + text(redacted) + "00" + text(redacted+" 2") + "00" + "00"},
		{"map of any name", one(`{"type":"map","values":"long"}`), "a.*: keep", "02" + text("ann") + "0400", "02" + text(redacted) + "0400"},
		{"items", one(`{"type":"array","items":{"type":"record","name":"I","fields":[{"name":"sku","type":"string"},{"name":"who","type":"string"}]}}`), "a.sku: keep",
			"02" + text("1") + text("ann") + "00", "02" + text("1") + text(redacted) + "00"},
		{"a rule for single values on a record", one(`["null",{"type":"record","name":"I","fields":[{"name":"sku","type":"string"}]}]`), "a: last 4", "02" + text("12345678"), "00"},
		{"a record by its name", `{"type":"record","name":"R","namespace":"n.s","fields":[{"name":"a","type":"string"},{"name":"next","type":["null","n.s.R"]}]}`, "a: keep, next.a: keep",
			text("1") + "02" + text("2") + "02" + text("3") + "00", text("1") + "02" + text("2") + "02" + text(redacted) + "00"},
		{"a record that may hold its own kind", one(`["null",{"type":"record","name":"E","fields":[{"name":"x","type":["E","string"]}]}]`), "a: redact", "02" + "02" + text("s"), "00"},
		{"items that may hold their own kind", one(`{"type":"array","items":{"type":"record","name":"E","fields":[{"name":"x","type":["E","string"]}]}}`), "a: last 1",
			"02" + "0002" + text("s") + "00", "02" + "02" + text("") + "00"},
		{"alone", `"string"`, "a: keep", text("x"), text(redacted)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := avro.Parse([]byte(tc.schema))
			if err != nil {
				t.Fatal(err)
			}
			in, err := hex.DecodeString(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.Mask(nil, masker(t, tc.fields).Root(), in)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.want, hex.EncodeToString(out)); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestNamed(t *testing.T) {
	s, err := avro.Parse([]byte(`{"type":"record","name":"R","namespace":"x","fields":[{"name":"a","type":"y.Mail"}]}`),
		[]byte(`{"type":"record","name":"Mail","namespace":"y","fields":[{"name":"to","type":"string"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.Mask(nil, masker(t, "a.to: keep").Root(), []byte{2, 'x'}); err != nil || string(out) != "\x02x" {
		t.Errorf("%q %v", out, err)
	}
}

func TestBadValues(t *testing.T) {
	deep := `{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"R"}}]}`
	for _, tc := range []struct{ name, schema, in, want string }{
		{"empty", `"long"`, "", "byte 1: this is no number, or it ends within one"},
		{"short", `"string"`, "0a6162", "byte 2: it ends within a value"},
		{"negative length", `"string"`, "01", "byte 2: it ends within a value"},
		{"long tail", `"null"`, "00", "byte 1: the value ends, and more bytes follow"},
		{"union", `["null"]`, "02", "byte 2: the union has no such branch"},
		{"enum", `{"type":"enum","name":"E","symbols":["x"]}`, "02", "byte 2: the enum has no such symbol"},
		{"boolean", `"boolean"`, "02", "byte 2: this is no boolean"},
		{"int", `"int"`, long(1 << 40), "byte 7: this is no int"},
		{"deep", deep, strings.Repeat("02", 200), "byte 33: it is nested deeper than 64 levels"},
		{"many nulls", `{"type":"array","items":"null"}`, long(1 << 50), "byte 9: it has more than 4194304 values"},
		{"smallest block", `{"type":"array","items":"null"}`, long(math.MinInt64), "byte 11: a block has no such number of items"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := avro.Parse([]byte(tc.schema))
			if err != nil {
				t.Fatal(err)
			}
			in, err := hex.DecodeString(tc.in)
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.Mask([]byte("before"), masker(t, "a: keep").Root(), in)
			if err == nil || err.Error() != tc.want || string(out) != "before" {
				t.Errorf("%v, %d bytes; want %s", err, len(out), tc.want)
			}
		})
	}
}

func TestBadSchemas(t *testing.T) {
	for _, tc := range []struct{ name, schema, want string }{
		{"no JSON", `{`, "no JSON"},
		{"no type", `{}`, "no name, list or object"},
		{"unknown", `"strin"`, `the type "strin"`},
		{"no fields", `{"type":"record","name":"R"}`, `"R" has no fields`},
		{"twice", `["null",{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"F","size":1}]`, "taken"},
		{"union in a union", `[["null"]]`, "a union in a union"},
		{"empty union", `[]`, "union of nothing"},
		{"endless", `{"type":"record","name":"R","fields":[{"name":"a","type":"R"}]}`, "endless"},
		{"size", `{"type":"fixed","name":"F","size":-1}`, "no size"},
		{"deep", strings.Repeat(`{"type":"array","items":`, 100) + `"null"` + strings.Repeat("}", 100), "deeper than 64"},
	} {
		if _, err := avro.Parse([]byte(tc.schema)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want ...%s...", tc.name, err, tc.want)
		}
	}
}

// FuzzMask: a masked value is a value of the same schema.
func FuzzMask(f *testing.F) {
	f.Add(`{"type":"record","name":"R","fields":[{"name":"a","type":["null","string"]},{"name":"b","type":{"type":"map","values":"R"}}]}`, []byte{2, 2, 'x', 0})
	f.Add(`{"type":"array","items":{"type":"fixed","name":"F","size":2}}`, []byte{2, 1, 2, 0})
	m, keep := masker(f, "a: round 10, b.a: last 1, c: drop"), masker(f, "a: keep, b: keep, c: keep")
	f.Fuzz(func(t *testing.T, schema string, value []byte) {
		s, err := avro.Parse([]byte(schema))
		if err != nil {
			return
		}
		out, err := s.Mask(nil, m.Root(), value)
		if err != nil {
			return
		}
		if _, err := s.Mask(nil, keep.Root(), out); err != nil {
			t.Errorf("the masked value is none: %v", err)
		}
	})
}
