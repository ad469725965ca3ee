package render

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"io"
	"regexp"
	"strings"

	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/templates"
)

// shownRows is how many rows of evidence a page shows; CSV and JSON have all.
const shownRows = 50

// soft is a text of a table that may break after the dots, slashes and
// underscores of a key rather than inside its words.
func soft(s string) template.HTML {
	esc := template.HTMLEscapeString(s)
	return template.HTML(keyBreaks.ReplaceAllString(esc, "$1<wbr>")) //nolint:gosec // escaped above
}

// keyBreaks are the places between two letters, where no number is divided.
var keyBreaks = regexp.MustCompile(`([a-z}][._/])\b`)

// HTML writes one self-contained page: styles and charts inline, no script, no
// request to anything. Each number opens to its sentence, SQL and rows.
func HTML(w io.Writer, r *reports.Report) error {
	css, err := templates.Reports.ReadFile("reports/report.css")
	if err != nil {
		return err
	}
	layout, err := templates.Reports.ReadFile("reports/report.html.tmpl")
	if err != nil {
		return err
	}
	t, err := template.New("report").Funcs(template.FuncMap{
		"word":     func(id string) string { return r.Words[id] },
		"evidence": r.EvidenceOf,
		"join":     func(s []string) string { return strings.Join(s, " · ") },
		"soft":     soft,
		"head":     func(rows [][]string) [][]string { return rows[:min(len(rows), shownRows)] },
		"more":     func(rows [][]string) int { return max(len(rows)-shownRows, 0) },
		"svg": func(f reports.Figure) (template.HTML, error) {
			var b bytes.Buffer
			err := f.Chart.SVG(&b)
			return template.HTML(b.String()), err //nolint:gosec // the chart package escapes every text
		},
	}).Parse(string(layout))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(css)
	return t.Execute(w, map[string]any{
		"R":         r,
		"Style":     template.CSS(css),                                                        //nolint:gosec // an embedded file
		"StyleHash": template.HTMLAttr("sha256-" + base64.StdEncoding.EncodeToString(sum[:])), //nolint:gosec // base64
	})
}
