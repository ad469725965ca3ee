package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
)

// BenchmarkEntriesOf reads the rows of many chunks in one pass.
func BenchmarkEntriesOf(b *testing.B) {
	s := storetest.Open(b)
	ctx := context.Background()
	const chunks, n = 20, 50_000
	var names []string
	for i := range chunks {
		es := realistic(n, uint64(i*n))
		blk := store.NewEntryBlock()
		for j := range es {
			if err := blk.Append(&es[j]); err != nil {
				b.Fatal(err)
			}
		}
		if err := s.InsertEntries(ctx, &audit.Chunk{ID: es[0].Chunk, Version: 1}, blk); err != nil {
			b.Fatal(err)
		}
		names = append(names, es[0].Chunk)
	}
	for _, some := range []int{1, 4} {
		b.Run(fmt.Sprint(some), func(b *testing.B) {
			for b.Loop() {
				rows := 0
				err := s.EntriesOf(ctx, names[3:3+some], func(audit.ChunkKey, uint32, *audit.Entry) error { rows++; return nil })
				if err != nil || rows != some*n {
					b.Fatal(rows, err)
				}
			}
			report(b, some*n)
		})
	}
}
