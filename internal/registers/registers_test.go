package registers_test

import (
	"context"
	"path/filepath"
	"testing"

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
