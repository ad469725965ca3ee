// Package alerter turns findings into notices: findings.v1 and windowed controls
// -> groups -> outbox -> receivers.
//
// A finding counts once, whatever is delivered again: its id is noted in the
// transaction that changes its group, and so is the notice in the outbox. Offsets
// are committed after it. Windowed controls are queries over the store that run
// here on their schedules. The package sees findings only, which hold no clear
// value; services wires it, and one process of an installation runs it.
package alerter

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/alert"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
)

// Topic and group under which findings are consumed.
const (
	Topic = "findings.v1"
	Group = "alerter"
)

// Groups keeps groups of findings. registers.DB is the one.
type Groups interface {
	// Alerts runs f in one transaction.
	Alerts(ctx context.Context, f func(*registers.AlertTx) error) error
	// Progress is up to when a windowed control has looked.
	Progress(ctx context.Context, control string) (time.Time, error)
	PruneAlerts(ctx context.Context, before time.Time) error
	Suppressions(ctx context.Context) ([]registers.Suppression, error)
}

// Outbox keeps notices until they are delivered. registers.DB is the one.
type Outbox interface {
	DueMessages(ctx context.Context, receiver string, now time.Time, limit int) ([]registers.OutboxMessage, error)
	SettleMessage(ctx context.Context, m registers.OutboxMessage) error
	DisableReceiver(ctx context.Context, receiver, target string) error
	ReceiverDisabled(ctx context.Context, receiver, target string) (bool, error)
}

// Consumer hands out the partitions of a topic. broker.Client is the one.
type Consumer interface {
	Consume(ctx context.Context, group, topic string, handle func(context.Context, *broker.Partition) error) error
}

// Store is read by windowed controls and takes their findings. store.Store is
// the one.
type Store interface {
	Select(ctx context.Context, sql string, args ...any) (*store.Result, error)
	// InsertOtherFindings stores findings that come from no lines, once per
	// batch name, as a chunk of their own.
	InsertOtherFindings(ctx context.Context, batch string, fs []audit.Finding) error
}

// Config configures the alerter.
type Config struct {
	Language string      // of notices: en or pt-BR
	BaseURL  string      // of the console, for evidence links
	Rules    alert.Rules // zero means alert.DefaultRules
	// Retry are the pauses between tries of a delivery; after the last the
	// notice is given up. Empty means DefaultRetry.
	Retry []time.Duration
	// Keep is how long handled findings, ended groups and finished deliveries
	// are remembered. Default 90 days.
	Keep time.Duration
}

// DefaultRetry takes three days in all, as Standard Webhooks proposes, with more
// tries in the first hour.
func DefaultRetry() []time.Duration {
	return []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
		2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
}

// Deps are what the alerter works with.
type Deps struct {
	Groups       Groups
	Outbox       Outbox
	Consumer     Consumer
	Store        Store
	Controls     *control.Set
	Receivers    []alert.Notifier
	Catalogue    *text.Catalogue
	Names        alert.Names        // nil: keys stand for themselves
	Completeness alert.Completeness // nil: read from the store
	Logger       *slog.Logger
	Registerer   prometheus.Registerer
	Now          func() time.Time // nil means time.Now
}

// Alerter is the running part. Its methods are safe for concurrent use.
type Alerter struct {
	cfg      Config
	deps     Deps
	composer *alert.Composer
	m        metrics
	wake     map[string]chan struct{} // by receiver: something may be due

	mu sync.Mutex // one writer of groups in this process at a time

	handled atomic.Uint64 // how often findings came
	// Of Tick: no group is due before next, unless findings came since.
	next time.Time
	seen uint64
}

// longestRest is how long the groups are left alone when none is due.
const longestRest = time.Minute

// New returns an alerter. It starts nothing.
func New(cfg Config, deps Deps) (*Alerter, error) {
	if cfg.Rules == (alert.Rules{}) {
		cfg.Rules = alert.DefaultRules()
	}
	if len(cfg.Retry) == 0 {
		cfg.Retry = DefaultRetry()
	}
	cfg.Keep = cmp.Or(cfg.Keep, 90*24*time.Hour)
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Names == nil {
		deps.Names = keyNames{}
	}
	if deps.Completeness == nil {
		deps.Completeness = received{deps.Store}
	}
	a := &Alerter{cfg: cfg, deps: deps, m: newMetrics(deps.Registerer), wake: map[string]chan struct{}{}}
	for _, r := range deps.Receivers {
		a.wake[r.Name()] = make(chan struct{}, 1)
	}
	a.composer = &alert.Composer{
		Text: deps.Catalogue.For(cfg.Language), Controls: controlTexts{deps.Controls, deps.Catalogue}, Names: deps.Names,
		Completeness: deps.Completeness, BaseURL: cfg.BaseURL,
	}
	return a, nil
}

// Run works until ctx ends. It returns an error only when the consumer fails for
// good.
func (a *Alerter) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { a.every(ctx, time.Second, a.Tick) })
	wg.Go(func() { a.every(ctx, time.Hour, a.prune) })
	for _, c := range a.deps.Controls.Windowed() {
		wg.Go(func() {
			a.every(ctx, c.Window.Every.Duration, func(ctx context.Context) error { return a.Window(ctx, c) })
		})
	}
	for _, r := range a.deps.Receivers {
		wg.Go(func() { a.deliver(ctx, r) })
	}
	err := a.deps.Consumer.Consume(ctx, Group, Topic, func(ctx context.Context, p *broker.Partition) error { return a.consume(ctx, p) })
	cancel()
	wg.Wait()
	return err
}

// every calls f at once and then at each interval; what fails is logged and
// comes again.
func (a *Alerter) every(ctx context.Context, d time.Duration, f func(context.Context) error) {
	tick := time.NewTicker(d)
	defer tick.Stop()
	for {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			a.m.errors.Inc()
			a.deps.Logger.Error("alerting failed and is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (a *Alerter) prune(ctx context.Context) error {
	return a.deps.Groups.PruneAlerts(ctx, a.deps.Now().Add(-a.cfg.Keep))
}
