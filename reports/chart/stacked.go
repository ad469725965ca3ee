package chart

import "io"

// Stacked is a row of columns, one per category, each stacked of all series:
// entries per day by outcome, requests by days to close.
type Stacked struct {
	Title, Alt string
	// Corner heads the first column of the data table.
	Corner     string
	Categories []string
	Series     []Series
	Marks      []Mark
	Format     func(float64) string // nil: plain numbers
}

// SVG writes the chart.
func (c Stacked) SVG(w io.Writer) error { return c.Draw().SVG(w) }

// Data returns one row per category.
func (c Stacked) Data() Table {
	t := Table{Head: []string{c.Corner}}
	for _, s := range c.Series {
		t.Head = append(t.Head, s.Name)
	}
	for i, cat := range c.Categories {
		row := []string{cat}
		for _, s := range c.Series {
			row = append(row, format(c.Format, value(s.Values, i)))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// Draw draws the columns.
func (c Stacked) Draw() *Drawing {
	d := &Drawing{W: Width, Title: c.Title, Alt: c.Alt}
	top := 0.0
	if len(c.Series) > 1 {
		names := make([]string, len(c.Series))
		for i, s := range c.Series {
			names[i] = s.Name
		}
		top = d.legend(names, 0)
	}
	if len(c.Marks) > 0 {
		top += legend
	}
	top += 8
	const plot = 170.0
	d.H = top + plot + 26
	most := 0.0
	for i := range c.Categories {
		sum := 0.0
		for _, s := range c.Series {
			sum += value(s.Values, i)
		}
		most = max(most, sum)
	}
	ts := ticks(most)
	left := 0.0
	for _, t := range ts {
		left = max(left, width(format(c.Format, t)))
	}
	left += 8
	scale := plot / ts[len(ts)-1]
	base := top + plot
	for _, t := range ts {
		y := base - t*scale
		d.line(left, y, d.W, y, faint, false)
		d.text(left-6, y+4, format(c.Format, t), End, muted, false)
	}
	n := len(c.Categories)
	if n == 0 {
		return d
	}
	step := (d.W - left) / float64(n)
	c.columns(d, left, base, step, scale)
	free := left
	for _, m := range c.Marks {
		x := left + m.At*step
		if m.At < 0 || x > d.W {
			continue
		}
		d.line(x, top-4, x, base, alarm, true)
		if w := width(m.Label); min(x, d.W-w/2)-w/2 >= free {
			x = min(x, d.W-w/2)
			d.text(x, top-8, m.Label, Middle, alarm, false)
			free = x + w/2 + 6
		}
	}
	return d
}

// columns draws the columns and as many of their labels as fit.
func (c Stacked) columns(d *Drawing, left, base, step, scale float64) {
	gap := min(4, step*0.2)
	widest := 0.0
	for _, l := range c.Categories {
		widest = max(widest, width(l))
	}
	every := 1
	for step*float64(every) < widest+8 && every < len(c.Categories) {
		every++
	}
	for i, label := range c.Categories {
		x, y := left+float64(i)*step, base
		for k, s := range c.Series {
			h := value(s.Values, i) * scale
			if h == 0 {
				continue
			}
			h = max(h, 0.8) // one access among millions still shows
			d.rect(x+gap/2, y-h, step-gap, h, SeriesColor(k))
			y -= h
		}
		mid := x + step/2
		if w := width(label); i%every == 0 && mid-w/2 >= 0 && mid+w/2 <= d.W {
			d.text(mid, base+16, label, Middle, muted, false)
		}
	}
}
