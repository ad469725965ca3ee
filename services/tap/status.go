package tap

import (
	"time"

	"github.com/tallystick/tallystick/audit/source"
)

// SourceStatus is how a source fares. It holds no value of a line.
type SourceStatus struct {
	source.Status
	Source  string
	Lines   uint64 // durable since the start
	Bytes   uint64 // of the lines, durable since the start
	Batches uint64
	Gaps    uint64
	Dropped uint64 // lines lost by choice

	Spooled      int64     // bytes of sealed batches on disk
	SpooledSince time.Time // since when the oldest of them waits; zero if there is none

	Alive    time.Time // when the source was last looked at: its heartbeat
	LastRead time.Time // when lines last came; zero if none did
	LastSent time.Time // when a batch was last durable; zero if none was

	Blocked string // why Kafka takes no batches at present, or ""
}

// Status is how each source fares, in the order of the configuration.
func (t *Tap) Status() []SourceStatus {
	out := make([]SourceStatus, len(t.lanes))
	for i, l := range t.lanes {
		s := SourceStatus{
			Source: l.source, Status: l.reader.Status(),
			Lines: l.lines.Load(), Bytes: l.bytes.Load(), Batches: l.batches.Load(), Gaps: l.gaps.Load(), Dropped: l.dropped.Load(),
			Alive: at(l.turned.Load()), LastRead: at(l.read.Load()), LastSent: at(l.sent.Load()),
		}
		if l.spool != nil {
			sp := l.spool.Status()
			s.Spooled, s.SpooledSince = sp.Bytes, sp.Oldest
		}
		if why := l.failing.Load(); why != nil {
			s.Blocked = *why
		}
		out[i] = s
	}
	return out
}

func at(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}
