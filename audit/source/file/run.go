package file

import (
	"bytes"
	"unsafe"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// read is what the Tailer keeps with a Run until it is acknowledged.
type read struct {
	buf    *buffer
	cursor *cursor
	end    position // where the stream stands then
}

// buffer is the memory of a source.Run.
type buffer struct {
	bytes []byte
	lines []audit.Line
}

func (t *Tailer) buffer() *buffer {
	select {
	case b := <-t.free:
		return b
	default:
		return &buffer{bytes: make([]byte, t.cfg.BatchBytes)}
	}
}

// split appends the complete lines of b to dst, at most limit in all, and
// returns how many bytes they took with their ends. The texts share b's
// memory. A line over max bytes is cut to max and keeps its true length.
func split(dst []audit.Line, b []byte, o audit.Origin, max, limit int) ([]audit.Line, int) {
	used := 0
	for len(dst) < limit {
		n := bytes.IndexByte(b[used:], '\n')
		if n < 0 {
			break
		}
		dst = append(dst, line(b[used:used+n], o, max))
		o.Offset += uint64(n) + 1
		used += n + 1
	}
	return dst, used
}

// line makes a Line of b, which has no line feed but may end in CR.
func line(b []byte, o audit.Origin, max int) audit.Line {
	b = trimCR(b)
	l := audit.Line{Origin: o, Length: len(b)}
	if len(b) > max {
		b = b[:max]
	}
	if len(b) > 0 {
		l.Text = plain.New(unsafe.String(&b[0], len(b)))
	}
	return l
}

func trimCR(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\r' {
		return b[:n-1]
	}
	return b
}

// longLine is a begun line that outgrew the buffer: its head and its length.
type longLine struct {
	head []byte
	n    uint64
	last byte
}

func (l *longLine) add(b []byte, max int) {
	if len(b) == 0 {
		return
	}
	if room := max - len(l.head); room > 0 {
		l.head = append(l.head, b[:min(room, len(b))]...)
	}
	l.n += uint64(len(b))
	l.last = b[len(b)-1]
}

// line ends the long line that began at o.
func (l *longLine) line(o audit.Origin) audit.Line {
	n := l.n
	if n > 0 && l.last == '\r' {
		n--
	}
	head := l.head
	if uint64(len(head)) > n {
		head = head[:n]
	}
	return audit.Line{Origin: o, Text: plain.New(string(head)), Length: int(n)}
}
