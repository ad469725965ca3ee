package services

import (
	"context"
	"strconv"
	"time"

	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/services/tap"
)

// silenceCheck is how often sources are looked at.
const silenceCheck = time.Minute

// watchSources raises a gap for each source that brings no line for longer than
// its silent_after, one per silence, keyed by the last line's arrival; and for
// each whose batches wait in its spool for too long.
func (a *App) watchSources(ctx context.Context) error {
	tick := time.NewTicker(silenceCheck)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		status, now := a.tap.Status(), time.Now()
		for _, f := range append(silent(status, a.silentAfter(), began, now), waiting(status, now)...) {
			if err := a.raise(ctx, f); err != nil && ctx.Err() == nil {
				a.log.Error("failed to record the state of a source", "source", f.Source, "reason", f.Reason, "error", err)
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

// spoolAge is how long a batch may wait in a spool before that is a gap.
const spoolAge = time.Hour

// waiting are the faults of sources whose spool is not emptied: their lines are
// safe, but nobody sees them. One finding for as long as the oldest waits.
func waiting(status []tap.SourceStatus, now time.Time) []control.Fault {
	var out []control.Fault
	for _, s := range status {
		since := s.SpooledSince.UTC()
		if s.SpooledSince.IsZero() || now.Sub(since) <= spoolAge {
			continue
		}
		out = append(out, control.Fault{
			Reason: "spool-old", Key: []string{s.Source, since.Format(time.RFC3339Nano)}, Source: s.Source,
			Time: since, Until: now.UTC(), Count: 1, Facts: map[string]string{"since": since.Format(time.RFC3339), "bytes": strconv.FormatInt(s.Spooled, 10)},
		})
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
