package store_test

import (
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/schemas"
)

// TestEntriesDDLEqualsEntryFields needs no engine: it reads the SQL files. When
// it fails before a release, edit the file; after one, add a migration.
func TestEntriesDDLEqualsEntryFields(t *testing.T) {
	b, err := schemas.ClickHouse.ReadFile("clickhouse/00001_entries.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, ddl, _ := strings.Cut(string(b), "entries_all\n(\n")
	ddl, _, ok := strings.Cut(ddl, "    event_id String ALIAS")
	if !ok {
		t.Fatal("no event_id after the columns")
	}
	var got, want []string
	for line := range strings.Lines(ddl) {
		line = regexp.MustCompile(` CODEC\(.*\),$|,$`).ReplaceAllString(strings.TrimSpace(line), "")
		got = append(got, strings.ReplaceAll(line, "`", ""))
	}
	for _, f := range audit.EntryFields {
		want = append(want, f.Name+" "+store.TypeName(f.Kind))
	}
	if d := cmp.Diff(got, want); d != "" {
		t.Fatalf("columns of entries_all (-got +want):\n%s", d)
	}
}

func TestEntriesViewHasEveryField(t *testing.T) {
	s := storetest.Open(t)
	res, err := s.Select(context.Background(), "DESCRIBE TABLE entries")
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, r := range res.Rows {
		got = append(got, r[0].(string)+" "+r[1].(string))
	}
	for _, f := range audit.EntryFields {
		want = append(want, f.Name+" "+store.TypeName(f.Kind))
	}
	want = append(want, "event_id String")
	if d := cmp.Diff(got, want); d != "" {
		t.Fatalf("columns of entries (-got +want):\n%s", d)
	}
}

func TestMigrations(t *testing.T) {
	s := storetest.Open(t)
	ctx := context.Background()
	released := store.Migrations()
	if err := s.Migrate(ctx, released); err != nil {
		t.Fatalf("again: %v", err)
	}
	if n := scalar(t, s, "SELECT count() FROM migrations"); n != uint64(len(released)) {
		t.Fatalf("%v rows", n)
	}
	next := store.NewMigration(900, "00900_x.sql", "-- a comment; with\nCREATE TABLE IF NOT EXISTS x (a Int8)\nENGINE = Memory;\n\nCREATE TABLE IF NOT EXISTS y (a Int8) ENGINE = Memory;\n")
	if err := s.Migrate(ctx, append(released, next)); err != nil {
		t.Fatal(err)
	}
	if n := scalar(t, s, "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name IN ('x', 'y')"); n != uint64(2) {
		t.Fatalf("%v tables", n)
	}
	changed := store.NewMigration(900, "00900_x.sql", "CREATE TABLE z (a Int8) ENGINE = Memory;")
	if err := s.Migrate(ctx, append(released, changed)); err == nil || text.HintOf(err) == "" {
		t.Fatalf("a changed migration: %v", err)
	}
	if err := s.Migrate(ctx, released); err == nil || !strings.Contains(text.HintOf(err), "newer") {
		t.Fatalf("a newer database: %v", err)
	}
	broken := store.NewMigration(901, "00901_y.sql", "CREATE TABLE IF NOT EXISTS q (a Int8) ENGINE = Memory;\nCREATE NONSENSE;")
	if err := s.Migrate(ctx, append(released, next, broken)); store.Code(err) == 0 {
		t.Fatalf("a broken migration: %v", err)
	}
	if n := scalar(t, s, "SELECT count() FROM migrations WHERE version = 901"); n != uint64(0) {
		t.Fatal("a broken migration is recorded")
	}
}
