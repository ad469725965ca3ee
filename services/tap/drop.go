package tap

import (
	"context"
	"time"

	"github.com/tallystick/tallystick/audit/source"
)

// dropping is what is lost at present. It belongs to the delivering goroutine.
type dropping struct {
	until time.Time  // Kafka is tried again then
	gap   source.Gap // Lines is 0 while nothing is lost
}

// gapEvery is how often lines that are being dropped become a finding.
const gapEvery = time.Minute

// orDrop drops what Kafka does not take within a moment, and what comes within
// a moment after that. A new boot begins then: the auditor would else count the
// batches as missing, too.
func (l *lane) orDrop(ctx context.Context, s sealed) error {
	d, now := l.drops, l.tap.deps.Clock()
	if s.boot == *l.boot.Load() && !now.Before(d.until) {
		err := l.attempt(ctx, s.msgs)
		if err == nil {
			l.tellDropped(0)
			l.delivered(uint64(len(s.run.Lines)), s.bytes, s.msgs)
			return nil
		}
		l.refused(err)
		boot := newBoot()
		l.boot.Store(&boot)
		d.until = l.tap.deps.Clock().Add(20 * l.tap.cfg.Retry)
	}
	n := uint64(len(s.run.Lines))
	if d.gap.Lines == 0 {
		d.gap = source.Gap{Kind: source.GapDropped, Source: l.source, Stream: s.run.Stream, Generation: s.run.Generation, Offset: s.run.First, Seen: now}
	}
	d.gap.Lines += n
	d.gap.Lost += s.bytes
	l.dropped.Add(n)
	l.metrics.dropped.WithLabelValues(l.source).Add(float64(n))
	l.tellDropped(gapEvery)
	return nil
}

// tellDropped raises the gap of what was dropped, if it is older than age.
func (l *lane) tellDropped(age time.Duration) {
	d := l.drops
	if d == nil || d.gap.Lines == 0 || l.tap.deps.Clock().Sub(d.gap.Seen) < age {
		return
	}
	l.gap(d.gap)
	d.gap = source.Gap{}
}
