package services

import (
	"context"
	"log/slog"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/audit/custody"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/embedded/clickhouse"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/seal"
	"github.com/tallystick/tallystick/services/console"
	"github.com/tallystick/tallystick/services/tap"
)

// The parts of an App, for tests that look behind it.

// Broker is the client of Kafka.
func (a *App) Broker() *broker.Client { return a.broker }

// Store is the client of ClickHouse.
func (a *App) Store() *store.Store { return a.store }

// Registers are the registers.
func (a *App) Registers() *registers.DB { return a.registers }

// Metrics are the process's.
func (a *App) Metrics() *prometheus.Registry { return a.metrics }

// Opener opens sealed batches, as the auditor does.
func (a *App) Opener() (*seal.Opener, error) {
	dec, err := a.keys.LineDecrypt()
	if err != nil {
		return nil, err
	}
	site, err := a.keys.SitePRF()
	if err != nil {
		return nil, err
	}
	return seal.NewOpener(dec, a.keys, site)
}

// Sealer seals batches as a tap with an id that may not be enrolled.
func (a *App) Sealer(tap string) (*seal.Sealer, error) {
	enc, err := keys.LinePublic(a.dir.join("keys"))
	if err != nil {
		return nil, err
	}
	signer, err := a.keys.TapSigner()
	if err != nil {
		return nil, err
	}
	return seal.NewSealer(tap, enc, signer)
}

// ReceiverSecret is the installation's, as receivers are given it.
func (a *App) ReceiverSecret() (string, error) {
	list, err := a.webhookSecrets()
	if err != nil {
		return "", err
	}
	return list[0], nil
}

// SocketPath is where an instance on a data folder listens.
func SocketPath(data string) string { return socketPath(data) }

// OpenStore opens the store of a data folder on which nothing runs.
func OpenStore(ctx context.Context, data string) (*clickhouse.Engine, *store.Store, error) {
	e, err := clickhouse.Open(data+"/clickhouse", clickhouse.Options{})
	if err != nil {
		return nil, nil, err
	}
	s, err := store.Open(ctx, store.Config{}, store.Deps{Transport: e.Transport(), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		_ = e.Close()
		return nil, nil, err
	}
	return e, s, nil
}

// TurnKeys is one turn of the key clock.
func (a *App) TurnKeys(ctx context.Context, now time.Time) error { return a.turnKeys(ctx, now) }

// CheckEvidence looks at the record as if it were now.
func (a *App) CheckEvidence(ctx context.Context, now time.Time) error {
	return a.checkEvidence(ctx, now)
}

// TapGap records what a tap lost.
func (a *App) TapGap(g source.Gap) { a.tapGap(g) }

// TapDeps are those of the site's taps.
func (a *App) TapDeps() (tap.Deps, error) { return a.tapDeps() }

// KeepLoss keeps a loss as one that could not be recorded, and RetryLosses
// tries those again until ctx ends.
func (a *App) KeepLoss(g source.Gap) { a.losses.add(g) }

func (a *App) RetryLosses(ctx context.Context) error { return a.retryLosses(ctx) }

// CustodyActs are what a custodian's trail shows after an act, for ReadTrail.
type CustodyActs func(after int64) ([]custody.Act, error)

// Trail implements the reading of a custodian's trail.
func (f CustodyActs) Trail(_ context.Context, after int64) ([]custody.Act, error) { return f(after) }

// ReadTrail reads the trail of a custodian once.
func (a *App) ReadTrail(ctx context.Context, name string, acts CustodyActs) error {
	return a.readTrail(ctx, trail{name: name, client: acts})
}

// NewKEKWatch returns the watch of a key management service, and its gauge.
func NewKEKWatch(every, grace time.Duration, wall func() time.Time, check func(context.Context) error) (run func(context.Context) error, up func() float64) {
	w := &kekWatch{check: check, wall: wall, every: every, grace: grace, log: slog.New(slog.DiscardHandler),
		up: prometheus.NewGauge(prometheus.GaugeOpts{}), answered: prometheus.NewGauge(prometheus.GaugeOpts{})}
	return w.run, func() float64 {
		var m dto.Metric
		if err := w.up.Write(&m); err != nil {
			panic(err)
		}
		return m.GetGauge().GetValue()
	}
}

// EndReplays gives replays that were interrupted an end.
func (a *App) EndReplays(ctx context.Context) error { return a.endReplays(ctx) }

// CarryOut does what was approved.
func (a *App) CarryOut(ctx context.Context, now time.Time) error { return a.carryOut(ctx, now) }

// TurnBySchedule rotates what the calendar asks for.
func (a *App) TurnBySchedule(ctx context.Context, now time.Time) error {
	return a.turnBySchedule(ctx, now)
}

// NextRotation is when a rotation falls due.
func NextRotation(r *RotationConfig, after time.Time) (time.Time, error) { return r.next(after) }

// Documents is how the API of an installation finds and masks.
func Documents(c *Config) console.Masking {
	return documents{policies{&c.Masking, c.Data, slog.New(slog.DiscardHandler)}}
}

// BeforeErasureSteps has f called before each step of an erasure.
func BeforeErasureSteps(o Options, f func(string) error) Options {
	o.erasureStep = f
	return o
}

// PRFs are all keys of the installation under which a guess could be tested.
func (a *App) PRFs(ctx context.Context) ([]*keys.PRF, error) {
	site, err := a.keys.SitePRF()
	if err != nil {
		return nil, err
	}
	check, err := a.keys.ErasurePRF()
	if err != nil {
		return nil, err
	}
	out := []*keys.PRF{site, check}
	live, err := a.registers.DayKeys(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range live {
		day, err := time.Parse(time.DateOnly, k.Period)
		ask := a.dayKeys.Day
		if err != nil {
			if day, err = time.Parse("2006", k.Period); err != nil {
				return nil, err
			}
			ask = a.linkKeys.Year
		}
		prf, err := ask(ctx, k.Domain, day)
		if err != nil {
			return nil, err
		}
		out = append(out, prf)
	}
	return out, nil
}
