package alerter_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/schemas"
)

// put stores denials of one principal, a second apart, as one chunk.
func put(t *testing.T, s *store.Store, id, principal string, from time.Time, offset, n int) {
	t.Helper()
	ctx := context.Background()
	c := &audit.Chunk{ID: id, From: int64(offset), Until: int64(offset) + 1, Version: 1, Opened: from, Salt: make([]byte, 32), Entries: uint32(n),
		Streams: []audit.StreamRange{{Stream: id, Until: uint64(n)}}}
	b := store.NewEntryBlock()
	for i := range n {
		at := from.Add(time.Duration(i) * time.Second)
		must(t, b.Append(&audit.Entry{
			SchemaVersion: 1, EventTime: at, IngestTime: at, Source: "shop", Stream: "s", Offset: uint64(offset + i), Integrity: "ok", Outcome: "denied",
			PrincipalID: principal, PrincipalType: "staff", PrincipalLabel: "Support (agent 14)", SystemKey: "crm", Chunk: id, Version: 1, Row: uint32(i),
		}))
	}
	must(t, s.OpenChunk(ctx, c))
	must(t, s.InsertEntries(ctx, c, b))
	must(t, s.CloseChunk(ctx, c))
}

// TestWindowRaisesEachBurstOnce runs DN-01 over the real engine while lines
// arrive: a burst that grows, history that comes late, lines that come late
// within a burst, a second burst.
func TestWindowRaisesEachBurstOnce(t *testing.T) {
	ctx, s := context.Background(), storetest.Open(t)
	db := open(t, filepath.Join(t.TempDir(), "registers.db"))
	set, err := control.Load(schemas.Controls)
	must(t, err)
	dn := set.Control("DN-01")
	a := build(t, db, time.Now, s)
	run := func(what string, want ...string) {
		t.Helper()
		for range 2 { // the second time nothing new
			must(t, a.Window(ctx, dn))
		}
		res, err := s.Select(ctx, "SELECT id, principal, toString(time) AS at FROM findings WHERE control = 'DN-01' ORDER BY time, principal")
		must(t, err)
		var got []string
		for _, r := range res.Rows {
			got = append(got, fmt.Sprintf("%s %.16s", r[1], r[2]))
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Fatalf("%s (-got +want)\n%s", what, diff)
		}
	}
	day := time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC)
	put(t, s, "c1", "p1", day, 0, 19)
	run("19 denials")
	put(t, s, "c2", "p1", day.Add(19*time.Second), 19, 30)
	run("the burst", "p1 2026-11-20 10:00")
	put(t, s, "c3", "p1", day.Add(49*time.Second), 49, 100)
	run("the burst goes on", "p1 2026-11-20 10:00")
	put(t, s, "c4", "p2", day.AddDate(0, 0, -12), 1000, 25)
	run("history of another", "p2 2026-11-08 10:00", "p1 2026-11-20 10:00")
	put(t, s, "c5", "p1", day.Add(-3*time.Second), 2000, 3)
	run("late lines make the burst begin earlier", "p2 2026-11-08 10:00", "p1 2026-11-20 10:00")
	put(t, s, "c6", "p1", day.Add(time.Hour), 3000, 25)
	run("a second burst", "p2 2026-11-08 10:00", "p1 2026-11-20 10:00", "p1 2026-11-20 11:00")

	groups, err := db.AlertGroups(ctx, 10)
	must(t, err)
	if len(groups) != 2 || !strings.Contains(string(groups[1].Body), `"findings":2`) {
		t.Errorf("%d groups, first %s", len(groups), groups[len(groups)-1].Body)
	}
}

func TestLateLeaf(t *testing.T) {
	ctx, st := context.Background(), &noStore{}
	db := open(t, filepath.Join(t.TempDir(), "registers.db"))
	a := build(t, db, (&clock{at: start}).now, st)
	for range 2 {
		must(t, a.LateLeaf(ctx, "c1", 3, start.Add(-time.Minute), start))
	}
	groups, err := db.AlertGroups(ctx, 10)
	must(t, err)
	if len(groups) != 1 || !strings.Contains(string(groups[0].Body), `"findings":1`) || st.inserted[0].Facts["reason"] != "leaf-missing" {
		t.Errorf("groups %d, findings %+v", len(groups), st.inserted)
	}
}
