package services

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/store"
)

const (
	evidenceCheck = 10 * time.Minute // how often the record is looked at
	maxSkew       = 5 * time.Second  // how far a source's clock may be off
	// authorizerSpan is how far back an authorizer's lines are looked at, and
	// authorizerPatience how long it may log denials alone: a broker that logs
	// what it allows does so within seconds.
	authorizerSpan     = 24 * time.Hour
	authorizerPatience = time.Hour
)

// watchEvidence raises gaps that show in the entries alone: clocks that are
// off, and authorizers that do not log what they allow.
func (a *App) watchEvidence(ctx context.Context) error {
	tick := time.NewTicker(evidenceCheck)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := a.checkEvidence(ctx, time.Now()); err != nil && ctx.Err() == nil {
			a.log.Error("failed to look for wrong clocks and missing allowances; trying again later", "error", err)
		}
	}
}

func (a *App) checkEvidence(ctx context.Context, now time.Time) error {
	skewed, err := a.skewed(ctx, now)
	if err != nil {
		return err
	}
	silent, err := a.onlyDenials(ctx, now)
	if err != nil {
		return err
	}
	for _, f := range append(skewed, silent...) {
		if err := a.raise(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

// skewQuery compares the lines of the last hour with the tap's clock. A line can
// come late for many reasons, so only the one that came soonest tells of a clock
// that is behind; any line from the future tells of one that is ahead.
const skewQuery = `SELECT source, max(dateDiff('millisecond', ingest_time, event_time)) AS ahead,
 min(dateDiff('millisecond', event_time, ingest_time)) AS behind
FROM entries
WHERE ingest_time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND ingest_time < fromUnixTimestamp64Nano({until:Int64}, 'UTC')
 AND event_time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') - INTERVAL 1 DAY
GROUP BY source ORDER BY source`

// skewed are the faults of sources whose clock is off, one an hour.
func (a *App) skewed(ctx context.Context, now time.Time) ([]control.Fault, error) {
	from := now.Add(-time.Hour)
	res, err := a.store.Select(ctx, skewQuery, store.Named("from", from.UnixNano()), store.Named("until", now.UnixNano()))
	if err != nil {
		return nil, err
	}
	known := a.sources.all()
	var out []control.Fault
	for _, row := range res.Rows {
		name, _ := row[0].(string)
		ahead, behind := milliseconds(row[1]), milliseconds(row[2])
		side, by := "ahead", ahead
		if ahead <= maxSkew && live(known[name]) {
			side, by = "behind", behind
		}
		if by <= maxSkew {
			continue
		}
		out = append(out, control.Fault{
			Reason: "clock-skew", Key: []string{name, now.UTC().Format("2006-01-02T15")}, Source: name, Time: from.UTC(), Until: now.UTC(), Count: 1,
			Facts: map[string]string{"clock": side, "seconds": strconv.FormatFloat(by.Seconds(), 'f', 1, 64)},
		})
	}
	return out, nil
}

// live reports whether a source's lines come as they are written. The others
// may bring old ones at any time.
func live(c source.Config) bool { return c.Way() == source.WaySyslog || c.Way() == source.WayALS }

func milliseconds(v any) time.Duration {
	n, _ := v.(int64)
	return time.Duration(n) * time.Millisecond
}

const onlyDenialsQuery = `SELECT source, count() AS denials, min(ingest_time) AS since
FROM entries
WHERE has({sources:Array(String)}, source) AND ingest_time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND outcome IN ('allowed', 'denied')
GROUP BY source HAVING countIf(outcome = 'allowed') = 0 ORDER BY source`

// onlyDenials are the faults of Kafka authorizers that log what they deny and
// never what they allow, one a day: who read what then stays unknown.
func (a *App) onlyDenials(ctx context.Context, now time.Time) ([]control.Fault, error) {
	var names []string
	for name, c := range a.sources.all() {
		if c.Format == "kafka:authorizer" {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	slices.Sort(names)
	res, err := a.store.Select(ctx, onlyDenialsQuery, store.Named("sources", names), store.Named("from", now.Add(-authorizerSpan).UnixNano()))
	if err != nil {
		return nil, err
	}
	var out []control.Fault
	for _, row := range res.Rows {
		name, _ := row[0].(string)
		since, _ := row[2].(time.Time)
		if now.Sub(since) < authorizerPatience {
			continue
		}
		out = append(out, control.Fault{
			Reason: "allow-lines-off", Key: []string{name, now.UTC().Format(time.DateOnly)}, Source: name, Time: since.UTC(), Until: now.UTC(), Count: 1,
			Facts: map[string]string{"denials": fmt.Sprint(row[1])},
		})
	}
	return out, nil
}
