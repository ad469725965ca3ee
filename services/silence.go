package services

import (
	"context"
	"time"

	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/services/tap"
)

// silenceCheck is how often sources are looked at.
const silenceCheck = time.Minute

// watchSilence raises a gap for each source that brings no line for longer than
// its silent_after: one per silence, keyed by the last line's arrival.
func (a *App) watchSilence(ctx context.Context) error {
	tick := time.NewTicker(silenceCheck)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, s := range silent(a.tap.Status(), a.silentAfter(), began, time.Now()) {
			if err := a.raise(ctx, s); err != nil && ctx.Err() == nil {
				a.log.Error("failed to record that a source is silent", "source", s.Source, "error", err)
			}
		}
	}
}

// silentAfter is how long each source may be silent.
func (a *App) silentAfter() map[string]time.Duration {
	out := map[string]time.Duration{}
	for i := range a.cfg.Sources {
		out[a.cfg.Sources[i].Name] = a.cfg.Sources[i].MaySilent()
	}
	return out
}

// silent are the faults of sources whose last line, or the start if none came,
// is too long ago.
func silent(status []tap.SourceStatus, after map[string]time.Duration, began, now time.Time) []control.Fault {
	var out []control.Fault
	for _, s := range status {
		last := s.LastRead
		if last.Before(began) {
			last = began
		}
		if limit := after[s.Source]; limit > 0 && now.Sub(last) > limit {
			out = append(out, control.Fault{
				Reason: "source-silent", Key: []string{s.Source, last.UTC().Format(time.RFC3339)}, Source: s.Source,
				Time: last.UTC(), Until: now.UTC(), Count: 1, Facts: map[string]string{"since": last.UTC().Format(time.RFC3339)},
			})
		}
	}
	return out
}

// raise records a fault of the record itself as GV-03.
func (a *App) raise(ctx context.Context, fault control.Fault) error {
	f, err := a.controls.Raise("GV-03", fault, time.Now().UTC())
	if err != nil {
		return err
	}
	return a.alerter.Raise(ctx, f)
}
