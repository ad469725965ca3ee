package syslog

import (
	"bytes"
	"errors"
	"io"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/push"
)

// maxFrame bounds the length that an octet-counted frame may claim. What is
// over source.MaxLine is read and thrown away, so it costs no memory.
const maxFrame = 64 << 20

// maxDigits are those of maxFrame.
const maxDigits = 8

// errFraming says that a stream's frames can't be told apart any more.
var errFraming = errors.New("the stream has no frames of RFC 6587")

// frames takes the frames off a stream (RFC 6587): octet-counted ones, MSG-LEN
// SP MSG, or ones that end with a line feed. The first frame decides for all: a
// client that gets a line feed into a message must not be able to make the rest
// of the stream one long message. A message without a priority may begin with a
// digit, so the first counted frame has to hold one.
type frames struct {
	r       *push.Lines
	buf     []byte
	decided bool
	counted bool // frames are octet-counted
}

func newFrames(r io.Reader) *frames {
	return &frames{r: push.NewLines(r), buf: make([]byte, 0, source.MaxLine)}
}

// next returns a frame, of which it keeps at most source.MaxLine bytes, and its
// true length, without the line end. The frame is good until the next call. The
// error is io.EOF at a clean end; a frame that the end of the stream cut has a
// length of more than its bytes, if that can be known.
func (f *frames) next() (frame []byte, length int, err error) {
	if f.decided && !f.counted {
		return f.r.Next()
	}
	n, digits, err := f.header()
	if err != nil {
		return nil, 0, err
	}
	if !f.decided {
		first, _ := f.r.Peek(digits + 2)
		f.counted = digits > 0 && len(first) == digits+2 && first[digits+1] == '<'
		f.decided = true
	}
	switch {
	case !f.counted:
		return f.r.Next()
	case digits == 0:
		return nil, 0, errFraming
	}
	_, _ = f.r.Discard(digits + 1)
	return f.take(n)
}

// header reads the length of an octet-counted frame and how many digits it has:
// none if the stream does not go on with a length and a blank. The error is
// that of the stream where it ends before the header.
func (f *frames) header() (n, digits int, err error) {
	for digits <= maxDigits {
		b, err := f.r.Peek(digits + 1)
		if len(b) <= digits {
			if digits == 0 {
				return 0, 0, err
			}
			return 0, 0, nil
		}
		switch c := b[digits]; {
		case c == ' ' && digits > 0 && n <= maxFrame:
			return n, digits, nil
		case c < '0' || c > '9' || (digits == 0 && c == '0'):
			return 0, 0, nil
		default:
			n, digits = 10*n+int(c-'0'), digits+1
		}
	}
	return 0, 0, nil
}

// take reads a frame of n bytes.
func (f *frames) take(n int) ([]byte, int, error) {
	f.buf = f.buf[:min(n, source.MaxLine)]
	got, err := io.ReadFull(f.r, f.buf)
	if err == nil && n > got {
		_, err = f.r.Discard(n - got)
	}
	if err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		if got == 0 {
			return nil, 0, err
		}
		return f.buf[:got], n, nil // the next call tells of the end
	}
	if n > source.MaxLine {
		return f.buf, n, nil
	}
	b := trim(f.buf)
	return b, len(b), nil
}

// trim cuts the line end that some senders put within the frame.
func trim(b []byte) []byte { return bytes.TrimRight(b, "\r\n\x00") }
