package file_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

type prf struct{}

func (prf) Sum(dst, msg []byte) []byte {
	h := hmac.New(sha256.New, []byte("test key"))
	h.Write(msg)
	return h.Sum(dst)
}

func streamName(host, path string, first []byte) string {
	sum := prf{}.Sum(nil, []byte(host+"\x00"+filepath.Base(path)+"\x00"+string(first)))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

// bench reads one folder with one state file.
type bench struct {
	t     *testing.T
	dir   string
	state *file.State
	tail  *file.Tailer
	gaps  []source.Gap
	cfg   file.Config
	ahead time.Duration // of the reader's clock
}

func newBench(t *testing.T, pattern string) *bench {
	b := &bench{t: t, dir: t.TempDir()}
	b.cfg = file.Config{
		Source: "shop", Patterns: []string{b.path(pattern)}, Host: "h1",
		Poll: 5 * time.Millisecond, Gather: time.Microsecond, Grace: 60 * time.Millisecond,
	}
	t.Cleanup(func() {
		if b.tail != nil {
			_ = b.tail.Close()
		}
		if b.state != nil {
			b.state.Abandon()
		}
	})
	return b
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) start() {
	b.t.Helper()
	var err error
	if b.state, err = file.OpenState(filepath.Join(b.dir, ".positions"), prf{}); err != nil {
		b.t.Fatal(err)
	}
	b.open()
}

func (b *bench) open() {
	b.t.Helper()
	var err error
	b.tail, err = file.Open(b.cfg, file.Deps{State: b.state, Name: streamName, Gap: func(g source.Gap) { b.gaps = append(b.gaps, g) },
		Clock: func() time.Time { return time.Now().Add(b.ahead) }})
	if err != nil {
		b.t.Fatal(err)
	}
}

// stop ends as a program does; kill as kill -9 does.
func (b *bench) stop() {
	b.t.Helper()
	if err := errors.Join(b.tail.Close(), b.state.Close()); err != nil {
		b.t.Fatal(err)
	}
	b.tail, b.state = nil, nil
}

func (b *bench) kill() { b.tail.Abandon(); b.state.Abandon(); b.tail, b.state = nil, nil }

func (b *bench) write(name, s string) {
	b.t.Helper()
	f, err := os.OpenFile(b.path(name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err = f.WriteString(s); err == nil {
		err = f.Close()
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) rename(from, to string) {
	b.t.Helper()
	if err := os.Rename(b.path(from), b.path(to)); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) next(wait time.Duration) (*source.Run, error) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	return b.tail.Next(ctx)
}

// want reads until the lines have come, in this order, and fails on others.
func (b *bench) want(lines ...string) {
	b.t.Helper()
	var got []string
	for len(got) < len(lines) {
		run, err := b.next(5 * time.Second)
		if err != nil {
			b.t.Fatalf("%v after %q, want %q", err, got, lines)
		}
		got = append(got, texts(run)...)
		if err := b.tail.Ack(run); err != nil {
			b.t.Fatal(err)
		}
	}
	if d := cmp.Diff(got, lines); d != "" {
		b.t.Fatalf("lines (-got +want):\n%s", d)
	}
}

// quiet fails if a line comes within several looks at the folder.
func (b *bench) quiet() {
	b.t.Helper()
	run, err := b.next(150 * time.Millisecond)
	if !errors.Is(err, context.DeadlineExceeded) {
		b.t.Fatalf("unexpected lines %v, error %v", run, err)
	}
}

func texts(run *source.Run) []string {
	var out []string
	for _, l := range run.Lines {
		out = append(out, strings.Clone(l.Text.Reveal(plainaccess.Token{})))
	}
	return out
}

func pack(t *testing.T, s string) string {
	t.Helper()
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	_, err := io.WriteString(zw, s)
	if err = errors.Join(err, zw.Close()); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestFollowAppends(t *testing.T) {
	b := newBench(t, "shop.log")
	b.start()
	b.write("shop.log", "a1\na2\r\npart")
	b.want("a1", "a2")
	b.quiet()
	b.write("shop.log", "ial\n\n")
	b.want("partial", "")
	b.stop()
	b.write("shop.log", "a5\n")
	b.start()
	b.want("a5")
	b.quiet()
}

func TestOriginsAreOffsets(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log", "a1\r\n\nxyz\n")
	b.start()
	run, err := b.next(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	type place struct {
		Offset uint64
		Length int
	}
	var got []place
	for _, l := range run.Lines {
		got = append(got, place{l.Origin.Offset, l.Length})
		if l.Origin.Stream != streamName("h1", "shop.log", []byte("a1")) {
			t.Errorf("stream %q", l.Origin.Stream)
		}
	}
	if d := cmp.Diff(got, []place{{0, 2}, {4, 0}, {5, 3}}); d != "" {
		t.Errorf("places (-got +want):\n%s", d)
	}
	if run.First != 0 || run.Next != 9 || run.Received.IsZero() {
		t.Errorf("run %+v", run)
	}
}

func TestFromEnd(t *testing.T) {
	b := newBench(t, "shop*.log")
	b.cfg.FromEnd = true
	b.write("shop1.log", "a1\na2\npart")
	b.start()
	b.quiet()
	b.write("shop1.log", "ial\n")
	b.want("partial")
	b.write("shop2.log", "b1\n")
	b.want("b1")
}

func TestStateFileHoldsNothingClear(t *testing.T) {
	b := newBench(t, "anna.log")
	b.write("anna.log", "anna@example.com\nb2\n")
	b.start()
	b.want("anna@example.com", "b2")
	b.stop()
	raw, err := os.ReadFile(filepath.Join(b.dir, ".positions"))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("anna@example.com"))
	for _, s := range []string{"anna", "example.com", fmt.Sprintf("%x", sum), base64.RawURLEncoding.EncodeToString(sum[:16])} {
		if bytes.Contains(raw, []byte(s)) {
			t.Errorf("the positions file shows %q", s)
		}
	}
	if info, _ := os.Stat(filepath.Join(b.dir, ".positions")); info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestUnackedIsReadAgain(t *testing.T) {
	b := newBench(t, "shop.log")
	b.write("shop.log", "a1\n")
	b.start()
	b.want("a1")
	if err := b.state.Flush(); err != nil {
		t.Fatal(err)
	}
	b.write("shop.log", "a2\n")
	if _, err := b.next(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	b.kill()
	b.start()
	run, err := b.next(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(texts(run), []string{"a2"}); d != "" || run.First != 3 {
		t.Fatalf("first %d, lines (-got +want):\n%s", run.First, d)
	}
}

func TestStateIsLocked(t *testing.T) {
	b := newBench(t, "shop.log")
	b.start()
	_, err := file.OpenState(filepath.Join(b.dir, ".positions"), prf{})
	if text.HintOf(err) == "" {
		t.Fatalf("got %v", err)
	}
}

func TestDamagedState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "positions")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := file.OpenState(path, prf{}); text.HintOf(err) == "" {
		t.Fatalf("got %v", err)
	}
}
