package store_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/internal/text"
)

func TestSelect(t *testing.T) {
	s := storetest.Open(t)
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name, sql string
		args      []any
		cols      []store.Column
		rows      [][]any
	}{
		{"types", "SELECT 1 AS n, 'x' AS s, toDateTime('2026-11-21 00:00:00') AS t, ['a'] AS l, map('k', 'v') AS m, NULL AS z, true AS b;", nil,
			[]store.Column{{"n", "UInt8"}, {"s", "String"}, {"t", "DateTime"}, {"l", "Array(String)"}, {"m", "Map(String, String)"}, {"z", "Nullable(Nothing)"}, {"b", "Bool"}},
			[][]any{{uint8(1), "x", day, []string{"a"}, map[string]string{"k": "v"}, nil, true}}},
		{"parameters", "SELECT {a:String} AS a, {n:Int64} + 1 AS n", []any{store.Named("a", "it's;\n--"), sql.Named("n", int64(4))},
			[]store.Column{{"a", "String"}, {"n", "Int64"}}, [][]any{{"it's;\n--", int64(5)}}},
		{"no rows", "SELECT source, event_time FROM entries -- nothing yet", nil,
			[]store.Column{{"source", "LowCardinality(String)"}, {"event_time", "DateTime64(9, 'UTC')"}}, nil},
		{"with", "WITH 3 AS x SELECT x", nil, []store.Column{{"x", "UInt8"}}, [][]any{{uint8(3)}}},
		{"show", "SHOW TABLES LIKE 'leaves'", nil, []store.Column{{"name", "String"}}, [][]any{{"leaves"}}},
		{"word in a string", "SELECT 'a; INSERT INTO OUTFILE file(' AS s", nil, []store.Column{{"s", "String"}}, [][]any{{"a; INSERT INTO OUTFILE file("}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res, err := s.Select(context.Background(), tc.sql, tc.args...)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(res, &store.Result{Columns: tc.cols, Rows: tc.rows}); d != "" {
				t.Errorf("(-got +want):\n%s", d)
			}
		})
	}
}

func TestSelectLimits(t *testing.T) {
	s := storetest.Open(t)
	ctx := context.Background()
	res, err := s.Select(ctx, "SELECT number FROM numbers(50000)")
	if err != nil || len(res.Rows) != store.DefaultRows || !res.Cut {
		t.Fatalf("%d rows, cut %v, %v", len(res.Rows), res.Cut, err)
	}
	res, err = s.Select(ctx, "SELECT number FROM numbers(7)", store.MaxRows(7))
	if err != nil || len(res.Rows) != 7 || res.Cut {
		t.Fatalf("%d rows, cut %v, %v", len(res.Rows), res.Cut, err)
	}
	for want, args := range map[int][]any{1: nil, 0: {store.RowsOnly{}}} {
		if res, err = s.Select(ctx, "SELECT number FROM numbers(0)", args...); err != nil || len(res.Columns) != want {
			t.Errorf("no rows, %d columns instead of %d, %v", len(res.Columns), want, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	_, err = s.Select(ctx, "SELECT count() FROM numbers(1000000000000) WHERE sipHash64(number, {who:String}) = 1", store.Named("who", "erika"))
	if err == nil || text.HintOf(err) == "" || strings.Contains(err.Error(), "erika") {
		t.Fatalf("too slow: %v", err)
	}
}

func TestSelectRefuses(t *testing.T) {
	s := storetest.Open(t)
	for _, sql := range []string{
		"", "  ;", "INSERT INTO leaves VALUES ('a', 1, 1, now())", "DROP TABLE leaves", "/* SELECT */ TRUNCATE TABLE leaves",
		"SELECT 1; SELECT 2", "SELECT 1; DROP TABLE leaves", "SELECT 1 INTO OUTFILE '/nonexistent/out'", "SELECT 1 into /**/ outfile '/nonexistent/out'",
		"SELECT 1 FORMAT JSON", "SELECT file('/etc/hostname')", "SELECT `file`('/etc/hostname')", "SELECT FILE /* x */ ('/etc/hostname')",
		"DESCRIBE url('http://127.0.0.1:1/', 'LineAsString')", "SELECT * FROM remote('127.0.0.1:1', 'system', 'one')",
		"SELECT * FROM '/etc/hostname'", "SELECT 1 SETTINGS max_result_rows = 0", "SELECT 1 SETTINGS readonly = 0", "SELECT 'open", "SELECT 1 /* open",
		"SELECT nothing_like_it", "SET readonly = 0", "SELECT * FROM (INSERT INTO leaves VALUES ('a', 1, 1, now()))",
	} {
		if res, err := s.Select(context.Background(), sql); err == nil {
			t.Errorf("%q was run: %v", sql, res)
		} else if c := err.Error(); !strings.HasPrefix(c, "failed to select") {
			t.Errorf("%q: %v", sql, err)
		}
	}
	if n := scalar(t, s, "SELECT count() FROM leaves"); n != uint64(0) {
		t.Fatal(n)
	}
	_, err := s.Select(context.Background(), "SELECT nothing_like_it FROM entries")
	if store.Code(err) != 47 || text.HintOf(err) == "" {
		t.Fatalf("an unknown column: code %d, %v", store.Code(err), err)
	}
}

func FuzzReadOnly(f *testing.F) {
	for _, s := range []string{"SELECT 1", "SELECT 1;", "SELECT 'a\\'; x' -- ;\n", "SELECT $a$ ; $a$", "WITH `a``b` AS x SELECT 1 /* ; */;", "#\n;"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		out, err := store.ReadOnly(sql)
		if err != nil {
			return
		}
		if !strings.HasPrefix(sql, out) {
			t.Fatalf("%q is not the beginning of %q", out, sql)
		}
		if again, err := store.ReadOnly(out); err != nil || again != out {
			t.Fatalf("%q becomes %q, %v", out, again, err)
		}
	})
}

// TestHarmfulTables: these never reach the engine, where reading them would
// start a program or stop threads.
func TestHarmfulTables(t *testing.T) {
	for _, sql := range []string{
		"SELECT * FROM system.models", "SELECT count() FROM `system` . \"models\"", "SELECT * FROM System.Stack_Trace", "DESCRIBE system.models",
		"SELECT * FROM merge('system', '^models$')", "SELECT * FROM loop(system, models)", "WITH x AS (SELECT * FROM system./**/stack_trace) SELECT * FROM x",
	} {
		if _, err := store.ReadOnly(sql); err == nil || text.HintOf(err) == "" {
			t.Errorf("%q: %v, want a refusal with a hint", sql, err)
		}
	}
	for _, sql := range []string{"SELECT name FROM system.tables", "SELECT 1 AS models", "SELECT stack_trace.x FROM (SELECT 1 AS x) AS stack_trace"} {
		if _, err := store.ReadOnly(sql); err != nil {
			t.Errorf("%q: %v", sql, err)
		}
	}
}
