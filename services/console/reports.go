package console

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
)

type reportsView struct {
	Kinds     []ReportKind
	Runs      []ReportRun
	Schedules []ReportSchedule
	From, To  string
	Spans     []reportSpan
	Chosen    string
	Here      bool
	Languages []string
	Problem   string
}

// reportSpan is a period to choose with one click.
type reportSpan struct {
	Name, From, To string // days, both included
	Current        bool
}

// spans are the periods that reports are usually asked for.
func (r *request) spans() []reportSpan {
	now := r.now()
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	y, m, d := now.Date()
	quarter := (m-1)/3*3 + 1
	month := func(t time.Time) map[string]any {
		return map[string]any{"Month": r.p.T("console.month."+t.Format("01"), nil), "Year": t.Format("2006")}
	}
	last := day(y, m-1, 1)
	at := func(name string, from, to time.Time) reportSpan {
		return reportSpan{Name: name, From: from.Format(time.DateOnly), To: to.Format(time.DateOnly)}
	}
	return []reportSpan{
		at(r.p.T("console.span.month", month(last)), last, day(y, m, 0)),
		at(r.p.T("console.span.sofar", month(now)), day(y, m, 1), day(y, m, d)),
		at(r.p.T("console.span.days", nil), day(y, m, d-29), day(y, m, d)),
		at(r.p.T("console.span.quarter", nil), day(y, quarter-3, 1), day(y, quarter, 0)),
		at(r.p.T("console.span.year", map[string]any{"Year": now.Format("2006")}), day(y, 1, 1), day(y, m, d)),
	}
}

// scheduleSpans are what schedules cover, with the times that they usually run.
var scheduleSpans = []struct{ Span, Cron string }{
	{"month", "0 6 1 * *"}, {"week", "0 6 * * 1"}, {"quarter", "0 6 1 1,4,7,10 *"}, {"year", "0 6 2 1 *"}, {"day", "0 6 * * *"},
}

func (s *Console) reportsPage(r *request) error { return s.showReports(r, http.StatusOK, "") }

func (s *Console) showReports(r *request, status int, problemText string) error {
	v := reportsView{Spans: r.spans(), From: r.Query("from"), To: r.Query("to"), Chosen: r.Query("kind"),
		Here: s.deps.Reports != nil, Languages: text.Languages, Problem: problemText}
	if !validDay(v.From) || !validDay(v.To) {
		v.From, v.To = v.Spans[0].From, v.Spans[0].To
		state, err := s.pulseNow(r.Request.Context())
		if err != nil {
			return err
		}
		if state.Oldest.Format(time.DateOnly) > v.To { // nothing was recorded in the last month
			v.From, v.To = v.Spans[1].From, v.Spans[1].To
		}
	}
	for i, x := range v.Spans {
		v.Spans[i].Current = x.From == v.From && x.To == v.To
	}
	if v.Here {
		var err error
		v.Kinds = s.deps.Reports.Kinds(r.p.Lang)
		if v.Runs, err = s.deps.Reports.Runs(r.Request.Context(), 100); err != nil {
			return err
		}
		if v.Schedules, err = s.deps.Reports.Schedules(r.Request.Context()); err != nil {
			return err
		}
	}
	r.renderLive(status, "reports", "console.nav.reports", v, slices.ContainsFunc(v.Runs, func(x ReportRun) bool { return x.State == "running" }))
	return nil
}

func validDay(s string) bool {
	_, err := time.Parse(time.DateOnly, s)
	return err == nil
}

func (s *Console) orderReport(r *request) error {
	if s.deps.Reports == nil {
		return errNotHere
	}
	from, err1 := time.Parse(time.DateOnly, r.PostForm("from"))
	to, err2 := time.Parse(time.DateOnly, r.PostForm("to"))
	o := ReportOrder{Kind: r.PostForm("kind"), Language: r.PostForm("language"), From: from, Until: to.AddDate(0, 0, 1), By: r.user.Name}
	if err1 != nil || err2 != nil || to.Before(from) || !s.knownReport(r, o.Kind, o.Language) {
		return errBadInput
	}
	if err := r.act("report.run", o.Kind, ""); err != nil {
		return err
	}
	id, err := s.deps.Reports.Order(r.Request.Context(), o)
	if err != nil {
		return s.mendable(r, err)
	}
	r.Redirect(http.StatusSeeOther, "/reports/"+id)
	return nil
}

// mendable shows an error with its hint on the reports page.
func (s *Console) mendable(r *request, err error) error {
	var h *text.Hint
	if !errors.As(err, &h) {
		return err
	}
	return s.showReports(r, http.StatusBadRequest, h.Error()+". "+h.Hint)
}

func (s *Console) knownReport(r *request, kind, lang string) bool {
	return slices.ContainsFunc(s.deps.Reports.Kinds(r.p.Lang), func(k ReportKind) bool {
		return k.Kind == kind && slices.Contains(k.Languages, lang)
	})
}

func (s *Console) runPage(r *request) error {
	if s.deps.Reports == nil {
		return errNotHere
	}
	run, err := s.deps.Reports.Run(r.Request.Context(), r.Param("id"))
	if err != nil {
		return err
	}
	r.renderLive(http.StatusOK, "run", "console.title.run", run, run.State == "waiting" || run.State == "running")
	return nil
}

// reportFile sends a rendered file after the trail has it. HTML is shown in a
// sandbox: it runs nothing and reaches nothing.
func (s *Console) reportFile(r *request) error {
	if s.deps.Reports == nil {
		return errNotHere
	}
	id, format := r.Param("id"), r.Param("format")
	if err := r.act("report.download", id+" "+format, ""); err != nil {
		return err
	}
	f, err := s.deps.Reports.File(r.Request.Context(), id, format)
	if err != nil {
		return err
	}
	defer func() { _ = f.Body.Close() }()
	disposition := "attachment"
	if strings.HasPrefix(f.ContentType, "text/html") {
		disposition = "inline"
		r.Header("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'none'")
	}
	name := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || strings.ContainsRune(`"\/`, c) {
			return '-'
		}
		return c
	}, f.Name)
	r.Header("Content-Disposition", disposition+`; filename="`+name+`"`)
	r.Header("Content-Type", f.ContentType)
	if _, err := io.Copy(r.Writer, f.Body); err != nil {
		s.deps.Log.Warn("console: a download broke off", slog.String("error", err.Error()))
	}
	return nil
}

type numberView struct {
	Run    ReportRun
	Number ReportNumber
	Rows   *store.Result
}

func (s *Console) numberPage(r *request) error {
	if s.deps.Reports == nil {
		return errNotHere
	}
	run, err := s.deps.Reports.Run(r.Request.Context(), r.Param("id"))
	if err != nil {
		return err
	}
	i := slices.IndexFunc(run.Numbers, func(n ReportNumber) bool { return n.ID == r.Param("number") })
	if i < 0 {
		return errNotFound
	}
	v := numberView{Run: run, Number: run.Numbers[i]}
	if v.Rows, err = s.deps.Reports.Rows(r.Request.Context(), run.ID, v.Number.ID); err != nil {
		return err
	}
	r.render(http.StatusOK, "number", "console.title.number", v)
	return nil
}

func (s *Console) addSchedule(r *request) error {
	if s.deps.Reports == nil {
		return errNotHere
	}
	x := ReportSchedule{Kind: r.PostForm("kind"), Language: r.PostForm("language"), Cron: strings.TrimSpace(r.PostForm("cron")), Span: r.PostForm("span"), By: r.user.Name}
	for _, usual := range scheduleSpans {
		if x.Cron == "" && usual.Span == x.Span {
			x.Cron = usual.Cron
		}
	}
	if !s.knownReport(r, x.Kind, x.Language) {
		return errBadInput
	}
	if err := s.deps.Reports.CheckSchedule(x); errors.Is(err, ErrBadSchedule) {
		return s.showReports(r, http.StatusBadRequest, r.p.T("console.error.cron", nil))
	} else if err != nil {
		return err
	}
	if err := r.act("report.schedule", x.Kind+" "+x.Cron, ""); err != nil {
		return err
	}
	if err := s.deps.Reports.AddSchedule(r.Request.Context(), x); err != nil {
		return s.mendable(r, err)
	}
	return r.seeOther("/reports", "schedule")
}

func (s *Console) removeSchedule(r *request) error {
	if s.deps.Reports == nil {
		return errNotHere
	}
	if err := r.act("report.unschedule", r.Param("id"), ""); err != nil {
		return err
	}
	if err := s.deps.Reports.RemoveSchedule(r.Request.Context(), r.Param("id")); err != nil {
		return err
	}
	return r.seeOther("/reports", "unschedule")
}
