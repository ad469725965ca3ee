package services_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit/source"
)

// handles counts the process's pipes, sockets and open files of the site; on
// systems without /proc it is 0. Files elsewhere are libchdb's: figures of its
// threads, and once it traced a fault the programs and libraries themselves.
func (s *site) handles() (n int, all string) {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, ""
	}
	var list []string
	for _, e := range names {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && (!strings.HasPrefix(to, "/") || strings.HasPrefix(to, s.dir)) {
			n++
			list = append(list, to)
		}
	}
	return n, strings.Join(list, "\n")
}

// stopLimit is how long a stop under load may take.
const stopLimit = 15 * time.Second

// TestStopLeavesNothing: an installation that is stopped under load stops in
// time, and goroutines and open files are as many as before it started.
func TestStopLeavesNothing(t *testing.T) {
	s := newSite(t)
	path := s.write("shop.log", pages(time.Now().UTC().Add(-6*time.Hour), 0, 1000)...)
	s.cfg.Sources = []source.Config{{Name: "shop", File: path, Format: "nginx:combined"}}
	in := s.receive()
	var goroutines, files int
	var before string
	written := 1000
	for round := range 4 {
		s.start()
		in.trust(s)
		s.waitCount(written, entriesCount)
		s.appendTo(path, pages(time.Now().UTC().Add(-5*time.Hour), written, 20_000)...)
		written += 20_000
		began := time.Now()
		s.stop()
		if took := time.Since(began); took > stopLimit {
			t.Errorf("stopping took %v", took)
		}
		if round == 0 { // libchdb keeps threads and files of its own from the first time on
			goroutines = settled(runtime.NumGoroutine, 0)
			files, before = s.handles()
			continue
		}
		if n := settled(runtime.NumGoroutine, goroutines); n > goroutines {
			buf := make([]byte, 1<<20)
			t.Errorf("%d goroutines, before %d\n%s", n, goroutines, buf[:runtime.Stack(buf, true)])
		}
		n := settled(func() int { n, _ := s.handles(); return n }, files)
		if n > files {
			_, now := s.handles()
			t.Errorf("%d open files, before %d:\n%s\nbefore:\n%s", n, files, now, before)
		}
	}
	left, err := filepath.Glob(filepath.Join(s.cfg.Data, "socket*"))
	if err != nil || len(left) > 0 {
		t.Errorf("sockets are left: %v %v", left, err)
	}
	s.start("ledger", "auditor", "tap")
	s.waitCount(written, entriesCount)
	s.waitCount(written, "SELECT sum(received) FROM completeness") // a view is filled a moment after its table
}

// settled waits until a count is at most want, or stands still for a second, and
// returns it.
func settled(count func() int, want int) int {
	last, since := count(), time.Now()
	for time.Since(since) < time.Second {
		n := count()
		if n <= want {
			return n
		}
		if n != last {
			last, since = n, time.Now()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return last
}
