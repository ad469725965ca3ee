// Package reporter renders reports, on demand and by the clock.
//
// Files go into the data folder under reports/RUN, whole or not at all; the run
// with the digest of each file is recorded, and the digests are left for the
// ledger. A schedule that fell due while nothing ran is served once at the next
// start. The package decides no content: reports builds, reports/render writes.
// It never decrypts and reads no clear value. services wires it; the console
// and the command line call Render.
package reporter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/reports/render"
)

// Deps are what the reporter uses.
type Deps struct {
	Log       *slog.Logger
	Metrics   prometheus.Registerer
	Catalogue *text.Catalogue
	// Store answers queries over entries and findings, Registers over requests.
	Store, Registers reports.Querier
	Runs             Runs
	Schedules        Schedules
	Trail            Trail
	Facts            Facts
	// Ledger takes digests of files. Optional: nil leaves them unledgered.
	Ledger Ledger
	// Now is the clock. Optional: nil means time.Now.
	Now func() time.Time
}

// Facts are what a report says about the installation at the moment of a run.
type Facts interface {
	// Map returns the data map in force with its texts in a language.
	Map(lang string) reports.DataMap
	// Controls returns the controls in force with titles in a language.
	Controls(lang string) []reports.Control
	// Checkpoint returns the newest signed checkpoint; zero if there is none.
	Checkpoint(ctx context.Context) (reports.Checkpoint, error)
	// RuleSet names the version over controls, policy and data map.
	RuleSet() string
}

// Runs records report runs; registers.DB implements it.
type Runs interface {
	StartRun(ctx context.Context, r registers.ReportRun) error
	FinishRun(ctx context.Context, r registers.ReportRun) error
	FailRun(ctx context.Context, id, problem string) error
	FailUnfinishedRuns(ctx context.Context) error
	UnledgeredRuns(ctx context.Context) ([]registers.ReportRun, error)
	LedgerFile(ctx context.Context, run, name string) error
}

// Schedules is the register of schedules; registers.DB implements it.
type Schedules interface {
	Schedules(ctx context.Context) ([]registers.Schedule, error)
	// ScheduleMark returns the time up to which a schedule was served, zero if new.
	ScheduleMark(ctx context.Context, id string) (time.Time, error)
	MarkSchedule(ctx context.Context, id string, at time.Time) error
}

// Trail records an act before it happens; if it fails the act must not happen.
type Trail interface {
	Record(ctx context.Context, actor, act, object string, allowed bool, reason string) error
}

// Ledger commits to the digest of a report file. It returns nil only when the
// digest is durable; the same name and digest may come again.
type Ledger interface {
	ReportDigest(ctx context.Context, name string, sha256 [32]byte) error
}

// Reporter renders reports. It is safe for use by several goroutines.
type Reporter struct {
	cfg      Config
	d        Deps
	defs     map[string]*reports.Definition
	rendered *prometheus.CounterVec
	seconds  prometheus.Histogram
	slots    chan struct{}      // holds one token per rendering
	failed   map[string]failure // by schedule; used by Run alone
}

// failure says how often a schedule failed in a row and when it is tried again.
type failure struct {
	times int
	again time.Time
}

// New checks the configuration and reads the definitions. It starts nothing.
func New(cfg Config, d Deps) (*Reporter, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	defs, err := reports.Definitions()
	if err != nil {
		return nil, err
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	r := &Reporter{
		cfg: cfg, d: d, defs: defs, slots: make(chan struct{}, 1), failed: map[string]failure{},
		rendered: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "tallystick_reports_total", Help: "Report runs by kind and result."}, []string{"kind", "result"}),
		seconds:  prometheus.NewHistogram(prometheus.HistogramOpts{Name: "tallystick_report_seconds", Help: "Time that a report run took.", Buckets: []float64{0.1, 0.3, 1, 3, 10, 30, 100}}),
	}
	for _, c := range []prometheus.Collector{r.rendered, r.seconds} {
		if err := d.Metrics.Register(c); err != nil {
			return nil, fmt.Errorf("failed to register the reporter's metrics: %w", err)
		}
	}
	return r, nil
}

// Kinds are the kinds of report with their default language, by kind.
func (r *Reporter) Kinds() map[string]string {
	out := map[string]string{}
	for k, d := range r.defs {
		out[k] = d.Language
	}
	return out
}

// Request asks for one report.
type Request struct {
	Kind    string
	Period  reports.Period
	Lang    string   // "" means the definition's
	Formats []string // empty means all
	Public  bool     // leave internal sections out
	// Actor is the user, os:NAME or schedule:ID that asks; it stands in the
	// trail and on the run.
	Actor string
	// Approved names who approved the report; "" leaves it a draft.
	Approved string
}

// Artifact is what a request made.
type Artifact struct {
	Run   string // id of the run
	Dir   string // folder that holds the files
	Files []registers.ReportFile
}

// Build makes the report of a request without storing anything.
func (r *Reporter) Build(ctx context.Context, q Request) (*reports.Report, error) {
	def, err := r.check(&q)
	if err != nil {
		return nil, err
	}
	lang := q.Lang
	if lang == "" {
		lang = def.Language
	}
	cp, err := r.d.Facts.Checkpoint(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to read the ledger's checkpoint: %w", err)
	}
	return reports.Build(ctx, def, q.Period, reports.Inputs{
		Store: r.d.Store, Registers: r.d.Registers, Map: r.d.Facts.Map(lang), Controls: r.d.Facts.Controls(lang), Checkpoint: cp, Now: r.d.Now(),
		Generator: r.cfg.Generator, RuleSet: r.d.Facts.RuleSet(), Catalogue: r.d.Catalogue, Language: lang, Public: q.Public, Approved: q.Approved,
	})
}

// check completes a request and finds its definition.
func (r *Reporter) check(q *Request) (*reports.Definition, error) {
	def := r.defs[q.Kind]
	if def == nil {
		_, err := reports.Lookup(q.Kind)
		return nil, err
	}
	if q.Lang != "" && !slices.Contains(text.Languages, q.Lang) {
		return nil, &text.Hint{Err: fmt.Errorf("reports are not written in %q", q.Lang), Hint: "use en or pt-BR"}
	}
	if len(q.Formats) == 0 {
		q.Formats = render.Formats
	}
	for _, f := range q.Formats {
		if !slices.Contains(render.Formats, f) {
			return nil, &text.Hint{Err: fmt.Errorf("unknown report format %q", f), Hint: "use html, pdf, csv or json"}
		}
	}
	if q.Actor == "" {
		return nil, errors.New("failed to render a report: nobody is named as asking for it")
	}
	return def, q.Period.Validate()
}
