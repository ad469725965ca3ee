package services_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/services"
)

const staffNumbers = `version: 1
detectors: [{kind: staff_no, category: user.workplace, pattern: 'EMP-[0-9]{6}'}]`

// ownDetectors: the auditor uses them, reads them again when they change, and
// each chunk says which it was made with. A file with a fault changes nothing.
func (s *site) ownDetectors(t *testing.T) {
	line := func(target string) string {
		return `192.0.2.1 - - [21/Nov/2026:10:00:00 +0000] "GET ` + target + ` HTTP/1.1" 200 1 "-" "x"`
	}
	replace := func(content, said string) {
		t.Helper()
		path := s.cfg.Masking.Detectors
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		wait(t, said, func() bool { return strings.Contains(s.log.String(), said) })
	}
	s.ingest(services.IngestRequest{Files: []string{s.write("a.log", line("/a/EMP-123456"))}, Format: "nginx:combined"})
	replace(staffNumbers+"\nallow: [{kind: staff_no, values: [EMP-123456]}]\n", "the detectors are used from the next chunk on")
	s.ingest(services.IngestRequest{Files: []string{s.write("b.log", line("/b/EMP-123456"), line("/b/EMP-777777"))}, Format: "nginx:combined"})
	replace("version: 9", "the detectors were not read again")
	s.ingest(services.IngestRequest{Files: []string{s.write("c.log", line("/c/EMP-777777"))}, Format: "nginx:combined"})
	got := s.rows("SELECT arrayStringConcat(found_kinds, ' ') FROM entries WHERE source_format = 'nginx:combined' ORDER BY ingest_time, `offset`")
	if d := cmp.Diff([][]string{{"staff_no"}, {""}, {"staff_no"}, {"staff_no"}}, got); d != "" {
		t.Errorf("what was found (-want +got):\n%s", d)
	}
	if n := s.count("SELECT uniqExact(policy) FROM chunks WHERE id IN (SELECT chunk FROM entries WHERE source_format = 'nginx:combined')"); n != 2 {
		t.Errorf("chunks were made with %d versions of the detectors", n)
	}
	if s.count(`SELECT countIf(match(policy, '^[0-9a-f]{12}\\+[0-9a-f]{12}$')) = count() FROM chunks`) != 1 {
		t.Error("a chunk does not say which detectors it was made with")
	}
}
