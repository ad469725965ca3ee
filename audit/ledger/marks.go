package ledger

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// Row marks are kept in rows/DAY.marks, one record for a table of a chunk: the
// length of the name (16 bits), the name CHUNK.VERSION.TABLE, the length of the
// marks (32 bits), the CRC-32 (IEEE) of name and marks, the marks. All numbers
// are big-endian. A chunk that was written twice has two records; the last
// counts. A torn record at a file's end is cut off when the writer opens it.
//
// Marks are help, not proof: they say which row no longer fits a root.
const (
	marksFolder = "rows"
	marksSuffix = ".marks"
	maxMarks    = 1 << 30
)

func markName(chunk string, version uint16, table string) string {
	return fmt.Sprintf("%s.%d.%s", chunk, version, table)
}

// markWriter appends records; safe for concurrent use.
type markWriter struct {
	dir string
	now func() time.Time

	mu  sync.Mutex
	f   *os.File
	day string
}

func openMarkWriter(dir string) (*markWriter, error) {
	d := filepath.Join(dir, marksFolder)
	if err := os.MkdirAll(d, 0o700); err != nil {
		return nil, fmt.Errorf("failed to make the folder of row marks: %w", err)
	}
	return &markWriter{dir: d, now: time.Now}, nil
}

func (w *markWriter) write(chunk string, version uint16, marks map[string][]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var b []byte
	for _, table := range slices.Sorted(maps.Keys(marks)) {
		if m := marks[table]; len(m) > 0 {
			b = appendMarks(b, markName(chunk, version, table), m)
		}
	}
	if len(b) == 0 {
		return nil
	}
	err := w.rotate()
	if err == nil {
		_, err = w.f.Write(b)
	}
	if err == nil {
		err = w.f.Sync()
	}
	if err != nil {
		_ = w.closeFile() // opening it again cuts off what was written in part
		return fmt.Errorf("failed to keep the row marks of chunk %s: %w", chunk, err)
	}
	return nil
}

// rotate opens the file of the day, without a torn record at its end.
func (w *markWriter) rotate() error {
	day := w.now().UTC().Format(time.DateOnly)
	if w.f != nil && w.day == day {
		return nil
	}
	if err := w.closeFile(); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(w.dir, day+marksSuffix), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	end, err := scanMarks(f, func(string, int64, uint32) {})
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		_ = f.Close()
		return err
	}
	w.f, w.day = f, day
	return nil
}

func (w *markWriter) closeFile() error {
	if w.f == nil {
		return nil
	}
	err := w.f.Close()
	w.f = nil
	return err
}

func (w *markWriter) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closeFile()
}

func appendMarks(b []byte, name string, marks []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(name)))
	b = append(b, name...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(marks)))
	sum := crc32.Update(crc32.ChecksumIEEE([]byte(name)), crc32.IEEETable, marks)
	b = binary.BigEndian.AppendUint32(b, sum)
	return append(b, marks...)
}

// scanMarks calls f for each whole record with the place and length of its
// marks, and returns where the last whole record ends.
func scanMarks(r io.Reader, f func(name string, at int64, n uint32)) (end int64, err error) {
	br := bufio.NewReaderSize(r, 1<<16)
	for {
		var head [8]byte
		if _, err := io.ReadFull(br, head[:2]); err != nil {
			return end, ended(err)
		}
		name := make([]byte, binary.BigEndian.Uint16(head[:2]))
		if _, err := io.ReadFull(br, name); err != nil {
			return end, ended(err)
		}
		if _, err := io.ReadFull(br, head[:]); err != nil {
			return end, ended(err)
		}
		n, sum := binary.BigEndian.Uint32(head[:4]), crc32.NewIEEE()
		if n > maxMarks {
			return end, nil
		}
		sum.Write(name)
		if _, err := io.CopyN(sum, br, int64(n)); err != nil {
			return end, ended(err)
		}
		if sum.Sum32() != binary.BigEndian.Uint32(head[4:]) {
			return end, nil
		}
		at := end + 2 + int64(len(name)) + 8
		f(string(name), at, n)
		end = at + int64(n)
	}
}

// ended takes the end of a file, also within a record, for no error.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// Marks returns the row marks of a table of some chunks, as far as there are
// any, in one pass over the files.
func (r *Reader) Marks(table string, chunks []audit.ChunkKey) (map[audit.ChunkKey][]byte, error) {
	dir := filepath.Join(r.dir, marksFolder)
	names, err := fs.Glob(os.DirFS(dir), "*"+marksSuffix)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	want := make(map[string]audit.ChunkKey, len(chunks))
	for _, k := range chunks {
		want[markName(k.ID, k.Version, table)] = k
	}
	out := map[audit.ChunkKey][]byte{}
	for _, name := range slices.Backward(names) { // of two records the last counts
		if err := marksIn(filepath.Join(dir, name), want, out); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("failed to read the row marks of %d chunks: %w", len(chunks), err)
		}
	}
	return out, nil
}

// marksIn adds to out what a file has of the marks that are wanted and not found
// yet.
func marksIn(path string, want map[string]audit.ChunkKey, out map[audit.ChunkKey][]byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	type place struct {
		at int64
		n  uint32
	}
	found := map[audit.ChunkKey]place{}
	if _, err := scanMarks(f, func(name string, at int64, n uint32) {
		if k, ok := want[name]; ok && out[k] == nil {
			found[k] = place{at, n}
		}
	}); err != nil {
		return err
	}
	for k, p := range found {
		m := make([]byte, p.n)
		if _, err := f.ReadAt(m, p.at); err != nil {
			return err
		}
		out[k] = m
	}
	return nil
}
