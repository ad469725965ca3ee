package services

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/keys/kms"
)

// openKEK opens the key encryption key: a file, or a key that a key management
// service unwraps.
func (a *App) openKEK(ctx context.Context) (err error) {
	dir, named := a.dir.join("keys"), a.cfg.Keys.KEK
	if kms.Is(named) {
		service, err := kms.Open(named, a.cfg.Keys.KMS)
		if err != nil {
			return err
		}
		if a.kek, err = keys.ServiceKEK(ctx, dir, named, service); err != nil {
			return err
		}
		if len(a.opts.Targets) > 0 && !a.opts.Private {
			return a.watchKEK()
		}
		return nil
	}
	by, err := keys.WrappedBy(dir)
	if err != nil {
		return err
	}
	if by != "" {
		return &text.Hint{Err: fmt.Errorf("%s wraps the key-encryption key of this data folder, and keys.kek does not name it", by), Hint: "set keys.kek: " + by}
	}
	path, err := a.kekFile()
	if err != nil {
		return err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		have, err := keys.HasKeysets(dir)
		if err != nil {
			return err
		}
		if have {
			return &text.Hint{
				Err:  fmt.Errorf("the key-encryption key %s is missing, and the keysets in %s can't be opened without it", path, dir),
				Hint: "restore the file from its back-up; without one, begin with a new data folder",
			}
		}
	}
	if a.kek, err = keys.LocalKEK(path); err != nil {
		return err
	}
	if a.kek.Made {
		a.log.Warn(keys.LocalKEKNote(path))
	}
	return nil
}

// kekFile is where the key file is, or would be.
func (a *App) kekFile() (string, error) {
	if a.cfg.Keys.KEK != "" && !kms.Is(a.cfg.Keys.KEK) {
		return a.cfg.Keys.KEK, nil
	}
	return kekPath(a.dir.id)
}

// watchKEK runs the watch of a process that serves.
func (a *App) watchKEK() error {
	w := &kekWatch{
		check: a.kek.Check, wall: time.Now, every: cmp.Or(a.cfg.Keys.KMS.Check, kms.DefaultCheck), grace: cmp.Or(a.cfg.Keys.KMS.Grace, kms.DefaultGrace), log: a.log,
		up: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tallystick_kms_up", Help: "1 if the key management service unwrapped the key-encryption key when it was asked last, else 0.",
		}),
		answered: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "tallystick_kms_answered_timestamp_seconds", Help: "When the key management service last unwrapped the key-encryption key. The process stops keys.kms.grace after it.",
		}),
	}
	for _, c := range []prometheus.Collector{w.up, w.answered} {
		if err := a.metrics.Register(c); err != nil {
			return fmt.Errorf("failed to register metrics: %w", err)
		}
	}
	a.onRun("watch of the key management service", w.run)
	return nil
}

// kekWatch asks now and then whether the KEK may still be held.
type kekWatch struct {
	check        func(context.Context) error
	every, grace time.Duration
	wall         func() time.Time
	log          *slog.Logger
	up, answered prometheus.Gauge
}

// kekLook is how often a watch looks at the clocks: a machine that slept asks
// soon after it wakes.
const kekLook = 30 * time.Second

// moment is one moment by two clocks: the monotonic one, which stands still while
// the machine sleeps, and the wall's, which may be put back.
type moment struct{ monotonic, wall time.Time }

func (w *kekWatch) now() moment { return moment{time.Now(), w.wall().Round(0)} }

// since is the time that has passed since m, by the clock that says more.
func (w *kekWatch) since(m moment) time.Duration {
	now := w.now()
	return max(now.monotonic.Sub(m.monotonic), now.wall.Sub(m.wall))
}

// run ends with an error when the service has not agreed for the time of grace.
// It begins right after the service unwrapped the KEK.
func (w *kekWatch) run(ctx context.Context) error {
	last := w.now()
	well := func() {
		last = w.now()
		w.up.Set(1)
		w.answered.Set(float64(last.wall.Unix()))
	}
	well()
	asked := last
	tick := time.NewTicker(min(w.every, kekLook))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if w.since(asked) < w.every {
			continue
		}
		asked = w.now()
		err := w.check(ctx)
		left := w.grace - w.since(last)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			well()
			continue
		case left <= 0:
			return &text.Hint{
				Err:  fmt.Errorf("no good answer for %v, which is as long as keys may be held without one: %w", w.grace, err),
				Hint: cmp.Or(text.HintOf(err), "bring the key management service back, then start again; keys.kms.grace sets the time"),
			}
		}
		w.up.Set(0)
		w.log.Error("the key management service does not unwrap the key-encryption key; going on with the keys in memory for now",
			"error", err, "hint", text.HintOf(err), "stops_in", left.Round(time.Second))
	}
}

// RewrapKEK implements Operations.
func (a *App) RewrapKEK(ctx context.Context, r RewrapRequest) (*RewrapResult, error) {
	to := cmp.Or(r.To, a.cfg.Keys.KEK)
	if to == "" {
		return nil, &text.Hint{Err: errors.New("a key file has no other version to be wrapped by"), Hint: "give the key that is to wrap: tallystick keys rewrap hcvault://HOST:8200/transit/keys/NAME"}
	}
	dir := a.dir.join("keys")
	if !kms.Is(to) {
		if !kms.Is(a.cfg.Keys.KEK) {
			return nil, &text.Hint{Err: errors.New("the key-encryption key is in a file already"), Hint: "move the file, and name its new place in keys.kek"}
		}
		if err := a.registers.Record(ctx, actorOf(ctx), "keys.rewrap", to, true, ""); err != nil {
			return nil, err
		}
		return &RewrapResult{KEK: to}, a.kek.Unwrap(dir, to)
	}
	service, err := kms.Open(to, a.cfg.Keys.KMS)
	if err != nil {
		return nil, err
	}
	if err := a.registers.Record(ctx, actorOf(ctx), "keys.rewrap", to, true, ""); err != nil {
		return nil, err
	}
	if err := a.kek.Rewrap(ctx, dir, to, service); err != nil {
		return nil, err
	}
	out := &RewrapResult{KEK: to}
	if !kms.Is(a.cfg.Keys.KEK) {
		if out.File, err = a.kekFile(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
