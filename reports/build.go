package reports

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/tallystick/tallystick/internal/text"
)

// builder holds one Build: the inputs, the answers by query name and the words.
type builder struct {
	def    *Definition
	period Period
	in     Inputs
	p      *text.Printer
	loc    *time.Location
	rows   map[string]*Rows
	report *Report
}

// Build makes the report of a definition over a period. It is pure in the rows
// that the queriers return, the period and the other inputs.
func Build(ctx context.Context, def *Definition, period Period, in Inputs) (*Report, error) {
	if err := period.Validate(); err != nil {
		return nil, err
	}
	if in.Catalogue == nil || in.Store == nil || in.Registers == nil || in.Now.IsZero() {
		return nil, errors.New("failed to build a report: store, registers, catalogue and clock are needed")
	}
	lang := in.Language
	if lang == "" {
		lang = def.Language
	}
	if period.Zone == "" {
		period.Zone = "UTC"
	}
	b := &builder{def: def, period: period, in: in, p: in.Catalogue.For(lang), loc: period.location(), rows: map[string]*Rows{}}
	b.report = &Report{Kind: def.Kind, DefinitionVersion: def.Version, Language: b.p.Lang, Title: b.t("title"), Citation: b.t("citation")}
	shown := def.shown(in.Public)
	for _, q := range append(CoverageQueries(), def.Queries...) {
		if !shown[q.Name] {
			continue
		}
		if err := b.answer(ctx, q); err != nil {
			return nil, err
		}
	}
	b.front()
	for _, s := range def.sections(in.Public) {
		sec, err := b.section(s)
		if err != nil {
			return nil, fmt.Errorf("failed to build section %s of %s: %w", s.ID, def.Kind, err)
		}
		b.report.Sections = append(b.report.Sections, sec)
	}
	b.back()
	b.report.Words = b.words()
	return b.report, nil
}

// answer runs one query and keeps its evidence.
func (b *builder) answer(ctx context.Context, q Query) error {
	var rows *Rows
	var err error
	e := Evidence{Name: q.Name}
	params := b.period.bounds()
	switch {
	case q.Table != "":
		t := tables[q.Table]
		e.Source, e.SQL = b.inputsOf(t)
		rows = t.rows(b)
	case q.Registers != "":
		e.Source, e.SQL = "registers", strings.TrimSpace(q.Registers)
		use := used(e.SQL, params, ":")
		rows, err = b.in.Registers.Query(ctx, e.SQL, use)
		e.Parameters = facts(use)
	default:
		e.Source, e.SQL = "store", strings.TrimSpace(q.SQL)
		use := used(e.SQL, params, "{")
		rows, err = b.in.Store.Query(ctx, e.SQL, use)
		e.Parameters = facts(use)
	}
	if err != nil {
		return fmt.Errorf("failed to answer query %s: %w", q.Name, err)
	}
	b.rows[q.Name] = rows
	e.Columns = rows.Columns
	for _, r := range rows.Rows {
		if len(r) != len(rows.Columns) {
			return fmt.Errorf("query %s returned %d values for %d columns", q.Name, len(r), len(rows.Columns))
		}
		out := make([]string, len(r))
		for i, v := range r {
			out[i] = raw(v)
		}
		e.Rows = append(e.Rows, out)
	}
	if e.Parameters == nil && e.SQL != "" {
		e.Parameters = facts(used(e.SQL, params, map[string]string{"store": "{", "registers": ":"}[e.Source]))
	}
	e.SQLHash, e.RowsHash = hash([][]string{{e.SQL}}), hash(append([][]string{e.Columns}, e.Rows...))
	b.report.Back.Evidence = append(b.report.Back.Evidence, e)
	return nil
}

// inputsOf is the source and the SQL of the queries that a derived table reads.
func (b *builder) inputsOf(t derived) (source, sql string) {
	source = "map"
	for _, name := range t.from {
		if e := b.report.EvidenceOf(name); e != nil && e.SQL != "" {
			source = e.Source
			sql += "-- " + name + "\n" + e.SQL + "\n\n"
		}
	}
	return source, strings.TrimSpace(sql)
}

// used keeps the parameters that the SQL names after a mark.
func used(sql string, params map[string]string, mark string) map[string]string {
	out := map[string]string{}
	for k, v := range params {
		for i := 0; ; {
			j := strings.Index(sql[i:], mark+k)
			if j < 0 {
				break
			}
			i += j + len(mark) + len(k)
			if i == len(sql) || !strings.ContainsRune("_abcdefghijklmnopqrstuvwxyz", rune(sql[i])) {
				out[k] = v
				break
			}
		}
	}
	return out
}

func facts(m map[string]string) []Fact {
	out := make([]Fact, 0, len(m))
	for k, v := range m {
		out = append(out, Fact{Label: k, Text: v})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Label < out[j].Label })
	return out
}

// hash is SHA-256 over rows: cells end with byte 31, rows with byte 30.
func hash(rows [][]string) string {
	h := sha256.New()
	for _, r := range rows {
		for _, c := range r {
			_, _ = h.Write([]byte(c + "\x1f"))
		}
		_, _ = h.Write([]byte{0x1e})
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (b *builder) section(s SectionDef) (Section, error) {
	out := Section{ID: s.ID, Articles: s.Articles, Internal: s.Internal, Heading: b.t("section." + s.ID)}
	out.Number = fmt.Sprint(len(b.report.Sections) + 1)
	for _, id := range s.Paragraphs {
		out.Paragraphs = append(out.Paragraphs, b.t("text."+id))
	}
	for _, n := range s.Numbers {
		num, err := b.number(n)
		if err != nil {
			return out, err
		}
		out.Numbers = append(out.Numbers, num)
	}
	for _, c := range s.Charts {
		f, err := b.chart(c)
		if err != nil {
			return out, err
		}
		out.Charts = append(out.Charts, f)
	}
	for _, t := range s.Tables {
		tab, err := b.table(t)
		if err != nil {
			return out, err
		}
		out.Tables = append(out.Tables, tab)
	}
	for _, id := range s.NotEvidenced {
		out.NotEvidenced = append(out.NotEvidenced, b.t("missing."+id))
	}
	return out, nil
}

func (b *builder) number(d NumberDef) (Number, error) {
	sum, err := b.sum(d.Query, d.Column, d.Where)
	if err != nil {
		return Number{}, err
	}
	n := Number{ID: d.ID, Label: b.t("number." + d.ID), Value: sum, Query: d.Query}
	none := false
	if d.Of != "" {
		of, err := b.sum(d.Query, d.Of, d.Where)
		if err != nil {
			return Number{}, err
		}
		if none = of == 0; !none {
			n.Value = sum / of
		}
	}
	if rows := b.rows[d.Query]; d.As == "days" && len(rows.Rows) == 0 {
		none = true
	}
	n.Text = b.count(n.Value)
	switch {
	case none:
		n.Text, n.Value = b.common("none"), 0
	case d.As == "percent":
		n.Text = b.percent(n.Value)
	case d.As == "days":
		n.Text = b.p.Decimal(n.Value, 1)
	}
	n.Sentence = b.common("sentence", "Value", n.Text, "What", b.t("counts."+d.ID), "Coverage", b.coverageWords(d.Query), "Checkpoint", b.checkpointWords())
	return n, nil
}

// sum adds a column over the rows that match.
func (b *builder) sum(query, column string, where map[string]string) (float64, error) {
	rows := b.rows[query]
	c := rows.column(column)
	if c < 0 {
		return 0, fmt.Errorf("query %s has no column %q", query, column)
	}
	at := map[int]string{}
	for k, v := range where {
		i := rows.column(k)
		if i < 0 {
			return 0, fmt.Errorf("query %s has no column %q", query, k)
		}
		at[i] = v
	}
	sum := 0.0
	for _, r := range rows.Rows {
		match := true
		for i, v := range at {
			match = match && raw(r[i]) == v
		}
		if match {
			sum += number(r[c])
		}
	}
	return sum, nil
}

func (b *builder) table(d TableDef) (Table, error) {
	rows := b.rows[d.Query]
	out := Table{ID: d.ID, Heading: b.t("table." + d.ID), Query: d.Query, Empty: b.common("empty")}
	idx := make([]int, len(d.Columns))
	for i, c := range d.Columns {
		if idx[i] = rows.column(c.Name); idx[i] < 0 {
			return out, fmt.Errorf("query %s has no column %q", d.Query, c.Name)
		}
		out.Columns = append(out.Columns, Column{Name: c.Name, Heading: b.columnName(c.Name), Numeric: c.As == "count" || c.As == "percent" || c.As == "days"})
	}
	for _, r := range rows.Rows {
		cells := make([]Cell, len(d.Columns))
		for i, c := range d.Columns {
			cells[i] = b.cell(c.As, r[idx[i]])
		}
		out.Rows = append(out.Rows, cells)
	}
	return out, nil
}

// column returns the index of a column, or -1.
func (r *Rows) column(name string) int {
	for i, c := range r.Columns {
		if c == name {
			return i
		}
	}
	return -1
}

// get returns the value of a column in row i, nil if there is none.
func (r *Rows) get(i int, name string) any {
	if c := r.column(name); c >= 0 {
		return r.Rows[i][c]
	}
	return nil
}
