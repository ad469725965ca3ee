package services

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tallystick/tallystick/docs"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/reports/render"
	"github.com/tallystick/tallystick/services/console"
	"github.com/tallystick/tallystick/services/reporter"
)

func (a *App) openConsole(context.Context) (err error) {
	if !a.has("console") {
		return nil
	}
	a.console, err = console.New(a.cfg.Console, console.Deps{
		Log: a.log, Text: a.texts, Store: a.store, Registers: a.registers,
		Ledger: consoleLedger{a.ledger}, Sources: consoleSources{a}, Reports: a.consoleReports(), Erasures: a.consoleErasures(), Controls: a.controls, Masking: a.documents(), Names: mapNames{a},
		Docs: docs.Files, Metrics: promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{}), Ready: a.store.Ping,
	})
	if err == nil {
		a.onRun("console", a.console.Run)
	}
	return err
}

// consoleLedger shows the ledger to the console.
type consoleLedger struct{ view ledgerView }

func (l consoleLedger) State(ctx context.Context) (console.LedgerState, error) {
	s, err := l.view.State(ctx)
	if err != nil {
		return console.LedgerState{}, err
	}
	out := console.LedgerState{Leaves: s.Size, Signed: s.Time, Waiting: s.Waiting}
	if s.Size > 0 {
		out.Root = base64.StdEncoding.EncodeToString(s.Root)
	}
	out.Witnesses = len(s.Witnesses)
	return out, nil
}

// silence is how long a source may bring no line before it counts as silent.
const silence = 15 * time.Minute

// lastTimesQuery reads when the newest line of each source was received, after
// its own time.
const lastTimesQuery = `SELECT source, max(newest) AS line, line.2, line.1 FROM entries_quarterly GROUP BY source`

type consoleSources struct{ a *App }

func (s consoleSources) Sources(ctx context.Context) ([]console.SourceState, error) {
	res, err := s.a.store.Select(ctx, lastTimesQuery)
	if err != nil {
		return nil, err
	}
	last := map[string][2]time.Time{}
	for _, row := range res.Rows {
		name, _ := row[0].(string)
		event, _ := row[2].(time.Time)
		ingest, _ := row[3].(time.Time)
		last[name] = [2]time.Time{event, ingest}
	}
	now := time.Now()
	var out []console.SourceState
	for name, c := range s.a.sources.all() {
		at := last[name]
		st := console.SourceState{Name: name, Format: c.Format, System: c.System, LastLine: at[0], Silent: c.Way() != "" && now.Sub(at[1]) > silence}
		if !at[0].IsZero() && at[1].After(at[0]) {
			st.Behind = at[1].Sub(at[0])
		}
		out = append(out, st)
	}
	slices.SortFunc(out, func(a, b console.SourceState) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// consoleReports shows the reporter's runs and schedules to the console.
type consoleReports struct {
	a    *App
	ctx  context.Context // of the runs that are being made; it ends with the App
	work sync.WaitGroup
}

func (a *App) consoleReports() *consoleReports {
	ctx, cancel := context.WithCancel(context.Background())
	r := &consoleReports{a: a, ctx: ctx}
	a.onStop("reports being made", func() error {
		cancel()
		r.work.Wait()
		return nil
	})
	return r
}

func (r *consoleReports) Kinds(lang string) []console.ReportKind {
	p := r.a.texts.For(lang)
	var out []console.ReportKind
	for kind := range r.a.reporter.Kinds() {
		d, err := reports.Lookup(kind)
		if err != nil {
			continue
		}
		out = append(out, console.ReportKind{Kind: kind, Title: p.T("report."+kind+".title", nil), Law: d.Law, Languages: text.Languages, Formats: render.Formats})
	}
	slices.SortFunc(out, func(a, b console.ReportKind) int { return cmp.Compare(a.Kind, b.Kind) })
	return out
}

// Order records the run and renders it beside; its page shows when it is done.
func (r *consoleReports) Order(ctx context.Context, o console.ReportOrder) (string, error) {
	job, err := r.a.reporter.Begin(ctx, reporter.Request{Kind: o.Kind, Period: reports.Period{From: o.From, Until: o.Until}, Lang: o.Language, Actor: o.By})
	if err != nil {
		return "", err
	}
	r.work.Go(func() {
		if _, err := job.Do(r.ctx); err != nil {
			r.a.log.Error("a report failed", "run", job.Run, "kind", o.Kind, "error", err)
		}
	})
	return job.Run, nil
}

func (r *consoleReports) Runs(ctx context.Context, limit int) ([]console.ReportRun, error) {
	runs, err := r.a.registers.Runs(ctx, limit)
	if err != nil {
		return nil, err
	}
	out := make([]console.ReportRun, len(runs))
	for i := range runs {
		out[i] = r.view(&runs[i])
	}
	return out, nil
}

func (r *consoleReports) view(run *registers.ReportRun) console.ReportRun {
	out := console.ReportRun{ID: run.ID, Kind: run.Kind, Title: r.a.texts.For(run.Language).T("report."+run.Kind+".title", nil), Language: run.Language,
		From: run.From, Until: run.Until, At: run.Started, By: run.AskedBy, State: run.State, Problem: run.Problem}
	for _, format := range render.Formats {
		for _, f := range run.Files {
			if f.Format != format {
				continue
			}
			out.Formats = append(out.Formats, f.Format)
			if f.Format == "json" {
				out.Digest = f.SHA256
			}
		}
	}
	return out
}

func (r *consoleReports) Run(ctx context.Context, id string) (console.ReportRun, error) {
	run, err := r.a.registers.Run(ctx, id)
	if err != nil {
		return console.ReportRun{}, err
	}
	out := r.view(&run)
	rep, err := r.report(&run)
	if errors.Is(err, os.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	for _, section := range rep.Sections {
		for _, n := range section.Numbers {
			v := console.ReportNumber{ID: n.ID, Label: n.Label, Value: n.Text, Sentence: n.Sentence}
			if e := rep.EvidenceOf(n.Query); e != nil {
				v.SQL, v.Store = e.SQL, e.Source == "store"
				if v.Store {
					params := map[string]string{}
					for _, f := range e.Parameters {
						params[f.Label] = f.Text
					}
					v.SQL = reports.Bind(e.SQL, params)
				}
			}
			out.Numbers = append(out.Numbers, v)
		}
	}
	return out, nil
}

// report reads the JSON file of a run.
func (r *consoleReports) report(run *registers.ReportRun) (*reports.Report, error) {
	for _, f := range run.Files {
		if f.Format != "json" {
			continue
		}
		b, err := os.ReadFile(filepath.Join(r.a.dir.join("reports"), run.ID, f.Name))
		if err != nil {
			return nil, err
		}
		var rep reports.Report
		if err := json.Unmarshal(b, &rep); err != nil {
			return nil, fmt.Errorf("failed to read a report file: %w", err)
		}
		return &rep, nil
	}
	return nil, os.ErrNotExist
}

func (r *consoleReports) File(ctx context.Context, id, format string) (console.ReportFile, error) {
	run, err := r.a.registers.Run(ctx, id)
	if err != nil {
		return console.ReportFile{}, err
	}
	for _, f := range run.Files {
		if f.Format != format {
			continue
		}
		body, err := os.Open(filepath.Join(r.a.dir.join("reports"), run.ID, f.Name))
		if err != nil {
			return console.ReportFile{}, fmt.Errorf("failed to open a report file: %w", err)
		}
		return console.ReportFile{Name: f.Name, ContentType: render.ContentType(format), Body: body}, nil
	}
	return console.ReportFile{}, registers.ErrNotFound
}

func (r *consoleReports) Rows(ctx context.Context, id, number string) (*store.Result, error) {
	run, err := r.a.registers.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	rep, err := r.report(&run)
	if err != nil {
		return nil, err
	}
	for _, section := range rep.Sections {
		for _, n := range section.Numbers {
			if n.ID == number {
				return evidenceRows(rep.EvidenceOf(n.Query))
			}
		}
	}
	return nil, registers.ErrNotFound
}

// evidenceRows are the rows behind a number, as the report holds them.
func evidenceRows(e *reports.Evidence) (*store.Result, error) {
	if e == nil {
		return nil, registers.ErrNotFound
	}
	out := &store.Result{}
	for _, c := range e.Columns {
		out.Columns = append(out.Columns, store.Column{Name: c, Type: "String"})
	}
	for _, row := range e.Rows {
		cells := make([]any, len(row))
		for i, c := range row {
			cells[i] = c
		}
		out.Rows = append(out.Rows, cells)
	}
	return out, nil
}

func (r *consoleReports) Schedules(ctx context.Context) ([]console.ReportSchedule, error) {
	list, err := r.a.registers.Schedules(ctx)
	if err != nil {
		return nil, err
	}
	var out []console.ReportSchedule
	now := time.Now()
	for _, s := range r.a.cfg.Reports.Schedules {
		if err := s.Validate(); err == nil {
			out = append(out, r.schedule(s, now, "", true))
		}
	}
	for _, s := range list {
		check := reporter.Schedule{Name: s.ID, Kind: s.Kind, Cron: s.Cron, Zone: s.Zone, Span: s.Span, Language: s.Language, Formats: s.Formats}
		out = append(out, r.schedule(check, now, s.CreatedBy, false))
	}
	return out, nil
}

// schedule is a schedule as the console shows it; one that is not valid any
// more has no next run.
func (r *consoleReports) schedule(s reporter.Schedule, now time.Time, by string, fixed bool) console.ReportSchedule {
	next, _ := s.Next(now)
	lang := s.Language
	if lang == "" {
		lang = r.a.reporter.Kinds()[s.Kind]
	}
	return console.ReportSchedule{ID: s.Name, Kind: s.Kind, Title: r.a.texts.For(lang).T("report."+s.Kind+".title", nil), Language: lang,
		Cron: s.Cron, Zone: s.Zone, Span: s.Span, Next: next.UTC(), By: by, Fixed: fixed}
}

func (r *consoleReports) CheckSchedule(s console.ReportSchedule) error {
	check := reporter.Schedule{Name: "console", Kind: s.Kind, Cron: s.Cron, Span: s.Span, Language: s.Language}
	if err := check.Validate(); err != nil {
		return fmt.Errorf("%w: %w", console.ErrBadSchedule, err)
	}
	return nil
}

func (r *consoleReports) AddSchedule(ctx context.Context, s console.ReportSchedule) error {
	check := reporter.Schedule{Name: "console", Kind: s.Kind, Cron: s.Cron, Span: s.Span, Language: s.Language}
	if err := check.Validate(); err != nil {
		return fmt.Errorf("%w: %w", console.ErrBadSchedule, err)
	}
	return r.a.registers.AddSchedule(ctx, registers.Schedule{ID: rand.Text(), Kind: s.Kind, Language: check.Language, Formats: check.Formats, Cron: s.Cron,
		Zone: check.Zone, Span: check.Span, CreatedBy: s.By, Created: time.Now().UTC()})
}

func (r *consoleReports) RemoveSchedule(ctx context.Context, id string) error {
	return r.a.registers.RemoveSchedule(ctx, id)
}
