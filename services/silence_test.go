package services

import (
	"testing"
	"time"

	"github.com/tallystick/tallystick/services/tap"
)

func TestSilent(t *testing.T) {
	began := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	after := map[string]time.Duration{"shop": time.Hour, "crm": 2 * time.Hour}
	status := []tap.SourceStatus{{Source: "shop", LastRead: began.Add(10 * time.Minute)}, {Source: "crm"}, {Source: "unknown"}}
	for _, tc := range []struct {
		name string
		at   time.Duration
		want []string
	}{
		{"all fresh", 30 * time.Minute, nil},
		{"edge", 70 * time.Minute, nil},
		{"one silent", 71 * time.Minute, []string{"shop"}},
		{"none came since the start", 121 * time.Minute, []string{"shop", "crm"}},
	} {
		var got []string
		for _, f := range silent(status, after, began, began.Add(tc.at)) {
			got = append(got, f.Source)
			if f.Reason != "source-silent" || f.Time.After(f.Until) {
				t.Errorf("%s: %+v", tc.name, f)
			}
		}
		if len(got) != len(tc.want) || (len(got) > 0 && got[0] != tc.want[0]) {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
	one, other := silent(status, after, began, began.Add(3*time.Hour)), silent(status, after, began, began.Add(4*time.Hour))
	if one[0].Key[1] != other[0].Key[1] {
		t.Error("one silence has two keys: it would be two findings")
	}
}

func TestSpoolThatIsNotEmptied(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	status := []tap.SourceStatus{{Source: "empty"}, {Source: "young", SpooledSince: now.Add(-time.Hour)}, {Source: "old", SpooledSince: now.Add(-time.Hour - 1), Spooled: 5}}
	got := waiting(status, now)
	if len(got) != 1 || got[0].Source != "old" || got[0].Reason != "spool-old" || got[0].Facts["bytes"] != "5" {
		t.Errorf("got %+v", got)
	}
}
