package store_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
)

// BenchmarkQuiet is what the store does for a chunk of a quiet site. Of each step
// it reports the median of the processor time that the process used meanwhile, in
// ms: other work of the machine lengthens the time that passes much more.
func BenchmarkQuiet(b *testing.B) {
	s := storetest.Open(b)
	ctx := b.Context()
	blk, n := store.NewEntryBlock(), 0
	var c *audit.Chunk
	steps := []struct {
		name string
		do   func() error
		took []float64
	}{
		{name: "open", do: func() error { return s.OpenChunk(ctx, c) }},
		{name: "entries", do: func() error { return s.InsertEntries(ctx, c, blk) }},
		{name: "close", do: func() error { return s.CloseChunk(ctx, c) }},
		{name: "read", do: func() error { _, err := s.ClosedAmong(ctx, []*audit.Chunk{c}); return err }},
		{name: "leaf", do: func() error { return s.SetLeaf(ctx, c.ID, 1, uint64(n)) }},
	}
	for b.Loop() {
		c = newChunk(fmt.Sprintf("lines.v1-0-%d-abcd", n))
		c.Partition, c.From, c.Until = 0, int64(10*n), int64(10*n+10)
		c.Streams, c.RowMarks = c.Streams[:1], map[string][]byte{"entries": make([]byte, 8*82)}
		blk.Reset()
		for _, e := range realistic(82, uint64(82*n)) {
			e.Chunk, e.EventTime, e.IngestTime = c.ID, time.Now().UTC(), time.Now().UTC()
			if err := blk.Append(&e); err != nil {
				b.Fatal(err)
			}
		}
		for i := range steps {
			before := processor()
			if err := steps[i].do(); err != nil {
				b.Fatal(err)
			}
			steps[i].took = append(steps[i].took, (processor()-before).Seconds()*1000)
		}
		n++
	}
	for _, st := range steps {
		slices.Sort(st.took)
		b.ReportMetric(st.took[len(st.took)/2], "ms-"+st.name)
	}
}

// processor is the processor time that the process has used.
func processor() time.Duration {
	var r syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
