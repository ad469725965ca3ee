package store_test

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
)

func TestNativeRoundTrip(t *testing.T) {
	for _, n := range []int{0, 1, 300, 70_000} {
		c := newChunk("c")
		b, want := fill(t, c, 9, min(n, 5000))
		if n > 5000 { // more different words than two bytes can count
			e := audit.Entry{EventTime: want[0].EventTime, IngestTime: want[0].IngestTime, Chunk: c.ID, Version: c.Version}
			want = slices.Grow(want, n)
			for i := range n {
				e.Row, e.SystemKey = uint32(i), string(rune(0x10000+i))
				want = append(want, e)
				if err := b.Append(&e); err != nil {
					t.Fatal(err)
				}
			}
		}
		i := 0
		err := store.Decode(b.Encode(), func(e *audit.Entry) error {
			if !reflect.DeepEqual(*e, want[i]) {
				t.Fatalf("row %d of %d (-got +want):\n%s", i, n, cmp.Diff(*e, want[i]))
			}
			i++
			return nil
		})
		if err != nil || i != len(want) || i != b.Rows() {
			t.Fatalf("%d rows of %d: %v", i, len(want), err)
		}
	}
}

func TestBlockIsReused(t *testing.T) {
	c := newChunk("c")
	b, _ := fill(t, c, 1, 50)
	b.Reset()
	var e audit.Entry
	randomEntry(rand.New(rand.NewPCG(5, 5)), &e)
	if err := b.Append(&e); err != nil {
		t.Fatal(err)
	}
	fresh := store.NewEntryBlock()
	if err := fresh.Append(&e); err != nil {
		t.Fatal(err)
	}
	var got, want audit.Entry
	_ = store.Decode(b.Encode(), func(e *audit.Entry) error { got = *e; return nil })
	_ = store.Decode(fresh.Encode(), func(e *audit.Entry) error { want = *e; return nil })
	if d := cmp.Diff(got, want); d != "" || b.Rows() != 1 {
		t.Fatalf("%d rows (-got +want):\n%s", b.Rows(), d)
	}
}

func TestAppendCopiesAndChecks(t *testing.T) {
	b := store.NewEntryBlock()
	word := []byte("shop")
	e := audit.Entry{EventTime: time.Unix(1, 0), IngestTime: time.Unix(1, 0), Source: string(word)}
	if err := b.Append(&e); err != nil {
		t.Fatal(err)
	}
	e.EventTime = time.Time{}
	if err := b.Append(&e); err == nil {
		t.Fatal("the year 1 was taken")
	}
}

func FuzzDecode(f *testing.F) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{0, 1, 3} {
		b := store.NewEntryBlock()
		for range n {
			var e audit.Entry
			randomEntry(r, &e)
			_ = b.Append(&e)
		}
		f.Add(b.Encode())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		err := store.Decode(b, func(*audit.Entry) error { n++; return nil })
		if err == nil && len(b) > 0 && n > len(b) {
			t.Fatalf("%d rows of %d bytes", n, len(b))
		}
	})
}
