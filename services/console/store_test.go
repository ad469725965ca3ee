package console_test

import (
	"encoding/csv"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services/console"
)

// apiList reads all pages of an API list.
func apiList(t *testing.T, b *browser, path string) []map[string]any {
	t.Helper()
	var out []map[string]any
	for cursor := ""; ; {
		res := b.get(path + "&cursor=" + cursor)
		var page struct {
			Items []map[string]any `json:"items"`
			Next  string           `json:"next"`
		}
		if err := json.Unmarshal(res.Body.Bytes(), &page); err != nil || res.Code != 200 {
			t.Fatalf("%s: answer %d, error %v: %s", path, res.Code, err, res.Body)
		}
		out = append(out, page.Items...)
		if cursor = page.Next; cursor == "" {
			return out
		}
	}
}

func number(t *testing.T, st *store.Store, sql string) int {
	t.Helper()
	res, err := st.Select(t.Context(), sql)
	if err != nil {
		t.Fatal(err)
	}
	return int(res.Rows[0][0].(uint64))
}

// TestOverStore reads a seeded store through pages and API and compares with
// plain SQL.
func TestOverStore(t *testing.T) {
	now := time.Now().UTC()
	st := seeded(t, now, 3, 400)
	s := newSite(t, func(_ *console.Config, d *console.Deps) { d.Store = st })
	b := s.signedIn("dana", registers.RoleOfficer, registers.RoleAuditor)

	for _, tc := range []struct{ name, path, sql string }{
		{"entries", "/api/v1/entries?period=7d&limit=100", "SELECT count() FROM entries"},
		{"entries by source", "/api/v1/entries?period=7d&limit=31&source=gateway", "SELECT count() FROM entries WHERE source = 'gateway'"},
		{"entries by principal", "/api/v1/entries?period=7d&principal=" + seedPrincipals[3].id, "SELECT count() FROM entries WHERE principal_id = '" + seedPrincipals[3].id + "'"},
		{"entries by outcome and country", "/api/v1/entries?period=7d&outcome=denied&country=br", "SELECT count() FROM entries WHERE outcome = 'denied' AND client_country = 'BR'"},
		{"entries by parent category", "/api/v1/entries?period=7d&category=user", "SELECT count() FROM entries WHERE notEmpty(categories)"},
		{"entries of another period", "/api/v1/entries?from=2020-01-01&to=2020-01-02", "SELECT toUInt64(0)"},
		{"an injection is a value", "/api/v1/entries?period=7d&source=" + url.QueryEscape("x' OR '1'='1"), "SELECT toUInt64(0)"},
		{"findings", "/api/v1/findings?period=7d&limit=5", "SELECT count() FROM findings"},
		{"findings by control and severity", "/api/v1/findings?period=7d&control=TR-01&severity=critical", "SELECT count() FROM findings WHERE control = 'TR-01'"},
		{"gaps", "/api/v1/findings?period=7d&kind=gap", "SELECT count() FROM findings WHERE kind = 'gap'"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rows, want := apiList(t, b, tc.path), number(t, st, tc.sql)
			ids := map[any]bool{}
			for _, r := range rows {
				id := r["event_id"]
				if id == nil {
					id = r["id"]
				}
				ids[id] = true
			}
			if len(rows) != want || len(ids) != want {
				t.Errorf("%d rows, %d different ones, want %d", len(rows), len(ids), want)
			}
		})
	}

	rows, err := csv.NewReader(b.get("/entries.csv?period=7d").Body).ReadAll()
	if err != nil || len(rows)-1 != number(t, st, "SELECT count() FROM entries") {
		t.Errorf("export: %d lines, error %v", len(rows), err)
	}
	var sources struct {
		Sources []console.SourceState `json:"sources"`
		Hours   []console.SourceHour  `json:"hours"`
	}
	if err := json.Unmarshal(b.get("/api/v1/sources?period=7d").Body.Bytes(), &sources); err != nil || len(sources.Sources) != 2 || len(sources.Hours) != number(t, st, "SELECT uniqExact(source, hour) FROM completeness") {
		t.Fatalf("sources: %+v, error %v", sources, err)
	}
	if x := sources.Sources[1]; x.Name != "shop" || x.Format != "nginx:combined" || x.Behind != 140*time.Millisecond || now.Sub(x.LastLine) > 24*time.Hour {
		t.Errorf("shop: %+v", x)
	}
	overview := b.get("/?period=7d").Body.String()
	personal, denied := number(t, st, "SELECT countIf(notEmpty(categories)) FROM entries"), number(t, st, "SELECT countIf(outcome = 'denied') FROM entries")
	catalogue, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	p := catalogue.For("en")
	for _, want := range []string{"of 1,200 entries; " + p.Int(uint64(denied)) + " ", ">" + p.Int(uint64(personal)) + "<"} {
		if !strings.Contains(overview, want) {
			t.Errorf("the overview lacks %q", want)
		}
	}
}

// TestFindingPage follows a finding to its evidence and suppresses it.
func TestFindingPage(t *testing.T) {
	st := seeded(t, time.Now().UTC(), 1, 1200)
	s := newSite(t, func(_ *console.Config, d *console.Deps) { d.Store = st })
	b := s.signedIn("dana", registers.RoleOfficer)
	id := apiList(t, b, "/api/v1/findings?control=AC-01&limit=1000")[0]["id"].(string)
	body := b.get("/findings/" + id).Body.String()
	for _, want := range []string{"Access without a documented purpose", "Art. 5(1)(b)", "/docs/reference/controls/AC-01", "/entries/" + strings.TrimPrefix(id, "AC-01-"), "Support (agent"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	entry := b.get("/entries/" + strings.TrimPrefix(id, "AC-01-"))
	if entry.Code != 200 || !strings.Contains(entry.Body.String(), "Unwitnessed") || !strings.Contains(entry.Body.String(), "has no leaf") {
		t.Errorf("entry: answer %d", entry.Code)
	}
	open := func() string {
		return regexp.MustCompile(`role="status">([^<]*)`).FindStringSubmatch(b.get("/findings?control=AC-01").Body.String())[1]
	}
	if strings.Contains(open(), "suppressed") {
		t.Fatalf("before: %s", open())
	}
	form := url.Values{"control": {"AC-01"}, "system": {"crm"}, "reason": {"data map follows"}, "until": {time.Now().AddDate(0, 1, 0).Format(time.DateOnly)}}
	if res := b.submit("/findings/"+id, "/suppressions", form); res.Code != 303 {
		t.Fatalf("suppress: answer %d", res.Code)
	}
	if !strings.HasPrefix(open(), "0 open findings") {
		t.Errorf("after: %s", open())
	}
	if body := b.get("/findings/" + id).Body.String(); !strings.Contains(body, "data map follows") {
		t.Error("the finding does not say that it is suppressed")
	}
	form.Set("until", "2020-01-01")
	if res := b.submit("/findings", "/suppressions", form); res.Code != 400 {
		t.Errorf("a suppression without a future: answer %d", res.Code)
	}
}

// TestOldLogIsSeen opens the overview without a period: it shows the days of
// the newest entries, however old.
func TestOldLogIsSeen(t *testing.T) {
	st := seeded(t, time.Date(2015, 5, 20, 0, 0, 0, 0, time.UTC), 2, 50)
	s := newSite(t, func(_ *console.Config, d *console.Deps) { d.Store = st })
	b := s.signedIn("dana", registers.RoleOfficer)
	if body := b.get("/").Body.String(); !strings.Contains(body, "of 100 entries;") {
		t.Error("the overview does not show the 100 entries of 2015")
	}
	if body := b.get("/entries").Body.String(); !strings.Contains(body, "2015-05-19") {
		t.Error("the explorer does not show 2015")
	}
}
