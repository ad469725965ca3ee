package auditor

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/masking/seal"
)

// stream is what a worker knows of one stream: what the record has of it and
// where the tap's chain of headers stands.
type stream struct {
	coverage *coverage
	chain    *seal.Chain
}

// intake opens a message and emits its parts: the lines that the record does
// not have yet, in blocks. A message that can't be believed becomes one
// rejection and one finding. Emit takes a part over and gives its batch back
// to w.free when it is done, so that a long message needs no more than those.
func (w *worker) intake(ctx context.Context, m broker.Message, emit func(*work) error) error {
	h, lines, head, err := w.a.deps.Opener.Open(m.Value)
	if err != nil {
		return w.refuse(ctx, m, err, emit)
	}
	st, err := w.stream(ctx, h.Stream)
	if err != nil {
		return err
	}
	findings, err := w.before(m)
	if err != nil {
		return err
	}
	var missing uint64
	if _, err := st.chain.Check(&h, head); err != nil {
		var gap *seal.GapError
		if !errors.As(err, &gap) {
			return w.refuse(ctx, m, err, emit)
		}
		f, err := w.raise("sequence-missing", h.Source, m, map[string]string{
			"tap": h.Tap, "batches": strconv.FormatUint(gap.Missing, 10), "lines": strconv.FormatUint(gap.Lines, 10)})
		if err != nil {
			return err
		}
		findings = append(findings, f)
		missing = gap.Lines
	}
	s := span{h.First, h.Until}
	generation := max(h.Generation, st.coverage.latest)
	changed := false
	all := len(lines)
	if len(lines) > 0 && h.Generation <= st.coverage.latest && st.coverage.overlaps(s) {
		if err := w.settle(ctx); err != nil {
			return err
		}
		if lines, changed, err = st.coverage.unknown(ctx, w.a.deps.Store, s, lines); err != nil {
			return err
		}
		w.a.metrics.duplicates.Add(float64(all - len(lines)))
		if changed {
			generation = st.coverage.latest + 1
			f, err := w.raise("bytes-changed", h.Source, m, map[string]string{"generation": strconv.Itoa(int(generation))})
			if err != nil {
				return err
			}
			findings = append(findings, f)
		}
	} else {
		for i := range lines {
			lines[i].Origin.Generation = generation
		}
	}
	reach := reachOf(h, head, generation, changed, lines)
	st.coverage.add(generation, span{reach.From, reach.Until})
	ends := work{reach: []audit.StreamRange{reach}, known: uint64(all - len(lines)), missing: missing}
	return w.split(ctx, h, m, lines, findings, ends, emit)
}

// before makes the findings of what is missing in the partition before m.
func (w *worker) before(m broker.Message) ([]audit.Finding, error) {
	fs := w.lost
	w.lost = nil
	if m.Skipped > 0 {
		f, err := w.raise("lines-dropped", "", m, map[string]string{"batches": strconv.FormatInt(m.Skipped, 10)})
		if err != nil {
			return nil, err
		}
		fs = append(fs, f)
	}
	return fs, nil
}

// reachOf is the range that the message adds to its stream.
func reachOf(h seal.Header, head [32]byte, generation uint32, changed bool, lines []audit.Line) audit.StreamRange {
	r := audit.StreamRange{Stream: h.Stream, Generation: generation, From: h.First, Until: h.Until,
		Tap: h.Tap, Boot: h.Boot, Sequence: h.Sequence, Head: head[:]}
	switch {
	case len(lines) == 0:
		r.From = r.Until
	case changed:
		for _, l := range lines {
			if l.Origin.Generation == generation {
				r.From = l.Origin.Offset
				break
			}
		}
	}
	return r
}

// split emits the lines in blocks; the last one carries what ends the message.
// A message without lines is one empty block.
func (w *worker) split(ctx context.Context, h seal.Header, m broker.Message, lines []audit.Line, findings []audit.Finding, ends work, emit func(*work) error) error {
	for {
		n := min(blockLines, len(lines))
		it, err := w.part(ctx, m)
		if err != nil {
			return err
		}
		it.boot = h.Boot
		it.extra, findings = findings, nil
		it.batch.Source, it.batch.Tap, it.batch.Received = h.Source, h.Tap, h.Received
		it.batch.Lines = append(it.batch.Lines, lines[:n]...)
		lines = lines[n:]
		if len(lines) == 0 {
			it.last, it.reach, it.known, it.missing = true, ends.reach, ends.known, ends.missing
			return emit(it)
		}
		if err := emit(it); err != nil {
			return err
		}
	}
}

// part takes a free batch. It waits while all are in use.
func (w *worker) part(ctx context.Context, m broker.Message) (*work, error) {
	select {
	case b := <-w.free:
		b.Events, b.Entries, b.Rejections, b.Findings = b.Events[:0], b.Entries[:0], b.Rejections[:0], b.Findings[:0]
		b.Lines = b.Lines[:0]
		return &work{batch: b, done: make(chan error, 1), from: m.Offset}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// refuse makes the rejection and the finding of a message that can't be
// believed: unknown tap, bad signature, broken chain, malformed.
func (w *worker) refuse(ctx context.Context, m broker.Message, cause error, emit func(*work) error) error {
	if !aboutMessage(cause) {
		return fmt.Errorf("failed to open a batch: %w", cause)
	}
	it, err := w.part(ctx, m)
	if err != nil {
		return err
	}
	f, err := w.raise(reasonOf(cause), "", m, nil)
	if err != nil {
		return err
	}
	now := w.a.deps.Now().UTC()
	it.last = true
	it.batch.Source, it.batch.Received = "", now
	it.refused = &audit.Rejection{
		Origin:   audit.Origin{Stream: "lines.v1-" + strconv.Itoa(w.p.ID), Offset: uint64(m.Offset)},
		Received: now, Reason: audit.ReasonTap, Expected: "a batch that an enrolled tap signed", Length: len(m.Value),
		Sealed: m.Value,
	}
	it.extra = []audit.Finding{f}
	w.a.deps.Logger.Warn("a batch can't be believed and is rejected", "partition", w.p.ID, "offset", m.Offset, "error", cause)
	return emit(it)
}

// aboutMessage reports whether err is about the message. Anything else is a
// failure of the machinery, after which the message is read again.
func aboutMessage(err error) bool {
	for _, e := range []error{seal.ErrUnknownTap, seal.ErrSignature, seal.ErrBroken, seal.ErrReplayed, seal.ErrMalformed, seal.ErrSealed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
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
	}
	return "bad-signature"
}

// raise makes a finding of the record itself. Its key is the message, so a
// message processed again raises the same finding.
func (w *worker) raise(reason, source string, m broker.Message, facts map[string]string) (audit.Finding, error) {
	now := w.a.deps.Now().UTC()
	return w.a.deps.Controls.Raise("GV-03", control.Fault{
		Reason: reason, Key: []string{source, strconv.Itoa(w.p.ID), strconv.FormatInt(m.Offset, 10)},
		Source: source, Time: now, Count: 1, Facts: facts,
	}, now)
}

// stream returns what is known of a stream, from the store at first sight.
func (w *worker) stream(ctx context.Context, name string) (*stream, error) {
	if st := w.streams[name]; st != nil {
		return st, nil
	}
	ranges, err := w.a.deps.Store.StreamRanges(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("failed to read the ranges of a stream: %w", err)
	}
	st := &stream{coverage: newCoverage(ranges), chain: seal.NewChain()}
	for _, r := range ranges {
		if len(r.Head) == 32 {
			st.chain.Seed(r.Tap, r.Boot, r.Stream, r.Sequence, [32]byte(r.Head))
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
