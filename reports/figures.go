package reports

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/tallystick/tallystick/reports/chart"
)

// mostBars is how many bars a chart shows before it sums up the rest.
const mostBars = 12

// grid is the values of a chart by two keys, in order of appearance or of an axis.
type grid struct {
	xs, ys []string
	values map[[2]string]float64
}

func (b *builder) grid(d ChartDef) (*grid, error) {
	rows := b.rows[d.Query]
	x, v := rows.column(d.X), rows.column(d.Value)
	other := d.Series
	if d.Kind == "heat" {
		other = d.Y
	}
	y := rows.column(other)
	if x < 0 || v < 0 || (other != "" && y < 0) {
		return nil, fmt.Errorf("chart %s: query %s lacks one of the columns %s, %s, %s", d.ID, d.Query, d.X, d.Value, other)
	}
	g := &grid{values: map[[2]string]float64{}}
	g.xs = b.axis(d)
	if d.Kind == "heat" && other == "weekday" {
		g.ys = []string{"1", "2", "3", "4", "5", "6", "7"}
	}
	for _, r := range rows.Rows {
		key := [2]string{raw(r[x]), ""}
		if y >= 0 {
			key[1] = raw(r[y])
		}
		if !slices.Contains(g.xs, key[0]) {
			g.xs = append(g.xs, key[0])
		}
		if !slices.Contains(g.ys, key[1]) {
			g.ys = append(g.ys, key[1])
		}
		g.values[key] += number(r[v])
	}
	return g, nil
}

// axis returns the categories that a chart shows whether or not a row has them.
func (b *builder) axis(d ChartDef) []string {
	switch d.Axis {
	case "days":
		return b.period.Days()
	case "months":
		var out []string
		from := b.period.From.In(b.loc)
		for t := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, b.loc); t.Before(b.period.Until); t = t.AddDate(0, 1, 0) {
			out = append(out, t.Format("2006-01"))
		}
		return out
	case "hours":
		var out []string
		for h := range 24 {
			out = append(out, fmt.Sprint(h))
		}
		return out
	}
	return slices.Clone(d.Fixed)
}

// empty reports whether there is nothing to draw.
func (g *grid) empty() bool {
	for _, v := range g.values {
		if v != 0 {
			return false
		}
	}
	return true
}

func (g *grid) row(y string) []float64 {
	out := make([]float64, len(g.xs))
	for i, x := range g.xs {
		out[i] = g.values[[2]string{x, y}]
	}
	return out
}

func (b *builder) chart(d ChartDef) (Figure, error) {
	g, err := b.grid(d)
	if err != nil {
		return Figure{}, err
	}
	title := b.t("chart." + d.ID)
	if d.Axis != "" {
		title = b.common("zoned", "Title", title, "Zone", b.loc.String())
	}
	out := Figure{ID: d.ID, Heading: title, Query: d.Query}
	if g.empty() {
		out.Empty = b.common("empty")
	}
	labels := make([]string, len(g.xs))
	for i, x := range g.xs {
		labels[i] = b.label(d.X, x)
		if d.Axis == "hours" {
			labels[i] = x
		}
	}
	corner, measure := b.columnName(d.X), b.columnName(d.Value)
	var marks []chart.Mark
	for _, m := range d.Marks {
		marks = append(marks, chart.Mark{At: m.At, Label: b.t("mark." + m.Label)})
	}
	switch d.Kind {
	case "stacked":
		c := chart.Stacked{Title: title, Corner: corner, Categories: labels, Marks: marks, Format: b.count}
		for _, y := range g.ys {
			name := measure
			if d.Series != "" {
				name = b.label(d.Series, y)
			}
			c.Series = append(c.Series, chart.Series{Name: name, Values: g.row(y)})
		}
		c.Alt = b.altStacked(c)
		out.Chart, out.Alt = c, c.Alt
	case "bars", "share":
		items := b.items(d, g, labels)
		alt := b.altItems(title, items)
		out.Alt = alt
		if d.Kind == "bars" {
			out.Chart = chart.Bars{Title: title, Alt: alt, Corner: corner, Measure: measure, Items: items, Marks: marks, Format: b.count}
		} else {
			out.Chart = chart.Share{Title: title, Alt: alt, Corner: corner, Measure: measure, Items: items, Format: b.count, Percent: b.percent}
		}
	case "heat":
		c := chart.Heat{Title: title, Down: b.columnName(d.Y), Across: corner, X: labels, Format: b.count}
		for _, y := range g.ys {
			c.Y = append(c.Y, b.label(d.Y, y))
			c.Values = append(c.Values, g.row(y))
		}
		c.Alt = b.altHeat(c)
		out.Chart, out.Alt = c, c.Alt
	default:
		return Figure{}, fmt.Errorf("chart %s has the unknown kind %q", d.ID, d.Kind)
	}
	out.Data = out.Chart.Data()
	return out, nil
}

// items are bars, largest first unless the axis is given; the rest is one bar.
func (b *builder) items(d ChartDef, g *grid, labels []string) []chart.Item {
	var items []chart.Item
	for i, x := range g.xs {
		v := 0.0
		for _, y := range g.ys {
			v += g.values[[2]string{x, y}]
		}
		items = append(items, chart.Item{Label: labels[i], Value: v})
	}
	if d.Axis == "" && len(d.Fixed) == 0 {
		sort.SliceStable(items, func(i, j int) bool { return items[i].Value > items[j].Value })
		if len(items) > mostBars {
			rest := 0.0
			for _, it := range items[mostBars-1:] {
				rest += it.Value
			}
			items = append(items[:mostBars-1:mostBars-1], chart.Item{Label: b.common("others", "Count", b.count(float64(len(items)-mostBars+1))), Value: rest})
		}
	}
	return items
}

func (b *builder) altItems(title string, items []chart.Item) string {
	if len(items) == 0 {
		return b.common("alt.none", "Title", title)
	}
	parts := make([]string, len(items))
	for i, it := range items {
		parts[i] = it.Label + " " + b.count(it.Value)
	}
	return b.common("alt.items", "Title", title, "Items", strings.Join(parts, ", "))
}

func (b *builder) altStacked(c chart.Stacked) string {
	var items []chart.Item
	best, at := 0.0, ""
	for _, s := range c.Series {
		sum := 0.0
		for _, v := range s.Values {
			sum += v
		}
		items = append(items, chart.Item{Label: s.Name, Value: sum})
	}
	for i, cat := range c.Categories {
		sum := 0.0
		for _, s := range c.Series {
			sum += s.Values[i]
		}
		if sum > best {
			best, at = sum, cat
		}
	}
	if at == "" {
		return b.common("alt.none", "Title", c.Title)
	}
	return b.altItems(c.Title, items) + " " + b.common("alt.peak", "Label", at, "Value", b.count(best))
}

func (b *builder) altHeat(c chart.Heat) string {
	best, at := 0.0, ""
	for y := range c.Y {
		for x := range c.X {
			if v := c.Values[y][x]; v > best {
				best, at = v, c.Y[y]+", "+c.X[x]
			}
		}
	}
	if at == "" {
		return b.common("alt.none", "Title", c.Title)
	}
	return c.Title + ". " + b.common("alt.peak", "Label", at, "Value", b.count(best))
}
