package services

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	auditledger "github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/seal"
	"github.com/tallystick/tallystick/services/auditor"
	"github.com/tallystick/tallystick/services/ledger"
	"github.com/tallystick/tallystick/services/tap"
)

// How often the ledger looks for what waits when the auditor of the same process
// tells it of each chunk: rarely, since only what another process left or what
// failed is found so. Chunks of others are nearly none in an embedded store.
const (
	nudgedPoll = 10 * time.Second
	nudgedLook = time.Minute
)

// ledgerOrigin names the installation's log in its checkpoints.
func (a *App) ledgerOrigin() string { return "tallystick/" + a.dir.id }

func (a *App) openLedger(context.Context) error {
	signer, err := a.keys.LedgerSigner()
	if err != nil {
		return err
	}
	cfg := a.cfg.Ledger
	cfg.Dir, cfg.Origin = a.dir.join("ledger"), a.ledgerOrigin()
	if a.has("auditor") && cfg.Poll == 0 {
		cfg.Poll = nudgedPoll
		if a.cfg.ClickHouse.Address == "" {
			cfg.Look = nudgedLook
		}
	}
	deps := ledger.Deps{
		Signer: signer, Store: a.store, Artefacts: custodyArtefacts{runArtefacts{a.registers}, a.registers}, Erasures: erasureLeaves{a.registers},
		Alarm: a.alarm(), Producer: a.broker,
		Contradicted: a.contradicted, Logger: a.log, Registerer: a.metrics,
		Retention: &ledger.Retention{Config: a.cfg.Retention, Expiring: a.store, Removing: a.store, Holds: a.registers},
	}
	if !a.has("ledger") {
		f, err := ledger.Follow(cfg, deps)
		if err != nil {
			return err
		}
		a.ledger = f
		return nil
	}
	if a.writer, err = ledger.New(cfg, deps); err != nil {
		return err
	}
	a.ledger = ownLedger{a.writer}
	a.onStop("ledger", a.writer.Close)
	a.onRun("ledger", a.writer.Run)
	a.onRun("ledger publishing", a.writer.RunPublishing)
	return a.serveLedger()
}

// serveLedger answers tile clients where the configuration says.
func (a *App) serveLedger() error {
	if a.cfg.Ledger.Listen == "" || a.opts.Private {
		return nil
	}
	ln, err := net.Listen("tcp", a.cfg.Ledger.Listen)
	if err != nil {
		return fmt.Errorf("ledger.listen: %w", err)
	}
	srv := &http.Server{Handler: a.writer.Handler(), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: time.Minute, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	a.tiles = ln.Addr().String()
	a.onStop("ledger listener", func() error { _ = ln.Close(); return ignoreClosed(srv.Close()) })
	a.onRun("ledger listener", func(ctx context.Context) error {
		defer context.AfterFunc(ctx, func() { _ = srv.Close() })()
		return ignoreClosed(srv.Serve(ln))
	})
	return nil
}

// contradicted records that a witness keeps another log.
func (a *App) contradicted(ctx context.Context, witness string, p auditledger.Problem) {
	if a.alerter == nil {
		return
	}
	err := a.raise(ctx, control.Fault{
		Reason: "record-changed", Key: []string{string(p.Kind), witness, fmt.Sprint(p.Other)}, Time: time.Now(), Count: 1,
		Facts: map[string]string{"what": string(p.Kind), "table": "ledger"},
	})
	if err != nil {
		a.log.Error("failed to record that a witness contradicts the ledger", "witness", witness, "error", err)
	}
}

// alarm is told of chunks that wait for their leaf; nil where no alerter is.
func (a *App) alarm() ledger.Alarm {
	if a.alerter == nil {
		return nil
	}
	return a.alerter
}

func (a *App) openAuditor(context.Context) error {
	if !a.has("auditor") {
		return nil
	}
	dec, err := a.keys.LineDecrypt()
	if err != nil {
		return err
	}
	enc, err := a.keys.LineEncrypt()
	if err != nil {
		return err
	}
	site, err := a.keys.SitePRF()
	if err != nil {
		return err
	}
	opener, err := seal.NewOpener(dec, a.keys, site)
	if err != nil {
		return err
	}
	versions := audit.Versions{
		Parser: a.opts.Version, DataMap: a.datamap.Digest(),
		Controls: a.controls.Digest(), Country: a.stages.country.Release(),
	}
	a.auditor, err = auditor.New(auditor.Config{}, auditor.Deps{
		Opener: opener, Store: a.store, Publisher: a.broker, Consumer: a.broker, Controls: a.controls,
		NewLineSealer: func() (auditor.LineSealer, error) { return seal.NewLineSealer(enc) },
		Stages: func() (auditor.Processor, audit.Versions) {
			now, v := a.stages.current.Load(), versions
			v.Policy, v.Keys = now.policy, enc.KeyID()
			return now.pipeline, v
		},
		Vault:  a.originalKeys(),
		Linked: a.erasing.linked.Stored,
		Stored: a.stages.control.Stored, Nudge: a.nudge, Clean: len(a.cfg.Kafka.Addresses) == 0, Keep: a.cfg.Kafka.Keep,
		Logger: a.log, Registerer: a.metrics, Now: time.Now,
	})
	if err != nil {
		return err
	}
	a.onRun("auditor", a.auditor.Run)
	a.collectSooner()
	return nil
}

// collectSooner has garbage collected once there is a third as much of it as there
// is memory in use. A busy auditor holds two chunks and the messages on their
// way, mostly bytes that a collection does not look at, so that sooner costs next
// to nothing and leaves memory to the engine. GOGC has precedence.
func (a *App) collectSooner() {
	if os.Getenv("GOGC") != "" {
		return
	}
	before := debug.SetGCPercent(30)
	a.onStop("garbage collector", func() error {
		debug.SetGCPercent(before)
		return nil
	})
}

// originalKeys are the vault keys; nil, not a nil *keys.Vault, without them.
func (a *App) originalKeys() seal.VaultKeys {
	if a.vault == nil {
		return nil
	}
	return a.vault
}

func (a *App) openTap(context.Context) error {
	if !a.has("tap") || len(a.cfg.Sources) == 0 {
		return nil
	}
	deps, err := a.tapDeps()
	if err != nil {
		return err
	}
	if a.tap, err = tap.New(tap.Config{Sources: a.cfg.Sources, Host: hostname(), Stdin: a.opts.Stdin}, deps); err != nil {
		return err
	}
	a.onRun("tap", func(ctx context.Context) error {
		if a.tapAfter != nil {
			select {
			case <-a.tapAfter:
			case <-ctx.Done():
				return nil
			}
		}
		return a.tap.Run(ctx)
	})
	if a.alerter != nil {
		a.onRun("source watch", a.watchSources)
		a.onRun("losses", a.retryLosses)
	}
	return nil
}

// tapDeps are what the tap and each ingest need. A tap believes only a line
// key that the installation signed.
func (a *App) tapDeps() (tap.Deps, error) {
	if err := a.openPositions(); err != nil {
		return tap.Deps{}, err
	}
	site, err := a.keys.SitePRF()
	if err != nil {
		return tap.Deps{}, err
	}
	signer, err := a.keys.BatchSigner()
	if err != nil {
		return tap.Deps{}, err
	}
	enc, err := keys.LinePublic(a.dir.join("keys"))
	if err != nil {
		return tap.Deps{}, err
	}
	sealer := seal.NewNearSealer(keys.LocalTap, enc, signer)
	if len(a.cfg.Kafka.Addresses) > 0 {
		if sealer, err = seal.NewSealer(keys.LocalTap, enc, signer); err != nil {
			return tap.Deps{}, err
		}
	}
	return tap.Deps{Sealer: sealer, Producer: a.broker, Site: site, State: a.positions, Spool: a.dir.join("tap", "spool"), Durable: a.stored,
		Gate: tap.NewRoom(a.broker, auditor.Group, a.log), Logger: a.log, Gap: a.tapGap, Metrics: a.metrics}, nil
}

// stored is behind which offset the record has the lines of a stream of an
// earlier start. That is final once the auditors have read all that was there
// when it was asked first.
func (a *App) stored(ctx context.Context, stream string) (until uint64, final bool, err error) {
	a.sentMu.Lock()
	defer a.sentMu.Unlock()
	if a.sent == nil {
		if a.sent, err = a.broker.Ends(ctx, broker.Lines); err != nil {
			return 0, false, err
		}
	}
	if final, err = a.broker.Passed(ctx, auditor.Group, broker.Lines, a.sent); err != nil || !final {
		return 0, false, err
	}
	ranges, err := a.store.StreamRanges(ctx, stream)
	for _, r := range ranges {
		until = max(until, r.Until)
	}
	return until, err == nil, err
}

// policyID names the masking policy and the detectors in force.
func (a *App) policyID() string {
	if a.stages != nil {
		return policyVersion(a.stages.rules.Load())
	}
	rules, err := loadRules(a.cfg.Masking.Detectors)
	if err != nil {
		return "unknown"
	}
	return policyVersion(rules)
}
