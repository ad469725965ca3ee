package detect

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"unsafe"
)

// The memory that reading takes, however long a line is: longer lines are
// scanned in pieces that overlap, so that a value of up to overlap bytes is
// found whole wherever it stands.
const (
	maxPiece = 1 << 20
	overlap  = 8 << 10
)

// Lines scans a text line by line and calls found for each match in the order
// of places. line counts from 1, and offsets are those in the line. It does not
// have to be UTF-8, and a line may be longer than memory.
func (d *Detector) Lines(r io.Reader, found func(line int, m Match) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	var buf []byte
	var matches []Match
	at, seen := 0, 0 // offset of buf in the line; end of what was reported of it
	for line := 1; ; {
		part, err := br.ReadSlice('\n')
		buf = append(buf, part...)
		whole := err == nil
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && err != io.EOF {
			return fmt.Errorf("failed to read line %d: %w", line, err)
		}
		if !whole && err != io.EOF && len(buf) < maxPiece {
			continue
		}
		last := whole || err == io.EOF
		text := buf
		for last && len(text) > 0 && (text[len(text)-1] == '\n' || text[len(text)-1] == '\r') {
			text = text[:len(text)-1]
		}
		matches = d.Scan(matches[:0], unsafe.String(unsafe.SliceData(text), len(text)))
		slices.SortFunc(matches, byPlace)
		for _, m := range matches {
			m.Start, m.End = m.Start+at, m.End+at
			// What begins near the end of a piece is whole in the next one.
			if m.Start < seen || !last && m.Start >= at+len(text)-overlap {
				continue
			}
			if err := found(line, m); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if whole {
			line, at, seen, buf = line+1, 0, 0, buf[:0]
			continue
		}
		cut := len(buf) - 2*overlap
		seen = at + len(buf) - overlap
		at += cut
		buf = append(buf[:0], buf[cut:]...)
	}
}
