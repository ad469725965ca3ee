package generalise_test

import (
	"testing"
	"time"

	"github.com/tallystick/tallystick/masking/generalise"
)

func TestValues(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	ages := []float64{0, 18, 30, 50, 65}
	for _, tc := range []struct{ name, got, want string }{
		{"network of 16", network("198.51.100.7", 16, 32), "198.51.0.0/16"},
		{"network of 32", network("2001:db8:1:2::7", 16, 32), "2001:db8::/32"},
		{"mapped", network("::ffff:198.51.100.7", 24, 48), "198.51.100.0/24"},
		{"a zone", network("fe80::1%eth0", 24, 48), "[redacted]"},
		{"no network", network("shop", 24, 48), "[redacted]"},
		{"year", generalise.Date("1987-03-12", "year"), "1987"},
		{"quarter", generalise.Date("12.08.1987", "quarter"), "1987-Q3"},
		{"month", generalise.Date("2026-11-21T13:05:22.123Z", "month"), "2026-11"},
		{"day of a log", generalise.Date("21/Nov/2026:13:05:22 +0100", "day"), "2026-11-21"},
		{"hour", generalise.Date("2026-11-21 13:05:22", "hour"), "2026-11-21T13"},
		{"seconds", generalise.Date("1795221922", "day"), "2026-11-21"},
		{"milliseconds", generalise.Date("1795221922123", "day"), "2026-11-21"},
		{"no date", generalise.Date("soon", "day"), "[redacted]"},
		{"no unit", generalise.Date("1987-03-12", "century"), "[redacted]"},
		{"round", generalise.Number("1249", 100), "1200"},
		{"round up", generalise.Number("-1250.5", 100), "-1300"},
		{"round to halves", generalise.Number("1.3", 0.5), "1.5"},
		{"round to nothing", generalise.Number("-3", 100), "0"},
		{"no number", generalise.Number("12a", 1), "[redacted]"},
		{"NaN", generalise.Number("NaN", 1), "[redacted]"},
		{"band", generalise.Bands("21", ages), "18-29"},
		{"edge", generalise.Bands("30", ages), "30-49"},
		{"last band", generalise.Bands("99", ages), "65+"},
		{"below", generalise.Bands("-1", ages), "under 0"},
		{"fractions", generalise.Bands("0.7", []float64{0, 0.5, 1.5}), "0.5-1.5"},
		{"no band", generalise.Bands("x", ages), "[redacted]"},
		{"age of a date", generalise.Age("1987-11-22", ages, now), "30-49"},
		{"age on the birthday", generalise.Age("2008-11-21", ages, now), "18-29"},
		{"age the day before", generalise.Age("2008-11-22", ages, now), "0-17"},
		{"age as a number", generalise.Age("70", ages, now), "65+"},
		{"born tomorrow", generalise.Age("2026-11-22", ages, now), "[redacted]"},
		{"place", generalise.Place("52.520008,13.404954", 2), "52.52,13.40"},
		{"place south", generalise.Place("-23.5505", 1), "-23.5"},
		{"no place", generalise.Place("Kiel", 1), "[redacted]"},
		{"three parts", generalise.Place("1.5,2.5,3.5", 1), "[redacted]"},
	} {
		if tc.got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, tc.got, tc.want)
		}
	}
}

func network(s string, v4, v6 int) string {
	out, ok := generalise.AppendNetwork([]byte("x"), s, v4, v6)
	if got := string(out); ok != (got != "x[redacted]") {
		return "ok does not fit " + got
	}
	return string(out[1:])
}
