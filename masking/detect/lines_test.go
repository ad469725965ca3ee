package detect_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/masking/detect"
)

func TestLines(t *testing.T) {
	var got []string
	note := func(line int, m detect.Match) error {
		got = append(got, fmt.Sprint(line, " ", m.Kind, " ", m.Start, "-", m.End))
		return nil
	}
	in := "a@b.de\r\n\nx b%40c.de d@e.org\n\xff\xfe f@g.org"
	if err := detector.Lines(iotest.OneByteReader(strings.NewReader(in)), note); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, []string{"1 email 0-6", "3 email 2-10", "3 email 11-18", "4 email 3-10"}); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	broken := errors.New("broken")
	if err := detector.Lines(iotest.ErrReader(broken), note); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if err := detector.Lines(strings.NewReader(in), func(int, detect.Match) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// endless is one line of JSON with an address every 10,007 bytes, nested deeper
// all the time.
type endless struct{ left, at int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), e.left)
	const mail = `{"mail":"ana@example.com","x":`
	for i := range n {
		p[i] = '['
		if k := e.at % 10007; k < len(mail) {
			p[i] = mail[k]
		}
		e.at++
	}
	e.left -= n
	return n, nil
}

// TestLongLine: 64 MB in one line, deeply nested, take little memory, and every
// value is found once, at its place.
func TestLongLine(t *testing.T) {
	const size = 64 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n := 0
	err := detector.Lines(&endless{left: size}, func(line int, m detect.Match) error {
		if line != 1 || m.Start != n*10007+9 || m.End != m.Start+15 {
			t.Fatalf("match %d at %d-%d", n, m.Start, m.End)
		}
		n++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if want := size/10007 + 1; n != want {
		t.Errorf("%d of %d values were found", n, want)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 32<<20 {
		t.Errorf("%d MB were allocated", got>>20)
	}
}
