package store_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
)

func realistic(n int, from uint64) []audit.Entry { return storetest.Entries(n, from) }

func report(b *testing.B, rows int) {
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
	status, _ := os.ReadFile("/proc/self/status")
	for line := range bytes.Lines(status) {
		var kb float64
		if _, err := fmt.Sscanf(string(line), "VmHWM: %f kB", &kb); err == nil {
			b.ReportMetric(kb/1024, "peakRSS-MiB")
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	es := realistic(50_000, 0)
	blk := store.NewEntryBlock()
	b.ReportAllocs()
	for b.Loop() {
		blk.Reset()
		for i := range es {
			if err := blk.Append(&es[i]); err != nil {
				b.Fatal(err)
			}
		}
	}
	report(b, len(es))
	b.ReportMetric(float64(len(blk.Encode()))/float64(len(es)), "bytes/row")
}

func BenchmarkInsert(b *testing.B) {
	for _, n := range []int{10_000, 50_000, 100_000} {
		es := realistic(n, 0)
		for _, way := range []string{"block", "encoded", "driver"} {
			b.Run(fmt.Sprintf("%s/%d", way, n), func(b *testing.B) {
				s := storetest.Open(b)
				ctx := context.Background()
				blk := store.NewEntryBlock()
				c := newChunk("warm")
				round := func(i int) error {
					c.ID = fmt.Sprint("round-", i)
					switch way {
					case "driver":
						return s.InsertByDriver(ctx, es)
					case "encoded":
						return s.InsertEncoded(ctx, c.ID, encoded(blk, es))
					}
					blk.Reset()
					for j := range es {
						if err := blk.Append(&es[j]); err != nil {
							return err
						}
					}
					return s.InsertEntries(ctx, c, blk)
				}
				if err := round(-1); err != nil {
					b.Fatal(err)
				}
				i := 0
				for b.Loop() {
					if err := round(i); err != nil {
						b.Fatal(err)
					}
					i++
				}
				report(b, n)
			})
		}
	}
}

// encoded encodes es once and keeps them in blk.
func encoded(blk *store.EntryBlock, es []audit.Entry) []byte {
	if blk.Rows() == 0 {
		for i := range es {
			_ = blk.Append(&es[i])
		}
	}
	return blk.Encode()
}

func BenchmarkEachEntry(b *testing.B) {
	s := storetest.Open(b)
	ctx := context.Background()
	const chunks, n = 10, 50_000
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
	}
	for b.Loop() {
		rows := 0
		err := s.EachEntry(ctx, "lines.v1-0-150000-abcd", 1, func(*audit.Entry) error { rows++; return nil })
		if err != nil || rows != n {
			b.Fatal(rows, err)
		}
	}
	report(b, n)
}
