package reports

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/internal/text"
)

// Period is a half-open span of time in a zone: From is inside, Until is not.
type Period struct {
	From, Until time.Time
	Zone        string // IANA name; "" means UTC
}

// ParsePeriod reads a period from two days, both inclusive, in a zone. An
// empty last day means the day of first.
func ParsePeriod(first, last, zone string) (Period, error) {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return Period{}, &text.Hint{Err: fmt.Errorf("unknown time zone %q", zone), Hint: "use an IANA name, for example Europe/Berlin or UTC"}
	}
	if last == "" {
		last = first
	}
	from, err1 := time.ParseInLocation(time.DateOnly, first, loc)
	until, err2 := time.ParseInLocation(time.DateOnly, last, loc)
	if err1 != nil || err2 != nil {
		return Period{}, &text.Hint{Err: errors.New("a period needs days"), Hint: "write them as 2026-01-31"}
	}
	p := Period{From: from, Until: until.AddDate(0, 0, 1), Zone: zone}
	return p, p.Validate()
}

// Previous returns the last whole day, week (Monday first), month, quarter or
// year before now in the zone.
func Previous(span, zone string, now time.Time) (Period, error) {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return Period{}, fmt.Errorf("unknown time zone %q", zone)
	}
	now = now.In(loc)
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, loc) }
	y, m, d := now.Date()
	p := Period{Zone: zone}
	switch span {
	case "day":
		p.From, p.Until = day(y, m, d-1), day(y, m, d)
	case "week":
		monday := d - (int(now.Weekday())+6)%7
		p.From, p.Until = day(y, m, monday-7), day(y, m, monday)
	case "month":
		p.From, p.Until = day(y, m-1, 1), day(y, m, 1)
	case "quarter":
		q := (m-1)/3*3 + 1
		p.From, p.Until = day(y, q-3, 1), day(y, q, 1)
	case "year":
		p.From, p.Until = day(y-1, 1, 1), day(y, 1, 1)
	default:
		return Period{}, &text.Hint{Err: fmt.Errorf("unknown span %q", span), Hint: "use day, week, month, quarter or year"}
	}
	return p, nil
}

// Validate reports a period that is empty, reversed, in no known zone or not of
// whole quarters of an hour, by which entries are counted. Days of any zone are.
func (p Period) Validate() error {
	if _, err := time.LoadLocation(p.Zone); err != nil {
		return &text.Hint{Err: fmt.Errorf("unknown time zone %q", p.Zone), Hint: "use an IANA name, for example Europe/Berlin or UTC"}
	}
	if !p.From.Before(p.Until) {
		return &text.Hint{Err: errors.New("the period is empty: its end is not after its start"), Hint: "give --from and --to as days, --to the last day inside"}
	}
	const quarter = 15 * time.Minute
	if !p.From.Equal(p.From.Truncate(quarter)) || !p.Until.Equal(p.Until.Truncate(quarter)) {
		return &text.Hint{Err: errors.New("the period does not begin and end with a quarter of an hour"), Hint: "give --from and --to as days"}
	}
	return nil
}

// location is the zone of a valid period.
func (p Period) location() *time.Location {
	loc, err := time.LoadLocation(p.Zone)
	if err != nil {
		return time.UTC
	}
	return loc
}

// Days are the days that the period touches, as 2026-01-31.
func (p Period) Days() []string {
	loc := p.location()
	y, m, d := p.From.In(loc).Date()
	var out []string
	for t := time.Date(y, m, d, 0, 0, 0, 0, loc); t.Before(p.Until); {
		out = append(out, t.Format(time.DateOnly))
		d++
		t = time.Date(y, m, d, 0, 0, 0, 0, loc)
	}
	return out
}

// String names the period shortly: 2026, 2026-03, 2026-03-05 or
// 2026-03-05_2026-03-11, the last day inside.
func (p Period) String() string {
	loc := p.location()
	from, until := p.From.In(loc), p.Until.In(loc)
	midnight := func(t time.Time) bool { return t.Equal(time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, loc)) }
	if !midnight(from) || !midnight(until) {
		return from.Format("20060102T150405") + "_" + until.Format("20060102T150405")
	}
	switch {
	case from.Day() == 1 && from.Month() == 1 && from.AddDate(1, 0, 0).Equal(until):
		return from.Format("2006")
	case from.Day() == 1 && from.AddDate(0, 1, 0).Equal(until):
		return from.Format("2006-01")
	case from.AddDate(0, 0, 1).Equal(until):
		return from.Format(time.DateOnly)
	}
	return from.Format(time.DateOnly) + "_" + until.AddDate(0, 0, -1).Format(time.DateOnly)
}

// bounds are the query parameters of the period, by name.
func (p Period) bounds() map[string]string {
	loc := p.location()
	const layout = "2006-01-02 15:04:05.000000000"
	days := func(t time.Time) string {
		y, m, d := t.In(loc).Date()
		return fmt.Sprint(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
	}
	zone := p.Zone
	if zone == "" {
		zone = "UTC"
	}
	// A period that ends inside a day includes that day of the registers, which know days only.
	until := p.Until
	if y, m, d := until.In(loc).Date(); !until.Equal(time.Date(y, m, d, 0, 0, 0, 0, loc)) {
		until = time.Date(y, m, d+1, 0, 0, 0, 0, loc)
	}
	return map[string]string{
		"from": p.From.UTC().Format(layout), "until": p.Until.UTC().Format(layout), "zone": zone,
		"from_day": days(p.From), "until_day": days(until),
		"from_ms": strconv.FormatInt(p.From.UnixMilli(), 10), "until_ms": strconv.FormatInt(p.Until.UnixMilli(), 10),
	}
}

// Bind writes the parameters {name:Type} of a ClickHouse query into it as
// literals, for engines that take no parameters. Values come from a Period and
// are never text of a log.
func Bind(sql string, params map[string]string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(sql, '{')
		j := strings.IndexByte(sql, '}')
		if i < 0 || j < i {
			return b.String() + sql
		}
		b.WriteString(sql[:i])
		name, kind, _ := strings.Cut(sql[i+1:j], ":")
		v := strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(params[name])
		switch {
		case strings.HasPrefix(kind, "DateTime64"):
			b.WriteString("toDateTime64('" + v + "', 9, 'UTC')")
		default:
			b.WriteString("'" + v + "'")
		}
		sql = sql[j+1:]
	}
}
