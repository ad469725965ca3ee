package ledger_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
)

func sampleCapsule() *audit.Capsule {
	return &audit.Capsule{
		ID: "0123456789abcdef", Class: "identity", Month: "2026-11", Delegator: bytes.Repeat([]byte{2}, 33), KeyID: "abcdefg", Bytes: []byte("capsule"),
		First: time.Date(2026, 11, 1, 2, 3, 4, 5, time.UTC), Last: time.Date(2026, 11, 30, 2, 3, 4, 5, time.UTC), Originals: 7, Chunk: "c1", Version: 1,
	}
}

func sampleOriginal() *audit.Original {
	return &audit.Original{
		Origin: audit.Origin{Stream: "AbCdEfGhIjKlMnOp", Offset: 100}, Class: "identity", Month: "2026-11", Field: "subjects.0",
		Capsule: "0123456789abcdef", Sealed: []byte("sealed"), Chunk: "c1", Version: 1, Row: 3,
	}
}

func TestParseCapsule(t *testing.T) {
	row := ledger.AppendCapsule(nil, sampleCapsule())
	got, err := ledger.ParseCapsule(row)
	must(t, err)
	if d := cmp.Diff(&got, sampleCapsule()); d != "" {
		t.Errorf("capsule (-got +want):\n%s", d)
	}
	for n := range row {
		if _, err := ledger.ParseCapsule(row[:n]); !errors.Is(err, ledger.ErrRow) {
			t.Fatalf("cut at %d: error %v", n, err)
		}
	}
	if _, err := ledger.ParseCapsule(append(row, 0)); !errors.Is(err, ledger.ErrRow) {
		t.Errorf("bytes after the end: error %v", err)
	}
	if _, err := ledger.ParseCapsule(ledger.AppendOriginal(nil, sampleOriginal())); !errors.Is(err, ledger.ErrRow) {
		t.Errorf("an original: error %v", err)
	}
}

// TestOriginalRow: everything of an original is in its row, the ciphertext by
// its hash only.
func TestOriginalRow(t *testing.T) {
	row := ledger.AppendOriginal(nil, sampleOriginal())
	if bytes.Contains(row, []byte("sealed")) {
		t.Error("the row holds the ciphertext")
	}
	for name, change := range map[string]func(*audit.Original){
		"stream": func(o *audit.Original) { o.Origin.Stream = "x" }, "generation": func(o *audit.Original) { o.Origin.Generation++ },
		"offset": func(o *audit.Original) { o.Origin.Offset++ }, "class": func(o *audit.Original) { o.Class = "x" },
		"month": func(o *audit.Original) { o.Month = "x" }, "field": func(o *audit.Original) { o.Field = "x" },
		"capsule": func(o *audit.Original) { o.Capsule = "x" }, "sealed": func(o *audit.Original) { o.Sealed = []byte("x") },
		"chunk": func(o *audit.Original) { o.Chunk = "x" }, "version": func(o *audit.Original) { o.Version++ }, "row": func(o *audit.Original) { o.Row++ },
	} {
		o := sampleOriginal()
		change(o)
		if bytes.Equal(ledger.AppendOriginal(nil, o), row) {
			t.Errorf("%s is not in the row", name)
		}
	}
}

func FuzzParseCapsule(f *testing.F) {
	f.Add(ledger.AppendCapsule(nil, sampleCapsule()))
	f.Add(ledger.AppendCapsule(nil, &audit.Capsule{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ledger.ParseCapsule(b)
		if err == nil && !bytes.Equal(ledger.AppendCapsule(nil, &c), b) {
			t.Fatalf("%x encodes as %x", b, ledger.AppendCapsule(nil, &c))
		}
	})
}
