package services

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/services/ledger"
	"github.com/tallystick/tallystick/services/reporter"
)

func (a *App) openReporter(context.Context) (err error) {
	cfg := a.cfg.Reports
	cfg.Dir, cfg.Generator = a.dir.join("reports"), "tallystick "+a.opts.Version
	a.reporter, err = reporter.New(cfg, reporter.Deps{
		Log: a.log, Metrics: a.metrics, Catalogue: a.texts,
		Store: reporter.OverStore(a.store), Registers: reporter.OverRegisters(a.registers),
		Runs: a.registers, Schedules: a.registers, Trail: a.registers, Facts: facts{a}, Ledger: a.reportLedger(),
	})
	if err == nil && a.has("reporter") {
		a.onRun("reporter", a.reporter.Run)
	}
	return err
}

// Render implements Operations.
func (a *App) Render(ctx context.Context, r RenderRequest) (*Rendered, error) {
	art, err := a.reporter.Render(ctx, reporter.Request{
		Kind: r.Kind, Period: reports.Period{From: r.From, Until: r.Until}, Lang: r.Lang, Formats: []string{r.Format}, Actor: actorOf(ctx),
	})
	if err != nil {
		return nil, err
	}
	f := art.Files[0]
	b, err := os.ReadFile(filepath.Join(art.Dir, f.Name))
	if err != nil {
		return nil, fmt.Errorf("failed to read the report: %w", err)
	}
	return &Rendered{Name: f.Name, Data: b}, nil
}

// reportLedger leaves the digests of report files in the ledger.
type reportLedger struct{ ledger *ledger.Ledger }

func (l reportLedger) ReportDigest(ctx context.Context, name string, sha256 [32]byte) error {
	_, err := l.ledger.Artefact(ctx, ledger.Artefact{Name: name, Digest: sha256})
	return err
}

// facts are what reports say about the installation.
type facts struct{ a *App }

func (f facts) RuleSet() string {
	return fmt.Sprintf("controls %s, policy %s, data map %s", f.a.controls.Digest(), f.a.policyID(), f.a.datamap.Digest())
}

func (f facts) Checkpoint(ctx context.Context) (reports.Checkpoint, error) {
	c, err := f.a.ledger.Checkpoint(ctx)
	if err != nil || c.Size == 0 {
		return reports.Checkpoint{}, err
	}
	s, err := f.a.ledger.State(ctx)
	if err != nil {
		return reports.Checkpoint{}, err
	}
	return reports.Checkpoint{Size: c.Size, Root: hex.EncodeToString(c.Root), Witnessed: len(s.Witnesses) > 0}, nil
}

func (f facts) Controls(lang string) []reports.Control {
	return reporter.FromControls(f.a.controls, f.a.texts, lang)
}

func (f facts) Map(lang string) reports.DataMap { return reporter.FromMap(f.a.datamap, lang) }
