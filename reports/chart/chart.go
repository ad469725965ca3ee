// Package chart draws the charts of reports and of the console: stacked columns,
// horizontal bars, shares and heat maps.
//
// A chart is data and two pure functions of it: Draw, a list of shapes that the
// HTML renderer writes as SVG and the PDF renderer as vector graphics, and Data,
// the same figures as a table. The same chart gives the same bytes. The package
// knows no law, no store and no language: labels and formats come from the
// caller. Labels never overlap: what does not fit is left out or cut, and the
// data table has it whole. Reports and the console call it.
package chart

import "io"

// Chart is anything that draws itself.
type Chart interface {
	// Draw returns the shapes. It does not change the chart.
	Draw() *Drawing
	// Data returns the figures of the chart as a table.
	Data() Table
	// SVG writes the drawing as one inline SVG element.
	SVG(w io.Writer) error
}

var _, _, _, _ Chart = Stacked{}, Bars{}, Share{}, Heat{}

// Table is a chart's data as text, for people who do not see the drawing.
type Table struct {
	Head []string
	Rows [][]string
}

// Series is one named row of values.
type Series struct {
	Name   string
	Values []float64
}

// Item is one labelled value.
type Item struct {
	Label string
	Value float64
}

// Mark is a reference line. At is in units of the axis: of the value for Bars,
// the number of columns left of the line for Stacked.
type Mark struct {
	At    float64
	Label string
}

// Shape says what an Op draws.
type Shape uint8

// The shapes.
const (
	Rect Shape = iota // X, Y, W, H, filled
	Line              // X, Y to W, H, stroked
	Text              // S at X and baseline Y
)

// Anchor says which point of a text lies at X.
type Anchor uint8

// The anchors.
const (
	Start Anchor = iota
	Middle
	End
)

// Color is an opaque sRGB colour.
type Color struct{ R, G, B uint8 }

// Op is one shape. Lengths are in units of 1/96 inch; Y grows downwards.
type Op struct {
	Shape      Shape
	X, Y, W, H float64
	Color      Color
	Dash       bool // a dashed line
	S          string
	Size       float64
	Bold       bool
	Anchor     Anchor
}

// Drawing is a finished picture.
type Drawing struct {
	W, H float64
	// Title names the picture; Alt says in words what it shows.
	Title, Alt string
	Ops        []Op
}

// The palette: Okabe and Ito's colours, told apart with every common colour
// vision, darkened where they were too light on white. Order is fixed.
var palette = []Color{
	{0, 114, 178},   // blue
	{213, 94, 0},    // vermilion
	{0, 158, 115},   // green
	{204, 121, 167}, // purple
	{184, 134, 11},  // dark yellow
	{86, 180, 233},  // sky
	{110, 110, 110}, // grey
	{60, 30, 90},    // plum
}

var (
	ink   = Color{34, 34, 34}
	faint = Color{205, 210, 216}
	muted = Color{90, 90, 90}
	alarm = Color{170, 20, 40}
)

// SeriesColor returns the colour of series i.
func SeriesColor(i int) Color { return palette[i%len(palette)] }

// Width is the width of every drawing.
const Width = 680.0

const (
	small  = 11.0 // text size
	legend = 18.0 // height of a legend line
)

func (d *Drawing) rect(x, y, w, h float64, c Color) {
	if w > 0 && h > 0 {
		d.Ops = append(d.Ops, Op{Shape: Rect, X: x, Y: y, W: w, H: h, Color: c})
	}
}

func (d *Drawing) line(x1, y1, x2, y2 float64, c Color, dash bool) {
	d.Ops = append(d.Ops, Op{Shape: Line, X: x1, Y: y1, W: x2, H: y2, Color: c, Dash: dash})
}

func (d *Drawing) text(x, y float64, s string, a Anchor, c Color, bold bool) {
	if s != "" {
		d.Ops = append(d.Ops, Op{Shape: Text, X: x, Y: y, S: s, Size: small, Anchor: a, Color: c, Bold: bold})
	}
}

// legend writes the names of series from y on, wrapping, and returns the y below.
func (d *Drawing) legend(names []string, y float64) float64 {
	x := 0.0
	for i, n := range names {
		n = cut(n, 300)
		w := 16 + width(n) + 18
		if x > 0 && x+w > d.W {
			x, y = 0, y+legend
		}
		d.rect(x, y+3, 11, 11, SeriesColor(i))
		d.text(x+16, y+13, n, Start, ink, false)
		x += w
	}
	return y + legend
}

// width estimates a text's width from above, for fonts as wide as DejaVu Sans.
func width(s string) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case r == 'm' || r == 'w' || r == 'M' || r == 'W' || r == '%' || r == '@' || r > 0x2E7F:
			w += 1.0
		case r >= 'A' && r <= 'Z':
			w += 0.74
		case r == ' ' || r == '.' || r == ',' || r == 'i' || r == 'l' || r == ':':
			w += 0.36
		default:
			w += 0.64
		}
	}
	return w * small
}

// cut shortens s to at most w units, with an ellipsis.
func cut(s string, w float64) string {
	if width(s) <= w+0.01 { // sums of widths do not compare exactly
		return s
	}
	r := []rune(s)
	for len(r) > 1 && width(string(r)+"…") > w {
		r = r[:len(r)-1]
	}
	return string(r) + "…"
}
