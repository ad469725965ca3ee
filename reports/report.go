// Package reports builds compliance reports: definitions that are tables
// (article -> query -> section -> chart), and Build, which turns one of them
// into a Report.
//
// Build is pure in its rows, period, data map and clock: the same inputs give
// the same report, and each renderer gives the same bytes. Every number links to
// its query, window, row count, completeness and ledger root; what the data
// cannot evidence is said, never invented. The package renders nothing (see
// reports/render), stores nothing and opens no database: rows come through the
// Querier of the caller. The reporter and the console call it. The texts are no
// legal advice: every report is a draft until a person approves it.
package reports

import (
	"time"

	"github.com/tallystick/tallystick/reports/chart"
)

// Report is a built report, ready to render. It holds text in one language.
type Report struct {
	Kind              string    `json:"kind"`
	DefinitionVersion int       `json:"definition_version"`
	Language          string    `json:"language"`
	Title             string    `json:"title"`
	Citation          string    `json:"citation"`
	Front             Front     `json:"front"`
	Sections          []Section `json:"sections"`
	Back              Back      `json:"back"`
	// Words are the fixed words of the layout (headings of lists, buttons).
	Words map[string]string `json:"-"`
}

// Front is the front matter that every report has.
type Front struct {
	From        time.Time  `json:"from"`  // inclusive
	Until       time.Time  `json:"until"` // exclusive
	Zone        string     `json:"zone"`
	GeneratedAt time.Time  `json:"generated_at"`
	Public      bool       `json:"public"` // internal sections left out
	Checkpoint  Checkpoint `json:"checkpoint"`
	Coverage    []Coverage `json:"coverage"`
	// Share is the part of the received lines that became entries; -1 if no line came.
	Share float64 `json:"share"`
	// Facts are the front matter as labels and values, in order.
	Facts []Fact `json:"facts"`
	// Draft says that a person has to approve the report.
	Draft string `json:"draft"`
}

// Fact is one labelled line of the front matter.
type Fact struct {
	Label string `json:"label"`
	Text  string `json:"text"`
}

// Checkpoint is where the ledger stood when the report was built.
type Checkpoint struct {
	Size uint64 `json:"size"`
	Root string `json:"root"` // hex; empty if there is no checkpoint
	// Witnessed: a checkpoint of this size is held by someone else.
	Witnessed bool `json:"witnessed"`
}

// Coverage is how completely one source arrived in the period.
type Coverage struct {
	Source     string `json:"source"`
	Entries    uint64 `json:"entries"`    // of the period
	Lines      uint64 `json:"lines"`      // received in the hours when the period's lines came
	Rejections uint64 `json:"rejections"` // of Lines
	Missing    uint64 `json:"missing"`    // lines that the tap's numbering shows to be missing
	Gaps       uint64 `json:"gaps"`       // findings of kind gap about the source
}

// Section is one numbered section.
type Section struct {
	ID         string   `json:"id"`
	Number     string   `json:"number"`
	Heading    string   `json:"heading"`
	Articles   []string `json:"articles"`
	Internal   bool     `json:"internal"` // left out of the public version
	Paragraphs []string `json:"paragraphs"`
	Numbers    []Number `json:"numbers"`
	Charts     []Figure `json:"charts"`
	Tables     []Table  `json:"tables"`
	// NotEvidenced says what the data cannot show and what would show it.
	NotEvidenced []string `json:"not_evidenced"`
}

// Number is one figure with its evidence.
type Number struct {
	ID    string  `json:"id"`
	Label string  `json:"label"`
	Value float64 `json:"value"`
	Text  string  `json:"text"` // the value in the report's language
	// Sentence says what the number counts, how complete it is and where the
	// ledger stood: "412 = entries with ...; 99.8 % of lines received; checkpoint 118".
	Sentence string `json:"sentence"`
	Query    string `json:"query"` // name of the Evidence
}

// Figure is a chart with its heading.
type Figure struct {
	ID      string      `json:"id"`
	Heading string      `json:"heading"`
	Alt     string      `json:"alt"`
	Data    chart.Table `json:"data"`
	Query   string      `json:"query"`
	Empty   string      `json:"empty,omitempty"` // what is said instead when there is nothing to draw
	Chart   chart.Chart `json:"-"`
}

// Table is a table with its heading. Each row has as many cells as Columns.
type Table struct {
	ID      string   `json:"id"`
	Heading string   `json:"heading"`
	Columns []Column `json:"columns"`
	Rows    [][]Cell `json:"rows"`
	Empty   string   `json:"empty"` // what is said when there are no rows
	Query   string   `json:"query"`
}

// Column is the head of a table's column.
type Column struct {
	Name    string `json:"name"`
	Heading string `json:"heading"`
	Numeric bool   `json:"numeric"` // aligned right
}

// Cell is one value of a table: as people read it, and raw for machines.
type Cell struct {
	Text string `json:"text"`
	Raw  string `json:"raw"`
	// Rate is "red", "amber", "green" or "grey" for a cell that rates, else "".
	Rate string `json:"rate,omitempty"`
}

// Back is the back matter that every report has.
type Back struct {
	Methodology []string   `json:"methodology"`
	Definitions []Fact     `json:"definitions"`
	Evidence    []Evidence `json:"evidence"`
}

// Evidence is one query with what it returned.
type Evidence struct {
	Name       string     `json:"name"`
	Source     string     `json:"source"` // store, registers or map
	SQL        string     `json:"sql"`    // "" for the data map
	Parameters []Fact     `json:"parameters"`
	Columns    []string   `json:"columns"`
	Rows       [][]string `json:"rows"`
	SQLHash    string     `json:"sql_sha256"`
	RowsHash   string     `json:"rows_sha256"`
}

// EvidenceOf returns the evidence with that name, or nil.
func (r *Report) EvidenceOf(name string) *Evidence {
	for i := range r.Back.Evidence {
		if r.Back.Evidence[i].Name == name {
			return &r.Back.Evidence[i]
		}
	}
	return nil
}

// FileName is the name of the rendered file: kind-period-language.ext. The
// period is one year, one month, one day, or from and last day.
func (r *Report) FileName(ext string) string {
	name := r.Kind + "-" + Period{From: r.Front.From, Until: r.Front.Until, Zone: r.Front.Zone}.String()
	if r.Front.Public {
		name += "-public"
	}
	return name + "-" + r.Language + "." + ext
}
