package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

// withOperations runs f on the instance that works on the data folder, or on
// one of its own if there is none. A folder that nothing was kept in yet is an
// error: it is more often a wrong path than an empty record.
func (c *cli) withOperations(ctx context.Context, f func(services.Operations) error) error {
	if err := c.installed(); err != nil {
		return err
	}
	return c.withNewOperations(ctx, f)
}

// withNewOperations is withOperations for commands with which an installation
// may begin.
func (c *cli) withNewOperations(ctx context.Context, f func(services.Operations) error) error {
	return with(ctx, c, services.Attach, f)
}

// withRegisters is withOperations for acts that need only keys and registers.
func (c *cli) withRegisters(ctx context.Context, f func(services.RegisterOperations) error) error {
	if err := c.installed(); err != nil {
		return err
	}
	return c.withNewRegisters(ctx, f)
}

// withNewRegisters is withRegisters for commands with which an installation may
// begin.
func (c *cli) withNewRegisters(ctx context.Context, f func(services.RegisterOperations) error) error {
	return with(ctx, c, services.AttachRegisters, f)
}

// installed refuses a data folder that nothing was kept in yet.
func (c *cli) installed() error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if !services.Installed(cfg.Home()) {
		return &text.Hint{
			Err:  fmt.Errorf("there is no installation in the data folder %s", cfg.Home()),
			Hint: "give the folder with --data, or make one with tallystick run or tallystick ingest",
		}
	}
	return nil
}

// with runs f on what attach opens.
func with[Ops any](ctx context.Context, c *cli, attach func(context.Context, *services.Config, string, *slog.Logger) (Ops, func() error, error), f func(Ops) error) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	ops, closeOps, err := attach(ctx, cfg, version, logger(c.err, "warn"))
	if err != nil {
		return err
	}
	err = f(ops)
	if cerr := closeOps(); err == nil {
		err = cerr
	}
	return err
}
