//go:build integration && linux

package integration_test

import (
	"io"
	"os"
	"syscall"
	"testing"
	"time"
)

// TestCopytruncate rotates as logrotate's copytruncate does, which loses the
// lines that come between copy and cut. The loss is a gap, and so are lines
// that were cut before they were read.
func TestCopytruncate(t *testing.T) {
	program(t, "apache2")
	t.Parallel()
	a := startApache(t)
	s := newSite(t, t.TempDir())
	writeFile(t, s.dir+"/tallystick.yaml", "sources:\n- name: server\n  file: %s\n%s\n", a.log(), apacheFormat)
	tl := overHTTP(t, apacheFormat, 10)
	asked := a.send(100).total()
	i := s.start("--listen", "127.0.0.1:0")

	done := make(chan tally, 1)
	go func() { done <- a.send(3000) }()
	poll(t, 30*time.Second, "entries of the load", func() bool { return s.entries(tl) > 500 })
	i.signal(syscall.SIGSTOP) // so that nobody reads what the copy lacks
	a.copytruncate()
	i.signal(syscall.SIGCONT)
	asked += (<-done).total()
	kept, _ := logged(t, a.log(), tl) // by the copy and the log
	var got int64
	poll(t, 30*time.Second, "the lines that are left", func() bool { got = s.entries(tl); return got >= kept })
	s.gap("truncated", 1)
	if got != kept || kept >= asked {
		t.Errorf("%d entries of %d lines that are left of %d requests", got, kept, asked)
	}
	t.Logf("%d requests, %d lines left, %d entries", asked, kept, got)

	i.stop()
	a.send(300) // nobody reads them
	if err := os.Truncate(a.log(), 0); err != nil {
		t.Fatal(err)
	}
	asked = a.send(50).total()
	i = s.start("--listen", "127.0.0.1:0")
	poll(t, 30*time.Second, "what came after the cut", func() bool { return s.entries(tl) >= got+asked })
	s.gap("vanished", 1)
	if n := s.entries(tl); n != got+asked {
		t.Errorf("%d entries of %d requests that were not cut", n-got, asked)
	}
	i.stop()
	s.verify()
}

// copytruncate copies the log and cuts it when the server has written on. The
// server then writes at its beginning.
func (a *apache) copytruncate() {
	a.web.t.Helper()
	from, err := os.Open(a.log())
	if err != nil {
		a.web.t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	to, err := os.Create(a.log() + ".1")
	if err != nil {
		a.web.t.Fatal(err)
	}
	_, err = io.Copy(to, from)
	if cerr := to.Close(); err == nil {
		err = cerr
	}
	copied := a.answered()
	poll(a.web.t, 20*time.Second, "lines behind the copy", func() bool { return a.answered() > copied+50 })
	if err == nil {
		err = os.Truncate(a.log(), 0)
	}
	if err != nil {
		a.web.t.Fatal(err)
	}
}

// gap wants n findings of lines that a source lost in a way.
func (s *site) gap(how string, n int64) {
	s.t.Helper()
	sql := "SELECT count() FROM findings WHERE control = 'GV-03' AND kind = 'gap' AND facts['how'] = '" + how + "'"
	poll(s.t, 60*time.Second, "a gap: "+how, func() bool { return s.number(sql) >= n })
	if got := s.number(sql); got != n {
		s.t.Errorf("%d gaps %s, want %d", got, how, n)
	}
}
