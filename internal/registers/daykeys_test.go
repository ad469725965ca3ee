package registers_test

import (
	"bytes"
	"context"
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
