// Package reportstest gives tests a fixed set of inputs for every kind of
// report: rows of an invented company, a data map and a register of requests.
// Only tests import it.
package reportstest

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/reports"
)

// RequestsCSV is the register of requests of the inputs.
//
//go:embed requests.csv
var RequestsCSV []byte

// Now is the clock of the inputs.
var Now = time.Date(2025, 11, 21, 10, 30, 0, 0, time.UTC)

// September is the period of the inputs, in Berlin.
func September(t testing.TB) reports.Period {
	t.Helper()
	p, err := reports.ParsePeriod("2025-09-01", "2025-09-30", "Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Registers opens a new register of requests filled with RequestsCSV.
func Registers(t testing.TB) *registers.DB {
	t.Helper()
	db, err := registers.Open(context.Background(), filepath.Join(t.TempDir(), "registers.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if _, err := db.ImportRequests(context.Background(), bytes.NewReader(RequestsCSV)); err != nil {
		t.Fatal(err)
	}
	return db
}

// RegistersQuerier lets a report query the registers.
type RegistersQuerier struct{ DB *registers.DB }

// Query implements reports.Querier.
func (q RegistersQuerier) Query(ctx context.Context, sql string, params map[string]string) (*reports.Rows, error) {
	columns, rows, err := q.DB.Select(ctx, sql, params)
	return &reports.Rows{Columns: columns, Rows: rows}, err
}

// Fixed answers the store's queries of a definition with fixed rows.
type Fixed struct {
	byName map[string]*reports.Rows
	names  map[string]string // SQL -> name
}

// Query implements reports.Querier.
func (f Fixed) Query(_ context.Context, sql string, _ map[string]string) (*reports.Rows, error) {
	name, ok := f.names[strings.TrimSpace(sql)]
	if !ok {
		return nil, fmt.Errorf("no fixed rows for a query that starts %.40q", sql)
	}
	if r := f.byName[name]; r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("no fixed rows for the query %s", name)
}

// Store returns fixed rows for a definition; empty ones for an empty installation.
func Store(d *reports.Definition, empty bool) Fixed {
	f := Fixed{byName: rows(), names: map[string]string{}}
	for _, q := range append(reports.CoverageQueries(), d.Queries...) {
		f.names[strings.TrimSpace(q.SQL)] = q.Name
	}
	if empty {
		for name, r := range f.byName {
			if r.Rows = nil; slices.Contains([]string{"summary", "people", "systems", "findings_total"}, name) {
				r.Rows = [][]any{make([]any, len(r.Columns))}
				for i := range r.Columns {
					r.Rows[0][i] = uint64(0)
				}
			}
		}
	}
	return f
}

// Inputs are the inputs of a definition, with fixed rows.
func Inputs(t testing.TB, d *reports.Definition) reports.Inputs {
	t.Helper()
	c, err := text.Load()
	if err != nil {
		t.Fatal(err)
	}
	return reports.Inputs{
		Store: Store(d, false), Registers: RegistersQuerier{Registers(t)}, Map: Map(), Controls: Controls(),
		Checkpoint: reports.Checkpoint{Size: 118, Root: strings.Repeat("5af1", 16)}, Now: Now,
		Generator: "Tallystick 0.1.0", RuleSet: "controls 3f2a9c01d4e5, policy 77aa01b2c3d4", Catalogue: c,
	}
}
