package registers_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
)

func TestDayKeys(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "registers.db")
	db, err := registers.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	created := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	due := created.AddDate(0, 0, 30)
	add := func(id, wrapped, period string, want bool) {
		t.Helper()
		ok, err := db.AddDayKey(ctx, "own", "day", period, id, wrapped, created, due)
		if err != nil || ok != want {
			t.Fatalf("AddDayKey(%s) = %v, %v; want %v", id, ok, err, want)
		}
	}
	const secret = "c2VjcmV0LXdyYXBwZWQta2V5LWJ5dGVz"
	add("aaaaaaa", secret, "2026-11-21", true)
	add("bbbbbbb", "other", "2026-11-21", false) // the period has a live key
	add("aaaaaaa", "other", "2026-11-22", false) // the id is used
	id, wrapped, after, err := db.DayKey(ctx, "own", "day", "2026-11-21")
	if err != nil || id != "aaaaaaa" || wrapped != secret || !after.Equal(due) {
		t.Fatalf("DayKey = %s %s %v %v", id, wrapped, after, err)
	}
	if ids, err := db.DestroyDayKeys(ctx, due.Add(-time.Millisecond)); err != nil || len(ids) != 0 {
		t.Fatalf("destroyed %v before its time, error %v", ids, err)
	}
	if ids, err := db.DestroyDayKeys(ctx, due); err != nil || len(ids) != 1 || ids[0] != "aaaaaaa" {
		t.Fatalf("destroyed %v, error %v", ids, err)
	}
	if id, _, _, err := db.DayKey(ctx, "own", "day", "2026-11-21"); err != nil || id != "" {
		t.Fatalf("a destroyed key is live: %q, %v", id, err)
	}
	add("aaaaaaa", "again", "2026-11-21", false) // used ids stay used
	add("ccccccc", "fresh", "2026-11-21", true)
	for _, f := range []string{path, path + "-wal"} {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("%s still holds the destroyed key", filepath.Base(f))
		}
	}
}

// A retired key can be looked up until it is destroyed; a delay puts that off,
// and a destruction by hand comes before.
func TestDayKeyActs(t *testing.T) {
	ctx := context.Background()
	db, err := registers.Open(ctx, filepath.Join(t.TempDir(), "registers.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	due := now.AddDate(0, 0, 30)
	add := func(id string) {
		t.Helper()
		if ok, err := db.AddDayKey(ctx, "own", "year", "2026", id, "wrapped "+id, now, due); err != nil || !ok {
			t.Fatalf("AddDayKey(%s) = %v, %v", id, ok, err)
		}
	}
	did := func(want bool, got bool, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Fatalf("changed %v, error %v; want %v", got, err, want)
		}
	}
	add("aaaaaaa")
	ok, err := db.RetireDayKey(ctx, "aaaaaaa", now)
	did(true, ok, err)
	ok, err = db.RetireDayKey(ctx, "aaaaaaa", now)
	did(false, ok, err)
	if id, _, _, err := db.DayKey(ctx, "own", "year", "2026"); err != nil || id != "" {
		t.Fatalf("a retired key is in use: %q, %v", id, err)
	}
	add("bbbbbbb")
	k, wrapped, err := db.DayKeyByID(ctx, "aaaaaaa")
	if err != nil || wrapped != "wrapped aaaaaaa" || !k.Retired.Equal(now) || k.Kind != "year" || k.Period != "2026" {
		t.Fatalf("%+v, %q, %v", k, wrapped, err)
	}
	ok, err = db.DelayDayKey(ctx, "aaaaaaa", due.AddDate(0, 0, -1))
	did(false, ok, err)
	ok, err = db.DelayDayKey(ctx, "aaaaaaa", due.AddDate(0, 1, 0))
	did(true, ok, err)
	if ids, err := db.DestroyDayKeys(ctx, due); err != nil || len(ids) != 1 || ids[0] != "bbbbbbb" {
		t.Fatalf("destroyed %v, error %v", ids, err)
	}
	ok, err = db.DestroyDayKey(ctx, "aaaaaaa", due)
	did(true, ok, err)
	ok, err = db.DestroyDayKey(ctx, "aaaaaaa", due)
	did(false, ok, err)
	ok, err = db.DelayDayKey(ctx, "aaaaaaa", due.AddDate(1, 0, 0))
	did(false, ok, err)
	if _, _, err := db.DayKeyByID(ctx, "aaaaaaa"); !errors.Is(err, registers.ErrNotFound) {
		t.Fatalf("a destroyed key: %v", err)
	}
}
