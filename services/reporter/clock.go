package reporter

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tallystick/tallystick/reports"
)

// look is how often the register is read for new schedules, and digests that
// the ledger has not taken are offered again.
const look = time.Minute

// Run serves the schedules until ctx ends. First it clears what a stop left
// unfinished, and serves once each schedule that fell due while it was down.
func (r *Reporter) Run(ctx context.Context) error {
	if err := r.clear(ctx); err != nil {
		return err
	}
	for {
		next, err := r.serve(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			r.d.Log.Error("schedules were not served", "error", err)
		}
		r.offer(ctx)
		wait := look
		if until := next.Sub(r.d.Now()); !next.IsZero() && until < wait {
			wait = max(until, 0)
		}
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

// clear removes folders and runs that a stop left unfinished.
func (r *Reporter) clear(ctx context.Context) error {
	if err := r.d.Runs.FailUnfinishedRuns(ctx); err != nil {
		return err
	}
	entries, err := os.ReadDir(r.cfg.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("failed to read the reports folder: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempPrefix) {
			if err := os.RemoveAll(filepath.Join(r.cfg.Dir, e.Name())); err != nil {
				return fmt.Errorf("failed to clear the reports folder: %w", err)
			}
		}
	}
	return nil
}

// serve renders what is due and returns when the next schedule falls due, zero
// if there is none.
func (r *Reporter) serve(ctx context.Context) (time.Time, error) {
	all, err := r.schedules(ctx)
	if err != nil {
		return time.Time{}, err
	}
	var next time.Time
	var errs []error
	for id, s := range all {
		due, err := r.due(ctx, id, s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	return next, errors.Join(errs...)
}

// schedules are those of the configuration and of the register, by id. One of
// the register that is not valid is skipped with a log line.
func (r *Reporter) schedules(ctx context.Context) (map[string]Schedule, error) {
	out := map[string]Schedule{}
	for _, s := range r.cfg.Schedules {
		out["config:"+s.Name] = s
	}
	rows, err := r.d.Schedules.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		s := Schedule{Name: row.ID, Kind: row.Kind, Cron: row.Cron, Zone: row.Zone, Span: row.Span, Language: row.Language, Formats: row.Formats}
		if err := s.Validate(); err != nil {
			r.d.Log.Warn("a schedule of the register is not valid and is skipped", "schedule", row.ID, "error", err)
			continue
		}
		out[row.ID] = s
	}
	return out, nil
}

// due serves a schedule if it fell due since its mark, once however often, and
// returns when it falls due next. A new schedule starts now.
func (r *Reporter) due(ctx context.Context, id string, s Schedule) (time.Time, error) {
	clock, err := s.clock()
	if err != nil {
		return time.Time{}, err
	}
	now := r.d.Now()
	mark, err := r.d.Schedules.ScheduleMark(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	if mark.IsZero() {
		return clock.Next(now), r.d.Schedules.MarkSchedule(ctx, id, now)
	}
	fell := clock.Next(mark)
	if fell.After(now) {
		return fell, nil
	}
	for later := clock.Next(fell); !later.After(now); later = clock.Next(fell) {
		fell = later
	}
	if f := r.failed[id]; f.again.After(now) {
		return f.again, nil
	}
	period, err := reports.Previous(s.Span, s.Zone, fell)
	if err != nil {
		return time.Time{}, err
	}
	_, err = r.Render(ctx, Request{Kind: s.Kind, Period: period, Lang: s.Language, Formats: s.Formats, Actor: "schedule:" + id})
	if err != nil {
		// Not marked, so it is tried again, later each time up to an hour.
		f := r.failed[id]
		f.times = min(f.times+1, 6)
		f.again = now.Add(min(look<<f.times, time.Hour))
		r.failed[id] = f
		return f.again, fmt.Errorf("schedule %s: %w", id, err)
	}
	delete(r.failed, id)
	r.d.Log.Info("rendered a scheduled report", "schedule", id, "kind", s.Kind, "period", period.String())
	return clock.Next(now), r.d.Schedules.MarkSchedule(ctx, id, fell)
}

// offer gives the ledger the digests that it has not taken.
func (r *Reporter) offer(ctx context.Context) {
	if r.d.Ledger == nil {
		return
	}
	runs, err := r.d.Runs.UnledgeredRuns(ctx)
	if err != nil {
		r.d.Log.Warn("the report digests could not be read", "error", err)
		return
	}
	for _, run := range runs {
		r.ledger(ctx, run.ID, run.Files)
	}
}
