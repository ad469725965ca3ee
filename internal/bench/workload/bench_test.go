package workload_test

import (
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/normalize"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/bench/naive"
	"github.com/tallystick/tallystick/internal/bench/workload"
	"github.com/tallystick/tallystick/masking/plain"
)

const lines = 100_000

// BenchmarkLines measures parse and normalise of each text format, in blocks of
// 1,024 lines of one buffer as the auditor makes them, beside the naive program (Scanner,
// regexp, encoding/json) over nginx's lines, all on one core.
func BenchmarkLines(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	b.Run("naive", naiveLines)
	for _, f := range workload.Formats() {
		b.Run(f.Name, func(b *testing.B) { stages(b, f) })
	}
}

func naiveLines(b *testing.B) {
	var text strings.Builder
	if err := workload.Combined(&text, lines, 1); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n, begin := 0, cpu()
	for b.Loop() {
		if err := naive.Parse(strings.NewReader(text.String())); err != nil {
			b.Fatal(err)
		}
		n += lines
	}
	perLine(b, n, text.Len()/lines, begin)
}

func stages(b *testing.B, f workload.Format) {
	sources := map[string]source.Config{"s": {Format: f.Name}}
	p, err := parse.New(sources)
	if err != nil {
		b.Fatal(err)
	}
	norm := normalize.New(sources)
	blocks, size := workload.Blocks(f, lines)
	b.ReportAllocs()
	n, begin := 0, cpu()
	work := &audit.Batch{Source: "s", Received: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	for b.Loop() {
		for _, lines := range blocks {
			work.Lines = lines
			if err := p.Process(b.Context(), work); err != nil {
				b.Fatal(err)
			}
			if err := norm.Process(b.Context(), work); err != nil {
				b.Fatal(err)
			}
			if len(work.Rejections) > 0 {
				b.Fatalf("line %d was rejected: expected %s", work.Rejections[0].Line, work.Rejections[0].Expected)
			}
			n += len(lines)
		}
	}
	perLine(b, n, size/lines, begin)
}

// perLine reports lines a second, and the processor's time of a line, which
// other programs on the machine change little.
func perLine(b *testing.B, n, size int, begin time.Duration) {
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "lines/s")
	b.ReportMetric(float64(cpu()-begin)/float64(n), "cpu-ns/line")
	b.ReportMetric(float64(size), "B/line")
	b.ReportMetric(0, "ns/op")
}

// cpu is the processor time that the process has used.
func cpu() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// TestFormats: each line of the workload is an event with nothing amiss.
func TestFormats(t *testing.T) {
	for _, f := range workload.Formats() {
		t.Run(f.Name, func(t *testing.T) {
			s, err := parse.New(map[string]source.Config{"s": {Format: f.Name}})
			if err != nil {
				t.Fatal(err)
			}
			b := &audit.Batch{Source: "s", Received: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
			for a := range workload.Accesses(500, 1) {
				line := f.Line(a)
				b.Lines = append(b.Lines, audit.Line{Text: plain.New(line), Length: len(line)})
			}
			if err := s.Process(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			for _, r := range b.Rejections {
				t.Fatalf("line %d: %s, expected %s: %s", r.Line, r.Reason, r.Expected, f.Line(nth(r.Line)))
			}
			for i := range b.Events {
				if e := &b.Events[i]; e.ParseStatus != audit.ParseOK || e.Integrity != audit.IntegrityOK {
					t.Fatalf("line %d is %s and %s: %s", i, e.ParseStatus, e.Integrity, f.Line(nth(i)))
				}
			}
		})
	}
}

func nth(n int) (a workload.Access) {
	for a = range workload.Accesses(n+1, 1) {
	}
	return a
}
