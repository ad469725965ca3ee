package render

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"

	"github.com/tallystick/tallystick/reports"
)

// csvHeader is the same for every kind of report.
var csvHeader = []string{"report", "section", "kind", "item", "row", "column", "value", "text", "query", "sql_sha256", "rows_sha256"}

// CSV writes everything that the report says as one long table (RFC 4180, CRLF,
// UTF-8 with a byte order mark so that spreadsheets read it): one line per fact,
// number, table cell, chart value, statement and evidence cell. value is for
// machines (decimal point, ISO dates), text as people read it. Text that a
// spreadsheet would take for a formula gets an apostrophe in front.
func CSV(w io.Writer, r *reports.Report) error {
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	c := csv.NewWriter(w)
	c.UseCRLF = true
	put := func(section, kind, item string, row int, column, value, text, query string) {
		n := ""
		if row > 0 {
			n = strconv.Itoa(row)
		}
		var sql, rows string
		if e := r.EvidenceOf(query); e != nil {
			sql, rows = e.SQLHash, e.RowsHash
		}
		line := []string{r.Kind, section, kind, item, n, column, value, text, query, sql, rows}
		for i := range line {
			line[i] = harmless(line[i])
		}
		_ = c.Write(line) // the writer keeps the first error
	}
	_ = c.Write(csvHeader)
	for i, f := range r.Front.Facts {
		put("", "front", f.Label, i+1, "", "", f.Text, "")
	}
	for _, s := range r.Sections {
		put(s.ID, "section", s.Heading, 0, "", strings.Join(s.Articles, "; "), "", "")
		for _, p := range s.Paragraphs {
			put(s.ID, "paragraph", "", 0, "", "", p, "")
		}
		for _, n := range s.Numbers {
			put(s.ID, "number", n.ID, 0, n.Label, plain(n.Value), n.Sentence, n.Query)
		}
		for _, f := range s.Charts {
			for i, row := range f.Data.Rows {
				for j, v := range row[1:] {
					put(s.ID, "chart", f.ID, i+1, f.Data.Head[j+1], row[0], v, f.Query)
				}
			}
		}
		for _, t := range s.Tables {
			for i, row := range t.Rows {
				for j, cell := range row {
					put(s.ID, "table", t.ID, i+1, t.Columns[j].Name, cell.Raw, cell.Text, t.Query)
				}
			}
		}
		for _, m := range s.NotEvidenced {
			put(s.ID, "not_evidenced", "", 0, "", "", m, "")
		}
	}
	for _, e := range r.Back.Evidence {
		put("", "query", e.Name, 0, e.Source, e.SQL, "", e.Name)
		for i, row := range e.Rows {
			for j, v := range row {
				put("", "row", e.Name, i+1, e.Columns[j], v, "", e.Name)
			}
		}
	}
	c.Flush()
	return c.Error()
}

// plain prints a number with a decimal point and no grouping.
func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// harmless keeps a spreadsheet from running a text as a formula. Plain numbers
// stay numbers.
func harmless(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	return "'" + s
}
