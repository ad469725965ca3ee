package file_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

func FuzzSplit(f *testing.F) {
	f.Add([]byte("a\nb\r\n\n\x00\xff\npartial"), 4, 3)
	f.Add([]byte("\r\n\r\r\nlonger than the limit\n"), 2, 100)
	f.Fuzz(func(t *testing.T, b []byte, max, limit int) {
		if max < 1 || limit < 1 {
			return
		}
		lines, used := file.Split(b, audit.Origin{Stream: "s", Offset: 7}, max, limit)
		parts := bytes.SplitAfter(b, []byte("\n"))
		parts = parts[:len(parts)-1] // what has no line feed
		parts = parts[:min(len(parts), limit)]
		if len(lines) != len(parts) || used != len(bytes.Join(parts, nil)) {
			t.Fatalf("%d lines of %d bytes, want %d", len(lines), used, len(parts))
		}
		at := uint64(7)
		for i, p := range parts {
			text := strings.TrimSuffix(strings.TrimSuffix(string(p), "\n"), "\r")
			l := lines[i]
			if l.Origin.Offset != at || l.Length != len(text) || l.Text.Reveal(plainaccess.Token{}) != text[:min(len(text), max)] {
				t.Fatalf("line %d at %d with length %d is not what was written", i, l.Origin.Offset, l.Length)
			}
			at += uint64(len(p))
		}
	})
}

func TestBasePath(t *testing.T) {
	for _, tc := range []struct{ name, path, want string }{
		{"live", "/var/log/nginx/shop.log", "/var/log/nginx/shop.log"},
		{"number", "/l/shop.log.1", "/l/shop.log"},
		{"number, compressed", "/l/shop.log.12.gz", "/l/shop.log"},
		{"date", "/l/shop.log-20261121", "/l/shop.log"},
		{"date and hour", "/l/shop.log-2026112108.gz", "/l/shop.log"},
		{"date with time", "/l/shop.log-20261121-120000", "/l/shop.log"},
		{"epoch", "/l/shop.log-1795000000", "/l/shop.log"},
		{"log4j", "/l/kafka-authorizer.log.2026-11-21-08", "/l/kafka-authorizer.log"},
		{"before the extension", "/l/shop-20261121.log", "/l/shop.log"},
		{"number before the extension", "/l/shop.1.log", "/l/shop.log"},
		{"old", "/l/shop.log.old", "/l/shop.log"},
		{"compressed only", "/l/shop.log.gz", "/l/shop.log"},
		{"a number of its own", "/l/shop-2.log", "/l/shop-2.log"},
		{"no extension", "/l/access_log.3", "/l/access_log"},
		{"not a date", "/l/shop.log-99999999", "/l/shop.log-99999999"},
		{"only a date", "/l/20261121.log", "/l/20261121.log"},
		{"a dot in a folder", "/l.1/shop.log", "/l.1/shop.log"},
		{"hidden", "/l/.1", "/l/.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := file.BasePath(tc.path); got != tc.want {
				t.Errorf("BasePath(%q) is %q, want %q", tc.path, got, tc.want)
			}
		})
	}
}

func FuzzBasePath(f *testing.F) {
	f.Add("/l/shop.log-20261121.gz")
	f.Fuzz(func(t *testing.T, path string) {
		base := file.BasePath(path)
		if strings.HasSuffix(path, "/") || path == "" {
			return
		}
		if filepath.Base(base) == "" || base == "" {
			t.Fatalf("the base path of %q is empty", path)
		}
	})
}

func BenchmarkReadOnce(b *testing.B) {
	dir := b.TempDir()
	var out bytes.Buffer
	const lines = 500_000
	for i := range lines {
		fmt.Fprintf(&out, "192.0.2.%d - cust-%07d [21/Nov/2026:10:00:00 +0000] \"GET /v1/customers/%07d/orders?page=2 HTTP/1.1\" 200 1234 \"https://shop.aurora.example/\" \"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0\"\n", i%250, i, i)
	}
	path := filepath.Join(dir, "shop.log")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(out.Len()))
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		state, err := file.OpenState(filepath.Join(dir, fmt.Sprint("positions", i)), prf{})
		if err != nil {
			b.Fatal(err)
		}
		tail, err := file.Open(file.Config{Source: "shop", Patterns: []string{path}, Host: "h", Once: true}, file.Deps{State: state, Name: streamName})
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for {
			run, err := tail.Next(b.Context())
			if err != nil {
				break
			}
			n += len(run.Lines)
			if err := tail.Ack(run); err != nil {
				b.Fatal(err)
			}
		}
		if n != lines {
			b.Fatalf("%d lines", n)
		}
		_ = tail.Close()
		_ = state.Close()
	}
	b.ReportMetric(float64(lines*b.N)/b.Elapsed().Seconds(), "lines/s")
}
