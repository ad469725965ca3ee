package console_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/schemas"
	"github.com/tallystick/tallystick/services/console"
)

const password = "correct horse battery"

// emptyStore answers every query with no row, or fails.
type emptyStore struct{ fail error }

func (s *emptyStore) Select(context.Context, string, ...any) (*store.Result, error) {
	return &store.Result{}, s.fail
}

type fixedLedger console.LedgerState

func (l fixedLedger) State(context.Context) (console.LedgerState, error) {
	return console.LedgerState(l), nil
}

type fixedSources []console.SourceState

func (s fixedSources) Sources(context.Context) ([]console.SourceState, error) { return s, nil }

// oneReport is a reporter with one kind and the runs that were ordered.
type oneReport struct {
	runs      []console.ReportRun
	schedules []console.ReportSchedule
}

func (*oneReport) Kinds(string) []console.ReportKind {
	return []console.ReportKind{
		{Kind: "gdpr-accountability", Title: "Accountability report", Law: "gdpr", Languages: []string{"en", "pt-BR"}, Formats: []string{"html", "pdf", "csv"}},
		{Kind: "lgpd-record", Title: "Record of processing operations", Law: "lgpd", Languages: []string{"pt-BR"}, Formats: []string{"html", "pdf", "csv"}},
	}
}

func (r *oneReport) Order(_ context.Context, o console.ReportOrder) (string, error) {
	r.runs = append(r.runs, console.ReportRun{
		ID: "1", Kind: o.Kind, Title: "Accountability report", Language: o.Language, From: o.From, Until: o.Until, By: o.By, At: o.Until, State: "done",
		Formats: []string{"html", "pdf", "csv"}, Digest: strings.Repeat("ab", 32),
		Numbers: []console.ReportNumber{{ID: "entries", Label: "Accesses to personal data", Value: "412",
			Sentence: "412 = entries with a category, 1 to 30 November; 99.8 % of lines received; checkpoint 118", SQL: "SELECT count() FROM entries WHERE notEmpty(categories)"}},
	})
	return "1", nil
}

func (r *oneReport) Runs(context.Context, int) ([]console.ReportRun, error) { return r.runs, nil }

func (r *oneReport) Run(_ context.Context, id string) (console.ReportRun, error) {
	for _, x := range r.runs {
		if x.ID == id {
			return x, nil
		}
	}
	return console.ReportRun{}, registers.ErrNotFound
}

func (r *oneReport) File(ctx context.Context, id, format string) (console.ReportFile, error) {
	if _, err := r.Run(ctx, id); err != nil {
		return console.ReportFile{}, err
	}
	kinds := map[string]string{"html": "text/html; charset=utf-8", "pdf": "application/pdf", "csv": "text/csv"}
	return console.ReportFile{Name: "report." + format, ContentType: kinds[format], Body: io.NopCloser(strings.NewReader("<h1>report</h1>"))}, nil
}

func (*oneReport) Rows(context.Context, string, string) (*store.Result, error) {
	return &store.Result{Columns: []store.Column{{Name: "count()"}}, Rows: [][]any{{uint64(412)}}}, nil
}

func (r *oneReport) Schedules(context.Context) ([]console.ReportSchedule, error) {
	return r.schedules, nil
}

func (*oneReport) CheckSchedule(s console.ReportSchedule) error {
	if len(strings.Fields(s.Cron)) != 5 {
		return console.ErrBadSchedule
	}
	return nil
}

func (r *oneReport) AddSchedule(_ context.Context, s console.ReportSchedule) error {
	s.ID, s.Next = "1", time.Date(2026, 12, 1, 6, 0, 0, 0, time.UTC)
	r.schedules = append(r.schedules, s)
	return nil
}

func (r *oneReport) RemoveSchedule(context.Context, string) error {
	r.schedules = nil
	return nil
}

// brokenTrail is registers whose trail cannot be written.
type brokenTrail struct{ *registers.DB }

func (brokenTrail) Record(context.Context, string, string, string, bool, string) error {
	return errors.New("disk full")
}

// site is a console under test with its parts.
type site struct {
	*console.Console
	t         testing.TB
	registers *registers.DB
	log       *bytes.Buffer
	reports   *oneReport
}

// newSite makes a console; edit may change its parts before.
func newSite(t testing.TB, edit func(*console.Config, *console.Deps)) *site {
	t.Helper()
	db, err := registers.Open(t.Context(), filepath.Join(t.TempDir(), "registers.db"))
	if err != nil {
		t.Fatal(err)
	}
	db.SetPasswordCost(registers.PasswordCost{Passes: 1, Memory: 64, Lanes: 1})
	catalogue, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	set, err := control.Load(schemas.Controls)
	if err != nil {
		t.Fatal(err)
	}
	log, reports := &bytes.Buffer{}, &oneReport{}
	cfg := console.Config{Listen: "127.0.0.1:0"}
	deps := console.Deps{
		Log: slog.New(slog.NewTextHandler(log, nil)), Text: catalogue, Store: &emptyStore{}, Registers: db,
		Ledger:  fixedLedger{Leaves: 118, Root: "kq8Zs0v1n0Y3", Signed: time.Now().Add(-time.Minute)},
		Sources: fixedSources{{Name: "shop", Format: "nginx:combined", System: "shop"}}, Reports: reports, Controls: set,
		Docs: fstest.MapFS{
			"index.md":                    {Data: []byte("# Documentation\n\nSee [keys](explanation/keys.md).\n")},
			"explanation/keys.md":         {Data: []byte("# Keys\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n<script>alert(1)</script>\n")},
			"reference/controls/AC-01.md": {Data: []byte("# AC-01\n")},
		},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") }),
	}
	if edit != nil {
		edit(&cfg, &deps)
	}
	c, err := console.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = c.Close(), db.Close() })
	return &site{Console: c, t: t, registers: db, log: log, reports: reports}
}

// browser is one person with cookies.
type browser struct {
	*site
	jar  http.CookieJar
	from string // remote address
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{s, jar, "127.0.0.1:50000"}
}

// signedIn makes an account with the roles and signs in as it.
func (s *site) signedIn(name string, roles ...registers.Role) *browser {
	s.t.Helper()
	if err := s.registers.AddUser(s.t.Context(), name, password, roles...); err != nil {
		s.t.Fatal(err)
	}
	b := s.browser()
	if res := b.submit("/sign-in", "/sign-in", url.Values{"name": {name}, "password": {password}}); res.Code != http.StatusSeeOther {
		s.t.Fatalf("sign-in as %s answers %d", name, res.Code)
	}
	return b
}

func (b *browser) do(req *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	b.serve(rec, req)
	b.jar.SetCookies(&url.URL{Scheme: "http", Host: b.Addr()}, rec.Result().Cookies())
	return rec
}

// serve answers a request of the browser.
func (b *browser) serve(w http.ResponseWriter, req *http.Request) {
	u := &url.URL{Scheme: "http", Host: b.Addr()}
	if req.Host == "example.com" {
		req.Host = b.Addr()
	}
	req.RemoteAddr = b.from
	for _, c := range b.jar.Cookies(u) {
		req.AddCookie(c)
	}
	b.Handler().ServeHTTP(w, req)
}

func (b *browser) get(path string) *httptest.ResponseRecorder {
	return b.do(httptest.NewRequest(http.MethodGet, path, nil))
}

func (b *browser) post(path string, form url.Values) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.do(req)
}

var csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// csrf reads the token of a page's form.
func (b *browser) csrf(page string) string {
	b.t.Helper()
	m := csrfField.FindStringSubmatch(b.get(page).Body.String())
	if m == nil {
		b.t.Fatalf("%s has no form", page)
	}
	return m[1]
}

// submit sends a form of page to path.
func (b *browser) submit(page, path string, form url.Values) *httptest.ResponseRecorder {
	b.t.Helper()
	form.Set("csrf", b.csrf(page))
	return b.post(path, form)
}

// acts are the acts in the trail, oldest first.
func (s *site) acts() []string {
	s.t.Helper()
	all, err := s.registers.Acts(s.t.Context(), 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, a := range all {
		line := a.Actor + " " + a.Act
		if !a.Allowed {
			line += " refused"
		}
		out = append([]string{line}, out...)
	}
	return out
}
