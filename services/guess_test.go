package services_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/masking/keys"
)

// bruteForce looks in every table and file for anything that a guess at Ana's
// mail address, user name or address gives under any key that is there, or
// without one. It returns how many patterns each place confirms.
func (s *site) bruteForce() map[string]int {
	s.t.Helper()
	prfs, err := s.app.PRFs(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	g := guesses{patterns: map[uint64][]string{}}
	for _, v := range []struct{ kind, value string }{{"email", anasMail}, {"user", anasName}, {"ipv4", anasAddr}} {
		g.add([]byte(v.value))
		for _, prf := range prfs {
			tag := g.prf(prf, v.kind+"\x00"+v.value)
			g.prf(prf, v.value)
			for _, check := range prfs {
				g.prf(check, "link tag\x00"+tag)
			}
		}
		m, one, two := md5.Sum([]byte(v.value)), sha1.Sum([]byte(v.value)), sha256.Sum256([]byte(v.value))
		g.digest(m[:])
		g.digest(one[:])
		g.digest(two[:])
	}
	hits := map[string]int{}
	err = filepath.WalkDir(s.cfg.Data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil // gone meanwhile
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil
		}
		if n := g.in(b); n > 0 {
			name, _ := filepath.Rel(s.cfg.Data, path)
			hits[name] += n
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, row := range s.rows("SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree' OR name = 'erasing'") {
		s.table(g, hits, row[0], "SELECT * FROM `"+row[0]+"`")
	}
	for _, row := range s.rows("SELECT name FROM system.tables WHERE database = 'system' AND name IN ('mutations', 'query_log', 'text_log', 'part_log')") {
		s.table(g, hits, row[0], "SELECT * FROM system."+row[0])
	}
	for _, name := range []string{"tombstones", "erasures", "erasure_leaves", "approvals", "trail", "outbox", "day_keys"} {
		_, rows, err := s.app.Registers().Select(s.t.Context(), "SELECT * FROM "+name, nil)
		if err != nil {
			s.t.Fatal(name, err)
		}
		if n := g.in(fmt.Append(nil, rows)); n > 0 {
			hits["table "+name] = n
		}
	}
	return hits
}

func (s *site) table(g guesses, hits map[string]int, name, sql string) {
	s.t.Helper()
	res, err := s.app.Store().Select(s.t.Context(), sql, store.MaxRows(100_000))
	if err != nil || res.Cut {
		s.t.Fatal(name, err)
	}
	if n := g.in(fmt.Append(nil, res.Rows)); n > 0 {
		hits["table "+name] = n
	}
}

// guesses are byte patterns by their first eight bytes.
type guesses struct{ patterns map[uint64][]string }

func (g guesses) add(p []byte) {
	k := binary.BigEndian.Uint64(p)
	g.patterns[k] = append(g.patterns[k], string(p))
}

// digest adds the ways in which a digest may be written, shortened as tokens are.
func (g guesses) digest(sum []byte) {
	sum = sum[:16]
	g.add(sum)
	g.add([]byte(hex.EncodeToString(sum)))
	g.add([]byte(base64.RawURLEncoding.EncodeToString(sum)[:21]))
	g.add([]byte(base64.RawStdEncoding.EncodeToString(sum)[:21]))
}

// prf adds what a key makes of a message, and returns it as a token.
func (g guesses) prf(p *keys.PRF, msg string) string {
	sum := p.Sum(nil, []byte(msg))
	g.digest(sum)
	return "v1." + p.ID + "." + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// in counts the patterns that b has, each once.
func (g guesses) in(b []byte) int {
	seen := map[string]bool{}
	var window uint64
	for i, c := range b {
		if window = window<<8 | uint64(c); i < 7 {
			continue
		}
		for _, p := range g.patterns[window] {
			if bytes.HasPrefix(b[i-7:], []byte(p)) {
				seen[p] = true
			}
		}
	}
	return len(seen)
}
