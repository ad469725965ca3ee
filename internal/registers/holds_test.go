package registers_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/tallystick/tallystick/audit/retention"
	"github.com/tallystick/tallystick/internal/registers"
)

func TestHolds(t *testing.T) {
	ctx, db := context.Background(), openEmpty(t)
	whole := retention.Hold{Reason: "matter 7", By: "ana", Source: "shop", Class: "originals:identity", From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
		Until: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), Subjects: []string{"v1.k.a", "v1.k.b"}, Request: "R-1"}
	all := retention.Hold{Reason: "matter 8", By: "bo"}
	for i, h := range []retention.Hold{whole, all} {
		if id, err := db.AddHold(ctx, h); err != nil || id != int64(i+1) {
			t.Fatalf("hold %d: %d %v", i+1, id, err)
		}
	}
	if _, err := db.AddHold(ctx, retention.Hold{By: "ana"}); err == nil {
		t.Error("a hold without a reason was made")
	}
	whole.ID, all.ID = 1, 2
	check := func(what string, got []retention.Hold, err error, want ...retention.Hold) {
		t.Helper()
		if diff := cmp.Diff(got, want, cmpopts.IgnoreFields(retention.Hold{}, "At", "LiftedAt"), cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%s: %v (-got +want)\n%s", what, err, diff)
		}
	}
	active, err := db.ActiveHolds(ctx)
	check("in force", active, err, whole, all)

	if err := db.LiftHold(ctx, 1, "cy", ""); !errors.Is(err, registers.ErrNoLiftReason) {
		t.Errorf("lifted without a reason: %v", err)
	}
	if err := db.LiftHold(ctx, 1, "cy", "settled"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []int64{1, 3} {
		if err := db.LiftHold(ctx, id, "cy", "settled"); !errors.Is(err, registers.ErrNotFound) {
			t.Errorf("hold %d, not in force, was lifted: %v", id, err)
		}
	}
	whole.LiftedBy, whole.LiftedFor = "cy", "settled"
	active, err = db.ActiveHolds(ctx)
	check("in force after lifting", active, err, all)
	list, err := db.Holds(ctx)
	check("all", list, err, all, whole)

	acts, err := db.Acts(ctx, 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range acts {
		got = append(got, a.Actor+" "+a.Act+" "+a.Object+" "+a.Reason)
	}
	if diff := cmp.Diff(got, []string{"cy hold.lift hold 1 settled", "bo hold.add hold 2 matter 8", "ana hold.add hold 1 matter 7"}); diff != "" {
		t.Errorf("trail (-got +want)\n%s", diff)
	}
}
