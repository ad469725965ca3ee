package console

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
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
	chartWidth, chartHeight         = 960, 216
	chartLeft, chartTop, chartFloor = 56, 26, 186
	beyond                          = 10  // of a bar that is cut
	digit                           = 7.2 // width of one of a label
)

// SVG draws the chart. The page shows the same numbers as a table beside it.
func (c chart) SVG() template.HTML {
	esc := template.HTMLEscapeString
	sums := c.sums()
	top, _ := scale(sums)
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
	all := float64(len(c.format(slices.Max(append(sums, 0)))))*digit <= step
	for i, label := range c.Labels {
		x := float64(chartLeft) + step*float64(i) + (step-width)/2
		y := c.bar(&b, i, x, width, top)
		if sums[i] > top {
			fmt.Fprintf(&b, `<path class="cut" d="M%.1f %d l%.1f -7"/>`, x-2, chartTop+14, width+4)
		}
		if sums[i] > 0 && (all || sums[i] > top) {
			fmt.Fprintf(&b, `<text class="value" x="%.1f" y="%.1f" text-anchor="middle">%s</text>`, x+width/2, y-4, esc(c.format(sums[i])))
		}
		if i%max(every, 1) == 0 {
			fmt.Fprintf(&b, `<text class="tick" x="%.1f" y="%d" text-anchor="middle">%s</text>`, x+width/2, chartFloor+20, esc(label))
		}
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String())
}

// Cut reports whether a bar is higher than the chart.
func (c chart) Cut() bool {
	_, cut := scale(c.sums())
	return cut
}

// bar draws a bar and returns where it ends. One that is higher than the chart
// ends a little above the axis, its parts in proportion.
func (c chart) bar(b *strings.Builder, i int, x, width float64, top uint64) float64 {
	y, of, height := float64(chartFloor), float64(top), float64(chartFloor-chartTop)
	if sum := c.sums()[i]; sum > top {
		of, height = float64(sum), height+beyond
	}
	for _, s := range c.Series {
		v := s.Values[i]
		if v == 0 {
			continue
		}
		h := math.Max(float64(v)/of*height, 1.5)
		y -= h
		fmt.Fprintf(b, `<rect class="s-%s" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s</title></rect>`, s.Key, x, y, width, h,
			template.HTMLEscapeString(c.Labels[i]+": "+s.Name+" "+c.format(v)))
	}
	return y
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

// sums are the bars.
func (c chart) sums() []uint64 {
	out := make([]uint64, len(c.Labels))
	for i := range out {
		for _, s := range c.Series {
			out[i] += s.Values[i]
		}
	}
	return out
}

// scale is the top of the axis. One or two bars over four times higher than all
// others would flatten these, so they are cut: the axis is that of the others.
func scale(sums []uint64) (top uint64, cut bool) {
	high := slices.DeleteFunc(slices.Clone(sums), func(v uint64) bool { return v == 0 })
	slices.SortFunc(high, func(a, b uint64) int { return cmp.Compare(b, a) })
	for n := 2; n > 0; n-- {
		if len(high) >= 3*n+1 && high[n-1] > 4*high[n] && high[n-1] > niceTop(high[n]) {
			return niceTop(high[n]), true
		}
	}
	if len(high) == 0 {
		return niceTop(0), false
	}
	return niceTop(high[0]), false
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
