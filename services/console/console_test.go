package console_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/services/console"
	"github.com/tallystick/tallystick/templates"
)

var update = flag.Bool("update", false, "write the golden files anew")

// fill puts values for the parameters of a route's path.
func fill(path string) string {
	for _, p := range [][2]string{{":id", "1"}, {":format", "html"}, {":number", "entries"}, {":name", "console.css"}, {"*path", ""}} {
		path = strings.ReplaceAll(path, p[0], p[1])
	}
	return path
}

// TestEveryRouteAndRole asks every route as every role and as nobody. Only the
// roles that the table names are let in; nothing is open by omission.
func TestEveryRouteAndRole(t *testing.T) {
	s := newSite(t, nil)
	people := map[registers.Role]*browser{"": s.browser()}
	for _, role := range registers.Roles {
		people[role] = s.signedIn("user-"+strings.ReplaceAll(string(role), "_", "-"), role)
	}
	open := []string{"/sign-in", "/welcome", "/language", "/assets/:name", "/healthz", "/readyz", "/metrics"}
	tokens := map[registers.Role]string{}
	for role, b := range people {
		page := "/docs/"
		if role == "" {
			page = "/sign-in"
		}
		tokens[role] = b.csrf(page)
	}
	for _, rt := range s.Routes() {
		if rt.Path == "/sign-out" {
			continue // it ends the sessions that the others need
		}
		if rt.Open != slices.Contains(open, rt.Path) {
			t.Errorf("%s: open is %v", rt.Path, rt.Open)
		}
		for role, b := range people {
			var res *httptest.ResponseRecorder
			if rt.Method == http.MethodGet {
				res = b.get(fill(rt.Path))
			} else {
				res = b.post(fill(rt.Path), url.Values{"csrf": {tokens[role]}})
			}
			want := rt.Open || slices.Contains(rt.Roles, role)
			if got := admitted(t, rt, res); got != want {
				t.Errorf("%s %s as %q: admitted %v, answer %d", rt.Method, rt.Path, role, got, res.Code)
			}
		}
	}
	for _, path := range []string{"/nothing", "/api/v1/nothing", "/debug/pprof/"} {
		if res := people[""].get(path); res.Code == http.StatusOK || res.Code == http.StatusNotFound {
			t.Errorf("%s tells a stranger %d", path, res.Code)
		}
	}
}

// admitted reads off an answer whether the guard let the request through.
func admitted(t *testing.T, rt console.Route, res *httptest.ResponseRecorder) bool {
	t.Helper()
	body := res.Body.String()
	switch {
	case rt.API && res.Code >= 400:
		var e struct{ Code, Message string }
		if err := json.Unmarshal(res.Body.Bytes(), &e); err != nil || e.Code == "" || e.Message == "" {
			t.Errorf("%s: the error is no {code, message}: %s", rt.Path, body)
		}
		return e.Code != "sign-in" && e.Code != "forbidden"
	case res.Code == http.StatusSeeOther && strings.HasPrefix(res.Header().Get("Location"), "/sign-in"):
		return false
	}
	return !strings.Contains(body, `data-code="sign-in"`) && !strings.Contains(body, `data-code="forbidden"`)
}

func TestRefusalIsInTheTrail(t *testing.T) {
	s := newSite(t, nil)
	s.signedIn("eli", registers.RoleEngineer).get("/trail")
	if acts := s.acts(); !slices.Contains(acts, "eli console.refused refused") {
		t.Errorf("acts %q", acts)
	}
}

func TestCSRF(t *testing.T) {
	s := newSite(t, nil)
	b := s.signedIn("dana", registers.RoleAdministrator)
	other := s.signedIn("eli", registers.RoleAdministrator)
	form := url.Values{"name": {"mallory"}, "password": {password}, "role": {"auditor"}}
	for _, tc := range []struct{ name, token string }{{"none", ""}, {"wrong", "x"}, {"of another session", other.csrf("/users")}} {
		form.Set("csrf", tc.token)
		if res := b.post("/users", form); res.Code != http.StatusForbidden {
			t.Errorf("%s token: answer %d", tc.name, res.Code)
		}
	}
	if users, _ := s.registers.Users(t.Context()); len(users) != 2 {
		t.Errorf("users %+v", users)
	}
	if res := b.submit("/users", "/users", form); res.Code != http.StatusSeeOther {
		t.Errorf("with the token: answer %d", res.Code)
	}
}

func TestHeaders(t *testing.T) {
	s := newSite(t, nil)
	for _, path := range []string{"/sign-in", "/assets/console.css", "/api/v1/me", "/nothing"} {
		h := s.browser().get(path).Header()
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
	}
}

func TestHostHeader(t *testing.T) {
	s := newSite(t, nil)
	port := s.Addr()[strings.LastIndexByte(s.Addr(), ':'):]
	for _, tc := range []struct {
		host string
		want int
	}{{s.Addr(), 200}, {"localhost" + port, 200}, {"LOCALHOST" + port, 200}, {"evil.example" + port, 421}, {"127.0.0.1", 421}, {"", 421}} {
		req := httptest.NewRequest(http.MethodGet, "/sign-in", nil)
		req.Host = tc.host
		rec := httptest.NewRecorder()
		s.Handler().ServeHTTP(rec, req)
		if rec.Code != tc.want {
			t.Errorf("host %q: answer %d, want %d", tc.host, rec.Code, tc.want)
		}
	}
}

func TestCookies(t *testing.T) {
	for _, tc := range []struct {
		name, url string
		secure    bool
	}{{"plain", "", false}, {"behind TLS", "https://audit.example", true}} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSite(t, func(c *console.Config, _ *console.Deps) { c.PublicURL = tc.url })
			if err := s.registers.AddUser(t.Context(), "dana", password, registers.RoleOfficer); err != nil {
				t.Fatal(err)
			}
			b := s.browser()
			page := b.get("/sign-in")
			form := url.Values{"name": {"dana"}, "password": {password}, "csrf": {csrfField.FindStringSubmatch(page.Body.String())[1]}}
			req := httptest.NewRequest(http.MethodPost, "/sign-in", strings.NewReader(form.Encode()))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for _, c := range page.Result().Cookies() {
				req.AddCookie(c)
			}
			res := b.do(req)
			var session *http.Cookie
			for _, c := range res.Result().Cookies() {
				if c.Name == "tallystick_session" {
					session = c
				}
			}
			if session == nil || !session.HttpOnly || session.SameSite != http.SameSiteStrictMode || session.Secure != tc.secure {
				t.Errorf("session cookie %+v", session)
			}
		})
	}
}

func TestSignInLinkLife(t *testing.T) {
	s := newSite(t, nil)
	token, err := s.registers.CreateSignInLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := "/welcome?token=" + token
	far := s.browser()
	far.from = "192.0.2.7:40000"
	if res := far.get(path); res.Code != http.StatusForbidden {
		t.Errorf("from another machine: answer %d", res.Code)
	}
	proxied := httptest.NewRequest(http.MethodGet, path, nil)
	proxied.Header.Set("X-Forwarded-For", "192.0.2.7")
	if res := s.browser().do(proxied); res.Code != http.StatusForbidden {
		t.Errorf("through a proxy: answer %d", res.Code)
	}
	b := s.browser()
	if res := b.get("/welcome?token=wrong"); res.Code != http.StatusNotFound {
		t.Errorf("wrong token: answer %d", res.Code)
	}
	form := url.Values{"token": {token}, "name": {"dana"}, "password": {"short"}, "repeat": {"short"}}
	if res := b.submit(path, "/welcome", form); res.Code != http.StatusBadRequest || !strings.Contains(res.Body.String(), "At least 12 characters") {
		t.Errorf("short password: answer %d", res.Code)
	}
	form.Set("password", password)
	if res := b.submit(path, "/welcome", form); res.Code != http.StatusBadRequest {
		t.Errorf("different passwords: answer %d", res.Code)
	}
	form.Set("repeat", password)
	if res := b.submit(path, "/welcome", form); res.Code != http.StatusSeeOther || res.Header().Get("Location") != "/" {
		t.Fatalf("first account: answer %d", res.Code)
	}
	if res := b.get("/users"); res.Code != http.StatusOK {
		t.Errorf("the first account does not administer: %d", res.Code)
	}
	if res := s.browser().get(path); res.Code != http.StatusNotFound {
		t.Errorf("the link works again: %d", res.Code)
	}
	// The short password is the first of the two tries.
	if strings.Contains(s.log.String(), token) {
		t.Error("the token is in the log")
	}
	if want := []string{"system:console user.first", "system:console user.first", "dana console.sign-in"}; !cmp.Equal(s.acts(), want) {
		t.Errorf("trail (-got +want):\n%s", cmp.Diff(s.acts(), want))
	}
}

func TestSignIn(t *testing.T) {
	now := time.Now()
	s := newSite(t, func(_ *console.Config, d *console.Deps) { d.Now = func() time.Time { return now } })
	if err := s.registers.AddUser(t.Context(), "dana", password, registers.RoleOfficer); err != nil {
		t.Fatal(err)
	}
	b := s.browser()
	try := func(name, pass string) int {
		return b.submit("/sign-in", "/sign-in", url.Values{"name": {name}, "password": {pass}, "next": {"//evil.example"}}).Code
	}
	for _, tc := range []struct {
		name, user, pass string
		want             int
	}{
		{"typed the password as name", "hunter2hunter2", "", 401}, {"wrong 1", "dana", "wrong", 401}, {"wrong 2", "dana", "wrong", 401},
		{"wrong 3", "dana", "wrong", 401}, {"wrong 4", "dana", "wrong", 401}, {"wrong 5", "dana", "wrong", 401}, {"right but too many", "dana", password, 429},
	} {
		if got := try(tc.user, tc.pass); got != tc.want {
			t.Errorf("%s: answer %d, want %d", tc.name, got, tc.want)
		}
	}
	now = now.Add(5 * time.Minute)
	res := b.submit("/sign-in", "/sign-in", url.Values{"name": {"dana"}, "password": {password}, "next": {"//evil.example"}})
	if res.Code != http.StatusSeeOther || res.Header().Get("Location") != "/" {
		t.Errorf("after the wait: answer %d to %q", res.Code, res.Header().Get("Location"))
	}
	acts, _ := s.registers.Acts(t.Context(), 100)
	if line := strings.Join(s.acts(), "\n"); strings.Contains(line, "hunter2") || strings.Contains(s.log.String(), "hunter2") || len(acts) != 7 {
		t.Errorf("trail:\n%s", line)
	}
	if res := b.submit("/", "/sign-out", url.Values{}); res.Code != http.StatusSeeOther {
		t.Errorf("sign-out: answer %d", res.Code)
	}
	if res := b.get("/"); res.Code != http.StatusSeeOther {
		t.Errorf("after sign-out: answer %d", res.Code)
	}
}

// TestTrailFailsClosed breaks the trail: no act happens.
func TestTrailFailsClosed(t *testing.T) {
	var broken *registers.DB
	s := newSite(t, nil)
	b := s.signedIn("dana", registers.RoleOfficer, registers.RoleAdministrator)
	broken = s.registers
	second := newSite(t, func(_ *console.Config, d *console.Deps) { d.Registers = brokenTrail{broken} })
	b2 := &browser{second, b.jar, b.from}
	u := &url.URL{Scheme: "http", Host: second.Addr()}
	b2.jar.SetCookies(u, b.jar.Cookies(&url.URL{Scheme: "http", Host: s.Addr()}))
	if _, err := broken.RequestApproval(t.Context(), registers.Approval{Kind: "keys.destroy", Role: registers.RoleAdministrator, RequestedBy: "eli"}); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		page, path string
		form       url.Values
	}{
		{"/reports", "/reports", url.Values{"kind": {"gdpr-accountability"}, "language": {"en"}, "from": {"2026-11-01"}, "to": {"2026-11-30"}}},
		{"/reports", "/schedules", url.Values{"kind": {"gdpr-accountability"}, "language": {"en"}, "cron": {"0 6 1 * *"}}},
		{"/approvals", "/approvals/1", url.Values{"decision": {"approve"}}},
		{"/approvals", "/suppressions", url.Values{"control": {"AC-01"}, "reason": {"x"}, "until": {time.Now().AddDate(0, 1, 0).Format(time.DateOnly)}}},
		{"/users", "/users", url.Values{"name": {"mallory"}, "password": {password}, "role": {"auditor"}}},
		{"/users", "/sign-out", url.Values{}},
	} {
		if res := b2.submit(tc.page, tc.path, tc.form); res.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: answer %d", tc.path, res.Code)
		}
	}
	for _, path := range []string{"/entries.csv", "/reports/1/file/pdf"} {
		if res := b2.get(path); res.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: answer %d", path, res.Code)
		}
	}
	stranger := second.browser()
	if res := stranger.submit("/sign-in", "/sign-in", url.Values{"name": {"dana"}, "password": {password}}); res.Code != http.StatusServiceUnavailable {
		t.Errorf("sign-in: answer %d", res.Code)
	}
	users, _ := broken.Users(t.Context())
	approvals, _ := broken.Approvals(t.Context(), 10)
	suppressions, _ := broken.Suppressions(t.Context())
	if len(users) != 1 || approvals[0].Decision != "" || len(suppressions) != 0 || len(second.reports.runs) != 0 || len(second.reports.schedules) != 0 {
		t.Error("something happened without a trail")
	}
}

func TestApprovalsOnPages(t *testing.T) {
	s := newSite(t, nil)
	b := s.signedIn("dana", registers.RoleKeyOfficer)
	for _, by := range []string{"dana", "eli"} {
		if _, err := s.registers.RequestApproval(t.Context(), registers.Approval{Kind: "keys.destroy", Role: registers.RoleKeyOfficer, RequestedBy: by}); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name, id string
		want     int
	}{{"own request", "1", http.StatusConflict}, {"request of another", "2", http.StatusSeeOther}, {"decided already", "2", http.StatusConflict}, {"absent", "9", http.StatusNotFound}} {
		if res := b.submit("/approvals", "/approvals/"+tc.id, url.Values{"decision": {"approve"}}); res.Code != tc.want {
			t.Errorf("%s: answer %d, want %d", tc.name, res.Code, tc.want)
		}
	}
}

func TestDocs(t *testing.T) {
	s := newSite(t, nil)
	b := s.signedIn("dana", registers.RoleEngineer)
	for _, tc := range []struct {
		path string
		code int
		want string
	}{
		{"/docs/", 200, `<a href="explanation/keys.md">keys</a>`},
		{"/docs/explanation/keys.md", 200, "<td>1</td>"},
		{"/docs/explanation/keys", 200, "<td>1</td>"},
		{"/docs/reference/controls/AC-01", 200, "AC-01"},
		{"/docs/controls/AC-01", 303, ""},
		{"/docs/../../etc/passwd", 404, ""},
		{"/docs/nothing", 404, ""},
	} {
		res := b.get(tc.path)
		if res.Code != tc.code || !strings.Contains(res.Body.String(), tc.want) || strings.Contains(res.Body.String(), "alert(1)") {
			t.Errorf("%s: answer %d", tc.path, res.Code)
		}
	}
}

func TestReports(t *testing.T) {
	s := newSite(t, nil)
	b := s.signedIn("dana", registers.RoleOfficer)
	for _, tc := range []struct {
		name string
		form url.Values
		want int
	}{
		{"good", url.Values{"kind": {"gdpr-accountability"}, "language": {"en"}, "from": {"2026-11-01"}, "to": {"2026-11-30"}}, 303},
		{"unknown kind", url.Values{"kind": {"x"}, "language": {"en"}, "from": {"2026-11-01"}, "to": {"2026-11-30"}}, 400},
		{"language that the kind has not", url.Values{"kind": {"lgpd-record"}, "language": {"en"}, "from": {"2026-11-01"}, "to": {"2026-11-30"}}, 400},
		{"backwards", url.Values{"kind": {"gdpr-accountability"}, "language": {"en"}, "from": {"2026-11-30"}, "to": {"2026-11-01"}}, 400},
		{"no dates", url.Values{"kind": {"gdpr-accountability"}, "language": {"en"}}, 400},
	} {
		if res := b.submit("/reports", "/reports", tc.form); res.Code != tc.want {
			t.Errorf("%s: answer %d, want %d", tc.name, res.Code, tc.want)
		}
	}
	if len(s.reports.runs) != 1 || !s.reports.runs[0].Until.Equal(time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("runs %+v", s.reports.runs)
	}
	if res := b.submit("/reports", "/schedules", url.Values{"kind": {"lgpd-record"}, "language": {"pt-BR"}, "cron": {"every day"}}); res.Code != 400 || !strings.Contains(res.Body.String(), "five fields") {
		t.Errorf("bad schedule: answer %d", res.Code)
	}
	res := b.get("/reports/1/file/html")
	if res.Code != 200 || !strings.HasPrefix(res.Header().Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("HTML: answer %d, policy %q", res.Code, res.Header().Get("Content-Security-Policy"))
	}
	if res := b.get("/reports/1/file/pdf"); !strings.HasPrefix(res.Header().Get("Content-Disposition"), "attachment") {
		t.Errorf("PDF: %q", res.Header().Get("Content-Disposition"))
	}
	if res := b.get("/reports/1/number/entries"); !strings.Contains(res.Body.String(), "SELECT count()") || !strings.Contains(res.Body.String(), "<td>412</td>") {
		t.Errorf("number: %d", res.Code)
	}
	if !slices.Contains(s.acts(), "dana report.download") {
		t.Errorf("trail %q", s.acts())
	}
}

// TestPersonsInURLs keeps clear identifiers out of queries.
func TestPersonsInURLs(t *testing.T) {
	s := newSite(t, nil)
	b := s.signedIn("dana", registers.RoleOfficer)
	for _, path := range []string{"/entries?principal=", "/entries?subject=", "/entries.csv?subject=", "/findings?principal=", "/api/v1/entries?subject=", "/api/v1/findings?principal="} {
		if res := b.get(path + "jane%40example.org"); res.Code != http.StatusBadRequest || strings.Contains(res.Body.String(), "jane") {
			t.Errorf("%s: answer %d", path, res.Code)
		}
		if res := b.get(path + "v1.k1.abc"); res.Code != http.StatusOK {
			t.Errorf("%s with a pseudonym: answer %d", path, res.Code)
		}
	}
	for _, bad := range []string{"/entries?cursor=%21", "/entries?period=1h", "/entries?from=yesterday&to=today", "/?from=2026-11-02&to=2026-11-01"} {
		if res := b.get(bad); res.Code != http.StatusBadRequest {
			t.Errorf("%s: answer %d", bad, res.Code)
		}
	}
	if strings.Contains(s.log.String(), "jane") {
		t.Error("the log holds a value of a URL")
	}
}

func TestStoreErrorIsNotShown(t *testing.T) {
	s := newSite(t, func(_ *console.Config, d *console.Deps) { d.Store = &emptyStore{fail: errors.New("secret detail")} })
	b := s.signedIn("dana", registers.RoleOfficer)
	for _, path := range []string{"/", "/entries", "/api/v1/entries"} {
		if res := b.get(path); res.Code != http.StatusServiceUnavailable || strings.Contains(res.Body.String(), "secret detail") {
			t.Errorf("%s: answer %d", path, res.Code)
		}
	}
	if !strings.Contains(s.log.String(), "secret detail") {
		t.Error("operators do not see the error")
	}
}

// TestLeftPageIsNoError: a browser that goes on before its page is there gives
// operators nothing to look at.
func TestLeftPageIsNoError(t *testing.T) {
	s := newSite(t, func(_ *console.Config, d *console.Deps) { d.Store = &emptyStore{fail: context.Canceled} })
	b := s.signedIn("dana", registers.RoleOfficer)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	b.do(httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	if log := s.log.String(); strings.Contains(log, "level=ERROR") {
		t.Errorf("the log says %s", log)
	}
}

// TestEmptyPagesNameTheNextCommand also runs every page in every language and
// looks for texts that are missing.
func TestEmptyPagesNameTheNextCommand(t *testing.T) {
	s := newSite(t, func(_ *console.Config, d *console.Deps) { d.Sources = nil })
	b := s.signedIn("dana", registers.Roles...)
	for _, lang := range []string{"en", "pt-BR"} {
		if res := b.submit("/", "/language", url.Values{"language": {lang}}); res.Code != http.StatusSeeOther {
			t.Fatalf("language: answer %d", res.Code)
		}
		for _, rt := range s.Routes() {
			if rt.Method != http.MethodGet || rt.API || rt.Path == "/assets/:name" {
				continue
			}
			body := b.get(fill(rt.Path)).Body.String()
			if m := regexp.MustCompile(`![a-zA-Z]+(\.[a-zA-Z0-9_-]+)+!`).FindString(body); m != "" {
				t.Errorf("%s in %s lacks the text %s", rt.Path, lang, m)
			}
		}
	}
	for path, want := range map[string]string{
		"/": "tallystick ingest --format auto FILE", "/findings": "tallystick ingest --format auto FILE", "/entries": "tallystick ingest --format auto FILE",
		"/sources": "tallystick init LOG", "/reports": "tallystick report render",
	} {
		if body := b.get(path).Body.String(); !strings.Contains(body, want) {
			t.Errorf("%s does not name %q", path, want)
		}
	}
}

// TestTemplatesHoldNoWords reads the templates without tags, actions and
// commands: no letter may be left, and no attribute for people holds one.
func TestTemplatesHoldNoWords(t *testing.T) {
	names, err := fs.Glob(templates.Console, "console/*.html")
	if err != nil || len(names) < 10 {
		t.Fatalf("%d templates, error %v", len(names), err)
	}
	strip := []*regexp.Regexp{
		regexp.MustCompile(`(?s)<!doctype[^>]*>`), regexp.MustCompile(`(?s)<code[^>]*>.*?</code>`), regexp.MustCompile(`(?s)\{\{.*?\}\}`), regexp.MustCompile(`(?s)<[^>]*>`),
	}
	words := regexp.MustCompile(`\p{L}+`)
	spoken := regexp.MustCompile(`\b(?:title|alt|placeholder|aria-label)="([^"]*)"`)
	for _, name := range names {
		b, err := fs.ReadFile(templates.Console, name)
		if err != nil {
			t.Fatal(err)
		}
		actionless := strip[2].ReplaceAllString(string(b), "")
		for _, m := range spoken.FindAllStringSubmatch(actionless, -1) {
			if words.MatchString(m[1]) {
				t.Errorf("%s: an attribute holds %q", name, m[1])
			}
		}
		text := string(b)
		for _, re := range strip {
			text = re.ReplaceAllString(text, " ")
		}
		if w := words.FindString(text); w != "" {
			t.Errorf("%s holds the word %q", name, w)
		}
	}
}

func TestGoldenOpenAPI(t *testing.T) {
	got := newSite(t, nil).OpenAPI()
	const golden = "testdata/openapi.json"
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(got)+"\n", string(want)); diff != "" {
		t.Errorf("the API changed; if that is meant, run the test with -update (-got +want):\n%s", diff)
	}
}

func TestConfig(t *testing.T) {
	for _, tc := range []struct {
		name string
		cfg  console.Config
		ok   bool
	}{
		{"default", console.DefaultConfig(), true},
		{"no port", console.Config{Listen: "127.0.0.1", SessionTTL: time.Hour}, false},
		{"open to the network without a name", console.Config{Listen: "0.0.0.0:8080", SessionTTL: time.Hour}, false},
		{"open to the network", console.Config{Listen: "0.0.0.0:8080", PublicURL: "https://audit.example", SessionTTL: time.Hour}, true},
		{"no URL", console.Config{Listen: "127.0.0.1:0", PublicURL: "audit.example", SessionTTL: time.Hour}, false},
		{"certificate without key", console.Config{Listen: "127.0.0.1:0", TLSCertFile: "x", SessionTTL: time.Hour}, false},
	} {
		if err := tc.cfg.Validate(); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

func TestSmallParts(t *testing.T) {
	for in, want := range map[string]string{"/entries?a=1": "/entries?a=1", "": "/", "//evil": "/", "https://evil": "/", `/\evil`: "/", "evil": "/"} {
		if got := console.LocalPath(in); got != want {
			t.Errorf("LocalPath(%q) is %q", in, got)
		}
	}
	for in, want := range map[uint64]uint64{0: 4, 4: 4, 5: 8, 21: 28, 29: 40, 1240: 1600} {
		if got := console.NiceTop(in); got != want {
			t.Errorf("NiceTop(%d) is %d", in, got)
		}
	}
}

func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"Zk3v-q8_Ab1Cd2Ef-0-180", "a--1", "", "---", "a-0-18446744073709551615", "a-4294967296-0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if o, ok := console.Origin(s); ok {
			if again, ok := console.Origin(o.EntryID()); !ok || again != o {
				t.Errorf("%q reads as %+v and again as %+v", s, o, again)
			}
		}
	})
}

// TestAlertsPage shows what was told to whom and where each notice is.
func TestAlertsPage(t *testing.T) {
	s := newSite(t, nil)
	ctx, now := t.Context(), time.Now().UTC()
	body := `{"control":"AC-01","kind":"violation","severity":"high","first":"2026-11-20T10:02:00Z","last":"2026-11-20T10:31:00Z","findings":3,"entries":3,"subjects":2,` +
		`"first_finding":"F1","label":"Support (agent 14)","system":"crm","categories":["user.contact"],"facts":{"action":["read"],"subject_categories":["customer"]}}`
	err := s.registers.Alerts(ctx, func(tx *registers.AlertTx) error {
		g := &registers.AlertGroup{Control: "AC-01", Key: "k", Open: true, Opened: now, Changed: now, Notified: now, Notices: 1, Body: []byte(body)}
		if err := tx.SaveGroup(g); err != nil {
			return err
		}
		for _, receiver := range []string{"tickets", "chat", "old"} {
			if err := tx.Enqueue(registers.OutboxMessage{Receiver: receiver, MessageID: "m1", Group: g.ID, Body: []byte("{}"), Created: now}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := s.registers.Deliveries(ctx, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range messages {
		m.Tries = 1
		switch m.Receiver {
		case "tickets":
			m.State, m.Done = registers.OutboxSent, now
		case "chat":
			m.NextTry, m.Reason = now.Add(time.Minute), "the receiver answered 503"
		case "old":
			if err := s.registers.DisableReceiver(ctx, "old", "https://old.example"); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := s.registers.SettleMessage(ctx, m); err != nil {
			t.Fatal(err)
		}
	}
	got := s.signedIn("dana", registers.RoleOfficer).get("/alerts").Body.String()
	for _, want := range []string{
		"Support (agent 14) read 2 customers&#39; contact data in crm with no documented purpose</a>", ">2026-11-20 10:02</time> – <time", `href="/findings/F1"`,
		`state-delivered">delivered`, `state-retrying">retrying`, "the receiver answered 503", `state-disabled">receiver disabled`, "Receiver old said on",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestRolesChange gives a user other roles, which ends the user's sessions.
func TestRolesChange(t *testing.T) {
	s := newSite(t, nil)
	eli := s.signedIn("eli", registers.RoleEngineer)
	b := s.signedIn("root", registers.RoleAdministrator)
	if res := b.submit("/users", "/users/eli", url.Values{"change": {"roles"}, "role": {"auditor"}}); res.Code != http.StatusSeeOther {
		t.Fatalf("answer %d", res.Code)
	}
	if res := eli.get("/"); res.Code != http.StatusSeeOther {
		t.Errorf("the session goes on: answer %d", res.Code)
	}
	users, err := s.registers.Users(t.Context())
	if err != nil || !slices.Equal(users[0].Roles, []registers.Role{registers.RoleAuditor}) {
		t.Errorf("users: %v, error %v", users, err)
	}
	if res := b.submit("/users", "/users/root", url.Values{"change": {"roles"}, "role": {"officer"}}); res.Code != http.StatusBadRequest || !strings.Contains(res.Body.String(), "last administrator") {
		t.Errorf("the last administrator: answer %d", res.Code)
	}
	if res := b.submit("/users", "/users/eli", url.Values{"change": {"roles"}}); res.Code != http.StatusBadRequest {
		t.Errorf("no role: answer %d", res.Code)
	}
	if acts := s.acts(); !slices.Contains(acts, "root user.roles") {
		t.Errorf("the trail: %q", acts)
	}
}

// TestScale cuts one or two bars that would flatten all others, and no more.
func TestScale(t *testing.T) {
	for _, c := range []struct {
		bars []uint64
		top  uint64
		cut  bool
	}{
		{[]uint64{0, 2, 1, 145, 4}, 4, true},
		{[]uint64{2, 1, 145, 120, 4, 3, 3}, 4, true},
		{[]uint64{30, 40, 120, 35}, 120, false},
		{[]uint64{0, 0, 145, 2}, 160, false},
		{[]uint64{0, 0}, 4, false},
		{nil, 4, false},
	} {
		if top, cut := console.Scale(c.bars); top != c.top || cut != c.cut {
			t.Errorf("bars %v: top %d, cut %v", c.bars, top, cut)
		}
	}
}

// TestAccess names the method of an access once.
func TestAccess(t *testing.T) {
	for _, c := range [][3]string{
		{"GET", "GET /v1/customers/{id}", "GET /v1/customers/{id}"}, {"POST", "* /signin", "POST /signin"}, {"GET", "/", "GET /"},
		{"READ", "topic orders", "READ topic orders"}, {"", "/x", "/x"}, {"PING", "", "PING"},
	} {
		if got := console.Access(c[0], c[1]); got != c[2] {
			t.Errorf("%q of %q is %q", c[0], c[1], got)
		}
	}
}

// TestFieldGroups shows every field of an entry once, named in both languages.
func TestFieldGroups(t *testing.T) {
	var names []string
	for _, f := range audit.EntryFields {
		names = append(names, f.Name)
	}
	var got []string
	for _, group := range console.FieldLists(names...) {
		got = append(got, group...)
	}
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Errorf("fields %v, want %v", got, names)
	}
	for _, lang := range []string{"en", "pt-BR"} {
		catalogue, err := os.ReadFile("../../templates/messages/console." + lang + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if !strings.Contains(string(catalogue), "\nconsole.field."+name+":") {
				t.Errorf("the field %s has no name in %s", name, lang)
			}
		}
	}
}
