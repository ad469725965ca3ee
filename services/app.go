package services

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/sync/errgroup"

	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/services/alerter"
	"github.com/tallystick/tallystick/services/auditor"
	"github.com/tallystick/tallystick/services/console"
	"github.com/tallystick/tallystick/services/ledger"
	"github.com/tallystick/tallystick/services/reporter"
	"github.com/tallystick/tallystick/services/tap"
)

// Options say what an App is made of.
type Options struct {
	Config  *Config
	Targets []string // parts to run; nil means none: only Operations
	Version string
	Logger  *slog.Logger
	// Stdin is for a source that reads it. Optional.
	Stdin io.Reader
	// Private keeps the local socket closed: the process is one command's own.
	Private bool

	registersOnly bool                    // keys and registers are opened, and nothing over them
	erasureStep   func(name string) error // of tests
}

// App is one process: the parts that its targets name, and what they share.
type App struct {
	opts Options
	cfg  *Config
	log  *slog.Logger

	metrics   *prometheus.Registry
	dir       *dataDir
	kek       *keys.KEK
	keys      *keys.Store
	dayKeys   *keys.DayKeys
	linkKeys  *keys.DayKeys // of links: those of years live longer
	vault     *keys.Vault   // nil: no originals are kept
	custody   custodians
	registers *registers.DB
	texts     *text.Catalogue
	broker    *broker.Client
	store     *store.Store
	datamap   *datamap.Map
	controls  *control.Set
	sources   *sourceSet
	stages    *stages
	erasing   erasing // where the auditor is
	positions *file.State

	sentMu sync.Mutex
	sent   []int64 // ends of lines.v1 when stored was asked first; guarded by sentMu

	ledger   ledgerView
	writer   *ledger.Ledger // nil unless the ledger is a target
	tiles    string         // address of the ledger's listener, "" without one
	auditor  *auditor.Auditor
	alerter  *alerter.Alerter
	reporter *reporter.Reporter
	console  *console.Console
	tap      *tap.Tap

	replaying replaying

	losses   losses
	tapAfter chan struct{} // the tap begins when it closes; nil: at once

	closers []closer
	runners []runner
}

type closer struct {
	name string
	f    func() error
}

type runner struct {
	name string
	f    func(context.Context) error
}

// New acquires everything and starts no part. It is one straight story: each
// step registers how it is undone, and a step that fails undoes those before.
func New(ctx context.Context, o Options) (_ *App, err error) {
	a := &App{opts: o, cfg: o.Config, log: o.Logger, metrics: prometheus.NewRegistry()}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	steps := []step{
		{"data folder", a.openData},
		{"keys", a.openKeys},
		{"registers", a.openRegisters},
	}
	if !o.registersOnly {
		steps = append(steps, a.openParts()...)
	}
	for _, s := range steps {
		if err := s.f(ctx); err != nil {
			return nil, fmt.Errorf("failed to open the %s: %w", s.name, err)
		}
	}
	a.dir.opened()
	return a, nil
}

// step is one of New.
type step struct {
	name string
	f    func(context.Context) error
}

// openParts are the steps over keys and registers.
func (a *App) openParts() []step {
	return []step{
		{"message catalogue", a.openTexts},
		{"vault", a.openVault},
		{"declarations", a.loadDeclarations},
		{"Kafka", a.openBroker},
		{"ClickHouse", a.openStore},
		{"stages", a.openStages},
		{"alerter", a.openAlerter},
		{"custodians", a.openCustody},
		{"ledger", a.openLedger},
		{"auditor", a.openAuditor},
		{"replays", a.openReplays},
		{"erasures", a.openErasures},
		{"reporter", a.openReporter},
		{"console", a.openConsole},
		{"tap", a.openTap},
		{"metrics", a.openMetrics},
		{"local socket", a.openLocal},
	}
}

// has reports whether the process runs a target.
func (a *App) has(target string) bool { return slices.Contains(a.opts.Targets, target) }

func (a *App) onStop(name string, f func() error) {
	a.closers = append(a.closers, closer{name, f})
}

func (a *App) onRun(name string, f func(context.Context) error) {
	a.runners = append(a.runners, runner{name, f})
}

// Run runs the parts until ctx ends. One that fails ends all.
func (a *App) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, r := range a.runners {
		g.Go(func() error {
			if err := r.f(ctx); err != nil && ctx.Err() == nil {
				return fmt.Errorf("the %s stopped: %w", r.name, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// Close undoes New, in the opposite order.
func (a *App) Close() error {
	var errs []error
	for _, c := range slices.Backward(a.closers) {
		if err := c.f(); err != nil {
			errs = append(errs, fmt.Errorf("failed to close the %s: %w", c.name, err))
		}
	}
	a.closers = nil
	return errors.Join(errs...)
}

// Addr is the address of the console, "" without one.
func (a *App) Addr() string {
	if a.console == nil {
		return ""
	}
	return a.console.Addr()
}

// Tiles is the address where tile clients read the ledger, "" without one.
func (a *App) Tiles() string { return a.tiles }

// URL is how people reach the console, "" without one.
func (a *App) URL() string {
	if a.console == nil {
		return ""
	}
	return a.console.URL()
}

// Text is the message catalogue.
func (a *App) Text() *text.Catalogue { return a.texts }

func hostname() string {
	h, err := os.Hostname()
	if err != nil {
		return "localhost"
	}
	return h
}
