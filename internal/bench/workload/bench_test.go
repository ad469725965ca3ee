package workload_test

import (
	"bufio"
	"encoding/json"
	"io"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/normalize"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/bench/workload"
	"github.com/tallystick/tallystick/masking/plain"
)

const lines = 100_000

// BenchmarkLines measures parse and normalise of each text format, in blocks of
// 1,024 lines of one buffer as the auditor makes them, beside the naive program (Scanner,
// regexp, encoding/json) over nginx's lines, all on one core.
func BenchmarkLines(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	b.Run("naive", naive)
	for _, f := range workload.Formats() {
		b.Run(f.Name, func(b *testing.B) { stages(b, f) })
	}
}

var combined = regexp.MustCompile(`^(\S+) - (.*?) \[([^\]]+)\] "(\S+) (\S+) ([^"]+)" (\d{3}) (\d+) "([^"]*)" "([^"]*)"$`)

type row struct {
	Addr, User, Time, Method, Target, Proto, Status, Bytes, Referer, Agent string
}

func naive(b *testing.B) {
	var text strings.Builder
	if err := workload.Combined(&text, lines, 1); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	n, begin := 0, cpu()
	for b.Loop() {
		in := bufio.NewScanner(strings.NewReader(text.String()))
		out := json.NewEncoder(bufio.NewWriterSize(io.Discard, 1<<20))
		for in.Scan() {
			m := combined.FindStringSubmatch(in.Text())
			if m == nil {
				b.Fatal("a line does not match")
			}
			if err := out.Encode(row{m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10]}); err != nil {
				b.Fatal(err)
			}
			n++
		}
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
	blocks, size := batches(f)
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

// batches are the lines of a format in blocks, and their bytes. The lines of a
// block lie behind one another, as they do in a message that was opened.
func batches(f workload.Format) (blocks [][]audit.Line, size int) {
	const block = 1024
	var text strings.Builder
	var ends []int
	flush := func() {
		all, begin := text.String(), 0
		out := make([]audit.Line, len(ends))
		for i, end := range ends {
			out[i] = audit.Line{Origin: audit.Origin{Stream: "s", Offset: uint64(size + begin)}, Text: plain.New(all[begin:end]), Length: end - begin}
			begin = end + 1
		}
		size += len(all)
		blocks, ends = append(blocks, out), ends[:0]
		text.Reset()
	}
	for a := range workload.Accesses(lines, 1) {
		text.WriteString(f.Line(a))
		ends = append(ends, text.Len())
		text.WriteByte('\n')
		if len(ends) == block {
			flush()
		}
	}
	if len(ends) > 0 {
		flush()
	}
	return blocks, size
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
