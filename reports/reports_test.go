package reports_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/reports/reportstest"
)

func build(t *testing.T, kind string, edit func(*reports.Inputs)) *reports.Report {
	t.Helper()
	d, err := reports.Lookup(kind)
	if err != nil {
		t.Fatal(err)
	}
	in := reportstest.Inputs(t, d)
	if edit != nil {
		edit(&in)
	}
	r, err := reports.Build(context.Background(), d, reportstest.September(t), in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func rows(t *testing.T, r *reports.Report, query string) map[string]map[string]string {
	t.Helper()
	e := r.EvidenceOf(query)
	if e == nil {
		t.Fatalf("no query %s", query)
	}
	out := map[string]map[string]string{}
	for _, row := range e.Rows {
		m := map[string]string{}
		for i, c := range e.Columns {
			m[c] = row[i]
		}
		out[row[0]] = m
	}
	return out
}

// TestMetricsByHand: medians and means of 11 CCR § 7102, worked out on paper.
func TestMetricsByHand(t *testing.T) {
	for _, tc := range []struct {
		name         string
		days         []int // to the response of each closed request
		open         int
		median, mean string
	}{
		{"none", nil, 0, "", ""},
		{"only open", nil, 3, "", ""},
		{"one", []int{7}, 0, "7", "7"},
		{"same day", []int{0}, 1, "0", "0"},
		{"two", []int{10, 45}, 0, "27.5", "27.5"},
		{"three, unsorted", []int{45, 3, 12}, 2, "12", "20"},
		{"four with a late one", []int{90, 10, 20, 40}, 0, "30", "40"},
		{"ties", []int{5, 5, 5, 6}, 0, "5", "5.25"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b strings.Builder
			b.WriteString(strings.Join(registers.RequestColumns, ",") + "\n")
			day := time.Date(2025, 9, 3, 0, 0, 0, 0, time.UTC)
			for i, d := range tc.days {
				fmt.Fprintf(&b, "C%d,ccpa,know,2025-09-03,web,verified,,,%s,complied,\n", i, day.AddDate(0, 0, d).Format(time.DateOnly))
			}
			for i := range tc.open {
				fmt.Fprintf(&b, "O%d,ccpa,know,2025-09-03,web,open,,,,open,\n", i)
			}
			db, err := registers.Open(context.Background(), filepath.Join(t.TempDir(), "r.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = db.Close() }()
			if _, err := db.ImportRequests(context.Background(), strings.NewReader(b.String())); err != nil {
				t.Fatal(err)
			}
			r := build(t, "ccpa-metrics", func(in *reports.Inputs) { in.Registers = reportstest.RegistersQuerier{DB: db} })
			got := rows(t, r, "request_metrics")["know"]
			want := map[string]string{"type": "know", "received": fmt.Sprint(len(tc.days) + tc.open), "complied": fmt.Sprint(len(tc.days)), "partial": "0", "denied": "0", "open": fmt.Sprint(tc.open), "median_days": tc.median, "mean_days": tc.mean}
			if diff := cmp.Diff(got, want); diff != "" {
				t.Errorf("(-got +want)\n%s", diff)
			}
		})
	}
}

func TestMetricsOfSeptember(t *testing.T) {
	r := build(t, "ccpa-metrics", nil)
	got := rows(t, r, "request_metrics")
	if len(got) != 7 {
		t.Errorf("%d types, § 7102 has 7", len(got))
	}
	// Delete: 10, 30, 20 and 80 days. R-013 was received in October.
	want := map[string]string{"type": "delete", "received": "4", "complied": "2", "partial": "1", "denied": "1", "open": "0", "median_days": "25", "mean_days": "35"}
	if diff := cmp.Diff(got["delete"], want); diff != "" {
		t.Errorf("(-got +want)\n%s", diff)
	}
	buckets := map[string]string{}
	for k, v := range rows(t, r, "request_buckets") {
		buckets[k] = v["requests"]
	}
	// 0, 10 | 20, 30 | 45 | 50 | | 80 |
	if diff := cmp.Diff(buckets, map[string]string{"0–15": "2", "16–30": "2", "31–45": "1", "46–60": "1", "61–75": "0", "76–90": "1", "> 90": "0"}); diff != "" {
		t.Errorf("buckets (-got +want)\n%s", diff)
	}
}

func TestPublicLeavesTheLogOut(t *testing.T) {
	r := build(t, "ccpa-metrics", func(in *reports.Inputs) { in.Public = true })
	for _, s := range r.Sections {
		if s.Internal {
			t.Errorf("section %s is in the public version", s.ID)
		}
	}
	for _, e := range r.Back.Evidence {
		for _, row := range e.Rows {
			for _, c := range row {
				if strings.HasPrefix(c, "R-0") {
					t.Fatalf("query %s shows the log", e.Name)
				}
			}
		}
	}
	if r.FileName("csv") != "ccpa-metrics-2025-09-public-en.csv" {
		t.Error(r.FileName("csv"))
	}
}

func TestRatings(t *testing.T) {
	rate := func(r *reports.Report) map[string]string {
		out := map[string]string{}
		for k, v := range rows(t, r, "principles") {
			out[strings.TrimPrefix(k, "principle.")] = v["rate"]
		}
		return out
	}
	got := rate(build(t, "gdpr-accountability", nil))
	want := map[string]string{"lawfulness": "grey", "purpose": "red", "minimisation": "grey", "accuracy": "grey", "storage": "grey", "security": "red", "accountability": "amber", "transfers": "red"}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("full (-got +want)\n%s", diff)
	}
	d, _ := reports.Lookup("gdpr-accountability")
	got = rate(build(t, "gdpr-accountability", func(in *reports.Inputs) { in.Store = reportstest.Store(d, true) }))
	for k, v := range got {
		if v != "grey" {
			t.Errorf("an empty installation rates %s %s: nothing shows it", k, v)
		}
	}
}

func TestSentence(t *testing.T) {
	r := build(t, "gdpr-accountability", nil)
	for _, s := range r.Sections {
		for _, n := range s.Numbers {
			if n.ID == "undocumented" {
				if want := "412 = entries with personal data and no documented purpose; 99.8 % of lines received and read; checkpoint 118."; n.Sentence != want {
					t.Errorf("got %q, want %q", n.Sentence, want)
				}
				return
			}
		}
	}
	t.Fatal("no such number")
}

func TestPeriod(t *testing.T) {
	at := func(s string) time.Time {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	p, err := reports.ParsePeriod("2025-03-30", "2025-03-30", "Europe/Berlin") // the clocks go forward
	if err != nil || p.Until.Sub(p.From) != 23*time.Hour || p.String() != "2025-03-30" {
		t.Errorf("%v %v %v", p, p.Until.Sub(p.From), err)
	}
	for _, tc := range []struct{ name, span, now, from, until, text string }{
		{"day", "day", "2025-03-01T02:00:00Z", "2025-02-27T03:00:00Z", "2025-02-28T03:00:00Z", "2025-02-27"},
		{"week", "week", "2025-09-07T12:00:00Z", "2025-08-25T03:00:00Z", "2025-09-01T03:00:00Z", "2025-08-25_2025-08-31"},
		{"week on Monday", "week", "2025-09-08T12:00:00Z", "2025-09-01T03:00:00Z", "2025-09-08T03:00:00Z", "2025-09-01_2025-09-07"},
		{"month", "month", "2025-01-01T12:00:00Z", "2024-12-01T03:00:00Z", "2025-01-01T03:00:00Z", "2024-12"},
		{"quarter", "quarter", "2025-02-11T12:00:00Z", "2024-10-01T03:00:00Z", "2025-01-01T03:00:00Z", "2024-10-01_2024-12-31"},
		{"year", "year", "2025-02-11T12:00:00Z", "2024-01-01T03:00:00Z", "2025-01-01T03:00:00Z", "2024"},
	} {
		p, err := reports.Previous(tc.span, "America/Sao_Paulo", at(tc.now))
		if err != nil || !p.From.Equal(at(tc.from)) || !p.Until.Equal(at(tc.until)) || p.String() != tc.text {
			t.Errorf("%s: got %s to %s, %s, error %v", tc.name, p.From.UTC(), p.Until.UTC(), p, err)
		}
	}
	for _, tc := range []struct{ first, last, zone string }{{"2025-09-02", "2025-09-01", "UTC"}, {"2025-09-31", "", "UTC"}, {"2025-09-01", "", "Mars/Base"}} {
		if _, err := reports.ParsePeriod(tc.first, tc.last, tc.zone); err == nil {
			t.Errorf("%v accepted", tc)
		}
	}
}

func TestDueMonths(t *testing.T) {
	day := func(s string) time.Time {
		v, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, tc := range []struct {
		name, from string
		months     int
		want       string
	}{
		{"same day", "2025-09-03", 1, "2025-10-03"},
		{"end of a short month", "2025-01-31", 1, "2025-02-28"},
		{"leap year, a Thursday", "2024-01-31", 1, "2024-02-29"},
		{"Saturday rolls to Monday", "2025-09-11", 1, "2025-10-13"},
		{"three months", "2025-11-30", 3, "2026-03-02"}, // 28 February is a Saturday
		{"over the year", "2025-12-15", 1, "2026-01-15"},
	} {
		if got := reports.DueMonths(day(tc.from), tc.months); !got.Equal(day(tc.want)) {
			t.Errorf("%s: got %s, want %s", tc.name, got.Format(time.DateOnly), tc.want)
		}
	}
}

func TestDefinitionErrors(t *testing.T) {
	const head = "kind: x\nversion: 1\nlaw: gdpr\nlanguage: en\nclassification: internal\n"
	for _, tc := range []struct{ name, yaml, want string }{
		{"unknown key", head + "colour: red\n", "colour"},
		{"no version", "kind: x\n", "version"},
		{"query with two sources", head + "queries: [{name: q, sql: a, table: retention}]\n", "exactly one"},
		{"query twice", head + "queries: [{name: q, sql: a}, {name: q, sql: b}]\n", "twice"},
		{"unknown table", head + "queries: [{name: q, table: none}]\n", "unknown table"},
		{"number without query", head + "sections: [{id: s, numbers: [{id: n, query: q, column: c}]}]\n", "number n"},
		{"chart without value", head + "queries: [{name: q, sql: a}]\nsections: [{id: s, charts: [{id: c, kind: bars, query: q, x: a}]}]\n", "chart c"},
		{"table without columns", head + "queries: [{name: q, sql: a}]\nsections: [{id: s, tables: [{id: t, query: q}]}]\n", "table t"},
	} {
		if _, err := reports.ParseDefinition("x.yaml", []byte(tc.yaml)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error about %q", tc.name, err, tc.want)
		}
	}
	if _, err := reports.Lookup("gdpr-none"); err == nil {
		t.Error("an unknown kind was found")
	}
}

func TestBind(t *testing.T) {
	got := reports.Bind("SELECT {zone:String} WHERE t >= {from:DateTime64(9)}", map[string]string{"zone": `A'b\`, "from": "2025-09-01 00:00:00.000000000"})
	if want := `SELECT 'A\'b\\' WHERE t >= toDateTime64('2025-09-01 00:00:00.000000000', 9, 'UTC')`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestSuppressionsStandOnTheReport lists what somebody accepted for a time.
func TestSuppressionsStandOnTheReport(t *testing.T) {
	d, err := reports.Lookup("gdpr-accountability")
	if err != nil {
		t.Fatal(err)
	}
	in := reportstest.Inputs(t, d)
	db := reportstest.Registers(t)
	in.Registers = reportstest.RegistersQuerier{DB: db}
	now := time.Now().UTC().Truncate(time.Hour)
	if _, err := db.Suppress(t.Context(), registers.Suppression{Control: "EX-03", System: "shop", Reason: "form moves to POST", By: "dana", Until: now.AddDate(0, 1, 0)}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name        string
		from, until time.Time
		rows        int
	}{
		{"while it holds", now.AddDate(0, 0, -1), now.AddDate(0, 0, 1), 1},
		{"before it", now.AddDate(0, -2, 0), now.AddDate(0, -1, 0), 0},
		{"after it", now.AddDate(0, 2, 0), now.AddDate(0, 3, 0), 0},
	} {
		r, err := reports.Build(t.Context(), d, reports.Period{From: tc.from, Until: tc.until}, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range r.Sections {
			for _, table := range s.Tables {
				if table.ID != "suppressions" {
					continue
				}
				if len(table.Rows) != tc.rows {
					t.Errorf("%s: %d rows, want %d", tc.name, len(table.Rows), tc.rows)
				}
				if tc.rows == 1 && table.Rows[0][4].Text != "form moves to POST" {
					t.Errorf("%s: row %v", tc.name, table.Rows[0])
				}
			}
		}
	}
}

// expiring answers what was removed of the period.
type expiring struct{ reports.Querier }

func (e expiring) Query(ctx context.Context, sql string, params map[string]string) (*reports.Rows, error) {
	if strings.Contains(sql, "FROM expired") {
		return &reports.Rows{Columns: []string{"class", "removed"}, Rows: [][]any{{"entries", uint64(12000)}}}, nil
	}
	return e.Querier.Query(ctx, sql, params)
}

// TestExpiredStandsOnTheReport: a report says when rows of its period are gone.
func TestExpiredStandsOnTheReport(t *testing.T) {
	fact := func(r *reports.Report) string {
		for _, f := range r.Front.Facts {
			if f.Label == "Removed by age" {
				return f.Text
			}
		}
		return ""
	}
	if got := fact(build(t, "gdpr-accountability", nil)); got != "" {
		t.Errorf("nothing was removed, but the report says %q", got)
	}
	got := fact(build(t, "gdpr-accountability", func(in *reports.Inputs) { in.Store = expiring{in.Store} }))
	if !strings.HasPrefix(got, "12,000 entries and 0 findings ") {
		t.Errorf("the report says %q", got)
	}
}
