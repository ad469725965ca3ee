package console

import (
	"context"
	"net/http"

	"github.com/tallystick/tallystick/audit"
)

type overviewView struct {
	Period     period
	Accesses   chart // entries by outcome
	Violations chart // by severity
	Entries    uint64
	Personal   uint64 // entries whose resource holds personal data
	Denied     uint64
	Open       uint64            // violations that are not suppressed
	Severities map[string]uint64 // of the open ones
	People     uint64            // distinct subjects of violations
	Gaps       uint64
	Muted      uint64 // suppressed findings
	Controls   []controlCount
	Worst      []group
	Sources    []sourceShare
	Complete   completeness
	Ledger     *LedgerState // nil: not running here
	Empty      bool
}

// completeness is what is known of all sources together.
type completeness struct {
	Share                     float64
	Known                     bool // any line is known
	Silent, Rejected, Missing uint64
}

// controlCount is one bar of findings by control.
type controlCount struct {
	Control, Name, Severity string
	Open, Muted             uint64
	Share                   float64 // of the open findings of the control with most
}

// totalsQuery adds counts per quarter of an hour. Periods are whole hours.
const totalsQuery = `SELECT sum(q.entries) AS entries, sumIf(q.entries, notEmpty(categories)) AS personal, sumIf(q.entries, outcome = 'denied') AS denied FROM entries_quarterly AS q`

const concernedQuery = `SELECT uniqExactArray(subjects) AS people FROM findings`

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
	shown := p
	if state.Oldest.After(shown.From) && state.Oldest.Before(shown.Until) {
		shown.From = state.Oldest
	}
	if v.Accesses, err = s.outcomeChart(r, shown, state.Entries); err != nil {
		return err
	}
	if v.Violations, err = s.violationChart(r, shown, state.Entries); err != nil {
		return err
	}
	if err := s.totals(ctx, p, &v); err != nil {
		return err
	}
	groups, err := s.groups(r, findingFilter{Period: p})
	if err != nil {
		return err
	}
	v.countFindings(groups)
	if v.Sources, err = s.sourceShares(ctx, p); err != nil {
		return err
	}
	v.Complete = together(v.Sources)
	if v.Ledger, err = s.ledgerState(ctx); err != nil {
		return err
	}
	r.renderLive(http.StatusOK, "overview", "console.nav.overview", v, true)
	return nil
}

func (s *Console) totals(ctx context.Context, p period, v *overviewView) error {
	var c, f conditions
	c.between("quarter", p)
	totals, err := s.query(ctx, totalsQuery+c.where(), c.args...)
	if err != nil {
		return err
	}
	for _, t := range totals {
		v.Entries, v.Personal, v.Denied = t.Uint("entries"), t.Uint("personal"), t.Uint("denied")
	}
	f.between("time", p)
	f.add("kind = {kind:String}", "kind", string(audit.Violation))
	concerned, err := s.query(ctx, concernedQuery+f.where(), f.args...)
	for _, t := range concerned {
		v.People = t.Uint("people")
	}
	return err
}

func together(sources []sourceShare) completeness {
	var out completeness
	var entries, known uint64
	for _, x := range sources {
		entries, known = entries+x.Entries, known+x.Received+x.Missing
		out.Rejected, out.Missing = out.Rejected+x.Rejected, out.Missing+x.Missing
		if x.Silent {
			out.Silent++
		}
	}
	if known > 0 {
		out.Known, out.Share = true, float64(min(entries+out.Rejected, known))/float64(known)
	}
	return out
}

func (v *overviewView) countFindings(groups []group) {
	v.Severities = map[string]uint64{}
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
			v.Severities[g.Severity] += g.Findings
			v.Controls[i].Open += g.Findings
			if len(v.Worst) < 5 {
				v.Worst = append(v.Worst, g)
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
