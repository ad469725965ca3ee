package render

import (
	"strings"

	"github.com/tallystick/tallystick/reports/chart"
	"github.com/tallystick/tallystick/reports/tagpdf"
)

type head struct {
	text  string
	right bool
}

type cell struct {
	text string
	bold bool
	rate string
}

type tableData struct {
	title, empty string
	heads        []head
	rows         [][]cell
	small        bool
}

const (
	cellPad   = 0.9  // above and below a cell's text, mm
	mostLines = 28   // of one cell; the rest is in the CSV
	widest    = 78.0 // of a column's natural width, mm
)

var rates = map[string]chart.Color{"red": {R: 170, G: 20, B: 40}, "amber": {R: 208, G: 138, B: 0}, "green": {R: 0, G: 121, B: 90}, "grey": {R: 118, G: 118, B: 118}}

// table draws a table with its head on every page. One that is too wide for an
// upright page gets pages on their side.
func (p *page) table(t tableData) {
	st := style{size: 8, color: black}
	if t.small {
		st.size = 7.5
	}
	was := p.wide
	if !p.wide && p.needsWide(t) {
		p.turn(true)
	}
	if p.wide {
		st.size = 7
	}
	p.space(2)
	p.keep(34)
	p.heading("H3", 2, t.title, 10.5, true)
	if len(t.rows) == 0 {
		p.paragraph(t.empty, style{size: 9, color: muted})
		return
	}
	widths := p.columns(t, st)
	p.doc.In("Table", "/A<</O/Table/Summary"+tagpdf.String(p.doc.Clean(t.title))+">>", func() {
		p.doc.In("THead", "", func() {
			p.doc.In("TR", "", func() {
				p.headRow(t, widths, st, func(f func()) { p.doc.Leaf("TH", "/A<</O/Table/Scope/Column>>", f) })
			})
		})
		p.doc.In("TBody", "", func() {
			for _, r := range t.rows {
				p.row(t, r, widths, st)
			}
		})
	})
	p.space(4)
	if p.wide && !was {
		p.turn(false)
	}
}

// needsWide says whether a table is too wide for an upright page.
func (p *page) needsWide(t tableData) bool {
	sum := 0.0
	for i := range t.heads {
		low, _ := p.measure(t, i, style{size: 8})
		sum += low
	}
	return len(t.rows) > 0 && sum > short-2*margin
}

// measure returns the least and the natural width of column i: its longest
// word, and its longest text.
func (p *page) measure(t tableData, i int, st style) (low, natural float64) {
	word := func(s string, cap float64) {
		for _, w := range strings.Fields(p.doc.Clean(s)) {
			low = max(low, min(p.doc.GetStringWidth(w), cap))
		}
		natural = max(natural, p.doc.GetStringWidth(p.doc.Clean(s)))
	}
	st.bold = true
	p.font(st)
	word(t.heads[i].text, 40)
	for k, r := range t.rows {
		if k == 400 {
			break
		}
		st.bold = r[i].bold
		p.font(st)
		limit := 34.0
		if t.heads[i].right {
			limit = 60
		}
		word(r[i].text, limit)
	}
	low += 3 + gap(t.heads[i].right)
	return low, max(low, min(natural+3+gap(t.heads[i].right), widest))
}

// columns divides the width: everyone gets the least, the rest goes by need.
func (p *page) columns(t tableData, st style) []float64 {
	full := p.width()
	lows, wants := make([]float64, len(t.heads)), make([]float64, len(t.heads))
	sumLow, sumWant := 0.0, 0.0
	for i := range t.heads {
		low, natural := p.measure(t, i, st)
		lows[i], wants[i] = low, natural-low
		sumLow, sumWant = sumLow+low, sumWant+natural-low
	}
	out := make([]float64, len(lows))
	for i := range lows {
		switch {
		case sumLow > full:
			out[i] = lows[i] * full / sumLow
		case sumWant > 0 && sumLow+sumWant > full:
			out[i] = lows[i] + wants[i]*(full-sumLow)/sumWant
		default:
			out[i] = (lows[i] + wants[i]) * min(full/(sumLow+sumWant), 1.6)
		}
	}
	return out
}

// headRow draws the column heads; mark tags each, or makes it an artifact.
func (p *page) headRow(t tableData, widths []float64, st style, mark func(func())) {
	st.bold = true
	p.font(st)
	h := lineHeight(st.size)
	lines, n := make([][]string, len(t.heads)), 1
	for i, c := range t.heads {
		lines[i] = p.wrap(c.text, widths[i]-gap(c.right))
		n = max(n, len(lines[i]))
	}
	full := float64(n)*h + 2*cellPad
	x, y := margin, p.y
	for i, c := range t.heads {
		mark(func() {
			p.fill(pale)
			p.doc.Rect(x, y, widths[i], full, "F")
			p.font(st)
			for k, l := range lines[i] {
				p.at(x, y+full-cellPad-float64(len(lines[i])-k)*h, widths[i]-gap(c.right), h, l, align(c.right))
			}
		})
		x += widths[i]
	}
	p.rule(y+full, x, blue, 0.4)
	p.y = y + full
}

func align(right bool) string {
	if right {
		return "R"
	}
	return "L"
}

// gap keeps figures apart from the column to their right.
func gap(right bool) float64 {
	if right {
		return 2
	}
	return 0
}

func (p *page) rule(y, until float64, c chart.Color, w float64) {
	p.doc.Artifact(func() {
		p.pen(c)
		p.doc.SetLineWidth(w)
		p.doc.Line(margin, y, until, y)
	})
}

func (p *page) row(t tableData, r []cell, widths []float64, st style) {
	h := lineHeight(st.size)
	lines, n := make([][]string, len(r)), 1
	for i, c := range r {
		w := widths[i] - gap(t.heads[i].right)
		if c.rate != "" {
			w -= 3
		}
		st.bold = c.bold || c.rate != ""
		p.font(st)
		lines[i] = p.wrap(c.text, w)
		if len(lines[i]) > mostLines {
			lines[i] = append(lines[i][:mostLines:mostLines], "…")
		}
		n = max(n, len(lines[i]))
	}
	full := float64(n)*h + 2*cellPad
	if p.room() < full {
		p.turn(p.wide)
		p.headRow(t, widths, st, p.doc.Artifact)
	}
	x, y := margin, p.y
	p.doc.In("TR", "", func() {
		for i, c := range r {
			p.doc.Leaf("TD", "", func() {
				left := x
				if c.rate != "" {
					p.fill(rates[c.rate])
					p.doc.Rect(x+1, y+cellPad, 2, full-2*cellPad, "F")
					left += 3
				}
				st.bold = c.bold || c.rate != ""
				p.font(st)
				for k, l := range lines[i] {
					p.at(left, y+cellPad+float64(k)*h, widths[i]-(left-x)-gap(t.heads[i].right), h, l, align(t.heads[i].right))
				}
			})
			x += widths[i]
		}
	})
	p.rule(y+full, x, line, 0.15)
	p.y = y + full
}
