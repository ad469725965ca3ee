package generalise

import (
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/masking/plain"
)

// AppendNetwork appends the network of an address with the kept bits of IPv4 and
// IPv6 addresses. What is no address is redacted, and ok false.
func AppendNetwork(dst []byte, s string, v4, v6 int) (out []byte, ok bool) {
	if v4 == keepIPv4 {
		if i := lastOctet(s); i > 0 {
			return append(append(dst, s[:i]...), "0/24"...), true
		}
	}
	a, err := netip.ParseAddr(strings.TrimSpace(s))
	if err != nil || a.Zone() != "" {
		return append(dst, plain.Redacted...), false
	}
	a = a.Unmap()
	bits := v4
	if a.Is6() {
		bits = v6
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return append(dst, plain.Redacted...), false
	}
	return p.AppendTo(dst), true
}

// layouts are the ways in which dates and times are read; days come before
// months where both are numbers with slashes, dots or dashes.
var layouts = []string{
	time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04", time.DateOnly, "20060102",
	"02/01/2006", "2.1.2006", "02-01-2006", "2006/01/02", "02/Jan/2006:15:04:05 -0700", time.RFC1123, time.RFC1123Z,
}

// parseTime reads a date, a time or a Unix time in seconds or milliseconds.
func parseTime(s string) (time.Time, bool) {
	s = strings.TrimSpace(s)
	for _, l := range layouts {
		if t, err := time.Parse(l, s); err == nil {
			return t, true
		}
	}
	n, err := strconv.ParseFloat(s, 64)
	switch {
	case err != nil || n < 1e8 || n > 1e14:
		return time.Time{}, false
	case n > 1e11:
		n /= 1000
	}
	return time.Unix(int64(n), 0).UTC(), true
}

// Date keeps of a date or time what is as coarse as unit: year, quarter, month,
// day or hour. What is no date is redacted.
func Date(s, unit string) string {
	t, ok := parseTime(s)
	if !ok {
		return plain.Redacted
	}
	switch unit {
	case "year":
		return t.Format("2006")
	case "quarter":
		return t.Format("2006-Q") + strconv.Itoa((int(t.Month())+2)/3)
	case "month":
		return t.Format("2006-01")
	case "day":
		return t.Format(time.DateOnly)
	case "hour":
		return t.Format("2006-01-02T15")
	}
	return plain.Redacted
}

// Number rounds a number to the nearest multiple of step, which is above zero.
func Number(s string, step float64) string {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return plain.Redacted
	}
	r := math.Round(v/step) * step
	if math.Abs(r) > 1e15 {
		return plain.Redacted // a float has no exact neighbours there
	}
	decimals := 0
	for f := step; f != math.Trunc(f) && decimals < 9; decimals++ {
		f *= 10
	}
	return strconv.FormatFloat(r+0, 'f', decimals, 64) // + 0: no minus zero
}

// Band is the interval between two edges, which grow, that a number lies in:
// 18-29 for 21 and the edges 0, 18, 30.
func Band(v float64, edges []float64) string {
	f := func(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
	if len(edges) == 0 || math.IsNaN(v) {
		return plain.Redacted
	}
	if v < edges[0] {
		return "under " + f(edges[0])
	}
	for i, e := range edges[1:] {
		if v < e {
			if e == math.Trunc(e) && edges[i] == math.Trunc(edges[i]) {
				e--
			}
			return f(edges[i]) + "-" + f(e)
		}
	}
	return f(edges[len(edges)-1]) + "+"
}

// Bands is Band for a number as text.
func Bands(s string, edges []float64) string {
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil {
		return plain.Redacted
	}
	return Band(v, edges)
}

// Age is the band of an age in years, which is given, or of a date of birth on
// the day of now.
func Age(s string, edges []float64, now time.Time) string {
	if v, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil && v >= 0 && v < 150 {
		return Band(v, edges)
	}
	born, ok := parseTime(s)
	if !ok || born.After(now) {
		return plain.Redacted
	}
	years := now.Year() - born.Year()
	if now.Month() < born.Month() || now.Month() == born.Month() && now.Day() < born.Day() {
		years--
	}
	if years > 150 {
		return plain.Redacted
	}
	return Band(float64(years), edges)
}

// Place keeps so many decimals of each coordinate in a text such as
// 52.520008,13.404954: two are about a kilometre.
func Place(s string, decimals int) string {
	parts := strings.Split(s, ",")
	if len(parts) > 2 {
		return plain.Redacted
	}
	scale := math.Pow(10, float64(decimals))
	for i, p := range parts {
		v, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || math.IsNaN(v) || math.Abs(v) > 180 {
			return plain.Redacted
		}
		parts[i] = strconv.FormatFloat(math.Trunc(v*scale)/scale+0, 'f', decimals, 64)
	}
	return strings.Join(parts, ",")
}
