package registers_test

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
)

func TestTrailSurvivesReopen(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "registers.db")
	for i := range 2 {
		db, err := registers.Open(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Record(ctx, "os:root", "report.render", "gdpr-accountability", true, "audit"); err != nil {
			t.Fatal(err)
		}
		acts, err := db.Acts(ctx, 10)
		if err != nil || len(acts) != i+1 || acts[0].ID != int64(i+1) {
			t.Fatalf("acts %v, error %v", acts, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Of acts that are bounded, as many are allowed as may be, also where many come
// at once and whatever else the trail has; each is in the trail.
func TestRecordAtMost(t *testing.T) {
	ctx := t.Context()
	db, err := registers.Open(ctx, filepath.Join(t.TempDir(), "registers.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	now := time.Now()
	registers.SetClock(db, func() time.Time { return now })
	ask := func() int {
		var allowed atomic.Int32
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				ok, err := db.RecordAtMost(ctx, "os:root", "who", "v1.k.t", "T-1", 5, time.Hour)
				if err != nil {
					t.Error(err)
				}
				if ok {
					allowed.Add(1)
				}
			})
		}
		all.Wait()
		if err := db.Record(ctx, "os:root", "keys.list", "keys", true, ""); err != nil {
			t.Fatal(err)
		}
		return int(allowed.Load())
	}
	first, second := ask(), ask()
	now = now.Add(time.Hour + time.Second)
	if third := ask(); first != 5 || second != 0 || third != 5 {
		t.Errorf("allowed %d, %d and an hour later %d; want 5, 0, 5", first, second, third)
	}
	acts, err := db.Acts(ctx, 100)
	if err != nil || len(acts) != 27 {
		t.Errorf("%d acts in the trail, want 27, error %v", len(acts), err)
	}
}
