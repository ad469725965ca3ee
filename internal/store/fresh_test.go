package store_test

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/schemas"
)

const schemaHead = `-- The tables of an empty database: what the numbered migrations lead to, as
-- the engine tells it. Generated: go test ./internal/store -run TestSchema -update.

`

// TestSchema holds a database that was made at once equal to one that went
// through every migration.
func TestSchema(t *testing.T) {
	s := storetest.Open(t)
	created := ddl(t, s)
	for name, engine := range kinds(t, s) {
		drop := "DROP TABLE "
		if strings.HasSuffix(engine, "View") {
			drop = "DROP VIEW "
		}
		if err := s.Exec(t.Context(), drop+name); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Migrate(t.Context(), store.Migrations()); err != nil {
		t.Fatal(err)
	}
	migrated := ddl(t, s)
	if *update {
		if err := os.WriteFile("../../schemas/schema.sql", []byte(schemaHead+migrated), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := gocmp.Diff(schemas.Schema, schemaHead+migrated); d != "" {
		t.Errorf("schema.sql is not what the migrations lead to; run the test with -update (-have +want):\n%s", d)
	}
	if d := gocmp.Diff(created, migrated); d != "" {
		t.Errorf("tables made at once differ from migrated ones (-created +migrated):\n%s", d)
	}
}

func kinds(t *testing.T, s *store.Store) map[string]string {
	t.Helper()
	res, err := s.Select(t.Context(), "SELECT name, engine FROM system.tables WHERE database = currentDatabase()")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range res.Rows {
		out[r[0].(string)] = r[1].(string)
	}
	return out
}

var created = regexp.MustCompile(`^CREATE (TABLE|VIEW|MATERIALIZED VIEW) (\w+)`)

// ddl tells the tables of a store, those that others read before these.
func ddl(t *testing.T, s *store.Store) string {
	t.Helper()
	res, err := s.Select(t.Context(), `SELECT name, replaceAll(formatQuery(create_table_query), currentDatabase() || '.', ''), engine
FROM system.tables WHERE database = currentDatabase() AND name != 'migrations'`)
	if err != nil {
		t.Fatal(err)
	}
	type table struct {
		name, sql string
		rank      int
	}
	var tables []table
	for _, r := range res.Rows {
		x := table{name: r[0].(string), sql: created.ReplaceAllString(r[1].(string), "CREATE $1 IF NOT EXISTS $2")}
		if engine := r[2].(string); strings.HasSuffix(engine, "View") {
			x.rank = 1 + lastMade(x.name)
		}
		tables = append(tables, x)
	}
	slices.SortFunc(tables, func(a, b table) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.name, b.name))
	})
	var b strings.Builder
	for _, x := range tables {
		b.WriteString(x.sql + ";\n\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// lastMade is where in the migrations a view was made last: after all that it
// reads.
func lastMade(name string) int {
	at, n := 0, 0
	made := regexp.MustCompile(`(?m)^CREATE (?:OR REPLACE )?(?:MATERIALIZED )?VIEW (?:IF NOT EXISTS )?` + name + `\b`)
	for _, m := range store.Migrations() {
		for _, i := range made.FindAllStringIndex(m.SQL(), -1) {
			at = n + i[0]
		}
		n += len(m.SQL())
	}
	return at
}

// TestSchemaInterrupted: what an interrupted start left is completed.
func TestSchemaInterrupted(t *testing.T) {
	cfg, deps := store.Config{Database: storetest.Database()}, store.Deps{Transport: storetest.Engine(t).Transport()}
	open := func() *store.Store {
		s, err := store.Open(t.Context(), cfg, deps)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	s := open()
	whole := ddl(t, s)
	for _, drop := range []string{"DROP TABLE migrations", "DROP TABLE leaves", "DROP VIEW entries_hourly"} {
		if err := s.Exec(t.Context(), drop); err != nil {
			t.Fatal(err)
		}
	}
	s = open()
	if d := gocmp.Diff(ddl(t, s), whole); d != "" {
		t.Fatalf("tables (-again +first):\n%s", d)
	}
	if n := scalar(t, s, "SELECT count() FROM migrations"); n != uint64(len(store.Migrations())) {
		t.Fatalf("%v migrations are recorded", n)
	}
}
