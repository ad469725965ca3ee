package push_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/push"
)

func lines(r io.Reader) (out []string, err error) {
	in := push.NewLines(r)
	for {
		b, n, err := in.Next()
		if err != nil {
			return out, err
		}
		s := string(b)
		if n != len(b) {
			s += fmt.Sprint("/", n)
		}
		out = append(out, s)
	}
}

func FuzzLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\nc"))
	f.Add([]byte("\r\n\r\r\n"))
	f.Add([]byte(strings.Repeat("x", source.MaxLine) + "\r\ny"))
	f.Add([]byte(strings.Repeat("x", source.MaxLine-1) + "\r\ny"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var want []string
		for l := range bytes.Lines(b) {
			if s, ok := bytes.CutSuffix(l, []byte("\n")); ok {
				l = bytes.TrimSuffix(s, []byte("\r"))
			}
			if len(l) > source.MaxLine {
				return // which of its bytes count depends on where a read ended
			}
			want = append(want, string(l))
		}
		for _, r := range []io.Reader{bytes.NewReader(b), iotest.HalfReader(bytes.NewReader(b))} {
			if got, err := lines(r); !errors.Is(err, io.EOF) || !cmp.Equal(got, want) {
				t.Fatalf("%q: %q, %v, want %q", b, got, err, want)
			}
		}
	})
}
