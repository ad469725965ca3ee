package stdin_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/source/push/pushtest"
	"github.com/tallystick/tallystick/audit/source/stdin"
)

func TestReadToTheEnd(t *testing.T) {
	s := pushtest.NewSink(t)
	r, err := stdin.Open("shop", strings.NewReader("a\r\n\nb\nc"), s.Deps())
	if err != nil {
		t.Fatal(err)
	}
	stop := s.Drive(r)
	s.Eventually("its end", func() bool { return r.Status().Open == 0 && len(s.Lines()) == 4 })
	stop()
	if d := cmp.Diff(s.Lines(), []string{"a", "", "b", "c"}); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
}

// A pipe that breaks is an error behind the lines that came.
func TestBroken(t *testing.T) {
	s := pushtest.NewSink(t)
	broken := errors.New("broken")
	r, err := stdin.Open("shop", io.MultiReader(strings.NewReader("a\n"), iotest.ErrReader(broken)), s.Deps())
	if err != nil {
		t.Fatal(err)
	}
	run, err := r.Next(t.Context())
	if err != nil || len(run.Lines) != 1 {
		t.Fatalf("%v, %v", run, err)
	}
	if _, err := r.Next(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// A pipe that stays silent does not keep the tap from ending.
func TestStopOfASilentPipe(t *testing.T) {
	s := pushtest.NewSink(t)
	in, out := io.Pipe()
	defer func() { _ = out.Close() }()
	r, err := stdin.Open("shop", in, s.Deps())
	if err != nil {
		t.Fatal(err)
	}
	stop := s.Drive(r)
	if _, err := io.WriteString(out, "a\nb"); err != nil {
		t.Fatal(err)
	}
	s.Eventually("a line", func() bool { return len(s.Lines()) == 1 })
	stop()
}

func TestNone(t *testing.T) {
	if _, err := stdin.Open("shop", nil, pushtest.NewSink(t).Deps()); err == nil {
		t.Error("no standard input is no fault")
	}
}
