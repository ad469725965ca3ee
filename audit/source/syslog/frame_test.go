package syslog_test

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
	"github.com/tallystick/tallystick/audit/source/syslog"
)

// frames are those of a stream as "TEXT" or "TEXT/LENGTH" where it was cut.
func frames(r io.Reader) ([]string, error) {
	var out []string
	err := syslog.Frames(r, func(b []byte, n int) {
		s := string(b)
		if n != len(b) {
			s += fmt.Sprint("/", n)
		}
		out = append(out, s)
	})
	return out, err
}

func TestFrames(t *testing.T) {
	long := strings.Repeat("x", source.MaxLine)
	for _, tc := range []struct {
		name, in string
		want     []string
		err      error
	}{
		{"nothing", "", nil, io.EOF},
		{"lines", "<1>a\n<2>b\r\n<3>c\n", []string{"<1>a", "<2>b", "<3>c"}, io.EOF},
		{"no last line end", "<1>a\n<2>b", []string{"<1>a", "<2>b"}, io.EOF},
		{"counted", "4 <1>a5 <2>bb", []string{"<1>a", "<2>bb"}, io.EOF},
		{"counted, with a line end and one within", "5 <1>a\n7 <2>b\nc\x00", []string{"<1>a", "<2>b\nc"}, io.EOF},
		{"counted, second without priority", "4 <1>a3 abc", []string{"<1>a", "abc"}, io.EOF},
		{"a line that looks counted", "<1>a\n9999 <2>b\n<3>c\n", []string{"<1>a", "9999 <2>b", "<3>c"}, io.EOF},
		{"counted, then a line", "4 <1>a<2>b\n", []string{"<1>a"}, syslog.ErrFraming},
		{"counted, ends within a length", "4 <1>a12", []string{"<1>a"}, syslog.ErrFraming},
		{"raw lines that begin with a digit", "127.0.0.1 - x\n12 a\n7\n", []string{"127.0.0.1 - x", "12 a", "7"}, io.EOF},
		{"empty lines", "\n\n<1>a\n", []string{"", "", "<1>a"}, io.EOF},
		{"counted, cut by the end", "9 <1>a", []string{"<1>a/9"}, io.EOF},
		{"counted, then none", "4 <1>a99999999999 <2>b", []string{"<1>a"}, syslog.ErrFraming},
		{"counted, then no blank", "4 <1>a12<2>b", []string{"<1>a"}, syslog.ErrFraming},
		{"counted, more than is believed", "4 <1>a99999999 <2>b", []string{"<1>a"}, syslog.ErrFraming},
		{"just fits", long + "\n<1>a\n", []string{long, "<1>a"}, io.EOF},
		{"just fits, counted", fmt.Sprint(len(long)+3, " <1>", long, "4 <1>a"), []string{"<1>" + long[3:] + fmt.Sprint("/", len(long)+3), "<1>a"}, io.EOF},
		{"too long", long + "yz\r\n<1>a\n", []string{long + fmt.Sprint("/", len(long)+2), "<1>a"}, io.EOF},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tc.in), iotest.OneByteReader(strings.NewReader(tc.in)), iotest.DataErrReader(strings.NewReader(tc.in))} {
				got, err := frames(r)
				if d := cmp.Diff(got, tc.want); d != "" || !errors.Is(err, tc.err) {
					t.Fatalf("error %v, frames (-got +want):\n%s", err, d)
				}
			}
		})
	}
}

// A connection that breaks within a line leaves one that counts as cut.
func TestBrokenStream(t *testing.T) {
	broken := errors.New("reset")
	got, err := frames(io.MultiReader(strings.NewReader("<1>a\n<2>b"), iotest.ErrReader(broken)))
	if d := cmp.Diff(got, []string{"<1>a", "<2>b/5"}); d != "" || !errors.Is(err, broken) {
		t.Fatalf("error %v (-got +want):\n%s", err, d)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("4 <1>a4 <2>b\n"))
	f.Add([]byte("4 <1>a99999999999 <2>b"))
	f.Add([]byte("5 <1>a\n127.0.0.1\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, errWhole := frames(bytes.NewReader(b))
		split, errSplit := frames(iotest.OneByteReader(bytes.NewReader(b)))
		if d := cmp.Diff(whole, split); d != "" || errors.Is(errWhole, io.EOF) != errors.Is(errSplit, io.EOF) {
			t.Fatalf("%q depends on how it arrives: %v, %v\n%s", b, errWhole, errSplit, d)
		}
		total := 0
		for _, s := range whole {
			total += len(s)
		}
		if total > len(b)+12*len(whole) { // the mark of a cut one
			t.Fatalf("%d bytes of frames from %d", total, len(b))
		}
	})
}

// What was framed comes out again.
func FuzzFramed(f *testing.F) {
	f.Add("a", "b b", true)
	f.Add("5 <3>", "b", false)
	f.Fuzz(func(t *testing.T, a, b string, counted bool) {
		var in strings.Builder
		var want []string
		for _, s := range []string{a, b, a} {
			if !counted {
				s = strings.ReplaceAll(s, "\n", "")
			}
			s = strings.TrimRight("<13>"+s, "\r\n\x00")
			if len(s) > 1000 {
				return
			}
			want = append(want, s)
			if counted {
				fmt.Fprintf(&in, "%d %s", len(s), s)
			} else {
				in.WriteString(s + "\n")
			}
		}
		if got, err := frames(strings.NewReader(in.String())); !cmp.Equal(got, want) || !errors.Is(err, io.EOF) {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	})
}
