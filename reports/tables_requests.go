package reports

import (
	"fmt"
	"slices"
	"time"
)

// metricsTable has one row per type of request, with and without requests:
// 11 CCR § 7102(a)(1).
func metricsTable(b *builder) *Rows {
	out := &Rows{Columns: []string{"type", "received", "complied", "partial", "denied", "open", "median_days", "mean_days"}}
	rows := map[string][]any{}
	for _, t := range b.def.Types {
		rows[t] = []any{t, 0.0, 0.0, 0.0, 0.0, 0.0, nil, nil}
	}
	b.each("requests_by_type", func(get func(string) any) {
		r := rows[raw(get("type"))]
		if r == nil {
			return
		}
		for i, c := range out.Columns[1:6] {
			r[i+1] = number(get(c))
		}
	})
	b.each("requests_median", func(get func(string) any) {
		if r := rows[raw(get("type"))]; r != nil {
			r[6], r[7] = number(get("median_days")), number(get("mean_days"))
		}
	})
	for _, t := range b.def.Types {
		out.Rows = append(out.Rows, rows[t])
	}
	return out
}

// denialReasons are the reasons that 11 CCR § 7102(a)(3) lets a business give.
var denialReasons = []string{"unverifiable", "not-a-consumer", "exempt", "other"}

func denialsTable(b *builder) *Rows {
	out := &Rows{Columns: []string{"denial_reason", "denied"}}
	n := map[string]float64{}
	b.each("requests_denied", func(get func(string) any) { n[raw(get("denial_reason"))] += number(get("denied")) })
	for _, r := range denialReasons {
		out.Rows = append(out.Rows, []any{r, n[r]})
	}
	return out
}

// bucketsTable counts closed requests by days to close, in steps of 15 days up
// to 90 and all later ones.
func bucketsTable(b *builder) *Rows {
	out := &Rows{Columns: []string{"bucket", "requests", "late"}}
	var n [7]float64
	b.each("requests_days", func(get func(string) any) {
		// Day 45 and day 90 are still in time, so a bucket holds its upper end.
		d := int(number(get("days")))
		i := 0
		if d > 0 {
			i = min((d-1)/15, 6)
		}
		n[i] += number(get("requests"))
	})
	for i, c := range n {
		name := fmt.Sprintf("%d–%d", i*15+1, i*15+15)
		switch i {
		case 0:
			name = "0–15"
		case 6:
			name = "> 90"
		}
		late := "no"
		if i == 6 {
			late = "yes"
		}
		out.Rows = append(out.Rows, []any{name, c, late})
	}
	return out
}

// rightsTable counts requests under the GDPR by type and time limit, Art. 12(3).
func rightsTable(b *builder) *Rows {
	out := &Rows{Columns: []string{"type", "received", "in_time", "late", "open", "overdue", "extended"}}
	today := b.in.Now.In(b.loc)
	day := func(v any) time.Time {
		n := number(v)
		if raw(v) == "" || n == 0 {
			return time.Time{}
		}
		return time.Unix(int64(n)*86400, 0).UTC()
	}
	for _, t := range b.def.Types {
		r := []any{t, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0}
		inc := func(i int) { r[i] = number(r[i]) + 1 }
		b.each("requests_rows", func(get func(string) any) {
			if raw(get("type")) != t {
				return
			}
			months := 1
			if !day(get("extended_day")).IsZero() {
				months = 3
				inc(6)
			}
			due := DueMonths(day(get("received_day")), months)
			inc(1)
			switch closed := day(get("responded_day")); {
			case !closed.IsZero() && closed.After(due):
				inc(3)
			case !closed.IsZero():
				inc(2)
			default:
				inc(4)
				if time.Date(today.Year(), today.Month(), today.Day(), 0, 0, 0, 0, time.UTC).After(due) {
					inc(5)
				}
			}
		})
		out.Rows = append(out.Rows, r)
	}
	return out
}

// DueMonths is the last day of a period of months that starts with the event of
// day: the same day of the later month or its last one, and the next Monday for
// a Saturday or Sunday (Regulation 1182/71, Art. 3). Public holidays are not
// known here: they only make it later.
func DueMonths(day time.Time, months int) time.Time {
	y, m, d := day.Date()
	last := time.Date(y, m+time.Month(months)+1, 0, 0, 0, 0, 0, time.UTC)
	due := time.Date(y, m+time.Month(months), min(d, last.Day()), 0, 0, 0, 0, time.UTC)
	for slices.Contains([]time.Weekday{time.Saturday, time.Sunday}, due.Weekday()) {
		due = due.AddDate(0, 0, 1)
	}
	return due
}
