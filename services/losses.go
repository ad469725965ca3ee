package services

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/store"
)

// lossRetry is how often losses that could not be recorded are tried again:
// lines are often lost because the store is away.
const lossRetry = 30 * time.Second

// losses are those that wait to be recorded.
type losses struct {
	mu      sync.Mutex
	waiting []source.Gap
}

func (l *losses) add(g source.Gap) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = append(l.waiting, g)
}

func (l *losses) take() []source.Gap {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.waiting
	l.waiting = nil
	return out
}

// tapGap records what a tap lost, now or later.
func (a *App) tapGap(g source.Gap) {
	ctx, cancel := context.WithTimeout(context.Background(), lossRetry)
	defer cancel()
	if err := a.recordLoss(ctx, g); err != nil {
		a.log.Error("failed to record that a source lost lines; trying again", "source", g.Source, "kind", g.Kind, "lines", g.Lines, "error", err)
		a.losses.add(g)
	}
}

// retryLosses records what could not be recorded before, and tries a last time
// when ctx ends.
func (a *App) retryLosses(ctx context.Context) error {
	tick := time.NewTicker(lossRetry)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			for _, g := range a.losses.take() {
				a.tapGap(g)
			}
			return nil
		case <-tick.C:
			for _, g := range a.losses.take() {
				a.tapGap(g)
			}
		}
	}
}

// recordLoss turns lines that a source lost into a finding, and counts them as
// missing in the hour in which that was noticed. Recording one again does
// nothing.
func (a *App) recordLoss(ctx context.Context, g source.Gap) error {
	key := []string{g.Source, g.Stream, fmt.Sprint(g.Generation), fmt.Sprint(g.Offset), string(g.Kind)}
	err := a.raise(ctx, control.Fault{
		Reason: "lines-dropped", Key: key, Source: g.Source, Time: g.Seen, Count: max(g.Lines, 1),
		Facts: map[string]string{"how": string(g.Kind), "bytes": fmt.Sprint(g.Lost), "lines": fmt.Sprint(g.Lines)},
	})
	if err != nil || g.Lines == 0 {
		return err
	}
	return a.store.InsertLost(ctx, strings.Join(key, "/"), store.Completeness{Source: g.Source, Hour: g.Seen.UTC().Truncate(time.Hour), Missing: g.Lines})
}
