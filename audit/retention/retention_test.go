package retention_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit/retention"
)

func day(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }

func TestHoldCovers(t *testing.T) {
	part := retention.Part{Class: retention.Entries, Sources: []string{"shop", "crm"}, First: day(3), Last: day(5), Subjects: []string{"v1.k.a"}}
	for _, tc := range []struct {
		name string
		hold retention.Hold
		part retention.Part
		want bool
	}{
		{"everything", retention.Hold{}, part, true},
		{"lifted", retention.Hold{LiftedBy: "ana"}, part, false},
		{"source", retention.Hold{Source: "crm"}, part, true},
		{"another source", retention.Hold{Source: "app"}, part, false},
		{"unknown sources", retention.Hold{Source: "app"}, retention.Part{Class: retention.Originals}, true},
		{"class", retention.Hold{Class: retention.Entries}, part, true},
		{"another class", retention.Hold{Class: retention.Findings}, part, false},
		{"all originals", retention.Hold{Class: retention.Originals}, retention.Part{Class: "originals:identity"}, true},
		{"a vault class of all originals", retention.Hold{Class: "originals:identity"}, retention.Part{Class: retention.Originals}, true},
		{"another vault class", retention.Hold{Class: "originals:contact"}, retention.Part{Class: "originals:identity"}, false},
		{"until before it", retention.Hold{Until: day(3)}, part, false},
		{"until within it", retention.Hold{Until: day(4)}, part, true},
		{"from its last moment", retention.Hold{From: day(5)}, part, true},
		{"from after it", retention.Hold{From: day(6)}, part, false},
		{"subject", retention.Hold{Subjects: []string{"v1.k.b", "v1.k.a"}}, part, true},
		{"another subject", retention.Hold{Subjects: []string{"v1.k.b"}}, part, false},
		{"request, by age", retention.Hold{Request: "R-1"}, part, false},
		{"request", retention.Hold{Request: "R-1"}, retention.Part{Request: "R-1"}, true},
		{"all of several", retention.Hold{Source: "shop", Class: retention.Entries, From: day(6)}, part, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := tc.hold.Covers(tc.part); got != tc.want {
				t.Errorf("covers: %v", got)
			}
			if got := retention.Covering([]retention.Hold{{LiftedBy: "x"}, tc.hold}, tc.part) != nil; got != tc.want {
				t.Errorf("covering: %v", got)
			}
		})
	}
}

func TestHoldValidates(t *testing.T) {
	good := retention.Hold{Reason: "matter 7", By: "ana"}
	for _, tc := range []struct {
		name   string
		change func(*retention.Hold)
		fault  string
	}{
		{"good", func(*retention.Hold) {}, ""},
		{"whole", func(h *retention.Hold) {
			h.Class, h.From, h.Until, h.Subjects, h.Request = "originals:identity", day(1), day(2), []string{"v1.k-1.aB_-"}, "R-1"
		}, ""},
		{"no reason", func(h *retention.Hold) { h.Reason = "" }, "reason"},
		{"long reason", func(h *retention.Hold) { h.Reason = strings.Repeat("é", 501) }, "reason"},
		{"nobody", func(h *retention.Hold) { h.By = "" }, "who"},
		{"class", func(h *retention.Hold) { h.Class = "lines" }, "class"},
		{"vault class", func(h *retention.Hold) { h.Class = "originals:" }, "class"},
		{"span", func(h *retention.Hold) { h.From, h.Until = day(2), day(2) }, "ends"},
		{"clear subject", func(h *retention.Hold) { h.Subjects = []string{"ana@example.com"} }, "pseudonyms"},
		{"request", func(h *retention.Hold) { h.Request = "Ana Silva" }, "request"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := good
			tc.change(&h)
			switch err := h.Validate(); {
			case tc.fault == "" && err != nil:
				t.Error(err)
			case tc.fault != "" && (err == nil || !strings.Contains(err.Error(), tc.fault)):
				t.Errorf("error %v, want one about %q", err, tc.fault)
			}
		})
	}
}

func TestConfig(t *testing.T) {
	const d = 24 * time.Hour
	for _, tc := range []struct {
		name  string
		cfg   retention.Config
		fault string
	}{
		{"nothing", retention.Config{}, ""},
		{"all", retention.Config{Entries: 400 * d, Findings: 800 * d, Rejections: 30 * d, Originals: map[string]time.Duration{"identity": 90 * d, "default": 30 * d}}, ""},
		{"an hour", retention.Config{Findings: time.Hour}, "retention.findings"},
		{"entries under rejections", retention.Config{Entries: 10 * d}, "retention.entries"},
		{"originals over entries", retention.Config{Entries: 60 * d, Originals: map[string]time.Duration{"identity": 90 * d}}, "retention.originals.identity"},
		{"no class", retention.Config{Originals: map[string]time.Duration{"A B": 90 * d}}, "retention.originals"},
		{"below nought", retention.Config{Entries: -d}, "retention.entries"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			switch err := tc.cfg.Validate(); {
			case tc.fault == "" && err != nil:
				t.Error(err)
			case tc.fault != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.fault+":")):
				t.Errorf("error %v, want one at %s", err, tc.fault)
			}
		})
	}
	cfg := retention.Config{Entries: 400 * d, Originals: map[string]time.Duration{"identity": 90 * d}}
	for class, want := range map[retention.Class]time.Duration{
		retention.Entries: 400 * d, retention.Findings: 0, retention.Rejections: 30 * d, "originals:identity": 90 * d, "originals:contact": 400 * d,
	} {
		if got := cfg.Of(class); got != want {
			t.Errorf("%s are kept for %s, want %s", class, got, want)
		}
	}
}
