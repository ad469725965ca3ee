package ledger_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/note"

	"github.com/tallystick/tallystick/audit/ledger"
)

const (
	cosignedLog     = "tallystick/051635479a3526e6+7874c694+AQI57F05ZSmgpIiPdvEcHuuLFzQ48WNjZGMUmNKzx8tC"
	cosignedWitness = "witness.example.org+72de6765+BHK7BhFz5ieCSaMOQAjG+1jqLTE65BXY8789pCV7gsVo"
)

// TestGoldenCosigned: a note that was cosigned once is read for ever.
func TestGoldenCosigned(t *testing.T) {
	raw, err := os.ReadFile("testdata/cosigned.txt")
	must(t, err)
	v, err := note.NewVerifier(cosignedLog)
	must(t, err)
	w, err := ledger.NewWitness("custodian-1", cosignedWitness)
	must(t, err)
	stranger, err := ledger.NewWitness("custodian-2", strings.Replace(cosignedWitness, "org", "com", 1))
	must(t, err)
	c, err := ledger.ParseCosigned(raw, v, []*ledger.Witness{stranger, w})
	must(t, err)
	if diff := cmp.Diff(c.By, []ledger.Cosignature{{Witness: "custodian-1", Time: time.Date(2026, 11, 21, 14, 28, 12, 0, time.UTC)}}); diff != "" || c.Size != 1 {
		t.Errorf("size %d (-got +want)\n%s", c.Size, diff)
	}
	// One letter of the witness's line changed: it no longer counts.
	line := strings.LastIndex(string(raw), "ct5n")
	spoilt := []byte(string(raw[:line+30]) + "A" + string(raw[line+31:]))
	if c, err := ledger.ParseCosigned(spoilt, v, []*ledger.Witness{w}); err != nil || len(c.By) != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := ledger.NewWitness("w", cosignedWitness[:40]); err == nil {
		t.Error("half a key accepted")
	}
}

func FuzzAddCosignatures(f *testing.F) {
	raw, err := os.ReadFile("testdata/cosigned.txt")
	if err != nil {
		f.Fatal(err)
	}
	w, err := ledger.NewWitness("w", cosignedWitness)
	if err != nil {
		f.Fatal(err)
	}
	at := strings.Index(string(raw), "— witness")
	base, line := raw[:at], raw[at:]
	f.Add([]byte(line))
	f.Add([]byte("— witness.example.org AAAA\n"))
	f.Fuzz(func(t *testing.T, lines []byte) {
		got, err := w.AddCosignatures(base, lines)
		if err == nil && string(got) != string(raw) {
			t.Errorf("%q gave %q", lines, got)
		}
	})
}
