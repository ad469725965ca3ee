// Package file reads log files: it tails them by path or glob, or reads them once.
//
// A Tailer, which is a source.Reader, turns files into Runs, which are consecutive lines of one stream,
// and remembers in a State how far each stream was acknowledged. It follows
// rotation by rename and by copytruncate, waits for the end of a partial last
// line, reads compressed rotated files, and keeps the first 64 KiB of a longer
// line with its true length. It numbers, seals and sends nothing; that is
// services/tap, its only caller beside the command line's ingest.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/tallystick/tallystick/audit/source"
)

// Limits and times that hold unless Config says otherwise.
const (
	DefaultBatchBytes = 4 << 20
	DefaultBatchLines = 1 << 16
	DefaultMaxLine    = 64 << 10
	DefaultPoll       = time.Second
	DefaultGather     = 100 * time.Millisecond
	DefaultGrace      = 10 * time.Second
)

// Config says which files are read and how.
type Config struct {
	// Source is the name of the source in tallystick.yaml. Required.
	Source string
	// Patterns are paths or globs of files. Required.
	Patterns []string
	// Once reads the files to their end and then returns io.EOF; a last line
	// without line end counts. Otherwise the files are followed.
	Once bool
	// FromEnd begins files that were never read before, and that are there at
	// the start, at their end. Follow mode only.
	FromEnd bool
	// Host is part of the name of each stream. Required.
	Host string
	// As is the path under which a single file's stream is named instead of
	// its own. Optional, Once only.
	As string
	// New takes a file although its first line is known under another path.
	// Once only.
	New bool
	// Again reads files from their beginning although they were read before,
	// and also while another Tailer follows them: the auditor drops what the
	// record has. Once only.
	Again bool
	// BatchBytes and BatchLines bound a Run. Default 4 MiB and 65,536.
	BatchBytes, BatchLines int
	// MaxLine is how much of a line is kept, bytes. Default 64 KiB.
	MaxLine int
	// Poll is how often the folders are looked at when no notification comes.
	// Default 1 s.
	Poll time.Duration
	// Gather is the least time between two Runs that aren't full, so that a
	// trickle of lines doesn't become a batch each. Default 100 ms.
	Gather time.Duration
	// Grace is how long a rotated file has to be quiet before it is closed.
	// Default 10 s.
	Grace time.Duration
}

// Deps are what a Tailer needs of others.
type Deps struct {
	// State remembers positions. Several Tailers share one.
	State *State
	// Name is the name of the stream whose path without rotation suffix and
	// first complete line are given: seal.StreamName under the site's key.
	Name   func(host, path string, firstLine []byte) string
	Logger *slog.Logger
	// Clock is time.Now if nil.
	Clock func() time.Time
	// Gap is told of lines that are lost, or may be. Optional.
	Gap func(source.Gap)
}

// Tailer reads the files of one source. Next and Close belong to one
// goroutine; Ack and Status may be called from another.
type Tailer struct {
	cfg  Config
	deps Deps

	files   map[fileID]*tracked  // open files
	seen    map[string]sighting  // files that are not open, by path
	bases   map[string]time.Time // base path -> siblings older than this are left alone
	started time.Time
	scanned time.Time // last look at the folders
	lastRun time.Time
	full    bool // the last Run was full: more is waiting
	turn    int  // round robin among the live files
	first   bool // the first look was not taken yet
	watch   *watcher
	free    chan *buffer
	stuck   map[string]string // path -> the problem as it was logged

	orphans map[*cursor]orphaned // streams whose file is gone or was cut
	settled map[string]bool      // base paths whose streams of the last start were looked for

	problems atomic.Pointer[[]source.Problem]
	open     atomic.Int64
	done     atomic.Int64 // bytes on disk
	total    atomic.Int64
	lag      atomic.Int64
}

// Open prepares a Tailer and starts nothing. With Once it fails when a file
// can't be read, and with ErrKnownElsewhere when a file's first line is known
// under another path.
func Open(cfg Config, deps Deps) (*Tailer, error) {
	if cfg.Source == "" || len(cfg.Patterns) == 0 || cfg.Host == "" || deps.State == nil || deps.Name == nil {
		return nil, errors.New("file source needs a name, patterns, a host, a state and a way to name streams")
	}
	setDefault(&cfg.BatchBytes, DefaultBatchBytes)
	setDefault(&cfg.BatchLines, DefaultBatchLines)
	setDefault(&cfg.MaxLine, DefaultMaxLine)
	setDefault(&cfg.Poll, DefaultPoll)
	setDefault(&cfg.Gather, DefaultGather)
	setDefault(&cfg.Grace, DefaultGrace)
	if cfg.BatchBytes < 2*cfg.MaxLine {
		return nil, fmt.Errorf("batch of %d bytes is less than two lines of %d", cfg.BatchBytes, cfg.MaxLine)
	}
	if deps.Clock == nil {
		deps.Clock = time.Now
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	if err := cfg.makeAbsolute(); err != nil {
		return nil, err
	}
	t := &Tailer{
		cfg: cfg, deps: deps, first: true, started: deps.Clock(),
		files: map[fileID]*tracked{}, seen: map[string]sighting{}, bases: map[string]time.Time{},
		free: make(chan *buffer, 4), stuck: map[string]string{},
		orphans: map[*cursor]orphaned{}, settled: map[string]bool{},
	}
	if cfg.Once {
		if err := t.openOnce(); err != nil {
			t.closeFiles()
			return nil, err
		}
	}
	return t, nil
}

// makeAbsolute makes paths absolute: they name streams, and a stream's name
// must not depend on the folder in which the program was started.
func (c *Config) makeAbsolute() (err error) {
	patterns := make([]string, len(c.Patterns))
	for i, p := range c.Patterns {
		if patterns[i], err = filepath.Abs(p); err != nil {
			return fmt.Errorf("failed to find the folder of %s: %w", p, err)
		}
	}
	c.Patterns = patterns
	if c.As != "" {
		c.As, err = filepath.Abs(c.As)
	}
	return err
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Next waits for lines and returns a Run of them. It returns io.EOF at the end
// of all files with Once, and ctx's error when ctx ends. Errors of single
// files are logged, shown in the Status and retried.
func (t *Tailer) Next(ctx context.Context) (*source.Run, error) {
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		now := t.deps.Clock()
		if !t.cfg.Once && (t.first || now.Sub(t.scanned) >= t.cfg.Poll) {
			t.scan(now)
		}
		if pause := t.cfg.Gather - now.Sub(t.lastRun); t.cfg.Once || t.full || pause <= 0 {
			run, err := t.readAny(now)
			if err != nil {
				return nil, err
			}
			if run != nil {
				t.lastRun = now
				return run, nil
			}
			t.full = false
		} else if err := t.pause(ctx, pause); err != nil {
			return nil, err
		} else {
			continue
		}
		if err := t.deps.State.Flush(); err != nil {
			return nil, err
		}
		if t.cfg.Once {
			return nil, io.EOF
		}
		if err := t.wait(ctx); err != nil {
			return nil, err
		}
	}
}

// Ack records that run is durable elsewhere. Runs are acknowledged in the
// order in which Next returned them; run and its lines are not used any more.
func (t *Tailer) Ack(run *source.Run) error {
	r := run.Mark.(*read)
	t.deps.State.ack(r)
	t.giveBack(r.buf)
	run.Mark, run.Lines = nil, nil
	return t.deps.State.saveIfDue()
}

// Close closes the files and saves the positions.
func (t *Tailer) Close() error {
	t.closeFiles()
	if t.watch != nil {
		t.watch.close()
		t.watch = nil
	}
	return t.deps.State.Flush()
}

func (t *Tailer) closeFiles() {
	for id, f := range t.files {
		t.release(f)
		delete(t.files, id)
	}
	t.deps.State.rewind()
	t.open.Store(0)
}

func (t *Tailer) giveBack(b *buffer) {
	select {
	case t.free <- b:
	default:
	}
}

// Status is how the files fare: open files and bytes on disk.
func (t *Tailer) Status() source.Status {
	s := source.Status{Open: int(t.open.Load()), Done: t.done.Load(), Total: t.total.Load(), Lag: t.lag.Load()}
	if p := t.problems.Load(); p != nil {
		s.Problems = *p
	}
	return s
}
