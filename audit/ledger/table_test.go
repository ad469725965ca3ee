package ledger_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/tallystick/tallystick/audit/ledger"
)

// TestTableIsRFC6962 compares the root with that of another implementation, over
// leaves of blind and row as the package says.
func TestTableIsRFC6962(t *testing.T) {
	salt := []byte("salt of the chunk, 32 bytes long")
	table := ledger.NewTable(salt)
	rf := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	other := rf.NewEmptyRange(0)
	var marks []byte
	for n := range uint64(300) {
		want, err := other.GetRootHash(nil)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			want = rfc6962.DefaultHasher.EmptyRoot()
		}
		if diff := cmp.Diff(table.Root(), want); diff != "" {
			t.Fatalf("root over %d rows (-got +want)\n%s", n, diff)
		}
		row := fmt.Appendf(nil, "row %d", n)
		mac := hmac.New(sha256.New, salt)
		mac.Write(binary.BigEndian.AppendUint64(nil, n))
		leaf := rfc6962.DefaultHasher.HashLeaf(append(mac.Sum(nil)[:16], row...))
		if err := other.Append(leaf, nil); err != nil {
			t.Fatal(err)
		}
		marks = append(marks, leaf[:8]...)
		table.Add(row)
	}
	if table.Count() != 300 || !cmp.Equal(table.Marks(), marks) {
		t.Errorf("count %d, or marks differ", table.Count())
	}
}

func TestTableDependsOnSalt(t *testing.T) {
	a, b := ledger.NewTable([]byte("a")), ledger.NewTable([]byte("b"))
	a.Add([]byte("row"))
	b.Add([]byte("row"))
	if cmp.Equal(a.Root(), b.Root()) {
		t.Error("same root under two salts")
	}
}

func BenchmarkTableAdd(b *testing.B) {
	row := ledger.AppendEntry(nil, sample())
	table := ledger.NewTable(make([]byte, 32))
	b.ReportAllocs()
	b.SetBytes(int64(len(row)))
	for b.Loop() {
		table.Add(row)
	}
}
