package console

import (
	"fmt"
	"html/template"
	"math"
	"strings"
)

// chart is a stacked bar chart: one bar per label, one part per series. The
// classes s-NAME of the style sheet colour the parts.
type chart struct {
	ID     string // names the parts of the page
	Title  string
	Labels []string // one per bar
	Series []series
	format func(uint64) string
}

type series struct {
	Key    string // names the class s-KEY
	Name   string
	Sum    string // of all values, formatted
	Values []uint64
}

const (
	chartWidth, chartHeight         = 960, 200
	chartLeft, chartTop, chartFloor = 56, 10, 170
)

// SVG draws the chart. The page shows the same numbers as a table beside it.
func (c chart) SVG() template.HTML {
	esc := template.HTMLEscapeString
	top := niceTop(c.max())
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart" viewBox="0 0 %d %d" role="img" aria-label="%s">`, chartWidth, chartHeight, esc(c.Title))
	for i := range 5 {
		v := top * uint64(i) / 4
		y := chartFloor - (chartFloor-chartTop)*i/4
		fmt.Fprintf(&b, `<line class="grid" x1="%d" x2="%d" y1="%d" y2="%d"/><text class="tick" x="%d" y="%d" text-anchor="end">%s</text>`,
			chartLeft, chartWidth, y, y, chartLeft-8, y+4, esc(c.format(v)))
	}
	step := float64(chartWidth-chartLeft) / float64(max(len(c.Labels), 1))
	width := math.Max(1, step*0.78)
	every := (len(c.Labels) + 9) / 10
	for i, label := range c.Labels {
		x := float64(chartLeft) + step*float64(i) + (step-width)/2
		c.bar(&b, i, x, width, top)
		if i%max(every, 1) == 0 {
			fmt.Fprintf(&b, `<text class="tick" x="%.1f" y="%d" text-anchor="middle">%s</text>`, x+width/2, chartFloor+20, esc(label))
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

func (c chart) bar(b *strings.Builder, i int, x, width float64, top uint64) {
	y := float64(chartFloor)
	for _, s := range c.Series {
		v := s.Values[i]
		if v == 0 {
			continue
		}
		h := math.Max(float64(v)/float64(top)*(chartFloor-chartTop), 0.6)
		y -= h
		fmt.Fprintf(b, `<rect class="s-%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`, s.Key, x, y, width, h,
			template.HTMLEscapeString(c.Labels[i]+": "+s.Name+" "+c.format(v)))
	}
}

// Rows are the bars as a table, empty ones left out.
func (c chart) Rows() [][]string {
	var out [][]string
	for i, label := range c.Labels {
		row, sum := []string{label}, uint64(0)
		for _, s := range c.Series {
			row, sum = append(row, c.format(s.Values[i])), sum+s.Values[i]
		}
		if sum > 0 {
			out = append(out, row)
		}
	}
	return out
}

func (c chart) max() uint64 {
	var m uint64
	for i := range c.Labels {
		var sum uint64
		for _, s := range c.Series {
			sum += s.Values[i]
		}
		m = max(m, sum)
	}
	return m
}

// niceTop is the least of 4, 8, 12, 16, 20, 28 and their decimal multiples that
// is not below m, so that the quarters of the axis are whole numbers.
func niceTop(m uint64) uint64 {
	for base := uint64(1); base < math.MaxUint64/100; base *= 10 {
		for _, f := range []uint64{4, 8, 12, 16, 20, 28} {
			if f*base >= m {
				return f * base
			}
		}
	}
	return m
}

// share draws one horizontal bar of a share of 1.
func share(v float64, class string) template.HTML {
	v = math.Max(0, math.Min(1, v))
	return template.HTML(fmt.Sprintf(`<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true"><rect class="share-all" width="100" height="8" rx="2"/><rect class="%s" width="%.1f" height="8" rx="2"/></svg>`, class, 100*v))
}
