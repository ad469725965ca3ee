package law

import "time"

// Period is a run of days in UTC; a zero end is open.
type Period struct{ from, until time.Time }

// NewPeriod takes days as 2006-01-02, "" for an open end; until is the last
// day that counts.
func NewPeriod(from, until string) (Period, error) {
	var p Period
	var err error
	if from != "" {
		if p.from, err = time.Parse(time.DateOnly, from); err != nil {
			return Period{}, err
		}
	}
	if until != "" {
		if p.until, err = time.Parse(time.DateOnly, until); err != nil {
			return Period{}, err
		}
		p.until = p.until.AddDate(0, 0, 1)
	}
	return p, nil
}

// Contains reports whether t lies in the period.
func (p Period) Contains(t time.Time) bool {
	return !t.Before(p.from) && (p.until.IsZero() || t.Before(p.until))
}
