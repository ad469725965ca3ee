package chart

import (
	"io"
	"strconv"
)

// Share is one bar divided by items, with each item's value and share beneath:
// TLS versions, sensitive and other data.
type Share struct {
	Title, Alt      string
	Corner, Measure string
	Items           []Item
	Format          func(float64) string // of values; nil: plain numbers
	Percent         func(float64) string // of a share of 1; nil: "12.3 %"
}

// SVG writes the chart.
func (c Share) SVG(w io.Writer) error { return c.Draw().SVG(w) }

func (c Share) total() float64 {
	sum := 0.0
	for _, it := range c.Items {
		sum += value([]float64{it.Value}, 0)
	}
	return sum
}

func (c Share) percent(v float64) string {
	sum := c.total()
	if sum == 0 {
		return ""
	}
	if c.Percent != nil {
		return c.Percent(v / sum)
	}
	return strconv.FormatFloat(100*v/sum, 'f', 1, 64) + " %"
}

// Data returns one row per item with its share.
func (c Share) Data() Table {
	t := Table{Head: []string{c.Corner, c.Measure, "%"}}
	for _, it := range c.Items {
		t.Rows = append(t.Rows, []string{it.Label, format(c.Format, it.Value), c.percent(it.Value)})
	}
	return t
}

// Draw draws the bar and its legend.
func (c Share) Draw() *Drawing {
	d := &Drawing{W: Width, Title: c.Title, Alt: c.Alt}
	sum := c.total()
	x := 0.0
	if sum == 0 {
		d.line(0, 17, d.W, 17, faint, false)
	}
	for i, it := range c.Items {
		if v := value([]float64{it.Value}, 0); v > 0 {
			w := max(d.W*v/sum, 1.5)
			d.rect(x, 4, min(max(w-1.5, 1), d.W-x), 26, SeriesColor(i))
			x = min(x+w, d.W-1.5)
		}
	}
	names := make([]string, len(c.Items))
	for i, it := range c.Items {
		names[i] = it.Label + ": " + format(c.Format, it.Value)
		if p := c.percent(it.Value); p != "" {
			names[i] += " (" + p + ")"
		}
	}
	d.H = d.legend(names, 38) + 2
	return d
}
