package render

import (
	"fmt"
	"io"
	"strings"

	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/reports/chart"
)

// PDF writes a tagged PDF/A-2a and PDF/UA-1 file. It lays the report out twice:
// the first pass counts pages for the contents and for "page x of y".
func PDF(w io.Writer, r *reports.Report) error {
	first, err := layOut(r, nil)
	if err != nil {
		return err
	}
	second, err := layOut(r, first)
	if err != nil {
		return err
	}
	b, err := second.doc.Output()
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}

// layOut draws the whole report. before is the first pass, nil in it.
func layOut(r *reports.Report, before *page) (*page, error) {
	p, err := newPage(r, before)
	if err != nil {
		return nil, err
	}
	p.front()
	for _, s := range r.Sections {
		p.section(s)
	}
	p.back()
	return p, p.doc.Error()
}

func (p *page) front() {
	r := p.r
	p.turn(false)
	p.paragraph(r.Citation, style{size: 9, color: muted})
	p.heading("H1", 0, r.Title, 20, false)
	p.boxed(r.Front.Draft)
	p.heading("H2", 1, r.Words["front"], 12, true)
	p.facts(r.Front.Facts)
	p.heading("H2", 1, r.Words["contents"], 12, true)
	p.doc.In("TOC", "", func() {
		for _, s := range r.Sections {
			p.entry(s.Number+". "+s.Heading, p.pageOf(s.ID))
		}
		p.entry(r.Words["methodology"], p.pageOf("methodology"))
		p.entry(r.Words["queries"], p.pageOf("queries"))
	})
}

func (p *page) section(s reports.Section) {
	title := s.Number + ". " + s.Heading
	if s.Internal {
		title += " [" + p.r.Words["internal"] + "]"
	}
	p.space(7)
	if wide := p.wideSection(s); wide != p.wide {
		p.turn(wide)
	}
	p.keep(62)
	p.mark(s.ID)
	p.heading("H2", 1, title, 14, true)
	p.paragraph(strings.Join(s.Articles, " · "), style{size: 8.5, color: muted})
	for _, t := range s.Paragraphs {
		p.paragraph(t, style{size: 9.5})
	}
	p.numbers(s.Numbers)
	for _, f := range s.Charts {
		p.figure(f)
	}
	for _, t := range s.Tables {
		p.table(reportTable(t))
	}
	p.missing(s.NotEvidenced)
}

// wideSection says whether a section is one wide table under its text, which
// then stands on the same page on its side.
func (p *page) wideSection(s reports.Section) bool {
	return len(s.Numbers)+len(s.Charts) == 0 && len(s.Tables) == 1 && p.needsWide(reportTable(s.Tables[0]))
}

// numbers are a table: figure, value, what it counts, query.
func (p *page) numbers(ns []reports.Number) {
	if len(ns) == 0 {
		return
	}
	w := p.r.Words
	t := tableData{title: w["figures"], heads: []head{{text: w["number"]}, {text: w["value"], right: true}, {text: w["what"]}, {text: w["query"]}}}
	for _, n := range ns {
		t.rows = append(t.rows, []cell{{text: n.Label}, {text: n.Text, bold: true}, {text: n.Sentence}, {text: n.Query}})
	}
	p.table(t)
}

func reportTable(t reports.Table) tableData {
	out := tableData{title: t.Heading, empty: t.Empty}
	for _, c := range t.Columns {
		out.heads = append(out.heads, head{text: c.Heading, right: c.Numeric})
	}
	for _, r := range t.Rows {
		cells := make([]cell, len(r))
		for i, c := range r {
			cells[i] = cell{text: c.Text, rate: c.Rate}
		}
		out.rows = append(out.rows, cells)
	}
	return out
}

// missing lists what is not evidenced.
func (p *page) missing(items []string) {
	if len(items) == 0 {
		return
	}
	p.space(2)
	p.keep(22)
	p.heading("H3", 2, p.r.Words["missing"], 10.5, true)
	p.doc.In("L", "/A<</O/List/ListNumbering/Disc>>", func() {
		for _, s := range items {
			p.item(s)
		}
	})
	p.space(2)
}

func (p *page) back() {
	r, w := p.r, p.r.Words
	if p.wide {
		p.turn(false)
	}
	p.space(7)
	p.keep(45)
	p.mark("methodology")
	p.heading("H2", 1, w["methodology"], 14, true)
	for _, s := range r.Back.Methodology {
		p.paragraph(s, style{size: 9.5})
	}
	p.heading("H3", 2, w["definitions"], 10.5, true)
	p.facts(r.Back.Definitions)
	p.charts()
	p.space(7)
	p.keep(45)
	p.mark("queries")
	p.heading("H2", 1, w["queries"], 14, true)
	for _, e := range r.Back.Evidence {
		p.evidence(e)
	}
}

// charts are the data of all charts as tables, for people who do not see them.
func (p *page) charts() {
	title := p.r.Words["data"]
	for _, s := range p.r.Sections {
		for _, f := range s.Charts {
			if len(f.Data.Rows) > 0 && f.Empty == "" {
				p.table(chartTable(title+": "+f.Heading, f.Data))
			}
		}
	}
}

func chartTable(title string, d chart.Table) tableData {
	t := tableData{title: title, small: true}
	for i, h := range d.Head {
		t.heads = append(t.heads, head{text: h, right: i > 0})
	}
	for _, r := range d.Rows {
		cells := make([]cell, len(r))
		for i, c := range r {
			cells[i] = cell{text: c}
		}
		t.rows = append(t.rows, cells)
	}
	return t
}

func (p *page) evidence(e reports.Evidence) {
	w := p.r.Words
	p.keep(30)
	p.heading("H3", 2, e.Name, 10, true)
	line := w["source."+e.Source] + ". " + w["rows"] + ": " + fmt.Sprint(len(e.Rows))
	for i, f := range e.Parameters {
		sep := "; "
		if i == 0 {
			sep = ". " + w["parameters"] + ": "
		}
		line += sep + f.Label + " = " + f.Text
	}
	p.paragraph(line, style{size: 8, color: muted})
	if e.SQL != "" {
		p.code(e.SQL)
	}
	p.paragraph(w["sqlhash"]+": "+e.SQLHash, style{size: 7, color: muted, tight: true})
	p.paragraph(w["rowshash"]+": "+e.RowsHash, style{size: 7, color: muted})
}
