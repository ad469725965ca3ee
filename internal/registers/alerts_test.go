package registers_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/internal/registers"
)

func openAlerts(t *testing.T) *registers.DB {
	t.Helper()
	db, err := registers.Open(context.Background(), filepath.Join(t.TempDir(), "registers.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func TestAlertsAllOrNothing(t *testing.T) {
	ctx, db := context.Background(), openAlerts(t)
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	stop := errors.New("stop")
	run := func(end error) error {
		return db.Alerts(ctx, func(tx *registers.AlertTx) error {
			g := &registers.AlertGroup{Control: "AC-01", Key: "p", Open: true, Opened: at, Changed: at, Body: []byte(`{}`)}
			if err := tx.SaveGroup(g); err != nil {
				return err
			}
			if fresh, err := tx.Claim("f1", g.ID, at); err != nil || !fresh {
				t.Errorf("claim %v, %v", fresh, err)
			}
			m := registers.OutboxMessage{Receiver: "r", MessageID: "m1", Group: g.ID, Body: []byte(`{}`), Created: at}
			return errors.Join(tx.Enqueue(m), tx.Enqueue(m), end)
		})
	}
	if err := run(stop); !errors.Is(err, stop) {
		t.Fatalf("error %v", err)
	}
	if gs, err := db.AlertGroups(ctx, 10); err != nil || len(gs) != 0 {
		t.Fatalf("groups %v, %v", gs, err)
	}
	if err := run(nil); err != nil {
		t.Fatal(err)
	}
	due, err := db.DueMessages(ctx, "r", at, 10)
	if err != nil {
		t.Fatal(err)
	}
	want := []registers.OutboxMessage{{ID: 1, Receiver: "r", MessageID: "m1", Group: 1, Body: []byte(`{}`), Created: at, State: "waiting", NextTry: at}}
	if diff := cmp.Diff(due, want); diff != "" {
		t.Errorf("(-got +want)\n%s", diff)
	}
}

func TestOutboxLife(t *testing.T) {
	ctx, db := context.Background(), openAlerts(t)
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	if err := db.Alerts(ctx, func(tx *registers.AlertTx) error {
		return tx.Enqueue(registers.OutboxMessage{Receiver: "r", MessageID: "m1", Body: []byte(`{}`), Created: at})
	}); err != nil {
		t.Fatal(err)
	}
	count := func(now time.Time) int {
		t.Helper()
		ms, err := db.DueMessages(ctx, "r", now, 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(ms)
	}
	m := registers.OutboxMessage{ID: 1, State: registers.OutboxWaiting, Tries: 1, NextTry: at.Add(time.Minute), Reason: "503"}
	if err := db.SettleMessage(ctx, m); err != nil || count(at) != 0 || count(at.Add(time.Minute)) != 1 {
		t.Fatalf("after a failed try: %v", err)
	}
	m.State, m.Done = registers.OutboxSent, at
	if err := db.SettleMessage(ctx, m); err != nil || count(at.Add(time.Hour)) != 0 {
		t.Fatalf("after it was sent: %v", err)
	}
	m.State = registers.OutboxWaiting
	if err := db.SettleMessage(ctx, m); err != nil || count(at.Add(time.Hour)) != 0 {
		t.Fatalf("what was sent is sent: %v", err)
	}
	if err := db.DisableReceiver(ctx, "r", "https://a.example"); err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]bool{"https://a.example": true, "https://b.example": false} {
		if got, err := db.ReceiverDisabled(ctx, "r", target); err != nil || got != want {
			t.Errorf("%s: %v, %v", target, got, err)
		}
	}
	if err := db.PruneAlerts(ctx, at.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if ms, err := db.Deliveries(ctx, 10); err != nil || len(ms) != 0 {
		t.Errorf("deliveries %v, %v", ms, err)
	}
}

func TestClaimBurst(t *testing.T) {
	ctx, db := context.Background(), openAlerts(t)
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name        string
		key         string
		from, until time.Duration
		want        bool
	}{
		{"first", "a", 0, 60, true},
		{"the same", "a", 0, 60, false},
		{"begins earlier, as lines came late", "a", -30, 40, false},
		{"touches", "a", 60, 90, false},
		{"long after", "a", 600, 660, true},
		{"another key", "b", 0, 60, true},
	} {
		err := db.Alerts(ctx, func(tx *registers.AlertTx) error {
			got, err := tx.ClaimBurst(registers.Burst{
				Control: "DN-01", Key: tc.key, FindingID: tc.name, From: at.Add(tc.from * time.Second), Until: at.Add(tc.until * time.Second),
			})
			if got != tc.want {
				t.Errorf("%s: %v", tc.name, got)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
