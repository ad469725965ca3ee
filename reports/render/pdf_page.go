package render

import (
	"fmt"
	"strings"

	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/reports/chart"
	"github.com/tallystick/tallystick/reports/tagpdf"
)

// Millimetres of an A4 page.
const (
	margin = 16.0
	top    = 22.0
	foot   = 18.0
	short  = 210.0
	long   = 297.0
)

var (
	black = chart.Color{R: 34, G: 34, B: 34}
	muted = chart.Color{R: 90, G: 90, B: 90}
	blue  = chart.Color{R: 0, G: 74, B: 124}
	red   = chart.Color{R: 138, G: 15, B: 32}
	line  = chart.Color{R: 205, G: 210, B: 216}
	pale  = chart.Color{R: 238, G: 243, B: 248}
)

// style is how a paragraph is set. The zero colour is black.
type style struct {
	size  float64 // points
	bold  bool
	color chart.Color
	tight bool // no space below
}

// page is the document being laid out; y runs down the current page.
type page struct {
	doc    *tagpdf.Doc
	r      *reports.Report
	pages  int            // in all, 0 while unknown
	starts map[string]int // page on which a part starts
	before map[string]int // the same, of the first pass
	y      float64
	wide   bool // the current page is landscape
}

func newPage(r *reports.Report, before *page) (*page, error) {
	author := r.Title
	for _, f := range r.Front.Facts[:min(2, len(r.Front.Facts))] {
		author = f.Text
	}
	d, err := tagpdf.New(tagpdf.Meta{Title: r.Title, Author: author, Language: r.Language, Created: r.Front.GeneratedAt, Producer: "Tallystick"})
	if err != nil {
		return nil, err
	}
	p := &page{doc: d, r: r, starts: map[string]int{}}
	if before != nil {
		p.pages, p.before = before.doc.PageCount(), before.starts
	}
	d.SetMargins(margin, top, margin)
	return p, nil
}

func (p *page) width() float64 {
	if p.wide {
		return long - 2*margin
	}
	return short - 2*margin
}

func (p *page) bottom() float64 {
	if p.wide {
		return short - foot
	}
	return long - foot
}

func (p *page) mark(id string)        { p.starts[id] = p.doc.PageNo() }
func (p *page) pageOf(id string) int  { return p.before[id] }
func (p *page) space(mm float64)      { p.y += mm }
func (p *page) room() float64         { return p.bottom() - p.y }
func (p *page) ink(c chart.Color)     { p.doc.SetTextColor(int(c.R), int(c.G), int(c.B)) }
func (p *page) fill(c chart.Color)    { p.doc.SetFillColor(int(c.R), int(c.G), int(c.B)) }
func (p *page) pen(c chart.Color)     { p.doc.SetDrawColor(int(c.R), int(c.G), int(c.B)) }
func (p *page) font(s style)          { p.doc.SetFont(tagpdf.Font, bold(s.bold), s.size); p.ink(s.color) }
func lineHeight(size float64) float64 { return size * 0.3528 * 1.38 }

func bold(b bool) string {
	if b {
		return "B"
	}
	return ""
}

// keep starts a new page unless mm millimetres are left.
func (p *page) keep(mm float64) {
	if p.room() < mm {
		p.turn(p.wide)
	}
}

// turn starts a page with its head and foot, which are artifacts.
func (p *page) turn(wide bool) {
	p.wide = wide
	orientation := "P"
	if wide {
		orientation = "L"
	}
	p.doc.AddPageFormat(orientation, p.doc.GetPageSizeStr("A4"))
	full, height := p.width(), long
	if wide {
		height = short
	}
	p.doc.Artifact(func() {
		p.font(style{size: 7.5, color: muted})
		p.at(margin, 12, full*0.84, 4, p.fit(p.r.Title+" · "+strings.TrimSuffix(p.r.FileName(""), "."), full*0.83), "L")
		p.at(margin+full*0.84, 12, full*0.16, 4, fmt.Sprintf("%s %d / %d", p.r.Words["page"], p.doc.PageNo(), p.pages), "R")
		p.at(margin, height-12, full, 4, p.fit(p.r.Front.Draft, full), "L")
		p.pen(line)
		p.doc.SetLineWidth(0.2)
		p.doc.Line(margin, 17, margin+full, 17)
	})
	p.y = top
}

// at draws one line of text in a box.
func (p *page) at(x, y, w, h float64, s, align string) {
	p.doc.SetXY(x, y)
	p.doc.CellFormat(w, h, p.doc.Clean(s), "", 0, align, false, 0, "")
}

// fit cuts s to w with an ellipsis.
func (p *page) fit(s string, w float64) string {
	s = p.doc.Clean(s)
	if p.doc.GetStringWidth(s)+2 <= w {
		return s
	}
	r := []rune(s)
	for len(r) > 1 && p.doc.GetStringWidth(string(r)+"…")+2 > w {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}

// wrap splits a clean text into lines of at most w. Long words break after
// punctuation where they can, else anywhere. Lines keep their last space, so
// that words do not run together when the text is copied out.
func (p *page) wrap(s string, w float64) []string {
	w -= 2.2 // the cell's own margins
	var lines []string
	for _, para := range strings.Split(s, "\n") {
		cur := ""
		for _, word := range strings.SplitAfter(p.doc.Clean(para), " ") {
			if p.doc.GetStringWidth(strings.TrimRight(cur+word, " ")) <= w {
				cur += word
				continue
			}
			if cur != "" {
				lines, cur = append(lines, cur), ""
			}
			for p.doc.GetStringWidth(strings.TrimRight(word, " ")) > w {
				n := p.breakAt(word, w)
				lines, word = append(lines, word[:n]), word[n:]
			}
			cur = word
		}
		lines = append(lines, cur)
	}
	return lines
}

// breakAt is the byte at which a long word is broken to fit w.
func (p *page) breakAt(word string, w float64) int {
	last, good := 0, 0
	for i := range word {
		if i > 0 && p.doc.GetStringWidth(word[:i]) > w {
			break
		}
		last = i
		if i > 0 && strings.ContainsRune("._-/,;:", rune(word[i-1])) {
			good = i
		}
	}
	if good > 0 {
		return good
	}
	if last == 0 {
		for i := range word {
			if i > 0 {
				return i
			}
		}
		return len(word)
	}
	return last
}

func (p *page) heading(tag string, level int, s string, size float64, color bool) {
	h := lineHeight(size)
	p.keep(h + 20)
	st := style{size: size, bold: true, color: blue}
	if !color {
		st.color = black
	}
	p.space(2)
	p.doc.SetY(p.y)
	p.doc.Bookmark(p.doc.Clean(s), level, p.y)
	p.font(st)
	lines := p.wrap(s, p.width())
	p.doc.In(tag, "", func() {
		for _, l := range lines {
			p.doc.Mark(func() { p.at(margin, p.y, p.width(), h, l, "L") })
			p.y += h
		}
	})
	p.space(1.2)
}

func (p *page) paragraph(s string, st style) {
	p.set("P", s, st, margin, p.width())
	if !st.tight {
		p.space(1.8)
	}
}

// set writes one element of wrapped text, over pages if it has to.
func (p *page) set(tag, s string, st style, x, w float64) {
	if st.color == (chart.Color{}) {
		st.color = black
	}
	h := lineHeight(st.size)
	p.font(st)
	lines := p.wrap(s, w)
	p.doc.In(tag, "", func() {
		for _, l := range lines {
			if p.room() < h {
				p.turn(p.wide)
				p.font(st)
			}
			p.doc.Mark(func() { p.at(x, p.y, w, h, l, "L") })
			p.y += h
		}
	})
}

// boxed is the draft note.
func (p *page) boxed(s string) {
	st := style{size: 9.5, bold: true, color: red}
	p.font(st)
	lines := p.wrap(s, p.width()-4)
	h := lineHeight(st.size)
	box := float64(len(lines))*h + 4
	p.doc.Artifact(func() {
		p.pen(red)
		p.doc.SetLineWidth(0.5)
		p.doc.Rect(margin, p.y, p.width(), box, "D")
	})
	p.y += 2
	p.set("P", s, st, margin+2, p.width()-4)
	p.y += 5
}

// facts are labelled lines, as a list of label and body.
func (p *page) facts(fs []reports.Fact) {
	const label = 44.0
	st := style{size: 9, color: black}
	h := lineHeight(st.size)
	p.doc.In("L", "", func() {
		for _, f := range fs {
			p.font(st)
			left, right := p.wrap(f.Label, label), p.wrap(f.Text, p.width()-label)
			n := max(len(left), len(right))
			if p.room() < float64(n)*h {
				p.turn(p.wide)
			}
			y := p.y
			p.doc.In("LI", "", func() {
				p.doc.In("Lbl", "", func() { p.lines(left, margin, y, label, h, style{size: st.size, color: muted}) })
				p.doc.In("LBody", "", func() { p.lines(right, margin+label, y, p.width()-label, h, st) })
			})
			p.y = y + float64(n)*h + 0.8
		}
	})
	p.space(2)
}

// lines draws lines that fit on the page as one piece of content.
func (p *page) lines(ls []string, x, y, w, h float64, st style) {
	p.font(st)
	p.doc.Mark(func() {
		for i, l := range ls {
			p.at(x, y+float64(i)*h, w, h, l, "L")
		}
	})
}

// item is one point of a list.
func (p *page) item(s string) {
	st := style{size: 9, color: black}
	h := lineHeight(st.size)
	p.font(st)
	p.keep(h * float64(len(p.wrap(s, p.width()-6))))
	p.doc.In("LI", "", func() {
		p.font(st)
		p.doc.Leaf("Lbl", "", func() { p.at(margin+1, p.y, 4, h, "•", "L") })
		p.set("LBody", s, st, margin+5, p.width()-6)
	})
	p.space(0.8)
}

// entry is one line of the contents.
func (p *page) entry(title string, number int) {
	h := lineHeight(10)
	p.keep(h)
	p.doc.In("TOCI", "", func() {
		p.font(style{size: 9.5, color: black})
		p.doc.Mark(func() {
			p.at(margin, p.y, p.width()-14, h, p.fit(title, p.width()-14)+" ", "L")
			p.at(margin+p.width()-14, p.y, 14, h, fmt.Sprint(number), "R")
		})
	})
	p.y += h
}

// code is a query, small on a pale ground.
func (p *page) code(s string) {
	st := style{size: 7, color: black}
	h := lineHeight(st.size)
	p.font(st)
	lines := p.wrap(s, p.width()-4)
	p.doc.In("Code", "", func() {
		for _, l := range lines {
			if p.room() < h {
				p.turn(p.wide)
				p.font(st)
			}
			p.doc.Artifact(func() {
				p.fill(pale)
				p.doc.Rect(margin, p.y, p.width(), h+0.05, "F")
			})
			p.doc.Mark(func() { p.at(margin+2, p.y, p.width()-4, h, l, "L") })
			p.y += h
		}
	})
	p.space(1.5)
}
