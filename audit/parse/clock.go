package parse

import (
	"time"

	"github.com/tallystick/tallystick/audit"
)

// earliest is the first moment that a line may be of.
var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// setTime sets the event's time or rejects the line. The upper limit is a day
// after the tap read the line, not after now: a chunk that is redone later has
// to come out the same.
func setTime(b *audit.Batch, i int, t time.Time, ok bool, column int, expected string) bool {
	if !ok {
		b.Reject(i, audit.ReasonTime, column, expected)
		return false
	}
	limit := b.Received
	if limit.IsZero() {
		limit = time.Now()
	}
	if s := t.Unix(); s < earliest || s > limit.Unix()+24*60*60 {
		b.Reject(i, audit.ReasonTime, column, "a time from 2000-01-01 to a day after the line was read")
		return false
	}
	b.Events[i].Time = t
	return true
}

// civil is the time of a date and clock in UTC. Days are counted with Howard
// Hinnant's days_from_civil; a date that does not exist is refused.
func civil(year, month, day, hour, minute, second, nano int) (time.Time, bool) {
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60 || nano < 0 {
		return time.Time{}, false
	}
	y, m := year, month
	if m <= 2 {
		y--
	}
	era := y / 400
	yoe := y - era*400
	mp := (m + 9) % 12
	doy := (153*mp+2)/5 + day - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	days := int64(era)*146097 + int64(doe) - 719468
	return time.Unix(days*86400+int64(hour*3600+minute*60+second), int64(nano)).UTC(), true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// monthOf is the number of an English three-letter month, 0 if s is none.
func monthOf(s string) int {
	switch s {
	case "Jan":
		return 1
	case "Feb":
		return 2
	case "Mar":
		return 3
	case "Apr":
		return 4
	case "May":
		return 5
	case "Jun":
		return 6
	case "Jul":
		return 7
	case "Aug":
		return 8
	case "Sep":
		return 9
	case "Oct":
		return 10
	case "Nov":
		return 11
	case "Dec":
		return 12
	}
	return 0
}

// zoneLen is the length of a zone at the start of s (Z, +hhmm or +hh:mm), 0
// if there is none.
func zoneLen(s string) (length, seconds int) {
	if s == "" {
		return 0, 0
	}
	if s[0] == 'Z' {
		return 1, 0
	}
	if s[0] != '+' && s[0] != '-' {
		return 0, 0
	}
	n, minuteAt := 5, 3
	if len(s) > 3 && s[3] == ':' {
		n, minuteAt = 6, 4
	}
	h, m := digits(s, 1, 2), digits(s, minuteAt, 2)
	if h < 0 || h > 23 || m < 0 || m > 59 {
		return 0, 0
	}
	sec := h*3600 + m*60
	if s[0] == '-' {
		sec = -sec
	}
	return n, sec
}

// localTimeLen is the length of nginx's $time_local.
const localTimeLen = len("02/Jan/2006:15:04:05 -0700")

// localTime reads $time_local.
func localTime(s string) (time.Time, bool) {
	if len(s) != localTimeLen || s[2] != '/' || s[6] != '/' || s[11] != ':' || s[14] != ':' || s[17] != ':' || s[20] != ' ' {
		return time.Time{}, false
	}
	n, zone := zoneLen(s[21:])
	if n != 5 {
		return time.Time{}, false
	}
	t, ok := civil(digits(s, 7, 4), monthOf(s[3:6]), digits(s, 0, 2), digits(s, 12, 2), digits(s, 15, 2), digits(s, 18, 2), 0)
	return t.Add(-time.Duration(zone) * time.Second), ok
}

// isoTime reads a date and clock at the start of s: 2026-11-21T08:50:16.971Z,
// with T or a space, a comma or a point before the fraction, and with or
// without a zone; without one it is of loc. n is how many bytes it took.
func isoTime(s string, loc *time.Location) (t time.Time, n int, zoned, ok bool) {
	const clock = len("2006-01-02T15:04:05")
	if len(s) < clock || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != ' ') || s[13] != ':' || s[16] != ':' {
		return time.Time{}, 0, false, false
	}
	n = clock
	nano := 0
	if n+1 < len(s) && (s[n] == '.' || s[n] == ',') {
		unit := int(time.Second)
		k := n + 1
		for ; k < len(s) && s[k]-'0' <= 9 && k-n <= 9; k++ {
			unit /= 10
			nano += int(s[k]-'0') * unit
		}
		if k > n+1 {
			n = k
		}
	}
	t, ok = civil(digits(s, 0, 4), digits(s, 5, 2), digits(s, 8, 2), digits(s, 11, 2), digits(s, 14, 2), digits(s, 17, 2), nano)
	if !ok {
		return time.Time{}, 0, false, false
	}
	if zn, zone := zoneLen(s[n:]); zn > 0 {
		return t.Add(-time.Duration(zone) * time.Second), n + zn, true, true
	}
	if loc != time.UTC {
		t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), nano, loc).UTC()
	}
	return t, n, false, true
}

// clockTime reads HAProxy's 02/Jan/2006:15:04:05.000, which has no zone.
func clockTime(s string, loc *time.Location) (time.Time, bool) {
	const length = len("02/Jan/2006:15:04:05")
	if len(s) < length || s[2] != '/' || s[6] != '/' || s[11] != ':' || s[14] != ':' || s[17] != ':' {
		return time.Time{}, false
	}
	nano := 0
	if len(s) > length {
		if s[length] != '.' || len(s) > length+10 {
			return time.Time{}, false
		}
		unit := int(time.Second)
		for _, c := range []byte(s[length+1:]) {
			if c-'0' > 9 {
				return time.Time{}, false
			}
			unit /= 10
			nano += int(c-'0') * unit
		}
	}
	t, ok := civil(digits(s, 7, 4), monthOf(s[3:6]), digits(s, 0, 2), digits(s, 12, 2), digits(s, 15, 2), digits(s, 18, 2), nano)
	return inZone(t, loc), ok
}

// inZone reads the clock of a time in UTC as one of loc.
func inZone(t time.Time, loc *time.Location) time.Time {
	if loc == time.UTC {
		return t
	}
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), loc).UTC()
}
