package source

import (
	"context"
	"log/slog"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// Reader is an open way in. Next and Close belong to one goroutine; Ack and
// Status may be called from others. services/tap drives it.
type Reader interface {
	// Next waits for lines and returns a Run of them: io.EOF at the end of a
	// source that has one, ctx's error when ctx ends.
	Next(ctx context.Context) (*Run, error)
	// Ack is told that a Run is durable elsewhere, in the order in which Next
	// returned them. Neither the Run nor its lines are used any more; what
	// waits for an answer, such as an HTTP request, gets it now.
	Ack(run *Run) error
	// Status is how the source fares.
	Status() Status
	// Close lets go of what was opened. Runs that were not acknowledged come
	// again at the next start, or are refused towards their sender.
	Close() error
}

// Deps are what a Reader needs of the tap that opens it.
type Deps struct {
	// Name is the keyed name of the stream that the parts make up.
	Name func(parts ...string) string
	// Logger and Clock are never nil.
	Logger *slog.Logger
	Clock  func() time.Time
	// Gap is told of lines that are lost, or may be.
	Gap func(Gap)
	// Count counts what came by outcome, a word of the Reader's own such as
	// "too_long"; never a value of a line.
	Count func(outcome string, n int)
}

// Run is consecutive lines of one stream. The text of its lines may lie in
// memory that the Reader uses again after Ack.
type Run struct {
	Stream     string
	Generation uint32
	First      uint64 // offset of the first line
	Next       uint64 // offset behind the last line
	Received   time.Time
	Lines      []audit.Line
	// Mark is what the Reader needs to acknowledge the Run; nobody else reads
	// it.
	Mark any
}

// Status is how a source fares. It holds no value of a line.
type Status struct {
	Open        int   // files, connections or partitions
	Done, Total int64 // bytes read, and in all; 0 where there is no end
	Lag         int64 // bytes, or records of a topic, that are not yet read
	Problems    []Problem
}

// Problem is a file, listener or topic that can't be read at present.
type Problem struct {
	Path string // of the file, or the address or topic
	Err  error  // says what is wrong; its hint says what to do
}

// GapKind says how lines were lost.
type GapKind string

// The values of GapKind.
const (
	GapTruncated GapKind = "truncated" // the file or partition became shorter than what was read of it
	GapVanished  GapKind = "vanished"  // a file that wasn't read to its end is gone
	GapCorrupt   GapKind = "corrupt"   // compressed data that can't be read on
	GapDropped   GapKind = "dropped"   // there was no room for them
	GapMissing   GapKind = "missing"   // their sender counted them, but they never came
	GapExpired   GapKind = "expired"   // records of a topic were deleted before they were read
	// GapUnreadable: records of a topic are in a batch that can't be decompressed,
	// or only to more than 64 MiB.
	GapUnreadable GapKind = "unreadable"
)

// Gap is a place in a stream behind which lines are or may be missing.
type Gap struct {
	Kind       GapKind
	Source     string
	Stream     string
	Generation uint32
	Offset     uint64    // first byte, or position, that was not read
	Lost       uint64    // bytes known to be lost; 0 if that is not known
	Lines      uint64    // lines known to be lost; 0 if that is not known
	Copied     bool      // a copy of the file was found and read on; what came between copy and cut is lost
	Seen       time.Time // when it was noticed, UTC
}
