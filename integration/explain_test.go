//go:build integration && linux

package integration_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// explain tells of a failed test where the lines are: in the files, and in the
// record by stream.
func (s *site) explain(sv server, tl tailed, want tally) {
	s.t.Helper()
	if !s.t.Failed() {
		return
	}
	s.t.Logf("the client saw %v", want)
	paths, _ := filepath.Glob(sv.log() + "*")
	for _, p := range paths {
		lines := 0
		eachLine(s.t, p, func(string) { lines++ })
		s.t.Logf("%s has %d lines", filepath.Base(p), lines)
	}
	for _, sql := range []string{
		"SELECT stream, count() AS entries, min(offset) AS first, max(offset) AS last, " + tl.came + " AS came FROM entries WHERE " + tl.where + " GROUP BY stream, came ORDER BY stream, came",
		"SELECT source, reason, count() AS n FROM rejections GROUP BY source, reason", "SELECT source, control, facts FROM findings WHERE control = 'GV-03'",
	} {
		out, err := s.command("sql", sql).CombinedOutput()
		s.t.Logf("%s\n%s%v", sql, out, err)
	}
	s.explainRejections(paths)
}

// explainRejections shows what the files have where lines were rejected that
// should be accesses.
func (s *site) explainRejections(paths []string) {
	s.t.Helper()
	for _, r := range s.rows("SELECT toString(offset) AS at, toString(length) AS size, reason, toString(column) AS col, expected FROM rejections WHERE reason != 'not-access' LIMIT 20") {
		s.t.Logf("rejected at %s, %s bytes: %s in column %s, expected %s", r["at"], r["size"], r["reason"], r["col"], r["expected"])
		at, err := strconv.ParseInt(r["at"], 10, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, p := range paths {
			raw, err := os.ReadFile(p)
			if err == nil && at < int64(len(raw)) && (at == 0 || raw[at-1] == '\n') {
				line, _, _ := strings.Cut(string(raw[at:]), "\n")
				s.t.Logf("%s has there %q", filepath.Base(p), line)
			}
		}
	}
}
