package store_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/retention"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestDDL holds the statements for a server and for a cluster to golden files,
// and has the engine parse each.
func TestDDL(t *testing.T) {
	s := storetest.Open(t)
	for name, cfg := range map[string]store.Config{
		"server":  {Address: "https://clickhouse.example:8443"},
		"cluster": {Address: "https://clickhouse.example:8443", Cluster: "main"},
	} {
		t.Run(name, func(t *testing.T) {
			list, err := store.DDL(cfg)
			if err != nil {
				t.Fatal(err)
			}
			users, err := store.Grants(cfg)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, users...)
			for _, sql := range list {
				if err := s.ReadExec(t.Context(), "EXPLAIN AST "+sql); err != nil {
					t.Errorf("%s\n%v", sql, err)
				}
				if cluster := cfg.Cluster != ""; cluster && !strings.Contains(sql, " ON CLUSTER 'main'") && !strings.HasPrefix(sql, "INSERT") && !strings.HasPrefix(sql, "USE") {
					t.Errorf("one node only: %s", sql)
				}
			}
			got, file := []byte(strings.Join(list, ";\n\n")+";\n"), "testdata/ddl-"+name+".sql"
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("%s differs; -update writes it anew (-got +want)\n%s", file, cmp.Diff(string(got), string(want)))
			}
		})
	}
}

func openCluster(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.OpenCluster(t.Context(), store.Config{Database: storetest.Database(), Cluster: storetest.Cluster}, store.Deps{Transport: storetest.Engine(t).Transport()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// TestOnCluster does on divided tables, of one shard, what other tests do on
// plain ones.
func TestOnCluster(t *testing.T) {
	t.Run("tokens", func(t *testing.T) { insertCountsOnce(t, openCluster(t)) })
	s := openCluster(t)
	t.Run("superseded", func(t *testing.T) { supersededAreHidden(t, s) })
	t.Run("rollups", func(t *testing.T) { rollupsAreExact(t, openCluster(t)) })
	t.Run("divided", func(t *testing.T) {
		for _, name := range []string{"entries_all", "rejections_all", "findings_all", "originals", "entries_quarterly_all", "completeness_all"} {
			if got := scalar(t, s, "SELECT engine FROM system.tables WHERE database = currentDatabase() AND name = '"+name+"'"); got != "Distributed" {
				t.Errorf("%s is a %v table", name, got)
			}
		}
	})
	t.Run("removed", func(t *testing.T) {
		before := scalar(t, s, "SELECT count() FROM entries_all").(uint64)
		due, err := s.Due(t.Context(), retention.Entries, newChunk("").Opened.AddDate(1, 0, 0))
		if err != nil || len(due) == 0 || before == 0 {
			t.Fatalf("%d chunks of %d entries are due: %v", len(due), before, err)
		}
		if err := s.Remove(t.Context(), retention.Entries, due); err != nil {
			t.Fatal(err)
		}
		if n := scalar(t, s, "SELECT count() FROM entries_all"); n != uint64(0) {
			t.Errorf("%v entries are left", n)
		}
	})
	t.Run("opened again", func(t *testing.T) {
		if err := s.Migrate(t.Context(), store.Migrations()); err != nil {
			t.Error(err)
		}
	})
}

// TestReadsCantWrite: what reads has neither the right nor the time to do more.
func TestReadsCantWrite(t *testing.T) {
	s := storetest.Open(t)
	for _, sql := range []string{
		"INSERT INTO superseded VALUES ('c', 1, now())", "ALTER TABLE entries_all DELETE WHERE 1", "DROP TABLE leaves", "CREATE TABLE x (a Int8) ENGINE = Memory",
		"SELECT 1 SETTINGS readonly = 0",
	} {
		if err := s.ReadExec(t.Context(), sql); store.Code(err) != 164 {
			t.Errorf("%s: %v, want READONLY", sql, err)
		}
	}
	if err := s.ReadExec(t.Context(), "SELECT throwIf(getSetting('max_execution_time') != 600)"); err != nil {
		t.Error(err)
	}
	// The engine's own defaults would lose what is acknowledged, or count it twice.
	for setting, want := range map[string]int{"async_insert": 0, "wait_for_async_insert": 1, "async_insert_deduplicate": 1} {
		if err := s.Exec(t.Context(), fmt.Sprintf("SELECT throwIf(getSetting('%s') != %d)", setting, want)); err != nil {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
