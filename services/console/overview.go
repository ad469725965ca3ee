package console

import (
	"context"
	"net/http"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
)

type overviewView struct {
	Period   period
	Chart    chart
	Entries  uint64
	People   uint64 // distinct subjects
	Personal uint64 // entries whose resource holds personal data
	Denied   uint64
	Open     uint64 // violations that are not suppressed
	Gaps     uint64
	Muted    uint64 // suppressed findings
	Controls []controlCount
	Newest   []group
	Sources  []sourceShare
	Ledger   *LedgerState // nil: not running here
	Empty    bool
}

// controlCount is one bar of findings by control.
type controlCount struct {
	Control, Name, Severity string
	Open, Muted             uint64
	Share                   float64 // of the open findings of the control with most
}

const outcomesQuery = `SELECT intDiv(toInt64(toUnixTimestamp(hour)), {step:Int64}) * {step:Int64} AS bucket, outcome, sum(entries) AS n FROM entries_hourly
 WHERE hour >= toStartOfHour(fromUnixTimestamp64Nano({from:Int64}, 'UTC')) AND hour < fromUnixTimestamp64Nano({until:Int64}, 'UTC')
 GROUP BY bucket, outcome ORDER BY bucket`

const totalsQuery = `SELECT count() AS entries, countIf(notEmpty(categories)) AS personal, countIf(outcome = 'denied') AS denied, uniqArray(subjects) AS people FROM entries`

// outcomes are the values of outcome from the bottom of a bar upwards.
var outcomes = []audit.Outcome{audit.OutcomeAllowed, audit.OutcomeDenied, audit.OutcomeError, audit.OutcomeAborted, audit.OutcomeUnknown}

func (s *Console) overviewPage(r *request) error {
	p, err := r.ofPeriod("30d")
	if err != nil {
		return err
	}
	if p, err = s.newestPeriod(r, p); err != nil {
		return err
	}
	ctx := r.Request.Context()
	v := overviewView{Period: p}
	state, err := r.pulseBefore()
	if err != nil {
		return err
	}
	v.Empty = state.Entries == 0
	if v.Chart, err = s.outcomeChart(r, p); err != nil {
		return err
	}
	var c conditions
	c.between("event_time", p)
	totals, err := s.query(ctx, totalsQuery+c.where(), c.args...)
	if err != nil {
		return err
	}
	if len(totals) == 1 {
		t := totals[0]
		v.Entries, v.Personal, v.Denied, v.People = t.Uint("entries"), t.Uint("personal"), t.Uint("denied"), t.Uint("people")
	}
	groups, err := s.groups(r, findingFilter{Period: p})
	if err != nil {
		return err
	}
	v.countFindings(groups)
	if v.Sources, err = s.sourceShares(ctx, p); err != nil {
		return err
	}
	if v.Ledger, err = s.ledgerState(ctx); err != nil {
		return err
	}
	r.renderLive(http.StatusOK, "overview", "console.nav.overview", v, true)
	return nil
}

func (v *overviewView) countFindings(groups []group) {
	index := map[string]int{}
	for _, g := range groups {
		if g.Kind == string(audit.Gap) {
			v.Gaps += g.Findings
			continue
		}
		i, ok := index[g.Control]
		if !ok {
			i = len(v.Controls)
			index[g.Control] = i
			v.Controls = append(v.Controls, controlCount{Control: g.Control, Name: g.Name, Severity: g.Severity})
		}
		if g.Suppressed {
			v.Muted += g.Findings
			v.Controls[i].Muted += g.Findings
		} else {
			v.Open += g.Findings
			v.Controls[i].Open += g.Findings
			if len(v.Newest) < 5 {
				v.Newest = append(v.Newest, g)
			}
		}
	}
	var most uint64 = 1
	for _, c := range v.Controls {
		most = max(most, c.Open)
	}
	for i := range v.Controls {
		v.Controls[i].Share = float64(v.Controls[i].Open) / float64(most)
	}
}

// outcomeChart counts entries per hour, or per day where the period is longer
// than three days.
func (s *Console) outcomeChart(r *request, p period) (chart, error) {
	step, layout := int64(86400), "2006-01-02"
	if p.Until.Sub(p.From) <= 72*time.Hour {
		step, layout = 3600, "15:04"
	}
	c := chart{Title: r.p.T("console.overview.chart", nil), format: r.p.Int}
	first := p.From.Unix() / step * step
	bars := int((p.Until.Unix()-1)/step*step-first)/int(step) + 1
	for i := range bars {
		t := time.Unix(first+int64(i)*step, 0).UTC()
		label := t.Format(layout)
		if layout == time.DateOnly {
			label = r.p.Date(t)
		}
		c.Labels = append(c.Labels, label)
	}
	at := map[string]int{}
	for i, o := range outcomes {
		at[string(o)] = i
		c.Series = append(c.Series, series{Key: string(o), Name: r.p.T("console.outcome."+string(o), nil), Values: make([]uint64, bars)})
	}
	rows, err := s.query(r.Request.Context(), outcomesQuery,
		store.Named("step", step), store.Named("from", p.From.UnixNano()), store.Named("until", p.Until.UnixNano()))
	if err != nil {
		return c, err
	}
	for _, row := range rows {
		i := int(int64(row.Uint("bucket"))-first) / int(step)
		o, ok := at[row.Str("outcome")]
		if !ok {
			o = at[string(audit.OutcomeUnknown)]
		}
		if i >= 0 && i < bars {
			c.Series[o].Values[i] += row.Uint("n")
		}
	}
	return c, nil
}

// ledgerState is nil when no ledger runs here.
func (s *Console) ledgerState(ctx context.Context) (*LedgerState, error) {
	if s.deps.Ledger == nil {
		return nil, nil
	}
	st, err := s.deps.Ledger.State(ctx)
	if err != nil {
		return nil, err
	}
	return &st, nil
}
