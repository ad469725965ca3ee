package normalize_test

import (
	"bytes"
	"os"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/normalize"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/masking/plain"
)

// BenchmarkParseNormalize reports the time per line of both stages on one core.
func BenchmarkParseNormalize(b *testing.B) {
	sources := map[string]source.Config{"s": {Format: "nginx:combined"}}
	p, err := parse.New(sources)
	if err != nil {
		b.Fatal(err)
	}
	n := normalize.New(sources)
	data, err := os.ReadFile("../parse/testdata/nginx/combined.log")
	if err != nil {
		b.Fatal(err)
	}
	batch := &audit.Batch{Source: "s", Received: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	for i, l := range bytes.Split(bytes.TrimSpace(bytes.Repeat(data, 20)), []byte("\n")) {
		batch.Lines = append(batch.Lines, audit.Line{Origin: audit.Origin{Stream: "t", Offset: uint64(i)}, Text: plain.New(string(l)), Length: len(l)})
	}
	b.ReportAllocs()
	lines := 0
	for b.Loop() {
		batch.Rejections = batch.Rejections[:0]
		if err := p.Process(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		if err := n.Process(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		lines += len(batch.Lines)
	}
	b.ReportMetric(float64(lines)/b.Elapsed().Seconds()/1e6, "Mlines/s")
}
