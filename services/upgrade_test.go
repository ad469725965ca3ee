package services_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/services"
)

// TestOpensOlderFolder: a data folder of an earlier version opens, its record
// reads and verifies as it did, and the log goes on where it stood.
// testdata/folder-b55791e.tgz is one with the migrations 1 and 2: 395 entries,
// 5 rejections, 6 findings of a log that is in it as well.
func TestOpensOlderFolder(t *testing.T) {
	s := newSite(t)
	if out, err := exec.Command("tar", "-xzf", "testdata/folder-b55791e.tgz", "-C", s.dir).CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	s.cfg.Keys.KEK = filepath.Join(s.dir, "kek.json")
	s.start("ledger", "auditor")
	for sql, want := range map[string]int{
		entriesCount: 395,
		"SELECT toInt64(sum(entries)) FROM entries_hourly":   395,
		"SELECT toInt64(sum(received)) FROM completeness":    400,
		"SELECT toInt64(sum(rejected)) FROM completeness":    5,
		"SELECT uniqExact(id) FROM findings":                 6,
		"SELECT count() FROM findings WHERE control='EX-03'": 4,
	} {
		if n := s.count(sql); n != want {
			t.Errorf("%s: %d, want %d", sql, n, want)
		}
	}
	if got := s.rows("SELECT toString(sum(cityHash64(event_id, status_code, url_template))) FROM entries"); got[0][0] != "7621224490108887061" {
		t.Errorf("the entries have changed: %s", got[0][0])
	}
	if v := s.verify(); !v.OK || v.Chunks != 1 {
		t.Errorf("verify: %+v", v)
	}
	if ddl := s.rows("SHOW CREATE TABLE rejections_all")[0][0]; strings.Contains(ddl, "TTL") {
		t.Errorf("rejections go by themselves: %s", ddl)
	}
	if n := s.count("SELECT count() FROM expired"); n != 0 {
		t.Errorf("%d classes of chunks are gone", n)
	}
	more := s.write("more.log", pages(time.Now().UTC().Add(-time.Hour), 0, 50)...)
	if sum := s.ingest(services.IngestRequest{Files: []string{more}, Format: "nginx:combined"}); sum.Entries != 50 {
		t.Errorf("another log: %+v", sum)
	}
	if v := s.verify(); !v.OK {
		t.Errorf("verify after more lines: %v", v.Faults)
	}
}
