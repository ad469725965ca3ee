package render

import (
	"fmt"

	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/reports/chart"
	"github.com/tallystick/tallystick/reports/tagpdf"
)

// figure draws a chart as vector graphics under its heading, with its words as
// the alternative text.
func (p *page) figure(f reports.Figure) {
	if f.Empty != "" {
		p.space(2)
		p.heading("H3", 2, f.Heading, 10.5, true)
		p.paragraph(f.Empty, style{size: 9, color: muted})
		return
	}
	d := f.Chart.Draw()
	full := short - 2*margin
	k := full / d.W
	height := d.H * k
	p.space(2)
	p.keep(height + 16)
	p.heading("H3", 2, f.Heading, 10.5, true)
	x0, y0 := margin, p.y
	const pt = 72 / 25.4
	pageHeight := long
	if p.wide {
		pageHeight = short
	}
	box := fmt.Sprintf("/A<</O/Layout/Placement/Block/BBox[%.2f %.2f %.2f %.2f]>>", x0*pt, (pageHeight-y0-height)*pt, (x0+full)*pt, (pageHeight-y0)*pt)
	p.doc.Leaf("Figure", "/Alt"+tagpdf.String(p.doc.Clean(f.Alt))+box, func() {
		for _, o := range d.Ops {
			p.op(o, x0, y0, k)
		}
		p.doc.SetDashPattern(nil, 0)
	})
	p.y = y0 + height + 4
}

func (p *page) op(o chart.Op, x0, y0, k float64) {
	x, y := x0+o.X*k, y0+o.Y*k
	switch o.Shape {
	case chart.Rect:
		p.fill(o.Color)
		p.doc.Rect(x, y, o.W*k, o.H*k, "F")
	case chart.Line:
		p.pen(o.Color)
		p.doc.SetLineWidth(0.25)
		p.doc.SetDashPattern(nil, 0)
		if o.Dash {
			p.doc.SetLineWidth(0.4)
			p.doc.SetDashPattern([]float64{1.4, 0.8}, 0)
		}
		p.doc.Line(x, y, x0+o.W*k, y0+o.H*k)
	case chart.Text:
		p.font(style{size: o.Size * k * 72 / 25.4, bold: o.Bold, color: o.Color})
		s := p.doc.Clean(o.S)
		switch w := p.doc.GetStringWidth(s); o.Anchor {
		case chart.Middle:
			x -= w / 2
		case chart.End:
			x -= w
		}
		p.doc.Text(x, y, s)
	}
}
