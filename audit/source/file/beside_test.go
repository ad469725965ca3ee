package file_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/source/file"
)

// TestFollowedWhileReadOnce: a file that a one-shot read is at when it is to be
// followed is followed afterwards, and nothing is said of it.
func TestFollowedWhileReadOnce(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log", "a1\na2\n")
	var err error
	if b.state, err = file.OpenState(b.path(".positions"), prf{}); err != nil {
		t.Fatal(err)
	}
	cfg := b.cfg
	cfg.Once, cfg.Again = true, true
	once, err := file.Open(cfg, file.Deps{State: b.state, Name: streamName})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	b.tail, err = file.Open(b.cfg, file.Deps{State: b.state, Name: streamName, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	b.quiet()
	if p := b.tail.Status().Problems; len(p) > 0 || log.Len() > 0 {
		t.Errorf("problems %+v, logged %q", p, &log)
	}
	run, err := once.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(texts(run), []string{"a1", "a2"}); d != "" {
		t.Errorf("lines (-got +want):\n%s", d)
	}
	if err := once.Ack(run); err != nil {
		t.Fatal(err)
	}
	if _, err := once.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	if err := once.Close(); err != nil {
		t.Fatal(err)
	}
	b.write("shop.log", "a3\n")
	b.want("a3")
	b.quiet()
	if log.Len() > 0 {
		t.Errorf("logged %q", &log)
	}
}

// TestTwoSources: a file belongs to one source.
func TestTwoSources(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log", "a1\n")
	b.start()
	b.want("a1")
	cfg := b.cfg
	cfg.Source = "crm"
	other, err := file.Open(cfg, file.Deps{State: b.state, Name: streamName})
	if err != nil {
		t.Fatal(err)
	}
	first := b.tail
	b.tail = other
	b.quiet()
	if p := other.Status().Problems; len(p) != 1 {
		t.Errorf("problems %+v", p)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	b.tail = first
}

// TestGlob: files of a pattern are logs of their own, also those that come
// later, each with its rotated ones.
func TestGlob(t *testing.T) {
	b := newBench(t, "shop*.log")
	b.write("shop-a.log", "a1\n")
	b.write("other.log", "o1\n")
	b.start()
	b.want("a1")
	b.write("shop-b.log", "b1\n")
	b.want("b1")
	b.write("shop-a.log", "a2\n")
	b.want("a2")
	b.rename("shop-a.log", "shop-a.log.1")
	b.write("shop-a.log", "a3\n")
	b.want("a3")
	b.write("shop-b.log", "b2\n")
	b.want("b2")
	b.quiet()
	if n := b.tail.Status().Open; n != 2 && n != 3 { // the rotated one stays open for its grace
		t.Errorf("%d files are open", n)
	}
}

// TestInodeReuse: another file may get the inode of one that is gone, with and
// without the same first line.
func TestInodeReuse(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"another first line", "b1\nb2\nb3\n", []string{"b1", "b2", "b3"}},
		{"another first line and shorter", "b1\n", []string{"b1"}},
		{"the same first line", "#head\nb1\nb2\nb3\n", []string{"#head", "b1", "b2", "b3"}},
		{"the same first line and shorter", "#head\n", []string{"#head"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, "shop.log")
			b.write("shop.log", "#head\na1\na2\n")
			b.start()
			b.want("#head", "a1", "a2")
			b.stop()
			old := inode(t, b.path("shop.log"))
			if err := os.Remove(b.path("shop.log")); err != nil {
				t.Fatal(err)
			}
			b.write("shop.log", tc.text)
			if inode(t, b.path("shop.log")) != old {
				t.Skip("this file system gave another inode")
			}
			b.start()
			b.want(tc.want...)
			b.quiet()
		})
	}
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		t.Skip("files have no inodes here")
	}
	return st.Ino
}

// TestOldGenerationsAtOnce: rotated files that were compressed while nobody
// looked are read to their end, the oldest first.
func TestOldGenerationsAtOnce(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log", "a1\n")
	b.start()
	b.want("a1")
	b.stop()
	if err := os.Remove(b.path("shop.log")); err != nil {
		t.Fatal(err)
	}
	b.write("shop.log.3.gz", pack(t, "a1\na2\n"))
	b.write("shop.log.2.gz", pack(t, "b1\nb2\n"))
	b.write("shop.log.1", "c1\n")
	b.write("shop.log", "d1\n")
	now := time.Now()
	for i, name := range []string{"shop.log.3.gz", "shop.log.2.gz", "shop.log.1"} {
		at := now.Add(time.Duration(i-3) * time.Millisecond)
		if err := os.Chtimes(b.path(name), at, at); err != nil {
			t.Fatal(err)
		}
	}
	b.start()
	b.want("a2", "b1", "b2", "c1", "d1")
	b.quiet()
	if len(b.gaps) > 0 {
		t.Errorf("gaps %+v", b.gaps)
	}
}
