package file

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/source"
)

// errTruncated says that the file no longer holds what was read from it.
var errTruncated = errors.New("truncated")

// tracked is an open file. Its Tailer's goroutine owns it.
type tracked struct {
	tailer *Tailer
	path   string // where the file is now
	base   string // path without rotation suffix, when the file was opened
	id     fileID
	file   *os.File
	packed bool // gzip

	size     int64
	modified time.Time
	rotated  bool // the path has a rotation suffix
	gone     bool // no path leads to the file any more
	atStart  bool // it was there at the first look

	cursor *cursor // nil until there is a first complete line
	head   []byte  // of the first line while it is not complete
	headAt int64   // how far the first line was looked for
	named  []byte  // beginning of the first line, by which the stream is named

	unpack *gzip.Reader // packed only
	disk   *counter     // packed only
	pos    uint64       // decompressed bytes read
	carry  []byte       // read behind the last line that was returned
	long   *longLine    // a begun line that outgrew the buffer; carry is empty then
	last   []byte       // up to tailWindow bytes before pos
	quiet  time.Time    // since when nothing was read
	onDisk int64        // bytes of the file that Progress counts as done
	ended  bool         // read to its end: Once, or packed
}

// counter counts what is read from a compressed file.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	return n, err
}

func openTracked(t *Tailer, path string) (*tracked, error) {
	h, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	f := &tracked{tailer: t, path: path, base: BasePath(path), file: h, quiet: t.deps.Clock()}
	if err := f.stat(); err != nil {
		_ = h.Close()
		return nil, unreadable(path, err)
	}
	var magic [2]byte
	n, _ := h.ReadAt(magic[:], 0)
	f.packed = n == 2 && magic == [2]byte{0x1f, 0x8b}
	return f, nil
}

func (f *tracked) stat() error {
	info, err := f.file.Stat()
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errors.New("it is a folder")
	}
	f.id, f.size, f.modified = idOf(info), info.Size(), info.ModTime()
	return nil
}

func (f *tracked) rewind() error {
	f.disk = &counter{r: io.NewSectionReader(f.file, 0, 1<<62)}
	f.pos = 0
	zr, err := gzip.NewReader(bufio.NewReaderSize(f.disk, 1<<16))
	if err != nil {
		return err
	}
	f.unpack = zr
	return nil
}

// firstLine returns the first complete line without its end, at most MaxLine
// bytes of it. With atEnd, the end of the file ends the line.
func (f *tracked) firstLine(atEnd bool) (line []byte, ok bool, err error) {
	var r io.Reader = io.NewSectionReader(f.file, f.headAt, 1<<62)
	if f.packed {
		f.head = f.head[:0]
		if err := f.rewind(); err != nil {
			return nil, false, err
		}
		r = f.unpack
	}
	maxLine := f.tailer.cfg.MaxLine
	chunk := make([]byte, 4096)
	for {
		n, err := r.Read(chunk)
		if i := bytes.IndexByte(chunk[:n], '\n'); i >= 0 {
			return trimHead(append(f.head, chunk[:i]...), maxLine), true, nil
		}
		if room := maxLine + 1 - len(f.head); room > 0 {
			f.head = append(f.head, chunk[:min(n, room)]...)
		}
		f.headAt += int64(n)
		if errors.Is(err, io.EOF) {
			return trimHead(f.head, maxLine), atEnd && f.headAt > 0, nil
		}
		if err != nil {
			return nil, false, err
		}
		if len(chunk) < 1<<16 {
			chunk = make([]byte, 1<<16)
		}
	}
}

// headHolds reports whether the file still begins with what is known of its
// first line: it may have been cut and have grown again.
func (f *tracked) headHolds() bool {
	if f.packed {
		return true
	}
	b := make([]byte, len(f.head))
	n, _ := f.file.ReadAt(b, 0)
	return bytes.Equal(b[:n], f.head)
}

func trimHead(b []byte, maxLine int) []byte {
	b = trimCR(b)
	return b[:min(len(b), maxLine)]
}

// before returns the n bytes before offset, and false if the file ends sooner.
// A packed file is left at offset.
func (f *tracked) before(offset uint64, n int) ([]byte, bool) {
	b := make([]byte, n)
	if !f.packed {
		m, _ := f.file.ReadAt(b, int64(offset)-int64(n))
		return b, m == n && (n > 0 || f.size >= int64(offset))
	}
	if err := f.rewind(); err != nil {
		return nil, false
	}
	if _, err := io.CopyN(io.Discard, f.unpack, int64(offset)-int64(n)); err != nil {
		return nil, false
	}
	if _, err := io.ReadFull(f.unpack, b); err != nil {
		return nil, false
	}
	f.pos = offset
	return b, true
}

// begin puts the file where its cursor stands.
func (f *tracked) begin(c *cursor) error {
	offset, n := c.at()
	b, ok := f.before(offset, n)
	if !ok {
		return fmt.Errorf("failed to read %s again where it was left", f.path)
	}
	f.cursor, f.head, f.carry, f.long, f.ended = c, nil, nil, nil, false
	f.pos, f.last = offset, b
	c.read = position{offset: offset, tail: b, size: f.size, modified: f.modified}
	f.quiet = f.tailer.deps.Clock()
	f.progress()
	return nil
}

// skipToEnd moves a new file's cursor behind its last complete line.
func (f *tracked) skipToEnd(c *cursor) error {
	if f.packed {
		return nil
	}
	chunk := make([]byte, 1<<16)
	end := f.size
	for end > 0 {
		from := max(0, end-int64(len(chunk)))
		n, err := f.file.ReadAt(chunk[:end-from], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if i := bytes.LastIndexByte(chunk[:n], '\n'); i >= 0 {
			end = from + int64(i) + 1
			break
		}
		end = from
	}
	tail, ok := f.before(uint64(end), int(min(end, tailWindow)))
	if !ok {
		return errTruncated
	}
	f.tailer.deps.State.skip(c, position{offset: uint64(end), tail: tail, size: f.size, modified: f.modified})
	return nil
}

// fill reads on into b. It returns errTruncated, and nothing read, when the
// bytes before the position are no longer those that were read.
func (f *tracked) fill(b []byte) (n int, end bool, err error) {
	if f.packed {
		for n < len(b) && err == nil {
			var m int
			m, err = f.unpack.Read(b[n:])
			n += m
		}
		f.pos += uint64(n)
		if errors.Is(err, io.EOF) {
			return n, true, nil
		}
		return n, false, err
	}
	size, modified := f.size, f.modified
	if err := f.stat(); err != nil {
		return 0, false, err
	}
	if f.size == int64(f.pos) && f.size == size && f.modified.Equal(modified) {
		return 0, true, nil
	}
	n, err = f.file.ReadAt(b, int64(f.pos))
	end = errors.Is(err, io.EOF)
	if err != nil && !end {
		return 0, false, err
	}
	check := make([]byte, min(len(f.last), 64))
	m, _ := f.file.ReadAt(check, int64(f.pos)-int64(len(check)))
	if f.pos == 0 && !bytes.HasPrefix(b[:n], f.named) { // cut before anything was read
		return 0, false, errTruncated
	}
	if m < len(check) || !bytes.Equal(check, f.last[len(f.last)-len(check):]) || f.size < int64(f.pos) {
		return 0, false, errTruncated
	}
	f.pos += uint64(n)
	return n, end, nil
}

// read returns the next Run, or nil when there is no complete line now. With
// final a last line without its end counts. more says that bytes were read
// although no line is complete yet.
func (f *tracked) read(final bool, now time.Time) (run *source.Run, more bool, err error) {
	t := f.tailer
	b := t.buffer()
	kept := copy(b.bytes, f.carry)
	n, end, err := f.fill(b.bytes[kept:])
	if err != nil && n == 0 {
		t.giveBack(b)
		return nil, false, err
	}
	data := b.bytes[:kept+n]
	if n > 0 {
		f.quiet = now
	}
	before := f.cursor.read.tail
	if f.long != nil {
		before = f.last
	}
	o := audit.Origin{Stream: f.cursor.Stream, Generation: f.cursor.Generation, Offset: f.cursor.read.offset}
	lines, used := f.lines(b.lines[:0], data, &o)
	capped := len(lines) >= t.cfg.BatchLines
	rest := data[used:]
	if !capped && len(lines) == 0 && f.long == nil && len(rest) > t.cfg.MaxLine && n > 0 {
		f.long = &longLine{}
		f.long.add(rest, t.cfg.MaxLine)
		used, rest = len(data), nil
	}
	tail := roll(before, data[:used])
	if f.long != nil {
		tail = f.cursor.read.tail
	}
	if final && end && !capped && (f.long != nil || len(rest) > 0) {
		if f.long != nil {
			lines = append(lines, f.long.line(o))
			o.Offset += f.long.n
			f.long = nil
		} else {
			lines = append(lines, line(rest, o, t.cfg.MaxLine))
			o.Offset += uint64(len(rest))
			rest = nil
		}
		tail = roll(before, data)
	}
	f.last = roll(before, data)
	f.carry = append(f.carry[:0], rest...)
	b.lines = lines
	f.ended = end && !capped && (f.packed || t.cfg.Once)
	f.progress()
	if len(lines) == 0 {
		t.giveBack(b)
		return nil, n > 0 && !end, err
	}
	t.full = capped || !end
	first, at := f.cursor.read.offset, position{offset: o.Offset, tail: tail, size: f.size, modified: f.modified}
	f.cursor.read = at
	return &source.Run{
		Stream: o.Stream, Generation: o.Generation, First: first, Next: o.Offset, Received: now.UTC(), Lines: lines,
		Mark: &read{buf: b, cursor: f.cursor, end: at},
	}, false, nil
}

// lines splits data, ending a long line first, moves o behind what was used
// and returns the lines and the number of bytes used.
func (f *tracked) lines(dst []audit.Line, data []byte, o *audit.Origin) ([]audit.Line, int) {
	cfg := &f.tailer.cfg
	used := 0
	if f.long != nil {
		i := bytes.IndexByte(data, '\n')
		if i < 0 {
			f.long.add(data, cfg.MaxLine)
			return dst, len(data)
		}
		f.long.add(data[:i], cfg.MaxLine)
		dst = append(dst, f.long.line(*o))
		o.Offset += f.long.n + 1
		f.long = nil
		used = i + 1
	}
	dst, n := split(dst, data[used:], *o, cfg.MaxLine, cfg.BatchLines)
	o.Offset += uint64(n)
	return dst, used + n
}

// roll is the last tailWindow bytes of w followed by b, in new memory.
func roll(w, b []byte) []byte {
	if len(b) >= tailWindow {
		return bytes.Clone(b[len(b)-tailWindow:])
	}
	keep := min(len(w), tailWindow-len(b))
	out := make([]byte, 0, keep+len(b))
	return append(append(out, w[len(w)-keep:]...), b...)
}

// progress adds what was read since the last call to the Tailer's progress.
func (f *tracked) progress() {
	at := int64(f.pos)
	if f.packed {
		at = f.disk.n
	}
	f.tailer.done.Add(at - f.onDisk)
	f.onDisk = at
}

// forget begins the file anew after it was truncated.
func (f *tracked) forget() {
	f.cursor, f.head, f.headAt, f.named, f.carry, f.long, f.last = nil, nil, 0, nil, nil, nil, nil
	f.pos, f.size, f.ended = 0, 0, false
	f.onDisk = 0
}
