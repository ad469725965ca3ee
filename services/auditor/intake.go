package auditor

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/masking/seal"
)

// maxStreams is how many streams a worker remembers; past it, it forgets all
// and asks the store again. Every rotated log is a stream of its own.
const maxStreams = 4096

// stream is what a worker knows of one stream.
type stream struct {
	coverage *coverage   // what the record has, and what was accepted since
	pending  *coverage   // of that, what may not be committed yet
	chain    *seal.Chain // where the taps' chains of headers stand
}

// intake opens a message and emits its parts: the lines that the record does
// not have yet, in blocks. A message that can't be believed becomes one
// rejection and one finding. Emit takes a part over and gives its batch back
// to w.free when it is done, so that a long message needs no more than those.
func (w *worker) intake(ctx context.Context, m broker.Message, emit func(*work) error) error {
	findings, err := w.before(m)
	if err != nil {
		return err
	}
	if m.Refused != nil {
		return w.refuse(ctx, m, seal.Header{}, m.Refused, findings, emit)
	}
	h, lines, head, err := w.a.deps.Opener.OpenInto(m.Value, w.opened)
	w.opened = lines
	if err != nil {
		return w.refuse(ctx, m, h, err, findings, emit)
	}
	st, err := w.stream(ctx, h.Stream)
	if err != nil {
		return err
	}
	ends := work{boot: h.Boot, last: true}
	again, err := st.chain.Check(&h, head)
	var gap *seal.GapError
	switch {
	case again: // the very same message: its lines were counted when it came first
		w.a.metrics.duplicates.Add(float64(len(lines)))
		return w.split(ctx, h, m, nil, findings, ends, emit)
	case errors.As(err, &gap):
		f, err := w.raise("sequence-missing", h.Source, m, m.Offset, map[string]string{
			"tap": h.Tap, "batches": strconv.FormatUint(gap.Missing, 10), "lines": strconv.FormatUint(gap.Lines, 10)})
		if err != nil {
			return err
		}
		findings = append(findings, f)
		ends.missing = gap.Lines
	case err != nil:
		return w.refuse(ctx, m, h, err, findings, emit)
	}
	all := len(lines)
	lines, generation, changed, err := w.fresh(ctx, st, h, lines)
	if err != nil {
		return err
	}
	if changed {
		f, err := w.raise("bytes-changed", h.Source, m, m.Offset, map[string]string{"generation": strconv.Itoa(int(generation))})
		if err != nil {
			return err
		}
		findings = append(findings, f)
	}
	known := uint64(all - len(lines))
	w.a.metrics.duplicates.Add(float64(known))
	ends.tally = Tally{Lines: known, Duplicates: known}
	ends.reach = reachOf(h, head, generation, changed, lines)
	if w.flight.Load() == 0 {
		st.pending = newCoverage(nil)
	}
	for _, r := range ends.reach {
		st.coverage.add(r.Generation, span{r.From, r.Until})
		st.pending.add(r.Generation, span{r.From, r.Until})
	}
	return w.split(ctx, h, m, lines, findings, ends, emit)
}

// fresh returns the lines that the record does not have, with their
// generations set, and the newest of these. Changed says that other bytes
// appeared at a known offset.
func (w *worker) fresh(ctx context.Context, st *stream, h seal.Header, lines []audit.Line) (_ []audit.Line, generation uint32, changed bool, err error) {
	s := span{h.First, h.Until}
	generation = max(h.Generation, st.coverage.latest)
	if len(lines) == 0 || h.Generation > st.coverage.latest || !st.coverage.overlaps(s) {
		for i := range lines {
			lines[i].Origin.Generation = generation
		}
		return lines, generation, false, nil
	}
	if st.pending.overlaps(s) { // the store must have it before it can be asked
		if err := w.settle(ctx); err != nil {
			return nil, 0, false, err
		}
	}
	marks, err := w.marks(ctx, h.Stream, st.coverage, s)
	if err != nil {
		return nil, 0, false, err
	}
	lines, changed = st.coverage.unknown(marks, lines)
	if changed {
		generation++
	}
	return lines, generation, changed, nil
}

// marks reads the marks of the lines that the store has of a range, in any
// generation, by offset.
func (w *worker) marks(ctx context.Context, stream string, c *coverage, s span) (map[uint64][]uint32, error) {
	known := map[uint64][]uint32{}
	for g := range c.generations {
		marks, err := w.a.deps.Store.Marks(ctx, stream, g, s.from, s.until, w.redoing)
		if err != nil {
			return nil, fmt.Errorf("failed to read the marks of a stream: %w", err)
		}
		for _, k := range marks {
			known[k.Offset] = append(known[k.Offset], k.Mark)
		}
	}
	return known, nil
}

// reachOf are the ranges that a message adds to its stream. A message whose
// lines the record has adds an empty one, which says where the chain stands.
func reachOf(h seal.Header, head [32]byte, generation uint32, changed bool, lines []audit.Line) []audit.StreamRange {
	r := audit.StreamRange{Stream: h.Stream, Generation: generation, From: h.First, Until: h.Until,
		Tap: h.Tap, Boot: h.Boot, Sequence: h.Sequence, Head: head[:]}
	if len(lines) == 0 {
		r.From = r.Until
		return []audit.StreamRange{r}
	}
	if !changed {
		return []audit.StreamRange{r}
	}
	for _, l := range lines {
		if l.Origin.Generation == generation {
			r.From = l.Origin.Offset
			break
		}
	}
	if r.From == h.First {
		return []audit.StreamRange{r}
	}
	before := r
	before.Generation, before.From, before.Until = generation-1, h.First, r.From
	return []audit.StreamRange{before, r}
}

// before makes the finding of what is missing in the partition before m.
func (w *worker) before(m broker.Message) ([]audit.Finding, error) {
	from := m.Offset - m.Skipped
	if w.lost >= 0 {
		from, w.lost = min(from, w.lost), -1
	}
	if from >= m.Offset {
		return nil, nil
	}
	f, err := w.raise("lines-dropped", "", m, from, map[string]string{"batches": strconv.FormatInt(m.Offset-from, 10)})
	if err != nil {
		return nil, err
	}
	return []audit.Finding{f}, nil
}

// split emits the lines in blocks; ends is what the last one carries besides.
// A message without lines is one empty block.
func (w *worker) split(ctx context.Context, h seal.Header, m broker.Message, lines []audit.Line, findings []audit.Finding, ends work, emit func(*work) error) error {
	for {
		n := min(blockLines, len(lines))
		it := &work{boot: h.Boot}
		last := n == len(lines)
		if last {
			*it = ends
		}
		if err := w.part(ctx, m, it); err != nil {
			return err
		}
		it.extra, findings = findings, nil
		it.batch.Source, it.batch.Tap, it.batch.Received = h.Source, h.Tap, h.Received
		it.batch.Lines = append(it.batch.Lines, lines[:n]...)
		lines = lines[n:]
		if err := emit(it); err != nil || last {
			return err
		}
	}
}

// part gives it a free batch. It waits while all are in use.
func (w *worker) part(ctx context.Context, m broker.Message, it *work) error {
	select {
	case b := <-w.free:
		clear(b.Rejections)
		clear(b.Findings)
		b.Events, b.Entries, b.Rejections, b.Findings, b.Unsealed = b.Events[:0], b.Entries[:0], b.Rejections[:0], b.Findings[:0], b.Unsealed[:0]
		clear(b.Links)
		b.Links = b.Links[:0]
		b.Lines = b.Lines[:0]
		it.batch, it.done, it.from, it.until = b, make(chan error, 1), m.Offset, m.Next()
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// refuse makes the rejection and the finding of a message that can't be
// believed: unknown tap, bad signature, broken chain, malformed.
func (w *worker) refuse(ctx context.Context, m broker.Message, h seal.Header, cause error, findings []audit.Finding, emit func(*work) error) error {
	if !aboutMessage(cause) {
		return fmt.Errorf("failed to open a batch: %w", cause)
	}
	it := &work{last: true}
	if err := w.part(ctx, m, it); err != nil {
		return err
	}
	var facts map[string]string
	if m.Refused != nil {
		facts = map[string]string{"messages": strconv.FormatInt(m.Until-m.Offset, 10)}
	}
	f, err := w.raise(reasonOf(cause), "", m, m.Offset, facts)
	if err != nil {
		return err
	}
	if signed(cause) {
		it.boot, it.tally = h.Boot, Tally{Lines: uint64(h.Lines), Rejections: uint64(h.Lines)}
	}
	at := w.timeOf(m)
	it.batch.Source, it.batch.Received = "", at
	it.refused = &audit.Rejection{
		Origin:   audit.Origin{Stream: LinesTopic + "-" + strconv.Itoa(w.p.ID), Offset: uint64(m.Offset)},
		Received: at, Reason: audit.ReasonTap, Expected: "a batch that an enrolled tap signed", Length: len(m.Value),
		Sealed: m.Value,
	}
	it.extra = append(findings, f)
	w.a.deps.Logger.Warn("a batch can't be believed and is rejected", "partition", w.p.ID, "offset", m.Offset, "error", cause)
	return emit(it)
}

// aboutMessage reports whether err is about the message. Anything else is a
// failure of the machinery, after which the message is read again.
func aboutMessage(err error) bool {
	for _, e := range []error{broker.ErrRefused, seal.ErrUnknownTap, seal.ErrSignature, seal.ErrBroken, seal.ErrReplayed, seal.ErrMalformed, seal.ErrSealed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// signed reports whether a refused message has a header that its tap signed.
func signed(err error) bool {
	return errors.Is(err, seal.ErrBroken) || errors.Is(err, seal.ErrReplayed) || errors.Is(err, seal.ErrSealed)
}

// reasonOf is the reason of GV-03 for a message that is refused. One that no
// tap can have made, or that opens under no line key, counts as badly signed.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, seal.ErrUnknownTap):
		return "unknown-tap"
	case errors.Is(err, seal.ErrBroken):
		return "broken-chain"
	case errors.Is(err, seal.ErrReplayed):
		return "sequence-reused"
	case errors.Is(err, broker.ErrRefused):
		return "unreadable-batch"
	}
	return "bad-signature"
}

// raise makes a finding of the record itself. It is told by the offset, and
// dated by the message, so that a message processed again raises the same.
func (w *worker) raise(reason, source string, m broker.Message, offset int64, facts map[string]string) (audit.Finding, error) {
	return w.a.deps.Controls.Raise("GV-03", control.Fault{
		Reason: reason, Key: []string{source, strconv.Itoa(w.p.ID), strconv.FormatInt(offset, 10)},
		Source: source, Time: w.timeOf(m), Count: 1, Facts: facts,
	}, w.a.deps.Now().UTC())
}

// timeOf is when the tap sent a message.
func (w *worker) timeOf(m broker.Message) time.Time {
	if m.Time.IsZero() {
		return w.a.deps.Now().UTC()
	}
	return m.Time.UTC()
}

// stream returns what is known of a stream, from the store at first sight.
func (w *worker) stream(ctx context.Context, name string) (*stream, error) {
	if st := w.streams[name]; st != nil {
		return st, nil
	}
	if len(w.streams) >= maxStreams {
		if err := w.settle(ctx); err != nil {
			return nil, err
		}
		clear(w.streams)
	}
	ranges, err := w.a.deps.Store.StreamRanges(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("failed to read the ranges of a stream: %w", err)
	}
	heads, err := w.a.deps.Store.Heads(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("failed to read the heads of a stream: %w", err)
	}
	st := &stream{coverage: newCoverage(ranges), pending: newCoverage(nil), chain: seal.NewChain()}
	for _, r := range heads {
		if len(r.Head) == 32 {
			st.chain.Seed(r.Tap, r.Boot, name, r.Sequence, [32]byte(r.Head))
		}
	}
	w.streams[name] = st
	return st, nil
}

// settle waits until everything accepted so far is committed.
func (w *worker) settle(ctx context.Context) error {
	for w.flight.Load() > 0 {
		select {
		case <-w.landed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}
