package chart

import "io"

// Bars are horizontal bars, one per item in the order given: findings by
// control, purposes by legal basis, countries.
type Bars struct {
	Title, Alt string
	// Corner and Measure head the data table.
	Corner, Measure string
	Items           []Item
	Marks           []Mark
	Format          func(float64) string // nil: plain numbers
}

// SVG writes the chart.
func (c Bars) SVG(w io.Writer) error { return c.Draw().SVG(w) }

// Data returns one row per item.
func (c Bars) Data() Table {
	t := Table{Head: []string{c.Corner, c.Measure}}
	for _, it := range c.Items {
		t.Rows = append(t.Rows, []string{it.Label, format(c.Format, it.Value)})
	}
	return t
}

// Draw draws the bars.
func (c Bars) Draw() *Drawing {
	const row, bar = 26.0, 16.0
	d := &Drawing{W: Width, Title: c.Title, Alt: c.Alt}
	top := 4.0
	if len(c.Marks) > 0 {
		top += legend
	}
	d.H = top + row*float64(len(c.Items)) + 6
	left, right, most := 0.0, 0.0, 0.0
	for _, it := range c.Items {
		left = max(left, width(it.Label))
		right = max(right, width(format(c.Format, it.Value)))
		most = max(most, value([]float64{it.Value}, 0))
	}
	left, right = min(left, 250)+10, right+12
	for _, m := range c.Marks {
		most = max(most, m.At)
	}
	if most == 0 {
		most = 1
	}
	scale := (d.W - left - right) / most
	d.line(left, top, left, d.H-4, faint, false)
	for i, it := range c.Items {
		y := top + float64(i)*row
		v := value([]float64{it.Value}, 0)
		w := v * scale
		if v > 0 {
			w = max(w, 1)
		}
		d.text(left-8, y+17, cut(it.Label, left-10), End, ink, false)
		d.rect(left, y+(row-bar)/2, w, bar, SeriesColor(0))
		d.text(left+w+6, y+17, format(c.Format, it.Value), Start, ink, false)
	}
	free := 0.0
	for _, m := range c.Marks {
		x := left + m.At*scale
		d.line(x, top-2, x, d.H-4, alarm, true)
		if w := width(m.Label); min(x, d.W-w/2)-w/2 >= free {
			x = min(x, d.W-w/2)
			d.text(x, top-6, m.Label, Middle, alarm, false)
			free = x + w/2 + 6
		}
	}
	return d
}
