// Package spool is a bounded queue of sealed messages on disk, for the time
// that Kafka does not take them.
//
// A message is durable when Append returns, and leaves in the order in which it
// came. Files are segments of checksummed records; the torn end that a crash
// leaves is cut off, and what the disk damaged is told. A message may be read
// again after a restart, which the auditor knows to be the same one. Nothing
// clear comes here: services/tap, the only caller, seals first.
package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/tallystick/tallystick/internal/durable"
)

// segmentBytes is how large a segment grows: what may be read again after a
// restart.
const segmentBytes = 8 << 20

// Spool is safe for concurrent use, but Next and Done belong to one goroutine.
type Spool struct {
	dir   string
	limit int64

	mu       sync.Mutex
	segments []*segment // oldest first; the last one is written to
	bytes    int64      // of all segments
	records  int        // not yet done
	file     *os.File   // of the last segment; nil if the next record begins one
	read     int64      // how far the first segment is done
	changed  chan struct{}
	closed   bool
}

type segment struct {
	number uint64
	path   string
	size   int64 // good bytes
	oldest time.Time
}

// Status is how full a Spool is.
type Status struct {
	Records int
	Bytes   int64
	Oldest  time.Time // when the oldest segment began; zero if there is no record
}

// Open reads what an earlier start left in dir, which it makes if it is
// missing. Limit is in bytes. Lost is how many bytes could not be read and are
// gone; 0 but for damage of the disk.
func Open(dir string, limit int64) (s *Spool, lost int64, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, 0, fmt.Errorf("failed to make the folder of a spool: %w", err)
	}
	s = &Spool{dir: dir, limit: limit, changed: make(chan struct{})}
	names, err := fs.Glob(os.DirFS(dir), "*.spool") // the folder's own name is no pattern
	if err != nil {
		return nil, 0, err
	}
	slices.Sort(names) // numbers have leading zeros
	for i, name := range names {
		n, err := s.scan(filepath.Join(dir, name), i == len(names)-1)
		if err != nil {
			return nil, 0, fmt.Errorf("failed to read a spool: %w", err)
		}
		lost += n
	}
	return s, lost, nil
}

// scan takes up a segment of an earlier start. What follows the last good
// record is cut off, and counts as lost unless it is the torn end of the last
// segment.
func (s *Spool) scan(path string, last bool) (lost int64, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	g := &segment{path: path}
	if _, err := fmt.Sscanf(filepath.Base(path), "%d.spool", &g.number); err != nil {
		return 0, fmt.Errorf("%s is not a segment: %w", filepath.Base(path), err)
	}
	for g.size < int64(len(b)) {
		r, n, err := decode(b[g.size:])
		if err != nil {
			if !last || !errors.Is(err, errTorn) {
				lost = int64(len(b)) - g.size
			}
			break
		}
		if g.size == 0 {
			g.oldest = r.At
		}
		g.size += int64(n)
		s.records++
	}
	if g.size == 0 {
		return lost, os.Remove(path)
	}
	if g.size < int64(len(b)) {
		if err := os.Truncate(path, g.size); err != nil {
			return 0, err
		}
	}
	s.segments = append(s.segments, g)
	s.bytes += g.size
	return lost, nil
}

// Append makes records durable, all or none. It waits while there is no room;
// an empty Spool takes any. With ctx's error or one of the disk none was taken.
func (s *Spool) Append(ctx context.Context, records ...Record) error {
	var b []byte
	for i := range records {
		b = records[i].append(b)
	}
	for {
		changed, err := s.append(b, records)
		if err != nil || changed == nil {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *Spool) append(b []byte, records []Record) (<-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.records > 0 && s.bytes+int64(len(b)) > s.limit {
		return s.changed, nil
	}
	if s.closed {
		return nil, os.ErrClosed
	}
	if err := s.write(b, records[0].At); err != nil {
		return nil, fmt.Errorf("failed to spool a batch: %w", err)
	}
	s.records += len(records)
	s.change()
	return nil, nil
}

// write appends b to the last segment, or begins one. After a fault the file is
// what it was, or is written no more.
func (s *Spool) write(b []byte, at time.Time) error {
	if s.file != nil && s.last().size >= segmentBytes {
		_ = s.file.Close()
		s.file = nil
	}
	if s.file == nil {
		if err := s.begin(at); err != nil {
			return err
		}
	}
	g := s.last()
	_, err := s.file.Write(b)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		if cut := s.file.Truncate(g.size); cut != nil {
			err = errors.Join(err, cut)
		}
		_ = s.file.Close()
		s.file = nil
		if g.size == 0 {
			s.segments = s.segments[:len(s.segments)-1]
			_ = os.Remove(g.path)
		}
		return err
	}
	g.size += int64(len(b))
	s.bytes += int64(len(b))
	return nil
}

func (s *Spool) last() *segment { return s.segments[len(s.segments)-1] }

// begin makes the next segment and its name durable.
func (s *Spool) begin(at time.Time) error {
	n := uint64(1)
	if len(s.segments) > 0 {
		n = s.last().number + 1
	}
	g := &segment{oldest: at}
	var f *os.File
	for err := fs.ErrExist; errors.Is(err, fs.ErrExist); n++ { // one that could not be removed waits for the next start
		g.number, g.path = n, filepath.Join(s.dir, fmt.Sprintf("%020d.spool", n))
		f, err = os.OpenFile(g.path, os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := durable.SyncDir(s.dir); err != nil {
		_ = f.Close()
		_ = os.Remove(g.path)
		return err
	}
	s.segments, s.file = append(s.segments, g), f
	return nil
}

// Next waits for records and returns the oldest ones that are not done, about
// size bytes of them.
func (s *Spool) Next(ctx context.Context, size int64) ([]Record, error) {
	for {
		s.mu.Lock()
		if s.records > 0 {
			defer s.mu.Unlock()
			return s.head(size)
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// head reads records of the first segment. Mu is held.
func (s *Spool) head(size int64) ([]Record, error) {
	g := s.segments[0]
	f, err := os.Open(g.path)
	if err != nil {
		return nil, fmt.Errorf("failed to read a spool: %w", err)
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, min(g.size-s.read, max(size, headSize+maxBody)))
	if _, err := f.ReadAt(b, s.read); err != nil {
		return nil, fmt.Errorf("failed to read a spool: %w", err)
	}
	var out []Record
	for used := 0; used < len(b) && int64(used) < size; {
		r, n, err := decode(b[used:])
		if errors.Is(err, errTorn) && len(out) > 0 {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("failed to read a spool: %w", err)
		}
		out = append(out, r)
		used += n
	}
	return out, nil
}

// Done lets go of records that Next returned, the oldest ones.
func (s *Spool) Done(records []Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range records {
		s.read += int64(records[i].size)
	}
	s.records -= len(records)
	defer s.change()
	g := s.segments[0]
	if s.read < g.size {
		return nil
	}
	if len(s.segments) == 1 && s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
	s.bytes -= g.size
	s.segments, s.read = s.segments[1:], 0
	if err := os.Remove(g.path); err != nil {
		return fmt.Errorf("failed to remove a part of a spool: %w", err)
	}
	return nil
}

// change tells those who wait. Mu is held.
func (s *Spool) change() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Empty reports whether every record is done.
func (s *Spool) Empty() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.records == 0
}

// Status is how full the Spool is.
func (s *Spool) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Records: s.records, Bytes: s.bytes}
	if s.records > 0 {
		st.Oldest = s.segments[0].oldest
	}
	return st
}

// Close lets go of the files; what is in them waits for the next start.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}
