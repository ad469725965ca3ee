package tap

import (
	"context"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/push"
)

// dropping is what is lost by choice. It belongs to the delivering goroutine.
type dropping struct {
	until  time.Time // Kafka is tried again then
	losses *push.Losses
}

// orDrop drops what Kafka does not take within a moment, and what comes within
// a moment after that. A new boot begins then: the auditor would else count the
// batches as missing, too.
func (l *lane) orDrop(ctx context.Context, s sealed) error {
	d, now := l.drops, l.tap.deps.Clock()
	if s.boot == *l.boot.Load() && !now.Before(d.until) {
		err := l.attempt(ctx, s.msgs)
		if err == nil {
			d.losses.Tell()
			l.delivered(uint64(len(s.run.Lines)), s.bytes, s.msgs)
			return nil
		}
		l.refused(err)
		boot := newBoot()
		l.boot.Store(&boot)
		d.until = l.tap.deps.Clock().Add(20 * l.tap.cfg.Retry)
	}
	n := uint64(len(s.run.Lines))
	l.dropped.Add(n)
	l.metrics.dropped.WithLabelValues(l.source).Add(float64(n))
	d.losses.Add(source.Gap{
		Kind: source.GapDropped, Source: l.source, Stream: s.run.Stream, Generation: s.run.Generation, Offset: s.run.First,
		Lines: n, Lost: s.bytes, Seen: now.UTC(),
	})
	return nil
}
