package file_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/internal/text"
)

func TestLongLines(t *testing.T) {
	for _, n := range []int{64<<10 - 1, 64 << 10, 64<<10 + 1, 200_000, 10 << 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			b := newBench(t, "shop.log")
			b.cfg.Once = true
			long := strings.Repeat("x", n)
			b.write("shop.log", "first\n"+long+"\r\nlast\x00\xff")
			b.start()
			var got []string
			var lengths []int
			var offsets []uint64
			for {
				run, err := b.next(5 * time.Second)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, texts(run)...)
				for _, l := range run.Lines {
					lengths, offsets = append(lengths, l.Length), append(offsets, l.Origin.Offset)
				}
				if err := b.tail.Ack(run); err != nil {
					t.Fatal(err)
				}
			}
			if d := cmp.Diff(got, []string{"first", long[:min(n, 64<<10)], "last\x00\xff"}); d != "" {
				t.Fatal("texts differ")
			}
			if d := cmp.Diff(lengths, []int{5, n, 6}); d != "" {
				t.Errorf("lengths (-got +want):\n%s", d)
			}
			if d := cmp.Diff(offsets, []uint64{0, 6, uint64(n) + 8}); d != "" {
				t.Errorf("offsets (-got +want):\n%s", d)
			}
			if s := b.tail.Status(); s.Done != s.Total || s.Total != int64(n)+14 {
				t.Errorf("progress %d of %d", s.Done, s.Total)
			}
		})
	}
}

func TestOnceTwiceThenFollowed(t *testing.T) {
	b := newBench(t, "shop.log")
	b.cfg.Once = true
	b.write("shop.log", "a1\na2\n")
	b.start()
	b.want("a1", "a2")
	if _, err := b.next(time.Second); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	b.stop()
	b.start()
	if run, err := b.next(time.Second); !errors.Is(err, io.EOF) {
		t.Fatalf("%v, %v", run, err)
	}
	b.stop()
	b.cfg.Once = false
	b.write("shop.log", "a3\n")
	b.start()
	b.want("a3")
	b.quiet()
}

func TestAgain(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log", "a1\na2\n")
	b.start()
	b.want("a1", "a2")
	cfg := b.cfg
	cfg.Once, cfg.Again = true, true
	for range 2 { // beside the Tailer that follows, then after it
		again, err := file.Open(cfg, file.Deps{State: b.state, Name: streamName})
		if err != nil {
			t.Fatal(err)
		}
		run, err := again.Next(t.Context())
		if err != nil || run.First != 0 || run.Generation != 0 {
			t.Fatalf("%+v, %v", run, err)
		}
		if d := cmp.Diff(texts(run), []string{"a1", "a2"}); d != "" {
			t.Errorf("lines (-got +want):\n%s", d)
		}
		if err := again.Ack(run); err != nil {
			t.Fatal(err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
	b.write("shop.log", "a3\n")
	b.want("a3")
	b.quiet()
}

func TestKnownElsewhere(t *testing.T) {
	b := newBench(t, "shop.log")
	b.cfg.Once = true
	b.write("shop.log", "a1\na2\n")
	b.start()
	b.want("a1", "a2")
	b.stop()
	b.write("copy.log.gz", pack(t, "a1\na2\na3\n"))
	open := func(change func(*file.Config)) error {
		var err error
		if b.state, err = file.OpenState(filepath.Join(b.dir, ".positions"), prf{}); err != nil {
			t.Fatal(err)
		}
		cfg := b.cfg
		cfg.Patterns = []string{b.path("copy.log.gz")}
		change(&cfg)
		b.tail, err = file.Open(cfg, file.Deps{State: b.state, Name: streamName})
		return err
	}
	err := open(func(*file.Config) {})
	if !errors.Is(err, file.ErrKnownElsewhere) || !strings.Contains(text.HintOf(err), "--stream") || !strings.Contains(text.HintOf(err), "--new") {
		t.Fatalf("got %v, hint %q", err, text.HintOf(err))
	}
	_ = b.state.Close()
	if err := open(func(c *file.Config) { c.As = b.path("shop.log") }); err != nil {
		t.Fatal(err)
	}
	b.want("a3")
	b.stop()
	if err := open(func(c *file.Config) { c.New = true }); err != nil {
		t.Fatal(err)
	}
	b.want("a1", "a2", "a3")
}

// TestRelativePath: a file has one name from whatever folder it is given.
func TestRelativePath(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log", "a1\n")
	t.Chdir(b.dir)
	for _, once := range []bool{true, false} {
		var err error
		if b.state, err = file.OpenState(filepath.Join(b.dir, ".positions"), prf{}); err != nil {
			t.Fatal(err)
		}
		var named []string
		b.cfg.Once, b.cfg.Patterns = once, []string{"./shop.log"}
		b.tail, err = file.Open(b.cfg, file.Deps{State: b.state, Name: func(host, path string, first []byte) string {
			named = append(named, path)
			return streamName(host, path, first)
		}})
		if err != nil {
			t.Fatal(err)
		}
		if once {
			b.want("a1")
		} else {
			b.quiet()
		}
		if d := cmp.Diff(slices.Compact(named), []string{b.path("shop.log")}); d != "" {
			t.Errorf("once %t: names (-got +want):\n%s", once, d)
		}
		b.stop()
	}
}

func TestDamagedCompressedFile(t *testing.T) {
	whole := pack(t, strings.Repeat("a line that compresses well\n", 50_000))
	b := newBench(t, "shop.log.1.gz")
	b.cfg.Once = true
	b.write("shop.log.1.gz", whole[:len(whole)*2/3])
	b.start()
	lines := 0
	for {
		run, err := b.next(5 * time.Second)
		if err != nil {
			if errors.Is(err, io.EOF) || text.HintOf(err) == "" {
				t.Fatalf("got %v", err)
			}
			break
		}
		lines += len(run.Lines)
		if err := b.tail.Ack(run); err != nil {
			t.Fatal(err)
		}
	}
	if lines == 0 || lines >= 50_000 || len(b.gaps) != 1 || b.gaps[0].Kind != source.GapCorrupt {
		t.Fatalf("%d lines, gaps %+v", lines, b.gaps)
	}
	b.stop()
	if err := os.WriteFile(b.path("shop.log.1.gz"), []byte(whole), 0o600); err != nil {
		t.Fatal(err)
	}
	b.start()
	for {
		run, err := b.next(5 * time.Second)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		lines += len(run.Lines)
		if err := b.tail.Ack(run); err != nil {
			t.Fatal(err)
		}
	}
	if lines != 50_000 {
		t.Fatalf("%d lines in all", lines)
	}
}
