package law_test

import (
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit/law"
)

func at(t *testing.T, day string) time.Time {
	t.Helper()
	v, err := time.Parse(time.DateOnly, day)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestEEA(t *testing.T) {
	l, err := law.Load()
	if err != nil {
		t.Fatal(err)
	}
	now := at(t, "2026-11-20")
	for country, want := range map[string]bool{"DE": true, "NO": true, "RE": true, "AX": true, "CH": false, "GB": false, "GL": false, "NC": false, "US": false, "": false} {
		if l.InEEA(country, now) != want {
			t.Errorf("%s: got %v", country, !want)
		}
	}
	if !l.InEEA("GB", at(t, "2020-12-31")) || l.InEEA("GB", at(t, "2021-01-01")) {
		t.Error("the withdrawal of GB")
	}
	n := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			if l.InEEA(string([]rune{a, b}), now) {
				n++
			}
		}
	}
	if n != 37 {
		t.Errorf("%d codes, want 27 + 3 members and 7 territories", n)
	}
}

func TestAdequacy(t *testing.T) {
	l, err := law.Load()
	if err != nil {
		t.Fatal(err)
	}
	now := at(t, "2026-11-20")
	for _, tc := range []struct {
		name, law, country, day string
		found, conditional      bool
	}{
		{"CH", law.GDPR, "CH", "2026-11-20", true, false},
		{"GB", law.GDPR, "GB", "2031-12-27", true, false},
		{"GB after its sunset", law.GDPR, "GB", "2031-12-28", false, false},
		{"US before the framework", law.GDPR, "US", "2023-07-09", false, false},
		{"US", law.GDPR, "US", "2023-07-10", true, true},
		{"BR", law.GDPR, "BR", "2026-11-20", true, true},
		{"IN", law.GDPR, "IN", "2026-11-20", false, false},
		{"DE for the LGPD", law.LGPD, "DE", "2026-11-20", true, false},
		{"DE before", law.LGPD, "DE", "2026-01-25", false, false},
		{"CH is not on the Brazilian list", law.LGPD, "CH", "2026-11-20", false, false},
	} {
		a := l.Adequate(tc.law, tc.country, at(t, tc.day))
		if (a != nil) != tc.found || a != nil && ((a.Condition != "") != tc.conditional || a.Reference == "") {
			t.Errorf("%s: %+v", tc.name, a)
		}
	}
	for _, c := range []string{"CA", "US", "JP", "KR", "BR"} {
		if a := l.Adequate(law.GDPR, c, now); a == nil || a.Condition == "" {
			t.Errorf("%s passes on the country alone", c)
		}
	}
}

func TestDeadlines(t *testing.T) {
	l, err := law.Load()
	if err != nil {
		t.Fatal(err)
	}
	now := at(t, "2026-11-20")
	for _, tc := range []struct {
		id            string
		length, total int
		unit          string
	}{
		{"CCPA-ACK", 10, 0, "business-days"}, {"CCPA-RESP", 45, 90, "days"}, {"CCPA-OPTOUT", 15, 0, "business-days"},
		{"CCPA-LIMIT", 15, 0, "business-days"}, {"GDPR-DSR", 1, 3, "months"}, {"GDPR-BR-SA", 72, 0, "hours"}, {"LGPD-ACC-F", 15, 0, "days"},
	} {
		d := l.Deadline(tc.id, now)
		if d == nil || d.Length != tc.length || d.Total != tc.total || d.Unit != tc.unit || d.Reference == "" {
			t.Errorf("%s: %+v", tc.id, d)
		}
	}
	if l.Deadline("CCPA-ADMT", now) != nil || l.Deadline("CCPA-ADMT", at(t, "2027-01-01")) == nil {
		t.Error("ADMT requests begin in 2027")
	}
	if x := l.Threshold("CCPA-METRICS", now); x == nil || x.Value != 10_000_000 {
		t.Errorf("%+v", x)
	}
	if l.Deadline("NONE", now) != nil || l.Threshold("NONE", now) != nil {
		t.Error("an unknown id has a rule")
	}
}
