package services_test

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/reports/render"
	"github.com/tallystick/tallystick/reports/reportstest"
)

// unpack is what packed streams in data hold: gzip, zstd, and zlib as in PDF.
func unpack(data []byte) (out [][]byte) {
	read := func(r io.Reader, err error) {
		if err != nil {
			return
		}
		if b, _ := io.ReadAll(io.LimitReader(r, 64<<20)); len(b) > 0 {
			out = append(out, b, unescapePDF(b))
		}
	}
	each := func(magic string, f func([]byte)) {
		for at := 0; ; at++ {
			i := bytes.Index(data[at:], []byte(magic))
			if i < 0 {
				return
			}
			at += i
			f(data[at:])
		}
	}
	each("\x1f\x8b\x08", func(b []byte) { read(newGzip(b)) })
	each("\x28\xb5\x2f\xfd", func(b []byte) {
		d, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err == nil {
			defer d.Close()
		}
		read(d, err)
	})
	if bytes.HasPrefix(data, []byte("%PDF")) {
		each("stream\n", func(b []byte) {
			b = b[len("stream\n"):]
			z, err := zlib.NewReader(bytes.NewReader(b))
			if err != nil {
				read(flate.NewReader(bytes.NewReader(b)), nil)
				return
			}
			read(z, nil)
		})
	}
	return out
}

func newGzip(b []byte) (io.Reader, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err == nil {
		z.Multistream(false)
	}
	return z, err
}

// unescapePDF takes the backslashes of PDF's strings away.
func unescapePDF(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+1 < len(b) {
			i++
			switch b[i] {
			case 'r':
				out = append(out, '\r')
				continue
			case 'n':
				out = append(out, '\n')
				continue
			}
		}
		out = append(out, b[i])
	}
	return out
}

// canFail plants canaries and wants them found where they are.
func (l *leakRun) canFail(t *testing.T, search *searcher) {
	for _, c := range canaries {
		for _, f := range append(forms(c.value), form{"upper case", upper([]byte(c.value)), true}) {
			data := append(append([]byte("before "), f.bytes...), " after"...)
			if len(search.search("planted", data)) == 0 {
				t.Errorf("%s as %s is not found", c.label, f.name)
			}
		}
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, strings.Repeat("x", 100)+value("card"))
	_ = z.Close()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	frame := append([]byte("head"), enc.EncodeAll([]byte(strings.Repeat("y", 100)+value("Kafka group")+strings.Repeat("y", 100)), nil)...)
	planted := map[string][]byte{"plain": []byte(value("e-mail address")), "gzip": packed.Bytes(), "zstd": frame, "pdf": plantedPDF(t)}
	for name, b := range planted {
		if err := os.WriteFile(filepath.Join(l.dir, "data", "planted."+name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l.open()
	l.run()
	err = l.app.Store().InsertOtherFindings(context.Background(), "planted", []audit.Finding{{
		ID: "planted", Kind: audit.Violation, Control: "AC-01", Severity: audit.SeverityHigh, Time: time.Now(), Until: time.Now(), Detected: time.Now(),
		Resource: value("session id"), Facts: map[string]string{"planted": value("customer id")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	l.out = nil
	hits := l.tables(search, "database = 'tallystick'")
	l.stop()
	var got []string
	for _, h := range append(hits, l.sweep(search)...) {
		got = append(got, h.String())
	}
	for _, want := range []string{
		"e-mail address (clear) in file data/planted.plain", "card (clear) in file data/planted.gzip, packed part", "Kafka group (clear) in file data/planted.zstd, packed part",
		"card (UTF-16, high byte first) in file data/planted.pdf, packed part",
		"session id (clear) in table tallystick.findings_all, column resource", "customer id (clear) in table tallystick.findings_all, column facts",
	} {
		if !slices.ContainsFunc(got, func(h string) bool { return strings.HasPrefix(h, want) }) {
			t.Errorf("not found: %s", want)
		}
	}
}

// plantedPDF is a report with a canary in it, as the product renders it.
func plantedPDF(t *testing.T) []byte {
	t.Helper()
	defs, err := reports.Definitions()
	if err != nil {
		t.Fatal(err)
	}
	def := defs["ccpa-metrics"]
	r, err := reports.Build(context.Background(), def, reportstest.September(t), reportstest.Inputs(t, def))
	if err != nil {
		t.Fatal(err)
	}
	r.Front.Facts = append(r.Front.Facts, reports.Fact{Label: "planted", Text: value("card")})
	var b bytes.Buffer
	if err := render.PDF(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
