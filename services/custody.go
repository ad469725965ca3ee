package services

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/services/custodian"
)

// CustodianTarget is the target of a custodian's process. It is no part of an
// installation: it has its own configuration, data and keys, on its own host.
const CustodianTarget = "custodian"

// Custody is the process of a custodian.
type Custody struct {
	*custodian.Custodian
	registers *registers.DB
}

// OpenCustodian opens the custodian of the configuration file at path. ask is
// called for the passphrase of its keys, if they have one.
func OpenCustodian(ctx context.Context, path string, ask func() (string, error), log *slog.Logger) (_ *Custody, err error) {
	cfg, err := custodian.LoadConfig(path)
	if err != nil {
		return nil, err
	}
	store, kek, err := keys.OpenFolder(cfg.Keys, ask)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("failed to make the data folder: %w", err)
	}
	c := &Custody{}
	if c.registers, err = registers.Open(ctx, filepath.Join(cfg.Data, "registers.db")); err != nil {
		return nil, err
	}
	c.Custodian, err = custodian.New(cfg, custodian.Deps{Keys: store, KEK: kek, Register: c.registers, Logger: log})
	if err != nil {
		return nil, errors.Join(err, c.registers.Close())
	}
	return c, nil
}

// Close ends what OpenCustodian opened, after Run has returned.
func (c *Custody) Close() error {
	return errors.Join(c.Custodian.Close(), c.registers.Close())
}
