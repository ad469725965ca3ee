package control_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
)

// sqlTime is how a DateTime64(9) parameter is written.
const sqlTime = "2006-01-02 15:04:05.000000000"

// fill stores entries as one chunk, of the message at an offset.
func fill(t *testing.T, s *store.Store, id string, from int, entries []audit.Entry) {
	t.Helper()
	ctx := context.Background()
	c := &audit.Chunk{ID: id, From: int64(from), Until: int64(from) + 1, Version: 1, Opened: control.CaseStart, Salt: make([]byte, 32), Entries: uint32(len(entries)),
		Streams: []audit.StreamRange{{Stream: "case", Until: uint64(len(entries))}}}
	b := store.NewEntryBlock()
	for i := range entries {
		entries[i].Chunk, entries[i].Version = id, 1
		if err := b.Append(&entries[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []func() error{
		func() error { return s.OpenChunk(ctx, c) },
		func() error { return s.InsertEntries(ctx, c, b) },
		func() error { return s.CloseChunk(ctx, c) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}

// Each case has a day and a stream of its own in one store.
func TestWindowedCases(t *testing.T) {
	s := storetest.Open(t)
	var all []audit.Entry
	day := 0
	each := func(f func(c *control.Control, one control.Case)) {
		day = 0
		for _, c := range shipped(t).Windowed() {
			for _, one := range c.Cases {
				day++
				f(c, one)
			}
		}
	}
	each(func(_ *control.Control, one control.Case) {
		entries, err := one.Entries()
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			e.EventTime, e.Stream, e.Row = e.EventTime.AddDate(0, 0, day), fmt.Sprint("case-", day), uint32(len(all))
			all = append(all, e)
		}
	})
	fill(t, s, "cases", 0, all)
	each(func(c *control.Control, one control.Case) {
		start := control.CaseStart.AddDate(0, 0, day)
		t.Run(c.ID+"/"+one.Name, func(t *testing.T) { windowedCase(t, s, c, one, start) })
	})
}

// windowedCase runs the query over the case. However the time is cut, each
// finding is returned once.
func windowedCase(t *testing.T, s *store.Store, c *control.Control, one control.Case, start time.Time) {
	for _, step := range []time.Duration{2 * time.Hour, 7 * time.Minute, 4 * time.Minute} {
		different := map[string]bool{}
		rows := 0
		for at := start.Add(-time.Minute); at.Before(start.Add(40 * time.Minute)); at = at.Add(step) {
			r, err := s.Select(context.Background(), c.Window.SQL, store.Named("from", at.Format(sqlTime)), store.Named("until", at.Add(step).Format(sqlTime)), store.RowsOnly{})
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range r.Rows {
				rows++
				different[fmt.Sprint(row...)] = true
			}
		}
		if rows != one.Findings || len(different) != one.Findings {
			t.Errorf("in steps of %s: %d rows, %d different, want %d", step, rows, len(different), one.Findings)
		}
	}
}

// The SQL of a control selects exactly the entries for which the expression
// answers so.
func TestSQLEqualsExpressions(t *testing.T) {
	s, set := storetest.Open(t), shipped(t)
	r := rand.New(rand.NewPCG(3, 4))
	entries := make([]audit.Entry, 4000)
	for i := range entries {
		entries[i] = randomEntry(r)
		entries[i].Offset, entries[i].Row = uint64(i), uint32(i)
	}
	fill(t, s, "random", 0, entries)
	for _, c := range set.Controls {
		if c.Applies == "" {
			continue
		}
		var applies, evidenced, violation uint64
		for i := range entries {
			switch c.Answer(&entries[i]) {
			case control.Violation:
				violation++
				fallthrough
			case control.Pass:
				evidenced++
				fallthrough
			case control.NotEvidenced:
				applies++
			}
		}
		q := c.SQL()
		res, err := s.Select(context.Background(), "SELECT countIf("+q.Applies+"), countIf("+q.Evidenced+"), countIf("+q.Violation+") FROM entries")
		if err != nil {
			t.Fatal(err)
		}
		got, want := fmt.Sprint(res.Rows[0]...), fmt.Sprint(applies, evidenced, violation)
		if got != want {
			t.Errorf("%s: SQL counts %s, expressions %s", c.ID, got, want)
		}
		if violation == 0 || violation == applies {
			t.Errorf("%s: %d of %d: the random entries show nothing", c.ID, violation, applies)
		}
	}
}

func randomEntry(r *rand.Rand) audit.Entry {
	e := control.BaseEntry()
	pick := func(from ...string) string { return from[r.IntN(len(from))] }
	some := func(from ...string) (out []string) {
		for _, f := range from {
			if r.IntN(5) > 0 {
				out = append(out, f)
			}
		}
		return out
	}
	e.Carries = some(e.Carries...)
	e.Outcome = pick("allowed", "allowed", "denied", "error", "aborted", "unknown")
	e.PrincipalType = pick("staff", "service", "recipient", "self", "anonymous", "unknown", "broker")
	e.PrincipalOrg = pick("own", "mailer", "")
	e.PrincipalVerified = r.IntN(3) > 0
	e.Integrity = pick("ok", "ok", "ambiguous", "truncated", "untrusted")
	e.PurposeDocumented, e.SpecialCategory, e.ResourceDeclared = r.IntN(2) == 0, r.IntN(4) == 0, r.IntN(2) == 0
	e.Categories = some("user.contact")
	e.TLSVersion = pick("", "none", "1.0", "1.1", "1.2", "1.3")
	e.TransferKind = pick("none", "eea", "adequate", "safeguard", "third", "unknown")
	if e.Protocol = pick("http", "http", "kafka", "custody"); e.Protocol == "custody" {
		e.Operation = pick("share.keep", "share.revoke", "grant.transform")
	}
	if r.IntN(3) == 0 {
		e.FoundKinds, e.FoundPlaces = []string{pick("email", "ipv4", "card", "erased"), pick("email", "ipv6")}, []string{pick("query", "user", "subjects"), pick("path", "host", "referer")}
	}
	e.URLTemplate = pick("GET /a", "")
	return e
}
