package console

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
)

// view is what every template sees; Data is the page's own.
type view struct {
	*text.Printer
	User  registers.User
	Title string
	Here  string // path and query of this page
	Done  string // sentence about what was just done, or ""
	Nav   []navItem
	CSRF  string
	Live  bool        // the page refreshes itself
	Pulse *pulseState // what the page shows of, if it is live and knows
	Data  any
	now   time.Time
	names Names
}

// rowView is a row of a shared table with the page that it stands on.
type rowView struct {
	View view
	Row  record
}

// graph is a chart with the page that it stands on.
type graph struct {
	View  view
	Chart chart
}

type navItem struct {
	Path, Name string
	Current    bool
}

type asset struct {
	contentType, etag string
	body              []byte
}

// T shadows Printer.T for templates: pairs of name and value instead of a map.
func (v view) T(id string, pairs ...any) string {
	data := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		data[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return v.Printer.T(id, data)
}

// N is T with a count.
func (v view) N(id string, count uint64) string { return v.Printer.N(id, count, nil) }

// Word translates a value of a closed list, for example outcome.denied. What
// the list does not know is shown as it is.
func (v view) Word(list, value string) string {
	if value == "" {
		return v.Printer.T("console.word.none", nil)
	}
	id := "console." + list + "." + value
	if s := v.Printer.T(id, nil); s != "!"+id+"!" {
		return s
	}
	return value
}

// When is a time of the record, UTC to the second.
func (v view) When(t time.Time) template.HTML {
	if t.IsZero() {
		return template.HTML(template.HTMLEscapeString(v.Printer.T("console.word.never", nil)))
	}
	return template.HTML(fmt.Sprintf(`<time datetime=%q>%s</time>`, t.UTC().Format(time.RFC3339), template.HTMLEscapeString(v.Date(t)+t.UTC().Format(" 15:04:05"))))
}

// Moment is a time as text, UTC to the minute, or to the day where it is midnight.
func (v view) Moment(t time.Time) string {
	if t = t.UTC(); t.Equal(t.Truncate(24 * time.Hour)) {
		return v.Date(t)
	}
	return v.Date(t) + t.Format(" 15:04")
}

// Days are the days of a period whose end is not in it.
func (v view) Days(from, until time.Time) template.HTML {
	day := func(t time.Time) string {
		return fmt.Sprintf(`<time datetime=%q>%s</time>`, t.UTC().Format(time.DateOnly), template.HTMLEscapeString(v.Date(t)))
	}
	last := until.Add(-time.Nanosecond)
	if from.Format(time.DateOnly) == last.Format(time.DateOnly) {
		return template.HTML(day(from))
	}
	return template.HTML(day(from) + " – " + day(last))
}

// Span is from the first to the last of some accesses, UTC to the minute. It
// never breaks inside a time.
func (v view) Span(first, last time.Time) template.HTML {
	at := func(t time.Time, shown string) string {
		return fmt.Sprintf(`<time datetime=%q>%s</time>`, t.UTC().Format(time.RFC3339), template.HTMLEscapeString(shown))
	}
	a, b := v.Date(first)+first.UTC().Format(" 15:04"), v.Date(last)+last.UTC().Format(" 15:04")
	switch {
	case a == b:
		return template.HTML(at(first, a))
	case v.Date(first) == v.Date(last):
		return template.HTML(at(first, a) + " – " + at(last, last.UTC().Format("15:04")))
	}
	return template.HTML(at(first, a) + " – " + at(last, b))
}

// Ago says how long before now t was.
func (v view) Ago(t time.Time) string {
	if t.IsZero() {
		return v.Printer.T("console.word.never", nil)
	}
	d := v.now.Sub(t)
	switch {
	case d < time.Minute:
		return v.N("console.ago.seconds", uint64(max(d, 0)/time.Second))
	case d < time.Hour:
		return v.N("console.ago.minutes", uint64(d/time.Minute))
	case d < 48*time.Hour:
		return v.N("console.ago.hours", uint64(d/time.Hour))
	}
	return v.N("console.ago.days", uint64(d/(24*time.Hour)))
}

// Lasting is a length of time in the unit that suits it.
func (v view) Lasting(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return v.T("console.source.atonce")
	case d < 2*time.Minute:
		return v.T("console.seconds", "Count", v.Decimal(d.Seconds(), 1))
	case d < 2*time.Hour:
		return v.N("console.lasting.minutes", uint64(d/time.Minute))
	case d < 48*time.Hour:
		return v.N("console.lasting.hours", uint64(d/time.Hour))
	}
	return v.N("console.lasting.days", uint64(d/(24*time.Hour)))
}

// Has reports whether the person has one of the roles.
func (v view) Has(roles ...string) bool {
	for _, r := range roles {
		if v.User.Has(registers.Role(r)) {
			return true
		}
	}
	return false
}

// loadPages parses layout and partials with each page, and reads the assets.
func loadPages(files fs.FS) (map[string]*template.Template, map[string]asset, error) {
	base, err := template.New("layout").Funcs(template.FuncMap{
		"pair":           func(v view, row record) rowView { return rowView{v, row} },
		"severities":     func() []string { return severityNames },
		"count":          func(list []string) uint64 { return uint64(len(list)) },
		"deliveryStates": func() []string { return []string{"delivered", "waiting", "retrying", "failed", "disabled"} },
		"notices":        func(v view, a alertView) map[string]any { return map[string]any{"View": v, "Alert": a} },
		"notice":         func(v view, d delivery) map[string]any { return map[string]any{"View": v, "Delivery": d} },
		"tries":          func(n int) uint64 { return uint64(max(n, 0)) },
		"has":            func(roles []registers.Role, r registers.Role) bool { return slices.Contains(roles, r) },
		"spans": func() []string {
			out := make([]string, len(scheduleSpans))
			for i, x := range scheduleSpans {
				out[i] = x.Span
			}
			return out
		},
		"graph": func(v view, c chart) graph { return graph{v, c} },
		"path":  pathText,
		"cell":  func(v any) string { return record{"": v}.Str("") },
	}).ParseFS(files, "console/layout.html", "console/partials.html")
	if err != nil {
		return nil, nil, fmt.Errorf("failed to read the console's layout: %w", err)
	}
	names, err := fs.Glob(files, "console/*")
	if err != nil {
		return nil, nil, err
	}
	pages, assets := map[string]*template.Template{}, map[string]asset{}
	for _, name := range names {
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, nil, err
		}
		file := path.Base(name)
		if path.Ext(file) != ".html" {
			sum := sha256.Sum256(b)
			assets[file] = asset{mime.TypeByExtension(path.Ext(file)), `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, b}
			continue
		}
		t, err := template.Must(base.Clone()).Parse(string(b))
		if err != nil {
			return nil, nil, fmt.Errorf("failed to read the page %s: %w", file, err)
		}
		pages[strings.TrimSuffix(file, ".html")] = t
	}
	return pages, assets, nil
}

// pathText is a resource or a key that may break after its slashes and dots.
func pathText(s string) template.HTML {
	return template.HTML(strings.NewReplacer("/", "/<wbr>", ".", ".<wbr>", "_", "_<wbr>").Replace(template.HTMLEscapeString(s)))
}

// System names a system of the data map.
func (v view) System(key string) string { return v.names.System(key) }

// Category names a category of data, or the nearest one above it that has a
// name.
func (v view) Category(key string) string {
	for k := key; k != ""; {
		id := "alerts.category." + k
		if s := v.Printer.T(id, nil); s != "!"+id+"!" {
			return s
		}
		k = k[:max(strings.LastIndexByte(k, '.'), 0)]
	}
	return key
}

// Access is an operation and its resource. A template of a URL begins with its
// method already, or with * for any.
func (v view) Access(e record) template.HTML {
	operation, what := e.Str("operation"), e.Str("url_template")
	if what == "" {
		what = e.Str("resource_name")
	}
	what = strings.TrimPrefix(what, "* ")
	if operation != "" && what != operation && !strings.HasPrefix(what, operation+" ") {
		what = strings.TrimSpace(operation + " " + what)
	}
	return template.HTML(strings.ReplaceAll(string(pathText(what)), "_<wbr>", "_"))
}

// Short is the beginning of what tells a pseudonym from others.
func (v view) Short(pseudonym string) string {
	s := pseudonym[strings.LastIndexByte(pseudonym, '.')+1:]
	if len(s) > 8 {
		return s[:8] + "…"
	}
	return s
}

// Purpose is the key of a purpose as people read it.
func (v view) Purpose(key string) string {
	switch key {
	case "":
		return v.Printer.T("console.word.none", nil)
	case redacted:
		return v.Printer.T("console.purpose.unknown", nil)
	}
	return key
}

// Object is what an act of the trail was done to.
func (v view) Object(act, object string) string {
	if n, ok := strings.CutSuffix(object, " files"); ok && act == "ingest" {
		if count, err := strconv.ParseUint(n, 10, 64); err == nil {
			return v.N("console.trail.files", count)
		}
	}
	return object
}

// Redacted reports whether a value was stated that no list knows.
func (v view) Redacted(value string) bool { return value == redacted }

// Kinds are the names of categories of data, each once.
func (v view) Kinds(keys []string) []string {
	var out []string
	for _, k := range keys {
		if n := v.Category(k); !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

// redacted stands for a value that was stated and that no list knows.
const redacted = "[redacted]"

// done are the sentences that a redirect may ask for by ?done=.
var done = map[string]string{
	"schedule": "console.done.schedule", "unschedule": "console.done.unschedule",
	"suppress": "console.done.suppress", "unsuppress": "console.done.unsuppress", "approve": "console.done.approve", "deny": "console.done.deny",
	"user": "console.done.user", "roles": "console.done.roles", "password": "console.done.password", "disable": "console.done.disable", "enable": "console.done.enable",
}

func (r *request) render(status int, page, title string, data any) {
	r.renderLive(status, page, title, data, false)
}

func (r *request) renderLive(status int, page, title string, data any, live bool) {
	v := view{
		Printer: r.p, User: r.user, Title: r.p.T(title, nil), Here: r.Request.URL.RequestURI(), CSRF: csrfOf(r.token),
		Live: live, Pulse: r.seen, Data: data, now: r.now(), names: r.s.deps.Names,
	}
	if r.Request.Method != http.MethodGet || status >= http.StatusBadRequest {
		v.Here = "/" // nor is a value that was refused repeated
	}
	if id, ok := done[r.Query("done")]; ok {
		v.Done = r.p.T(id, nil)
	}
	if r.user.Name != "" {
		v.Nav = r.s.nav(r)
	}
	var b bytes.Buffer
	if err := r.s.pages[page].ExecuteTemplate(&b, "layout", v); err != nil {
		r.s.deps.Log.Error("console: failed to render", slog.String("page", page), slog.String("error", err.Error()))
		r.String(http.StatusInternalServerError, "")
		return
	}
	r.Data(status, "text/html; charset=utf-8", b.Bytes())
}

// nav is the part of the table of routes that this person may open.
func (s *Console) nav(r *request) []navItem {
	var out []navItem
	for _, rt := range s.routes {
		if !rt.Nav || !r.user.Has(rt.Roles...) {
			continue
		}
		p := strings.TrimSuffix(rt.Path, "*path")
		here := r.Request.URL.Path
		if r.within != "" {
			here = r.within
		}
		current := here == p || (p != "/" && strings.HasPrefix(here, strings.TrimSuffix(p, "/")+"/"))
		out = append(out, navItem{Path: p, Name: r.p.T(rt.Summary, nil), Current: current})
	}
	return out
}

func (s *Console) assetFile(r *request) error {
	a, ok := s.assets[r.Param("name")]
	if !ok {
		return errNotFound
	}
	h := r.Writer.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", a.etag)
	if r.GetHeader("If-None-Match") == a.etag {
		r.Status(http.StatusNotModified)
		r.Writer.WriteHeaderNow()
		return nil
	}
	r.Data(http.StatusOK, a.contentType, a.body)
	return nil
}

// seeOther sends the browser to a page after an act, with a sentence about it.
func (r *request) seeOther(page, doneID string) error {
	sep := "?"
	if strings.Contains(page, "?") {
		sep = "&"
	}
	r.Redirect(http.StatusSeeOther, page+sep+"done="+doneID)
	return nil
}
