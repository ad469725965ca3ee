package services

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/audit/source/file"
	"github.com/tallystick/tallystick/internal/broker"
	embeddedbroker "github.com/tallystick/tallystick/internal/embedded/broker"
	"github.com/tallystick/tallystick/internal/embedded/clickhouse"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/strictyaml"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/keys/kms"
	"github.com/tallystick/tallystick/schemas"
)

func (a *App) openData(ctx context.Context) (err error) {
	if a.dir, err = openDataDir(ctx, a.cfg.Data, a.cfg.Home(), a.opts.Targets); err != nil {
		return err
	}
	a.onStop("data folder", func() error { a.dir.close(); return nil })
	return nil
}

func (a *App) openTexts(context.Context) (err error) {
	a.texts, err = text.Load()
	return err
}

func (a *App) openKeys(ctx context.Context) (err error) {
	if err := a.openKEK(ctx); err != nil {
		return err
	}
	if a.keys, err = keys.Open(a.dir.join("keys"), a.kek); err != nil {
		return err
	}
	return a.keys.Ensure(ctx)
}

// openVault reads the vault keys for the auditor.
func (a *App) openVault(context.Context) error {
	if a.cfg.Vault.Keys == "" || !a.has("auditor") {
		return nil
	}
	officer, err := keys.ParsePublic(a.cfg.Vault.Officer)
	if err != nil {
		return fmt.Errorf("vault.officer: %w", err)
	}
	a.vault, err = keys.OpenVault(a.cfg.Vault.Keys, officer, a.log)
	return err
}

func (a *App) openRegisters(ctx context.Context) (err error) {
	if a.registers, err = registers.Open(ctx, a.dir.join("registers.db")); err != nil {
		return err
	}
	a.onStop("registers", a.registers.Close)
	a.dayKeys = keys.NewDayKeys(a.registers, a.kek, a.cfg.Keys.Horizon)
	a.linkKeys = keys.NewDayKeys(a.registers, a.kek, a.cfg.Keys.Links)
	if a.has("auditor") {
		a.onRun("key clock", a.runKeyClock)
	}
	return nil
}

func (a *App) loadDeclarations(context.Context) (err error) {
	if a.datamap, err = loadDataMap(a.cfg.DataMap); err != nil {
		return err
	}
	if !a.opts.Private {
		a.warnOfDataMap()
	}
	if a.controls, err = LoadControls(a.cfg.Controls); err != nil {
		return err
	}
	a.sources, err = openSources(a.cfg.Sources, a.dir.join("ingest-sources.json"))
	return err
}

func (a *App) warnOfDataMap() {
	if a.datamap.Digest() == datamap.Empty().Digest() {
		a.log.Warn("there is no data map yet, so every resource and principal is a gap", "path", a.cfg.DataMap)
	}
	for _, w := range a.datamap.Warnings() {
		a.log.Warn(w)
	}
}

// loadDataMap reads the map at path, or the empty one where there is none.
func loadDataMap(path string) (*datamap.Map, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return datamap.Empty(), nil
	}
	return datamap.Load(path)
}

// LoadControls loads the built-in controls and those of a folder.
func LoadControls(dir string) (*control.Set, error) {
	builtIn, err := fs.Sub(schemas.Controls, "controls")
	if err != nil {
		return nil, err
	}
	if dir == "" {
		return control.Load(builtIn)
	}
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return nil, &text.Hint{Err: fmt.Errorf("controls: %s is not a folder that can be read", dir), Hint: "give the folder that holds the control files, one file a control"}
	}
	set, err := control.Load(builtIn, os.DirFS(dir))
	var fault *strictyaml.Error
	if errors.As(err, &fault) {
		if p := filepath.Join(dir, fault.File); fileExists(p) {
			fault.File = p
		}
	}
	return set, err
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// DDL returns the statements that make the tables of the configured ClickHouse,
// or its users.
func DDL(c *Config, users bool) ([]string, error) {
	if users {
		return store.Grants(c.ClickHouse)
	}
	return store.DDL(c.ClickHouse)
}

// Check loads everything that the configuration names, without starting.
func Check(c *Config) error {
	if err := checkSecrets(c); err != nil {
		return err
	}
	if _, err := loadDataMap(c.DataMap); err != nil {
		return err
	}
	if kms.Is(c.Keys.KEK) {
		if err := kms.Check(c.Keys.KEK, c.Keys.KMS); err != nil {
			return fmt.Errorf("keys.kek: %w", err)
		}
	}
	if _, err := LoadControls(c.Controls); err != nil {
		return err
	}
	return checkMasking(c)
}

func (a *App) openBroker(ctx context.Context) error {
	cfg := a.cfg.Kafka
	if len(cfg.Addresses) == 0 {
		b, err := embeddedbroker.Start(a.dir.join("broker"))
		if err != nil {
			return err
		}
		a.onStop("embedded broker", b.Close)
		if len(a.opts.Targets) > 0 && !a.opts.Private {
			a.log.Warn(embeddedbroker.Warning)
		}
		cfg.Addresses = []string{b.Addr()}
		cfg.SASL.Mechanism = "scram-sha-256"
		cfg.SASL.User, cfg.SASL.Password = b.Credentials()
	}
	if err := cfg.Validate(); err != nil {
		return err
	}
	var topics []string
	if t := a.cfg.Ledger.Publish.Topic; t != "" && a.has("ledger") {
		topics = append(topics, t)
	}
	c, err := broker.Open(ctx, cfg, broker.Deps{Log: a.log, Metrics: a.metrics, Topics: topics, Await: a.has("tap")})
	if err != nil {
		return err
	}
	a.broker = c
	a.onStop("Kafka client", c.Close)
	return nil
}

// embeddedEngineWarning says what the embedded ClickHouse is.
const embeddedEngineWarning = "the embedded ClickHouse is libchdb, one node without replicas: for trying and small sites; set clickhouse.address to use a server"

func (a *App) openStore(ctx context.Context) error {
	var transport http.RoundTripper
	if a.cfg.ClickHouse.Address == "" {
		e, err := clickhouse.Open(a.dir.join("clickhouse"), clickhouse.Options{})
		if err != nil {
			return err
		}
		a.onStop("embedded ClickHouse", e.Close)
		if len(a.opts.Targets) > 0 && !a.opts.Private {
			a.log.Warn(embeddedEngineWarning)
		}
		transport = e.Transport()
		a.watchDisk(e.Merges)
	}
	s, err := store.Open(ctx, a.cfg.ClickHouse, store.Deps{Transport: transport, Log: a.log})
	if err != nil {
		return err
	}
	a.store = s
	a.onStop("store", s.Close)
	return nil
}

// openPositions opens the tap's memory of what it sent, once.
func (a *App) openPositions() error {
	if a.positions != nil {
		return nil
	}
	site, err := a.keys.SitePRF()
	if err != nil {
		return err
	}
	folder := "tap"
	if !a.has("tap") && len(a.cfg.Kafka.Addresses) > 0 { // the tap is another process, which holds its positions
		folder = "ingest"
	}
	if err := os.MkdirAll(a.dir.join(folder), 0o700); err != nil {
		return err
	}
	if a.positions, err = file.OpenState(a.dir.join(folder, "positions"), site); err != nil {
		return err
	}
	a.onStop("tap's positions", a.positions.Close)
	return nil
}
