package services

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"
)

// patience is how long a command waits for a data folder that is in use.
const patience = 5 * time.Second

// Attach returns the operations of the installation in c.Home(): of the instance
// that runs on it, or of one in this process, which the returned function
// stops. An instance that is just starting, or another short command, is waited
// for: patience long.
func Attach(ctx context.Context, c *Config, version string, log *slog.Logger) (Operations, func() error, error) {
	client, a, err := attach(ctx, c, Options{Version: version, Logger: log})
	if err != nil {
		return nil, nil, err
	}
	if client != nil {
		return client, func() error { return nil }, nil
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return a, func() error {
		err := a.settle(ctx)
		a.publish(ctx)
		stop()
		return errors.Join(err, <-ended, a.Close())
	}, nil
}

// AttachRegisters is Attach for acts on keys and registers. Without a running
// instance it opens nothing else, which takes a fraction of the time.
func AttachRegisters(ctx context.Context, c *Config, version string, log *slog.Logger) (RegisterOperations, func() error, error) {
	client, a, err := attach(ctx, c, Options{Version: version, Logger: log, registersOnly: true})
	if err != nil {
		return nil, nil, err
	}
	if client != nil {
		return client, func() error { return nil }, nil
	}
	return a, a.Close, nil
}

// attach returns the client of the instance that runs, or an App in this
// process.
func attach(ctx context.Context, c *Config, o Options) (*Client, *App, error) {
	if home := c.Home(); home != c.Data { // acts are those of the installation's own process
		own := *c
		own.Data, own.Installation, c = home, "", &own
	}
	o.Config, o.Targets, o.Private = c, []string{"auditor", "ledger"}, true
	for began := time.Now(); ; {
		if client := dialLocal(socketPath(c.Data), c.Data); client != nil {
			return client, nil, nil
		}
		a, err := New(ctx, o)
		if err == nil || !errors.Is(err, errInUse) || time.Since(began) > patience {
			return nil, a, err
		}
		select {
		case <-ctx.Done():
			return nil, nil, err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// settle gives a leaf to every chunk that has closed, so that a short-lived
// process leaves the record whole.
func (a *App) settle(ctx context.Context) error {
	if a.writer == nil || ctx.Err() != nil {
		return nil
	}
	return a.writer.Step(ctx)
}

// publish hands what a short-lived process added to witnesses and publishers
// before it ends.
func (a *App) publish(ctx context.Context) {
	if a.writer == nil || !a.writer.Grown() || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a.writer.Publish(ctx)
}

// openLocal opens the socket through which the command line reaches the
// running instance: in the process with the auditor, which can do every act. A
// further auditor has none.
func (a *App) openLocal(context.Context) error {
	if !a.has("auditor") || a.opts.Private || a.cfg.Home() != a.cfg.Data {
		return nil
	}
	ln, err := listenLocal(socketPath(a.cfg.Data))
	if err != nil {
		return err
	}
	srv := localServer(a)
	a.onStop("local socket", func() error { return ignoreClosed(srv.Close()) })
	a.onRun("local socket", func(ctx context.Context) error {
		stopped := context.AfterFunc(ctx, func() {
			grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			_ = srv.Shutdown(grace)
		})
		defer stopped()
		return ignoreClosed(srv.Serve(ln))
	})
	return nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
