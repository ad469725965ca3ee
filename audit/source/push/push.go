// Package push is what the Readers of all listeners share: an Inlet numbers
// lines at receipt, keeps them in bounded memory and hands them on in Runs.
//
// One Inlet is one stream, named anew at each start, and a line's offset is its
// number; so a line counts exactly once from receipt on. The package listens to
// nothing. audit/source/{syslog,http,als,otlp} put lines in; services/tap takes
// Runs out.
package push

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"io"
	"sync"
	"time"
	"unsafe"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/masking/plain"
)

// ErrClosed says that the Inlet takes nothing any more, or ended before the
// lines were durable.
var ErrClosed = errors.New("the source is closing")

// Config bounds an Inlet. The zero value is usable.
type Config struct {
	// Source and Listener name the stream, with a nonce of this start.
	Source, Listener string
	// BatchBytes and BatchLines bound a Run. Default 1 MiB and 8192.
	BatchBytes, BatchLines int
	// Batches is how many Runs may be filled or not yet acknowledged. Default 8.
	Batches int
	// Gather is the least time between two Runs that aren't full, so that a
	// trickle of lines doesn't become a batch each. Default 100 ms.
	Gather time.Duration
}

// Inlet is safe for concurrent use, but for Next, which belongs to one
// goroutine.
type Inlet struct {
	cfg    Config
	stream string
	clock  func() time.Time

	mu      sync.Mutex
	open    *batch        // being filled; nil if it has no line
	ready   []*batch      // full, in order
	spare   []*batch      // not in use
	made    int           // batches there are
	next    uint64        // number of the next line
	acked   uint64        // lines below are durable
	stopped bool          // takes nothing more
	closed  bool          // and hands nothing out
	came    chan struct{} // holds a value when something came for Next
	changed chan struct{} // closed when a batch was acknowledged or the Inlet stopped

	last time.Time // of Next: when the last Run went out
}

// batch is the memory of a Run.
type batch struct {
	bytes []byte // never grows: texts lie in it
	lines []audit.Line
	first uint64
	at    time.Time // receipt of the last line: a batch may lie open for long
}

// New returns an empty Inlet.
func New(cfg Config, deps source.Deps) *Inlet {
	setDefault(&cfg.BatchBytes, 1<<20)
	setDefault(&cfg.BatchLines, 8192)
	setDefault(&cfg.Batches, 8)
	setDefault(&cfg.Gather, 100*time.Millisecond)
	cfg.BatchBytes = max(cfg.BatchBytes, source.MaxLine)
	var nonce [12]byte
	_, _ = rand.Read(nonce[:]) // never fails
	return &Inlet{
		cfg: cfg, stream: deps.Name(cfg.Source, cfg.Listener, base64.RawURLEncoding.EncodeToString(nonce[:])), clock: deps.Clock,
		came: make(chan struct{}, 1), changed: make(chan struct{}),
	}
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// Stream is the name of the stream.
func (in *Inlet) Stream() string { return in.stream }

// Put takes a line without its line end, and copies it. Length is its true
// length if the caller kept only a beginning, else len(line). It waits for room
// and returns the line's number, or ctx's error, or ErrClosed.
func (in *Inlet) Put(ctx context.Context, line []byte, length int) (uint64, error) {
	for {
		n, changed, err := in.put(line, length)
		if err != nil || changed == nil {
			return n, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// Offer is Put that does not wait: false means that there is no room or that
// the Inlet is closed.
func (in *Inlet) Offer(line []byte, length int) bool {
	_, changed, err := in.put(line, length)
	return err == nil && changed == nil
}

// put takes the line, or returns a channel that is closed when there may be
// room.
func (in *Inlet) put(line []byte, length int) (uint64, <-chan struct{}, error) {
	length = max(length, len(line))
	line = line[:min(len(line), source.MaxLine)]
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.stopped {
		return 0, nil, ErrClosed
	}
	if b := in.open; b != nil && (len(b.lines) >= in.cfg.BatchLines || len(b.bytes)+len(line) > cap(b.bytes)) {
		in.ready, in.open = append(in.ready, b), nil
		in.wake()
	}
	if in.open == nil {
		if in.open = in.batch(); in.open == nil {
			return 0, in.changed, nil
		}
		in.open.first = in.next
		in.wake()
	}
	b, n := in.open, in.next
	b.at = in.clock().UTC()
	from := len(b.bytes)
	b.bytes = append(b.bytes, line...)
	l := audit.Line{Origin: audit.Origin{Stream: in.stream, Offset: n}, Length: length}
	if len(line) > 0 {
		l.Text = plain.New(unsafe.String(&b.bytes[from], len(line)))
	}
	b.lines = append(b.lines, l)
	in.next++
	return n, nil, nil
}

// batch is one that is not in use, or nil if there are enough. Mu is held.
func (in *Inlet) batch() *batch {
	if n := len(in.spare); n > 0 {
		b := in.spare[n-1]
		in.spare = in.spare[:n-1]
		return b
	}
	if in.made == in.cfg.Batches {
		return nil
	}
	in.made++
	return &batch{bytes: make([]byte, 0, in.cfg.BatchBytes)}
}

func (in *Inlet) wake() {
	select {
	case in.came <- struct{}{}:
	default:
	}
}

// Full reports whether a line would have to wait.
func (in *Inlet) Full() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.spare) == 0 && in.made == in.cfg.Batches && (in.open == nil || len(in.open.bytes)+source.MaxLine > cap(in.open.bytes))
}

// Durable waits until the line with this number is durable.
func (in *Inlet) Durable(ctx context.Context, number uint64) error {
	for {
		in.mu.Lock()
		done, closed, changed := number < in.acked, in.closed, in.changed
		in.mu.Unlock()
		switch {
		case done:
			return nil
		case closed:
			return ErrClosed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Number is that of the next line, and how many bytes wait for Next or for
// their acknowledgement.
func (in *Inlet) Number() (next uint64, pending int64) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, b := range in.ready {
		pending += int64(len(b.bytes))
	}
	if in.open != nil {
		pending += int64(len(in.open.bytes))
	}
	return in.next, pending
}

// Next is that of source.Reader. After Stop it returns what is left, then
// io.EOF.
func (in *Inlet) Next(ctx context.Context) (*source.Run, error) {
	var due <-chan time.Time
	for {
		now := in.clock()
		b, wait, ended := in.take(now)
		switch {
		case b != nil:
			in.last = now
			return &source.Run{
				Stream: in.stream, First: b.first, Next: b.first + uint64(len(b.lines)), Received: b.at, Lines: b.lines, Mark: b,
			}, nil
		case ended:
			return nil, io.EOF
		case wait > 0 && due == nil:
			timer := time.NewTimer(wait)
			defer timer.Stop()
			due = timer.C
		}
		select {
		case <-in.came:
		case <-due:
			due = nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take is the next batch if one is due at now; wait is how long to gather else.
func (in *Inlet) take(now time.Time) (b *batch, wait time.Duration, ended bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	switch {
	case len(in.ready) > 0:
		b = in.ready[0]
		in.ready = in.ready[1:]
		if len(in.ready) > 0 || in.open != nil {
			in.wake()
		}
		return b, 0, false
	case in.open == nil:
		return nil, 0, in.stopped
	}
	if wait = in.cfg.Gather - now.Sub(in.last); wait > 0 && !in.stopped {
		return nil, wait, false
	}
	b, in.open = in.open, nil
	return b, 0, false
}

// Ack is that of source.Reader.
func (in *Inlet) Ack(run *source.Run) {
	b := run.Mark.(*batch)
	run.Mark, run.Lines = nil, nil
	in.mu.Lock()
	defer in.mu.Unlock()
	clear(b.bytes) // clear values do not stay longer than needed
	b.bytes, b.lines = b.bytes[:0], b.lines[:0]
	in.acked = run.Next
	in.spare = append(in.spare, b)
	in.change()
}

// change tells those who wait. Mu is held.
func (in *Inlet) change() {
	close(in.changed)
	in.changed = make(chan struct{})
}

// Stop takes nothing more: Put fails, and Next hands out what is left.
func (in *Inlet) Stop() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.stopped = true
	in.change()
	in.wake()
}

// Close ends the Inlet; whoever waits for Durable gets ErrClosed.
func (in *Inlet) Close() {
	in.Stop()
	in.mu.Lock()
	defer in.mu.Unlock()
	in.closed = true
	in.change()
}
