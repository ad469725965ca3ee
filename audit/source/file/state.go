package file

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"sort"
	"sync"
	"syscall"
	"time"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/text"
)

const (
	// tailWindow is how many bytes before a position are marked, to know the
	// file again.
	tailWindow = 256
	// saveEvery bounds how often positions are written. What was sent since is
	// read again after a crash, and the record drops it.
	saveEvery = time.Second
	// keepGone is how many records of files that are gone are kept, so that
	// the same file coming back counts once.
	keepGone     = 2000
	stateVersion = 1
)

// PRF is a keyed pseudo-random function. Sum appends 32 bytes to dst and may
// be called by several goroutines.
type PRF interface {
	Sum(dst, msg []byte) []byte
}

// position is a place in a stream and the bytes before it.
type position struct {
	offset   uint64
	tail     []byte // up to tailWindow bytes before offset, clear: never stored
	size     int64  // of the file on disk when it was read
	modified time.Time
}

// record is what the state file holds of one stream: no path, no line, only
// keyed marks of them.
type record struct {
	Stream     string `json:"stream"`
	Generation uint32 `json:"generation"`
	Path       string `json:"path"` // mark of host and base path
	Head       string `json:"head"` // mark of the first complete line
	Device     uint64 `json:"device"`
	Inode      uint64 `json:"inode"`
	Offset     uint64 `json:"offset"` // acknowledged
	Tail       string `json:"tail"`   // mark of TailLength bytes before Offset
	TailLength int    `json:"tail_length"`
	Size       int64  `json:"size"`     // on disk, when last read
	Modified   int64  `json:"modified"` // Unix nanoseconds, when last read
	Followed   bool   `json:"followed"` // by a tap, not only ingested
	Finished   bool   `json:"finished"` // rotated, read to its end, closed
}

// cursor is a record with where the reader is at present.
type cursor struct {
	record
	read  position // where reading stands; a nil tail means: at Offset
	owner *tracked // the file that reads it now, nil if none
}

// State is the positions file: how far each stream was acknowledged. It holds
// a lock on its file and is safe for concurrent use.
type State struct {
	path string
	prf  PRF
	lock *os.File

	mu      sync.Mutex
	streams map[string][]*cursor // by stream, oldest generation first
	dirty   bool
	begun   bool // a stream is followed that the file does not know yet

	saving sync.Mutex
	saved  time.Time // guarded by saving
}

// OpenState reads the positions file at path, which is created with the first
// acknowledgement. It fails when another process has it open.
func OpenState(path string, prf PRF) (*State, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("failed to open the lock of the positions file: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, &text.Hint{Err: fmt.Errorf("the positions file %s is in use by another process", path), Hint: "stop the other tallystick, or use another --data folder"}
	}
	s := &State{path: path, prf: prf, lock: lock, streams: map[string][]*cursor{}}
	if err := s.load(); err != nil {
		_ = lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *State) load() error {
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("failed to read positions: %w", err)
	}
	var doc struct {
		Version int      `json:"version"`
		Streams []record `json:"streams"`
	}
	if err := json.Unmarshal(b, &doc); err != nil || doc.Version != stateVersion {
		return &text.Hint{
			Err:  fmt.Errorf("the positions file %s is damaged or of another version", s.path),
			Hint: "move it away and start again: files are read from the beginning and lines that are stored already count once",
		}
	}
	for _, r := range doc.Streams {
		s.streams[r.Stream] = append(s.streams[r.Stream], &cursor{record: r})
	}
	for _, list := range s.streams {
		sort.Slice(list, func(i, j int) bool { return list[i].Generation < list[j].Generation })
	}
	return nil
}

// Close saves the positions and gives up the lock.
func (s *State) Close() error {
	err := s.Flush()
	return errors.Join(err, s.lock.Close())
}

// Flush writes the positions if an acknowledgement was not yet written.
func (s *State) Flush() error {
	s.saving.Lock()
	defer s.saving.Unlock()
	return s.save()
}

// saveBegun writes the positions if a stream is followed that the file does not
// know yet. After a kill its file, rotated meanwhile, would be taken for one that
// was there before its log was followed, and left alone.
func (s *State) saveBegun() error {
	s.saving.Lock()
	defer s.saving.Unlock()
	s.mu.Lock()
	begun := s.begun
	s.mu.Unlock()
	if !begun {
		return nil
	}
	return s.save()
}

func (s *State) saveIfDue() error {
	s.saving.Lock()
	defer s.saving.Unlock()
	if time.Since(s.saved) < saveEvery {
		return nil
	}
	return s.save()
}

// save writes a new file beside the old one, syncs it and renames it. The
// caller holds saving.
func (s *State) save() error {
	s.mu.Lock()
	if !s.dirty {
		s.mu.Unlock()
		return nil
	}
	begun := s.begun
	s.dirty, s.begun = false, false
	doc := struct {
		Version int      `json:"version"`
		Streams []record `json:"streams"`
	}{Version: stateVersion, Streams: s.records()}
	s.mu.Unlock()
	b, err := json.Marshal(doc)
	if err == nil {
		err = durable.Replace(s.path, b, 0o600)
	}
	if err != nil {
		s.mu.Lock()
		s.dirty, s.begun = true, s.begun || begun
		s.mu.Unlock()
		return fmt.Errorf("failed to write positions: %w", err)
	}
	s.saved = time.Now()
	return nil
}

// records are all records in a stable order, without the oldest of those that
// no file reads any more. The caller holds mu.
func (s *State) records() []record {
	var live, gone []record
	for _, list := range s.streams {
		for _, c := range list {
			if c.owner == nil && c.Finished {
				gone = append(gone, c.record)
			} else {
				live = append(live, c.record)
			}
		}
	}
	if len(gone) > keepGone {
		sort.Slice(gone, func(i, j int) bool { return gone[i].Modified > gone[j].Modified })
		gone = gone[:keepGone]
	}
	all := append(live, gone...)
	sort.Slice(all, func(i, j int) bool {
		if all[i].Stream != all[j].Stream {
			return all[i].Stream < all[j].Stream
		}
		return all[i].Generation < all[j].Generation
	})
	return all
}

func (s *State) ack(r *read) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := r.cursor
	c.Offset = r.end.offset
	c.Tail, c.TailLength = s.mark("tail", r.end.tail), len(r.end.tail)
	c.Size, c.Modified = r.end.size, r.end.modified.UnixNano()
	s.dirty = true
}

// mark is a keyed mark of parts: it tells nothing without the site key, not
// even to who guesses the parts.
func (s *State) mark(domain string, parts ...[]byte) string {
	msg := append([]byte("tallystick/file/"), domain...)
	for _, p := range parts {
		msg = append(append(msg, 0), p...)
	}
	return base64.RawURLEncoding.EncodeToString(s.prf.Sum(nil, msg)[:16])
}

func (s *State) pathMark(host, base string) string {
	return s.mark("path", []byte(host), []byte(base))
}

// oldest is the earliest modification among the followed streams of a base
// path, and whether there are any.
func (s *State) oldest(pathMark string) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, known := int64(math.MaxInt64), false
	for _, list := range s.streams {
		for _, c := range list {
			if c.Path == pathMark && c.Followed {
				known = true
				at = min(at, c.Modified)
			}
		}
	}
	return time.Unix(0, at), known
}

// knownElsewhere reports whether the first line is known under another path
// and not under this one.
func (s *State) knownElsewhere(pathMark, headMark string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	elsewhere := false
	for _, list := range s.streams {
		for _, c := range list {
			if c.Head == headMark {
				if c.Path == pathMark {
					return false
				}
				elsewhere = true
			}
		}
	}
	return elsewhere
}

// KnownElsewhere reports whether a file's first complete line is known under
// another path and not under path: its lines may have been counted already.
// The path is taken without rotation suffix.
func (s *State) KnownElsewhere(host, path string, firstLine []byte) bool {
	return s.knownElsewhere(s.pathMark(host, BasePath(path)), s.mark("head", firstLine))
}
