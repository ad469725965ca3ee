package services_test

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/source"
)

// TestEvidenceOfGaps: clocks that are off by more than five seconds and an
// authorizer without allowances are gaps, once; others are none.
func TestEvidenceOfGaps(t *testing.T) {
	s := newSite(t)
	now := time.Now().UTC()
	denied := func(verdict string) string {
		return fmt.Sprintf("[%s] INFO Principal = User:bob is %s operation = READ from host = 10.0.0.7 on resource = Topic:LITERAL:orders for request = Fetch with resourceRefCount = 1 based on rule DefaultDeny (kafka.authorizer.logger)",
			now.Format("2006-01-02 15:04:05,000"), verdict)
	}
	address := freeAddress(t)
	s.cfg.Sources = []source.Config{
		{Name: "good", Format: "nginx:combined", File: s.write("good.log", pages(now, 0, 1)...)},
		{Name: "old", Format: "nginx:combined", File: s.write("old.log", pages(now.Add(-time.Hour), 10, 1)...)},
		{Name: "ahead", Format: "nginx:combined", File: s.write("ahead.log", pages(now.Add(30*time.Second), 20, 1)...)},
		{Name: "behind", Format: "nginx:combined", Syslog: &source.Syslog{UDP: address}},
		{Name: "denials", Format: "kafka:authorizer", File: s.write("denials.log", denied("Denied"))},
		{Name: "both", Format: "kafka:authorizer", File: s.write("both.log", denied("Denied"), denied("Allowed"))},
	}
	for i := range s.cfg.Sources {
		if err := s.cfg.Sources[i].Validate(); err != nil {
			t.Fatal(err)
		}
	}
	s.start()
	c, err := net.Dial("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("<190>Nov 21 10:00:00 web nginx: " + page(now.Add(-20*time.Second), 30))); err != nil {
		t.Fatal(err)
	}
	s.waitCount(7, entriesCount)
	for range 2 {
		for _, at := range []time.Duration{time.Second, 61 * time.Minute} {
			if err := s.app.CheckEvidence(context.Background(), time.Now().Add(at)); err != nil {
				t.Fatal(err)
			}
		}
	}
	got := s.rows("SELECT source, facts['reason'], facts['clock'], kind, count() FROM findings WHERE control = 'GV-03' GROUP BY ALL ORDER BY source")
	want := [][]string{
		{"ahead", "clock-skew", "ahead", "gap", "1"}, {"behind", "clock-skew", "behind", "gap", "1"}, {"denials", "allow-lines-off", "", "gap", "1"},
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("findings (-got +want):\n%s", d)
	}
}

// TestLossesCountAsMissing: a loss with a number is a gap and lowers the share
// of its source and hour, once.
func TestLossesCountAsMissing(t *testing.T) {
	s := newSite(t)
	s.start()
	seen := time.Now().UTC()
	g := source.Gap{Kind: source.GapDropped, Source: "shop", Stream: "abc", Offset: 7, Lines: 12, Seen: seen}
	for range 2 {
		s.app.TapGap(g)
	}
	g.Offset, g.Lines = 30, 0
	s.app.TapGap(g)
	g.Offset, g.Lines = 40, 3
	s.app.KeepLoss(g)
	ended, end := context.WithCancel(context.Background())
	end()
	if err := s.app.RetryLosses(ended); err != nil {
		t.Fatal(err)
	}
	if n := s.count("SELECT sum(missing) FROM completeness WHERE source = 'shop' AND hour = toStartOfHour(now('UTC'))"); n != 15 {
		t.Errorf("%d lines are missing, want 15", n)
	}
	got := s.rows("SELECT facts['lines'], facts['how'] FROM findings WHERE control = 'GV-03' AND source = 'shop' ORDER BY 1")
	if d := cmp.Diff(got, [][]string{{"0", "dropped"}, {"12", "dropped"}, {"3", "dropped"}}); d != "" {
		t.Errorf("findings (-got +want):\n%s", d)
	}
}

// freeAddress is an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
