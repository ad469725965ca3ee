package ledger_test

import (
	"bytes"
	"testing"

	"github.com/tallystick/tallystick/audit/ledger"
)

func FuzzSplitBundle(f *testing.F) {
	f.Add(ledger.AppendBundle(ledger.AppendBundle(nil, []byte("one")), nil))
	f.Add([]byte{0})
	f.Add([]byte{0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, raw []byte) {
		leaves, err := ledger.SplitBundle(raw)
		if err != nil {
			return
		}
		var again []byte
		for _, l := range leaves {
			again = ledger.AppendBundle(again, l)
		}
		if !bytes.Equal(again, raw) {
			t.Errorf("%x read as %x", raw, again)
		}
	})
}

func FuzzScanMarks(f *testing.F) {
	whole := ledger.AppendMarks(ledger.AppendMarks(nil, "c.1.entries", []byte("12345678")), "c.1.findings", []byte("abcdefgh"))
	f.Add(whole)
	f.Add(whole[:len(whole)-1])
	f.Add([]byte{0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var again []byte
		end, err := ledger.ScanMarks(bytes.NewReader(raw), func(name string, at int64, n uint32) {
			again = ledger.AppendMarks(again, name, raw[at:at+int64(n)])
		})
		if err != nil || end > int64(len(raw)) || !bytes.Equal(again, raw[:end]) {
			t.Errorf("ends at %d of %d, error %v", end, len(raw), err)
		}
	})
}
