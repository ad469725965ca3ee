package services_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

const entriesCount = "SELECT count() FROM entries"

// gz packs a file beside it.
func gz(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	_, err = z.Write(b)
	if err := errors.Join(err, z.Close(), os.WriteFile(path+".gz", out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
	return path + ".gz"
}

// TestLinesCountOnce: a file that is ingested twice, tailed, appended to,
// rotated and packed counts each line once, without FINAL.
func TestLinesCountOnce(t *testing.T) {
	s := newSite(t)
	from := time.Now().UTC().Add(-2 * time.Hour).Truncate(time.Second)
	path := s.write("logs/shop.log", pages(from, 0, 5000)...)
	s.cfg.Sources = []source.Config{{Name: "shop", File: path, Format: "nginx:combined"}}
	req := services.IngestRequest{Files: []string{path}, Format: "nginx:combined"}
	s.start("ledger", "auditor")
	for i, want := range []services.IngestSummary{{Lines: 5000, Entries: 5000}, {Lines: 5000, Duplicates: 5000}} {
		got := *s.ingest(req)
		got.Seconds, got.Findings = 0, 0
		if got != want {
			t.Errorf("ingest %d: %+v, want %+v", i+1, got, want)
		}
	}
	s.stop()

	s.start()
	s.waitCount(5000, entriesCount)
	s.appendTo(path, pages(from.Add(90*time.Minute), 5000, 100)...)
	s.waitCount(5100, entriesCount)
	if sum := s.ingest(req); sum.Entries != 0 || sum.Duplicates != 5100 {
		t.Errorf("ingest beside the tail: %+v", sum)
	}
	// Rotated by rename, with a new file in its place, then packed.
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	s.write("logs/shop.log", pages(from.Add(100*time.Minute), 9000, 50)...)
	s.waitCount(5150, entriesCount)
	s.waitCount(0, openChunks)
	packed := gz(t, path+".1")
	if sum := s.ingest(services.IngestRequest{Files: []string{packed}, Format: "nginx:combined", Source: "shop"}); sum.Entries != 0 || sum.Duplicates != 5100 {
		t.Errorf("packed copy: %+v", sum)
	}
	if n := s.count(entriesCount); n != 5150 {
		t.Errorf("%d entries, want 5150", n)
	}
	if n := s.count("SELECT count() - uniqExact(event_id) FROM entries_all"); n != 0 {
		t.Errorf("%d entries are there twice", n)
	}
	if n := s.count("SELECT toInt64(sum(entries)) FROM entries_hourly"); n != 5150 {
		t.Errorf("the hourly counts say %d", n)
	}
	if n := s.count("SELECT count() FROM findings WHERE control = 'GV-03'"); n != 0 {
		t.Errorf("%d findings about the record, want none", n)
	}
	if v := s.verify(); !v.OK {
		t.Errorf("verify: %v", v.Faults)
	}
}

// TestChangedLine: a byte that differs from the record is a new generation and
// a finding.
func TestChangedLine(t *testing.T) {
	s := newSite(t)
	lines := pages(time.Now().UTC().Add(-time.Hour), 0, 300)
	path := s.write("shop.log", lines...)
	req := services.IngestRequest{Files: []string{path}, Format: "nginx:combined"}
	s.start("ledger", "auditor")
	s.ingest(req)
	before := s.rows("SELECT event_id, status_code FROM entries ORDER BY offset")
	lines[150] = strings.Replace(lines[150], `" 200 `, `" 403 `, 1)
	s.write("shop.log", lines...)
	if sum := s.ingest(req); sum.Duplicates != 299 || sum.Entries != 1 {
		t.Errorf("%+v, want one line that is new", sum)
	}
	if n := s.count("SELECT count() FROM entries WHERE generation = 1 AND status_code = 403"); n != 1 {
		t.Errorf("%d entries of the new generation, want 1", n)
	}
	if n := s.count("SELECT count() FROM entries WHERE generation = 0"); n != len(before) {
		t.Errorf("%d entries of the old generation, want %d: what was recorded stays", n, len(before))
	}
	if got := s.rows("SELECT facts['reason'], source != '', kind, severity FROM findings WHERE control = 'GV-03'"); len(got) != 1 || got[0][0] != "bytes-changed" || got[0][1] != "1" || got[0][3] != "critical" {
		t.Errorf("findings: %v", got)
	}
	if sum := s.ingest(req); sum.Duplicates != 300 {
		t.Errorf("the changed file again: %+v", sum)
	}
	if v := s.verify(); !v.OK {
		t.Errorf("verify: %v", v.Faults)
	}
}

// TestKnownElsewhere: a file whose first line is known under another path asks
// what is meant.
func TestKnownElsewhere(t *testing.T) {
	s := newSite(t)
	lines := pages(time.Now().UTC().Add(-time.Hour), 0, 200)
	path := s.write("a/shop.log", lines...)
	s.start("ledger", "auditor")
	s.ingest(services.IngestRequest{Files: []string{path}, Format: "nginx:combined"})
	moved := s.write("b/web.log", append(lines, pages(time.Now().UTC().Add(-time.Minute), 200, 20)...)...)
	req := services.IngestRequest{Files: []string{moved}, Format: "nginx:combined"}
	_, err := s.app.Ingest(t.Context(), req, func(services.Progress) {})
	if !errors.Is(err, file.ErrKnownElsewhere) || !strings.Contains(text.HintOf(err), "--stream") {
		t.Fatalf("%v, want a hint at --stream and --new", err)
	}
	req.Stream = path
	if sum := s.ingest(req); sum.Duplicates != 200 || sum.Entries != 20 {
		t.Errorf("--stream: %+v", sum)
	}
	other := s.write(filepath.Join("c", "web.log"), lines[:50]...)
	if sum := s.ingest(services.IngestRequest{Files: []string{other}, Format: "nginx:combined", New: true}); sum.Entries != 50 || sum.Duplicates != 0 {
		t.Errorf("--new: %+v", sum)
	}
	if n := s.count(entriesCount); n != 270 {
		t.Errorf("%d entries, want 270", n)
	}
}
