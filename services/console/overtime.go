package console

import (
	"context"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
)

// outcomes are the values of outcome from the bottom of a bar upwards.
var outcomes = []audit.Outcome{audit.OutcomeAllowed, audit.OutcomeDenied, audit.OutcomeError, audit.OutcomeAborted, audit.OutcomeUnknown}

// The queries of the charts over time. All steps but the shortest are read from
// the counts per quarter of an hour; that one is of a record of few entries.
const (
	outcomesQuery = `SELECT intDiv(toInt64(toUnixTimestamp(quarter)), {step:Int64}) * {step:Int64} AS bucket, outcome AS part, sum(entries) AS n FROM entries_quarterly
 WHERE quarter >= toStartOfFifteenMinutes(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND quarter < fromUnixTimestamp64Nano({until:Int64}, 'UTC')
 GROUP BY bucket, part ORDER BY bucket`
	minutesQuery = `SELECT intDiv(toInt64(toUnixTimestamp(event_time)), {step:Int64}) * {step:Int64} AS bucket, outcome AS part, count() AS n FROM entries
 WHERE event_time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND event_time < fromUnixTimestamp64Nano({until:Int64}, 'UTC')
 GROUP BY bucket, part ORDER BY bucket`
	severitiesQuery = `SELECT intDiv(toInt64(toUnixTimestamp(time)), {step:Int64}) * {step:Int64} AS bucket, severity AS part, count() AS n FROM findings
 WHERE kind = 'violation' AND time >= fromUnixTimestamp64Nano({from:Int64}, 'UTC') AND time < fromUnixTimestamp64Nano({until:Int64}, 'UTC')
 GROUP BY bucket, part ORDER BY bucket`
)

// overTime is a chart with bars of one length in time, in UTC.
type overTime struct {
	chart
	from, until time.Time
	step, first int64 // seconds
}

const (
	fiveMinutes = 300
	quarter     = 900
	// fewEntries can be read whole for a chart.
	fewEntries = 1_000_000
)

// over makes bars of minutes for up to three hours, of an hour for up to three
// days, else of a day. Those of minutes are five while the record has few
// entries, then fifteen.
func (r *request) over(p period, id string, entries uint64) *overTime {
	c := &overTime{from: p.From, until: p.Until, step: 86400}
	unit, span := "day", p.Until.Sub(p.From)
	switch {
	case span <= 3*time.Hour && entries <= fewEntries:
		c.step, unit = fiveMinutes, "minutes"
	case span <= 3*time.Hour:
		c.step, unit = quarter, "quarter"
	case span <= 72*time.Hour:
		c.step, unit = 3600, "hour"
	}
	c.ID, c.format = id, r.p.Int
	c.Title = r.p.T("console.chart."+id, map[string]any{"Unit": r.p.T("console.chart."+unit, nil)})
	c.first = p.From.Unix() / c.step * c.step
	bars := int((p.Until.Unix()-1)/c.step*c.step-c.first)/int(c.step) + 1
	for i := range bars {
		t := time.Unix(c.first+int64(i)*c.step, 0).UTC()
		switch {
		case unit == "day":
			c.Labels = append(c.Labels, r.p.Date(t))
		case span <= 24*time.Hour:
			c.Labels = append(c.Labels, t.Format("15:04"))
		default:
			c.Labels = append(c.Labels, r.p.Date(t)+t.Format(" 15:04"))
		}
	}
	return c
}

// part adds a series.
func (c *overTime) part(key, name string) {
	c.Series = append(c.Series, series{Key: key, Name: name, Values: make([]uint64, len(c.Labels))})
}

// read fills the series by the columns bucket, part and n. What is in no series
// goes to the last.
func (c *overTime) read(ctx context.Context, s *Console, q string) error {
	rows, err := s.query(ctx, q, store.Named("step", c.step), store.Named("from", c.from.UnixNano()), store.Named("until", c.until.UnixNano()))
	if err != nil {
		return err
	}
	for _, row := range rows {
		at := len(c.Series) - 1
		for k := range c.Series {
			if c.Series[k].Key == row.Str("part") {
				at = k
			}
		}
		if i := int(row.Int("bucket")-c.first) / int(c.step); i >= 0 && i < len(c.Labels) {
			c.Series[at].Values[i] += row.Uint("n")
		}
	}
	return nil
}

func (s *Console) outcomeChart(r *request, p period, entries uint64) (chart, error) {
	c := r.over(p, "accesses", entries)
	for _, o := range outcomes {
		c.part(string(o), r.p.T("console.outcome."+string(o), nil))
	}
	q := outcomesQuery
	if c.step == fiveMinutes {
		q = minutesQuery
	}
	err := c.read(r.Request.Context(), s, q)
	return c.shown(), err
}

func (s *Console) violationChart(r *request, p period, entries uint64) (chart, error) {
	c := r.over(p, "violations", entries)
	for i := len(severityNames) - 1; i >= 0; i-- { // the worst on top
		c.part(severityNames[i], r.p.T("console.severity."+severityNames[i], nil))
	}
	err := c.read(r.Request.Context(), s, severitiesQuery)
	return c.shown(), err
}

// shown leaves out the series that are nothing, for the legend, and adds the
// sums of the others to their names.
func (c *overTime) shown() chart {
	out := c.chart
	out.Series = nil
	for _, x := range c.Series {
		var sum uint64
		for _, v := range x.Values {
			sum += v
		}
		if sum > 0 {
			x.Sum = c.format(sum)
			out.Series = append(out.Series, x)
		}
	}
	return out
}
