// Package render writes a built report as HTML, PDF, CSV or JSON.
//
// Each renderer is pure: the same report gives the same bytes, in any process of
// the same program. The files are whole in themselves: they load nothing. The
// package reads no data and knows no law. The reporter calls it.
package render

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/reports"
)

// Formats are the formats that Write knows; each is also the file's extension.
var Formats = []string{"html", "pdf", "csv", "json"}

// Write renders r in a format.
func Write(w io.Writer, r *reports.Report, format string) error {
	var err error
	switch format {
	case "html":
		err = HTML(w, r)
	case "pdf":
		err = PDF(w, r)
	case "csv":
		err = CSV(w, r)
	case "json":
		err = JSON(w, r)
	default:
		return &text.Hint{Err: fmt.Errorf("unknown report format %q", format), Hint: "use html, pdf, csv or json"}
	}
	if err != nil {
		return fmt.Errorf("failed to render %s as %s: %w", r.Kind, format, err)
	}
	return nil
}

// ContentType is the media type of a format.
func ContentType(format string) string {
	switch format {
	case "html":
		return "text/html; charset=utf-8"
	case "pdf":
		return "application/pdf"
	case "csv":
		return "text/csv; charset=utf-8; header=present"
	}
	return "application/json"
}

// JSON writes the report's model, indented, with its evidence.
func JSON(w io.Writer, r *reports.Report) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r)
}
