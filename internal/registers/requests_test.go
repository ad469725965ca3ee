package registers_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/internal/registers"
)

const requestsHead = "id,law,type,received,manner,verification,acknowledged,extended,responded,outcome,denial_reason\n"

func openEmpty(t testing.TB) *registers.DB {
	t.Helper()
	db, err := registers.Open(context.Background(), filepath.Join(t.TempDir(), "registers.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func countRequests(t testing.TB, db *registers.DB) int64 {
	t.Helper()
	_, rows, err := db.Select(context.Background(), "SELECT COUNT(*) FROM requests", nil)
	if err != nil {
		t.Fatal(err)
	}
	return rows[0][0].(int64)
}

func TestImportRequestsFaults(t *testing.T) {
	const good = "R-1,ccpa,delete,2025-03-01,web,verified,2025-03-02,,2025-03-20,complied,\n"
	future := time.Now().AddDate(0, 0, 5).Format(time.DateOnly)
	for _, tc := range []struct {
		name, csv string
		want      []registers.LineError
	}{
		{"empty", "", []registers.LineError{{Line: 1}}},
		{"missing column", strings.Replace(requestsHead, ",manner", "", 1), []registers.LineError{{Line: 1, Column: "manner"}}},
		{"unknown column", strings.Replace(requestsHead, "manner", "name", 1), []registers.LineError{{Line: 1}}},
		{"column twice", strings.Replace(requestsHead, "manner", "id", 1), []registers.LineError{{Line: 1}}},
		{"too few fields", requestsHead + good + "R-2,ccpa\n", []registers.LineError{{Line: 3}}},
		{"quote", requestsHead + "R-1,\"ccpa,delete\n", []registers.LineError{{Line: 2}}},
		{"id with a space", requestsHead + strings.Replace(good, "R-1", "Ana Souza", 1), []registers.LineError{{Line: 2, Column: "id"}}},
		{"id with an address", requestsHead + strings.Replace(good, "R-1", "ana@example.com", 1), []registers.LineError{{Line: 2, Column: "id"}}},
		{"id twice", requestsHead + good + good, []registers.LineError{{Line: 3, Column: "id"}}},
		{"law", requestsHead + strings.Replace(good, "ccpa", "cpa", 1), []registers.LineError{{Line: 2, Column: "law"}}},
		{"type of another law", requestsHead + strings.Replace(good, "delete", "erasure", 1), []registers.LineError{{Line: 2, Column: "type"}}},
		{"manner", requestsHead + strings.Replace(good, "web", "fax", 1), []registers.LineError{{Line: 2, Column: "manner"}}},
		{"day written otherwise", requestsHead + strings.Replace(good, "2025-03-01", "03/01/2025", 1), []registers.LineError{{Line: 2, Column: "received"}}},
		{"no day of receipt", requestsHead + strings.Replace(good, "2025-03-01", "", 1), []registers.LineError{{Line: 2, Column: "received"}}},
		{"future", requestsHead + strings.Replace(good, "2025-03-20", future, 1), []registers.LineError{{Line: 2, Column: "responded"}}},
		{"response before receipt", requestsHead + strings.Replace(good, "2025-03-20", "2025-02-20", 1), []registers.LineError{{Line: 2, Column: "responded"}}},
		{"closed without response", requestsHead + strings.Replace(good, "2025-03-20", "", 1), []registers.LineError{{Line: 2, Column: "responded"}}},
		{"open with response", requestsHead + strings.Replace(good, "complied", "open", 1), []registers.LineError{{Line: 2, Column: "responded"}}},
		{"denial without basis", requestsHead + strings.Replace(good, "complied", "denied", 1), []registers.LineError{{Line: 2, Column: "denial_reason"}}},
		{"basis without denial", requestsHead + strings.Replace(good, "complied,", "complied,other", 1), []registers.LineError{{Line: 2, Column: "denial_reason"}}},
		{"two faults on two lines", requestsHead + strings.Replace(good, "web", "fax", 1) + strings.Replace(strings.Replace(good, "R-1", "R-2", 1), "verified", "maybe", 1),
			[]registers.LineError{{Line: 2, Column: "manner"}, {Line: 3, Column: "verification"}}},
		{"not UTF-8", requestsHead + strings.Replace(good, "web", "w\xff", 1), []registers.LineError{{Line: 2, Column: "manner"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := openEmpty(t)
			n, err := db.ImportRequests(context.Background(), strings.NewReader(tc.csv))
			var ie *registers.ImportError
			if !errors.As(err, &ie) || n != 0 {
				t.Fatalf("imported %d, error %v", n, err)
			}
			got := make([]registers.LineError, len(ie.Lines))
			for i, l := range ie.Lines {
				if l.Problem == "" {
					t.Error("a fault without words")
				}
				got[i] = registers.LineError{Line: l.Line, Column: l.Column}
			}
			if diff := cmp.Diff(got, tc.want); diff != "" {
				t.Errorf("faults (-got +want)\n%s", diff)
			}
			for _, value := range []string{"Ana", "ana@", "fax", "maybe", "03/01"} {
				if strings.Contains(err.Error(), value) {
					t.Errorf("the error shows a value: %s", err)
				}
			}
			if countRequests(t, db) != 0 {
				t.Error("a part was stored")
			}
		})
	}
}

func TestImportRequestsReplaces(t *testing.T) {
	db := openEmpty(t)
	for i, csv := range []string{
		"\ufeff" + requestsHead + "R-1,ccpa,know,2025-03-01,web,open,,,,open,\r\n R-2 ,gdpr,access,2025-03-02,mail,verified,,,2025-03-09,complied,\r\n",
		"outcome,denial_reason,id,law,type,received,manner,verification,acknowledged,extended,responded\ncomplied,,R-1,ccpa,know,2025-03-01,web,verified,2025-03-03,,2025-04-01\n",
	} {
		if _, err := db.ImportRequests(context.Background(), strings.NewReader(csv)); err != nil {
			t.Fatalf("import %d: %v", i, err)
		}
	}
	_, rows, err := db.Select(context.Background(), "SELECT id, outcome, responded_day - received_day, received_month FROM requests WHERE received_day >= :from_day ORDER BY id", map[string]string{"from_day": "20000"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(rows, [][]any{{"R-1", "complied", int64(31), "2025-03"}, {"R-2", "complied", int64(7), "2025-03"}}); diff != "" {
		t.Errorf("rows (-got +want)\n%s", diff)
	}
}

func FuzzImportRequests(f *testing.F) {
	f.Add(requestsHead + "R-1,ccpa,delete,2025-03-01,web,verified,2025-03-02,,2025-03-20,complied,\n")
	f.Add(requestsHead + "R-1,ccpa,delete,2025-03-01,web,verified,,,,denied,\"x\n")
	f.Add("\x00,\xff\n\"")
	db := openEmpty(f)
	f.Fuzz(func(t *testing.T, csv string) {
		before := countRequests(t, db)
		n, err := db.ImportRequests(context.Background(), strings.NewReader(csv))
		if err != nil && (n != 0 || countRequests(t, db) != before) {
			t.Fatal("a refused import stored something")
		}
	})
}

func TestSelectRefusesWritesAndUnknownParameters(t *testing.T) {
	db := openEmpty(t)
	if _, _, err := db.Select(context.Background(), "SELECT 1 WHERE 1 = :nothing", nil); err == nil {
		t.Error("a parameter that is not given was accepted")
	}
	if _, _, err := db.Select(context.Background(), "DELETE FROM trail", nil); err == nil {
		t.Error("a write was accepted")
	}
}

func TestReportRuns(t *testing.T) {
	ctx, db := context.Background(), openEmpty(t)
	from := time.Date(2025, 9, 1, 0, 0, 0, 0, time.UTC)
	r := registers.ReportRun{ID: "r1", Kind: "lgpd-record", From: from, Until: from.AddDate(0, 1, 0), Zone: "UTC", AskedBy: "os:ana", Public: true}
	for _, id := range []string{"r1", "r2", "r3"} {
		r.ID = id
		if err := db.StartRun(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	r.ID, r.Language, r.Coverage, r.CheckpointSize, r.CheckpointRoot = "r1", "pt-BR", 0.5, 7, "ab"
	r.Files = []registers.ReportFile{{Name: "a.csv", Format: "csv", SHA256: "00", Bytes: 3}}
	if err := db.FinishRun(ctx, r); err != nil {
		t.Fatal(err)
	}
	if err := db.FailRun(ctx, "r2", "no"); err != nil {
		t.Fatal(err)
	}
	if err := db.FailUnfinishedRuns(ctx); err != nil {
		t.Fatal(err)
	}
	states := map[string]string{}
	all, err := db.Runs(ctx, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		states[r.ID] = r.State + " " + r.Problem
	}
	if diff := cmp.Diff(states, map[string]string{"r1": "done ", "r2": "failed no", "r3": "failed interrupted"}); diff != "" {
		t.Errorf("states (-got +want)\n%s", diff)
	}
	open, err := db.UnledgeredRuns(ctx)
	if err != nil || len(open) != 1 || open[0].ID != "r1" {
		t.Fatalf("unledgered %v, error %v", open, err)
	}
	if err := db.LedgerFile(ctx, "r1", "a.csv"); err != nil {
		t.Fatal(err)
	}
	got, err := db.Run(ctx, "r1")
	if err != nil {
		t.Fatal(err)
	}
	if !got.Files[0].Ledgered || got.Coverage != 0.5 || got.CheckpointSize != 7 || !got.Public || !got.From.Equal(from) {
		t.Errorf("run %+v", got)
	}
	if open, _ = db.UnledgeredRuns(ctx); len(open) != 0 {
		t.Error("a ledgered run is still offered")
	}
	if _, err := db.Run(ctx, "none"); !errors.Is(err, registers.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestSchedules(t *testing.T) {
	ctx, db := context.Background(), openEmpty(t)
	s := registers.Schedule{ID: "s1", Kind: "lgpd-record", Formats: []string{"csv", "pdf"}, Cron: "0 6 1 * *", Zone: "UTC", Span: "month", CreatedBy: "ana"}
	if err := db.AddSchedule(ctx, s); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2025, 9, 1, 6, 0, 0, 0, time.UTC)
	for _, m := range []time.Time{at.AddDate(0, -1, 0), at} {
		if err := db.MarkSchedule(ctx, "s1", m); err != nil {
			t.Fatal(err)
		}
	}
	got, err := db.Schedules(ctx)
	if err != nil || len(got) != 1 {
		t.Fatalf("schedules %v, error %v", got, err)
	}
	got[0].Created = time.Time{}
	if diff := cmp.Diff(got[0], s); diff != "" {
		t.Errorf("schedule (-got +want)\n%s", diff)
	}
	if m, err := db.ScheduleMark(ctx, "s1"); err != nil || !m.Equal(at) {
		t.Errorf("mark %v, error %v", m, err)
	}
	if err := db.RemoveSchedule(ctx, "s1"); err != nil {
		t.Fatal(err)
	}
	if err := db.RemoveSchedule(ctx, "s1"); !errors.Is(err, registers.ErrNotFound) {
		t.Errorf("got %v", err)
	}
	if m, _ := db.ScheduleMark(ctx, "s1"); !m.IsZero() {
		t.Error("the mark outlived the schedule")
	}
}
