package reporter

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/reports"
)

// mostRows is how many rows one query of a report may return. A report is
// never built from an answer that was cut.
const mostRows = 200_000

// OverStore lets reports query the store.
func OverStore(s *store.Store) reports.Querier { return storeQuerier{s} }

type storeQuerier struct{ s *store.Store }

func (q storeQuerier) Query(ctx context.Context, sql string, params map[string]string) (*reports.Rows, error) {
	args := []any{store.MaxRows(mostRows)}
	for k, v := range params {
		args = append(args, store.Named(k, v))
	}
	res, err := q.s.Select(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	if res.Cut {
		return nil, &text.Hint{Err: errors.New("a query returned more rows than a report may have"), Hint: "ask for a shorter period"}
	}
	out := &reports.Rows{Rows: res.Rows}
	for _, c := range res.Columns {
		out.Columns = append(out.Columns, c.Name)
	}
	return out, nil
}

// OverRegisters lets reports query the registers.
func OverRegisters(db *registers.DB) reports.Querier { return registerQuerier{db} }

type registerQuerier struct{ db *registers.DB }

func (q registerQuerier) Query(ctx context.Context, sql string, params map[string]string) (*reports.Rows, error) {
	columns, rows, err := q.db.Select(ctx, sql, params)
	if err != nil {
		return nil, err
	}
	return &reports.Rows{Columns: columns, Rows: rows}, nil
}

// FromControls is what reports say about a set of controls, in a language.
func FromControls(s *control.Set, c *text.Catalogue, lang string) []reports.Control {
	p := c.For(lang)
	var out []reports.Control
	for _, one := range s.Controls {
		title := one.Texts["title"][lang]
		if title == "" {
			title = p.T(one.Message("title"), nil)
		}
		if strings.HasPrefix(title, "!") {
			title = ""
		}
		out = append(out, reports.Control{
			ID: one.ID, Version: one.Version, Title: title, Severity: one.Severity, Kind: one.Kind,
			Articles: one.Articles(), Needs: one.Needs, Windowed: one.Window != nil,
		})
	}
	return out
}

// FromMap is what reports show of a data map, in a language.
func FromMap(m *datamap.Map, lang string) reports.DataMap {
	o := m.Organisation
	out := reports.DataMap{
		Version: m.Digest(),
		Organisation: reports.Organisation{
			Key: o.Key, Name: o.Name, Country: o.Country, Address: o.Address, DPO: contact(o.DPO), Encarregado: contact(o.Encarregado),
		},
	}
	for _, s := range m.Systems {
		out.Systems = append(out.Systems, reports.System{Key: s.Key, Name: s.Name, Country: s.Country, Security: s.Security.In(lang)})
	}
	for _, p := range m.Purposes {
		out.Purposes = append(out.Purposes, reports.Purpose{
			Key: p.Key, Name: p.Name.In(lang), DataUse: p.DataUse, GDPR: p.LegalBasis.GDPR, LGPD: p.LegalBasis.LGPD, Business: p.BusinessPurpose,
			Categories: p.Categories, SubjectTypes: p.SubjectTypes, Retention: p.Retention.In(lang), From: day(p.From), Until: day(p.Until),
			Reviewed: day(p.Reviewed), Source: p.Source.In(lang), RIPD: p.RIPD, LIA: p.LIA, DPIA: p.DPIA,
		})
	}
	for _, r := range m.Resources {
		out.Resources = append(out.Resources, reports.Resource{System: r.System, Categories: r.Categories, Purposes: r.Purposes})
	}
	for _, g := range m.Organisations {
		out.Organisations = append(out.Organisations, reports.Party{Key: g.Key, Name: g.Name, Type: g.Type, Country: g.Country, Contract: g.Contract, ContractUntil: day(g.ContractUntil)})
	}
	for _, t := range m.Transfers {
		out.Transfers = append(out.Transfers, reports.Transfer{
			Organisation: t.Organisation, Country: t.Country, Mechanism: t.Mechanism, Instrument: t.Instrument, From: day(t.From), Until: day(t.Until), TIA: day(t.TIA),
		})
	}
	return out
}

func contact(c *datamap.Contact) reports.Contact {
	if c == nil {
		return reports.Contact{}
	}
	return reports.Contact{Name: c.Name, Email: c.Email}
}

// day reads a day that the data map has checked; zero if there is none.
func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return time.Time{}
	}
	return t
}
