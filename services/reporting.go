package services

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/services/ledger"
	"github.com/tallystick/tallystick/services/reporter"
)

func (a *App) openReporter(context.Context) (err error) {
	cfg := a.cfg.Reports
	cfg.Dir, cfg.Generator = a.dir.join("reports"), "tallystick "+a.opts.Version
	a.reporter, err = reporter.New(cfg, reporter.Deps{
		Log: a.log, Metrics: a.metrics, Catalogue: a.texts,
		Store: storeQuerier{a.store}, Registers: registersQuerier{a.registers},
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

// storeQuerier answers the reports' queries over the record.
type storeQuerier struct{ store *store.Store }

func (q storeQuerier) Query(ctx context.Context, sql string, params map[string]string) (*reports.Rows, error) {
	args := []any{store.MaxRows(1_000_000)}
	for k, v := range params {
		args = append(args, store.Named(k, v))
	}
	res, err := q.store.Select(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	out := &reports.Rows{Rows: res.Rows}
	for _, c := range res.Columns {
		out.Columns = append(out.Columns, c.Name)
	}
	return out, nil
}

// registersQuerier answers the reports' queries over the registers.
type registersQuerier struct{ db *registers.DB }

func (q registersQuerier) Query(ctx context.Context, sql string, params map[string]string) (*reports.Rows, error) {
	columns, rows, err := q.db.Select(ctx, sql, params)
	if err != nil {
		return nil, err
	}
	return &reports.Rows{Columns: columns, Rows: rows}, nil
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
	return reports.Checkpoint{Size: c.Size, Root: hex.EncodeToString(c.Root)}, nil
}

func (f facts) Controls(lang string) []reports.Control {
	p := f.a.texts.For(lang)
	var out []reports.Control
	for _, c := range f.a.controls.Controls {
		out = append(out, reports.Control{ID: c.ID, Version: c.Version, Title: controlText(c, p, "title"), Severity: c.Severity,
			Articles: c.Articles(), Windowed: c.Window != nil})
	}
	return out
}

func (f facts) Map(lang string) reports.DataMap {
	m := f.a.datamap
	o := m.Organisation
	out := reports.DataMap{Version: m.Digest(), Organisation: reports.Organisation{Key: o.Key, Name: o.Name, Country: o.Country, Address: o.Address,
		DPO: contact(o.DPO), Encarregado: contact(o.Encarregado)}}
	for _, s := range m.Systems {
		out.Systems = append(out.Systems, reports.System{Key: s.Key, Name: s.Name, Country: s.Country, Security: s.Security.In(lang)})
	}
	for _, p := range m.Purposes {
		out.Purposes = append(out.Purposes, reports.Purpose{Key: p.Key, Name: p.Name.In(lang), DataUse: p.DataUse, GDPR: p.LegalBasis.GDPR, LGPD: p.LegalBasis.LGPD,
			Business: p.BusinessPurpose, Categories: p.Categories, SubjectTypes: p.SubjectTypes, Retention: p.Retention.In(lang),
			From: dayOf(p.From), Until: dayOf(p.Until), Reviewed: dayOf(p.Reviewed), Source: p.Source.In(lang), RIPD: p.RIPD, LIA: p.LIA, DPIA: p.DPIA})
	}
	for _, o := range m.Organisations {
		out.Organisations = append(out.Organisations, reports.Party{Key: o.Key, Name: o.Name, Type: o.Type, Country: o.Country, Contract: o.Contract, ContractUntil: dayOf(o.ContractUntil)})
	}
	for _, t := range m.Transfers {
		out.Transfers = append(out.Transfers, reports.Transfer{Organisation: t.Organisation, Country: t.Country, Mechanism: t.Mechanism, Instrument: t.Instrument,
			From: dayOf(t.From), Until: dayOf(t.Until), TIA: dayOf(t.TIA)})
	}
	for _, r := range m.Resources {
		out.Resources = append(out.Resources, reports.Resource{System: r.System, Categories: r.Categories, Purposes: r.Purposes})
	}
	return out
}

func contact(c *datamap.Contact) reports.Contact {
	if c == nil {
		return reports.Contact{}
	}
	return reports.Contact{Name: c.Name, Email: c.Email}
}

// dayOf is a checked day of the data map, the zero time for none.
func dayOf(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
