package console

import (
	"context"
	"sync"
	"time"
)

// pulseState tells a page whether it is out of date.
type pulseState struct {
	Entries  uint64    `json:"entries"`
	Findings uint64    `json:"findings"`
	Oldest   time.Time `json:"oldest"` // hour of the oldest entry
	Newest   time.Time `json:"newest"` // hour of the newest entry
}

// pulse is the pulse read last, shared by all open pages for pulseLife.
type pulse struct {
	mu    sync.Mutex
	at    time.Time
	state pulseState
}

const pulseLife = 300 * time.Millisecond

// findings_all may hold a finding twice; for telling that one is new it is
// enough and cheap.
const pulseQuery = `SELECT (SELECT sum(entries) FROM entries_hourly) AS entries, (SELECT count() FROM findings_all) AS findings,
 (SELECT min(hour) FROM entries_hourly) AS oldest, (SELECT max(hour) FROM entries_hourly) AS newest`

// pulseBefore is the pulse of a page. Its handler asks for it before it reads
// its data: what comes between the two then shows as new to the page.
func (r *request) pulseBefore() (pulseState, error) {
	if r.seen != nil {
		return *r.seen, nil
	}
	state, err := r.s.pulseNow(r.Request.Context())
	if err == nil {
		r.seen = &state
	}
	return state, err
}

func (s *Console) pulseNow(ctx context.Context) (pulseState, error) {
	s.pulse.mu.Lock()
	defer s.pulse.mu.Unlock()
	now := s.deps.Now()
	if d := now.Sub(s.pulse.at); d >= 0 && d < pulseLife {
		return s.pulse.state, nil
	}
	rows, err := s.query(ctx, pulseQuery)
	if err != nil {
		return pulseState{}, err
	}
	if len(rows) == 1 {
		s.pulse.state = pulseState{Entries: rows[0].Uint("entries"), Findings: rows[0].Uint("findings"), Oldest: rows[0].Time("oldest"), Newest: rows[0].Time("newest")}
	}
	s.pulse.at = now
	return s.pulse.state, nil
}
