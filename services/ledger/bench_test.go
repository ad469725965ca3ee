package ledger_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	core "github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/services/ledger"
)

// BenchmarkVerifyStore verifies a record end to end, from the engine's files to
// the signed log, in chunks as a busy and as a quiet site makes them.
func BenchmarkVerifyStore(b *testing.B) {
	for _, tc := range []struct {
		name         string
		chunks, rows int
	}{{"busy", 20, 50_000}, {"quiet", 1000, 100}} {
		b.Run(fmt.Sprintf("%s/%dx%d", tc.name, tc.chunks, tc.rows), func(b *testing.B) {
			ctx, s := context.Background(), storetest.Open(b)
			l := open(b, b.TempDir(), ledger.Deps{Store: s})
			defer func() { _ = l.Close() }()
			for i := range tc.chunks {
				generate(b, s, i, tc.rows)
			}
			must(b, l.Step(ctx))
			runtime.GC()
			b.ResetTimer()
			rows, before := uint64(0), cpu(b)
			for b.Loop() {
				res, err := l.Verify(ctx, s, ledger.VerifyOptions{}, nil)
				must(b, err)
				if !res.OK() || res.Rows != uint64(tc.chunks*tc.rows) {
					b.Fatalf("%d rows, %v", res.Rows, res.Problems)
				}
				rows += res.Rows
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/1000/float64(rows), "cpu-µs/row")
		})
	}
}

// cpu is the processor time of the process, the engine's threads included: what
// other processes take does not show in it.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// generate stores chunk i of a stream as the auditor does.
func generate(b *testing.B, s *store.Store, i, rows int) {
	b.Helper()
	ctx := context.Background()
	es := storetest.Entries(rows, uint64(i*rows))
	salt := sha256.Sum256(fmt.Append(nil, i))
	c := &audit.Chunk{ID: es[0].Chunk, Version: 1, From: int64(i), Until: int64(i) + 1, Opened: time.Now().UTC(), Salt: salt[:], Entries: uint32(rows),
		Streams: []audit.StreamRange{{Stream: es[0].Stream, From: es[0].Offset, Until: es[rows-1].Offset + 195}}}
	table, blk := core.NewTable(c.Salt), store.NewEntryBlock()
	var buf []byte
	for j := range es {
		buf = core.AppendEntry(buf[:0], &es[j])
		table.Add(buf)
		must(b, blk.Append(&es[j]))
	}
	none := core.NewTable(c.Salt).Root()
	c.Roots = map[string][]byte{core.TableEntries: table.Root(), core.TableRejections: none, core.TableFindings: none}
	c.RowMarks = map[string][]byte{core.TableEntries: table.Marks()}
	must(b, s.InsertEntries(ctx, c, blk))
	must(b, s.CloseChunk(ctx, c))
}
