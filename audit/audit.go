// Package audit declares the words of the product as types: Line, Event,
// Entry, Rejection, Finding and Chunk.
//
// An Event holds clear values and lives in memory only; an Entry is masked and
// may be stored, sent and shown. Nothing here parses, masks or talks to a
// driver. The one way from Event to Entry is package masking.
package audit

import (
	"strconv"
	"time"

	"github.com/tallystick/tallystick/masking/plain"
)

// Origin says where a line came from. It identifies the line for ever: the
// same bytes read again have the same origin and count once.
type Origin struct {
	// Stream is the keyed name of one file, topic partition or connection:
	// 16 characters of base64url, made under the site fingerprint key.
	Stream string
	// Generation is 0, and one more each time that different bytes appear
	// under offsets which the store already has.
	Generation uint32
	// Offset is the offset of the line's first byte in the decompressed
	// stream, or the position that the source itself gives (a Kafka offset).
	Offset uint64
}

// EntryID is the id of the entry, rejection or finding that comes from o. Its
// form is STREAM-GENERATION-OFFSET and it holds nothing personal.
func (o Origin) EntryID() string {
	b := make([]byte, 0, len(o.Stream)+32)
	b = append(b, o.Stream...)
	b = append(b, '-')
	b = strconv.AppendUint(b, uint64(o.Generation), 10)
	b = append(b, '-')
	b = strconv.AppendUint(b, o.Offset, 10)
	return string(b)
}

// Line is one raw record of a source: clear, in memory or sealed, never stored.
type Line struct {
	Origin Origin
	Text   plain.Text
	// Length is the true length in bytes without the line end. It is larger
	// than Text.Len() when the tap cut the line at its limit.
	Length int
	// Mark is 32 bits of SipHash over the line under the site fingerprint
	// key. It tells whether other bytes appeared at a known offset.
	Mark uint32
}

// Cut reports whether the tap kept only the beginning of the line.
func (l Line) Cut() bool { return l.Length > l.Text.Len() }

// Batch is what a tap sealed in one message, opened: lines of one stream, and
// what the stages made of them. Events[i] and Entries[i] belong to Lines[i];
// a line that was rejected has an Event whose Rejected is true and no Entry
// content. The auditor owns it and reuses it; no stage keeps a reference.
type Batch struct {
	Source   string    // name of the source in tallystick.yaml
	Tap      string    // id of the tap that sealed the batch
	Received time.Time // when the tap read the lines, UTC
	Lines    []Line
	Events   []Event
	Entries  []Entry
	// Rejections are in the order of their lines.
	Rejections []Rejection
	Findings   []Finding
	// Unsealed are the originals that the masking policy keeps, in the order of
	// their lines.
	Unsealed []Unsealed
	// Links are those that the mask stage does not know to be stored. One may come
	// several times.
	Links []Link
}

// Reject marks line i as rejected for a reason. Column is 1-based, 0 if it
// does not apply. A line is rejected once: later calls for it do nothing.
func (b *Batch) Reject(i int, reason Reason, column int, expected string) {
	if b.Events[i].Rejected {
		return
	}
	b.Events[i].Rejected = true
	l := b.Lines[i]
	b.Rejections = append(b.Rejections, Rejection{
		Origin: l.Origin, Line: i, Source: b.Source, Format: b.Events[i].Format, Received: b.Received,
		Reason: reason, Column: column, Expected: expected, Length: l.Length, Mark: l.Mark,
	})
}
