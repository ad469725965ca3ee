// Package stdin reads the lines of a pipe to its end.
//
// What was read can't be read again, so each reading is a stream of its own and
// lines that come twice count twice. A full Reader leaves the pipe unread.
// services/tap opens one for a source with stdin, and for ingest of -.
package stdin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/push"
)

// Reader is a source.Reader of one pipe.
type Reader struct {
	in    io.Reader
	deps  source.Deps
	inlet *push.Inlet
	begin sync.Once
	ended atomic.Bool
	bytes atomic.Int64

	mu     sync.Mutex
	failed error
}

var _ source.Reader = (*Reader)(nil)

// Open reads nothing before the first Next.
func Open(name string, in io.Reader, deps source.Deps) (*Reader, error) {
	if in == nil {
		return nil, errors.New("the process has no standard input")
	}
	return &Reader{in: in, deps: deps, inlet: push.New(push.Config{Source: name, Listener: "stdin"}, deps)}, nil
}

// Next is that of source.Reader.
func (r *Reader) Next(ctx context.Context) (*source.Run, error) {
	r.begin.Do(func() { go r.read() })
	run, err := r.inlet.Next(ctx)
	if errors.Is(err, io.EOF) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.failed != nil {
			return nil, r.failed
		}
	}
	return run, err
}

// read ends with the pipe. Nothing can end a read that waits, so it may outlive
// the Reader.
func (r *Reader) read() {
	defer r.ended.Store(true)
	defer r.inlet.Stop()
	in := push.NewLines(r.in)
	for {
		line, length, err := in.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				r.mu.Lock()
				r.failed = fmt.Errorf("failed to read standard input: %w", err)
				r.mu.Unlock()
			}
			return
		}
		if _, err := r.inlet.Put(context.Background(), line, length); err != nil {
			return
		}
		r.bytes.Add(int64(length) + 1)
		r.deps.Count("lines", 1)
	}
}

// Ack is that of source.Reader.
func (r *Reader) Ack(run *source.Run) error {
	r.inlet.Ack(run)
	return nil
}

// Status is that of source.Reader.
func (r *Reader) Status() source.Status {
	_, pending := r.inlet.Number()
	s := source.Status{Done: r.bytes.Load(), Lag: pending}
	if !r.ended.Load() {
		s.Open = 1
	}
	return s
}

// Stop reads no further; Next then ends with io.EOF.
func (r *Reader) Stop() { r.inlet.Stop() }

// Close is that of source.Reader.
func (r *Reader) Close() error {
	r.inlet.Close()
	return nil
}
