package auditor

import (
	"fmt"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/masking/seal"
)

type sourceHour struct {
	source string
	hour   time.Time
}

// building is a chunk in the making: its rows encoded for the store and
// hashed for the ledger. It is used by one goroutine at a time.
type building struct {
	chunk      *audit.Chunk
	block      *store.EntryBlock
	rows       *ledger.Table
	rejections []audit.Rejection
	findings   []audit.Finding
	vault      *seal.Originals // nil without a vault
	originals  []audit.Original
	capsules   []audit.Capsule       // of originals, once the chunk is whole
	links      map[string]audit.Link // by pseudonym
	gaps       map[string]bool       // ids of the gaps that the worker raised, in this chunk or before
	missing    map[sourceHour]uint64 // lines that a chain shows to be missing
	tallies    map[string]Tally      // by boot id
	sealer     LineSealer
	kept       *store.Kept // of a chunk that is redone: what needs no insert
	taken      uint64      // how often the chunk was taken over, this time included
	checked    time.Time   // when the chunk was last known to be this worker's
	scratch    []byte
	entries    []*audit.Entry // scratch: those that are not encoded yet
	lines      int
	messages   int
	whole      bool // the last part added ended its message
	behind     bool // more messages waited in the broker when it was added
}

// maxGaps is how many raised gaps a worker remembers; past it, it forgets all,
// and one may be raised again under its old id.
const maxGaps = 100_000

// newBuilding shares gaps with the worker's other buildings, so that a gap which
// several chunks under way show is raised once.
func newBuilding(gaps map[string]bool) *building {
	return &building{block: store.NewEntryBlock(), gaps: gaps}
}

// begin starts chunk c with empty contents.
func (b *building) begin(c *audit.Chunk) {
	c.Streams, c.Entries, c.Rejections, c.Findings = nil, 0, 0, 0
	b.chunk, b.rows, b.sealer = c, ledger.NewTable(c.Salt), nil
	b.kept, b.taken, b.checked = nil, 0, time.Time{}
	b.block.Reset()
	// What they point to must not live on: a finding can hold a whole message.
	clear(b.rejections)
	clear(b.findings)
	clear(b.originals)
	b.rejections, b.findings, b.originals, b.capsules, b.vault = b.rejections[:0], b.findings[:0], b.originals[:0], nil, nil
	if len(b.gaps) >= maxGaps {
		clear(b.gaps)
	}
	b.links = map[string]audit.Link{}
	b.missing, b.tallies = map[sourceHour]uint64{}, map[string]Tally{}
	b.lines, b.messages, b.whole, b.behind = 0, 0, false, false
}

// looks is how often within MaxAge a chunk is looked at that may be due.
const looks = 2

// busyLines is how many lines a chunk has after one MaxAge on a busy site.
const busyLines = 1000

// How many times MaxAge a chunk of few lines waits when nothing in it was found:
// quietAges, or calmAges where the lines have trickled through calmChunks such
// chunks without a pause. With the tap's pause an entry shows within ten seconds.
const (
	quietAges  = 5
	calmAges   = 16
	calmChunks = 4
)

// behindAges is how many times MaxAge a chunk waits at most for MaxRows while more
// messages wait in the broker: closing it earlier would show its rows earlier, and
// all that follow later.
const behindAges = 3

// late reports whether a chunk that was looked at some times should close. Each
// costs some ten statements and files for hundreds of columns, which a quiet
// site would pay twice a second for a handful of lines. A finding is told
// within two seconds of its line, on a busy machine too; entries with nothing
// new in them may wait. calm is the number of chunks that followed each other
// without a pause.
func (b *building) late(looked, calm int) bool {
	wait := quietAges
	if calm >= calmChunks {
		wait = calmAges
	}
	switch {
	case looked < looks, b.behind && looked < behindAges*looks:
		return false
	case len(b.findings)+len(b.rejections) > 0, looked >= wait*looks:
		return true
	}
	return b.lines >= busyLines && looked%looks == 0
}

// add takes over what the stages made of one part; failed is their error.
func (b *building) add(a *Auditor, it *work, failed error) error {
	if failed != nil {
		return failed
	}
	batch := it.batch
	hour, err := b.addEntries(batch)
	if err != nil {
		return err
	}
	if err := b.sealOriginals(a, batch); err != nil {
		return err
	}
	for _, l := range batch.Links {
		b.links[l.Pseudonym] = l
	}
	if hour.IsZero() {
		hour = batch.Received.Truncate(time.Hour)
	}
	for i := range batch.Rejections {
		r := &batch.Rejections[i]
		if err := b.sealLine(a, r, batch.Lines[r.Line]); err != nil {
			return err
		}
		r.Hour = hour // a line without a time is counted near its neighbours
		b.rejections = append(b.rejections, *r)
	}
	if it.refused != nil {
		it.refused.Hour = it.refused.Received.Truncate(time.Hour)
		b.rejections = append(b.rejections, *it.refused)
	}
	findings := len(b.findings)
	b.addFindings(a, it.extra)
	b.addFindings(a, batch.Findings)
	t := b.tallies[it.boot]
	t.add(it.tally)
	t.add(Tally{Lines: uint64(len(batch.Lines)), Entries: uint64(len(batch.Lines) - len(batch.Rejections)),
		Rejections: uint64(len(batch.Rejections)), Findings: uint64(len(b.findings) - findings)})
	b.tallies[it.boot] = t
	b.lines += len(batch.Lines)
	b.whole = it.last
	if it.last {
		b.messages++
		b.chunk.Until = it.until
		for _, r := range it.reach {
			b.reach(r)
		}
		if it.missing > 0 {
			b.missing[sourceHour{batch.Source, hour}] += it.missing
		}
	}
	return nil
}

// addEntries hashes and encodes the entries of a part, and returns the hour of the
// last one.
func (b *building) addEntries(batch *audit.Batch) (hour time.Time, err error) {
	b.entries = b.entries[:0]
	var last *audit.Entry
	for i := range batch.Entries {
		e := &batch.Entries[i]
		if e.Skip {
			continue
		}
		e.Chunk, e.Version, e.Row = b.chunk.ID, b.chunk.Version, uint32(b.rows.Count())
		b.scratch = ledger.AppendEntry(b.scratch[:0], e)
		b.rows.Add(b.scratch)
		last = e
		if b.kept.Entry(e) {
			continue
		}
		if b.entries = append(b.entries, e); len(b.entries) == store.RowsAtOnce {
			if err := b.encode(); err != nil {
				return hour, err
			}
		}
	}
	if last != nil {
		hour = last.EventTime.Truncate(time.Hour)
	}
	return hour, b.encode()
}

// encode adds the entries to the block: some at a time, while the core that hashed
// them has them in its cache.
func (b *building) encode() error {
	err := b.block.AppendAll(b.entries)
	if b.entries = b.entries[:0]; err != nil {
		return fmt.Errorf("failed to encode the entries: %w", err)
	}
	return nil
}

// addFindings adds findings; the same gap is added once.
func (b *building) addFindings(a *Auditor, fs []audit.Finding) {
	for _, f := range fs {
		if f.Kind == audit.Gap {
			if b.gaps[f.ID] {
				continue
			}
			b.gaps[f.ID] = true
		}
		f.Chunk, f.Detected = b.chunk.ID, a.deps.Now().UTC()
		b.findings = append(b.findings, f)
	}
}

// sealLine seals a rejected line: one encapsulation a chunk, one AEAD a line.
func (b *building) sealLine(a *Auditor, r *audit.Rejection, l audit.Line) error {
	if b.sealer == nil {
		s, err := a.deps.NewLineSealer()
		if err != nil {
			return fmt.Errorf("failed to make the key of the chunk's rejected lines: %w", err)
		}
		b.sealer = s
	}
	r.SealedKey, r.Sealed = b.sealer.SealedKey(), b.sealer.Seal(r.Origin.EntryID(), l.Text)
	return nil
}

// reach adds a range, joined to the one before when they touch.
func (b *building) reach(r audit.StreamRange) {
	for i := range b.chunk.Streams {
		s := &b.chunk.Streams[i]
		if s.Stream == r.Stream && s.Generation == r.Generation && s.Boot == r.Boot && s.Tap == r.Tap && s.Until == r.From {
			s.Until, s.Sequence, s.Head = r.Until, r.Sequence, r.Head
			return
		}
	}
	b.chunk.Streams = append(b.chunk.Streams, r)
}
