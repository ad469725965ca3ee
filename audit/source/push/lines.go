package push

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/tallystick/tallystick/audit/source"
)

// Lines takes lines off a reader. Of each it keeps at most source.MaxLine
// bytes, whatever its length.
type Lines struct {
	*bufio.Reader
	buf []byte
}

// NewLines reads from r.
func NewLines(r io.Reader) *Lines {
	return &Lines{Reader: bufio.NewReaderSize(r, source.MaxLine), buf: make([]byte, 0, source.MaxLine)}
}

// Next returns a line and its true length, without its end, LF or CR LF. It is
// good until the next call. The error is io.EOF at the end, whose last line may
// lack its end; a line that another error cut has a length of one more than was
// read, and the next call tells the error.
func (l *Lines) Next() (line []byte, length int, err error) {
	l.buf = l.buf[:0]
	last := byte(0) // of what was read before
	for {
		b, err := l.ReadSlice('\n')
		if err == nil {
			b = b[:len(b)-1]
			if len(b) == 0 && last == '\r' { // the CR came with what was read before
				length--
				l.buf = l.buf[:min(len(l.buf), length)]
			}
			b = bytes.TrimSuffix(b, []byte{'\r'})
		} else if len(b) > 0 {
			last = b[len(b)-1]
		}
		length += len(b)
		l.buf = append(l.buf, b[:min(source.MaxLine-len(l.buf), len(b))]...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
		case err == nil, length > 0 && errors.Is(err, io.EOF):
			return l.buf, length, nil
		case length > 0: // cut, who knows how much
			return l.buf, length + 1, nil
		default:
			return nil, 0, err
		}
	}
}
