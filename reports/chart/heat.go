package chart

import (
	"io"
	"math"
)

// Heat is a grid of cells whose darkness grows with the value: hour by weekday,
// role by category. Values[y][x] belongs to Y[y] and X[x]; every cell that has
// the room shows its value too.
type Heat struct {
	Title, Alt string
	// Down and Across head the labels of Y and of X in the data table.
	Down, Across string
	X, Y         []string
	Values       [][]float64
	Format       func(float64) string // nil: plain numbers
}

// SVG writes the chart.
func (c Heat) SVG(w io.Writer) error { return c.Draw().SVG(w) }

// Data returns the grid, with the side that is longer or has longer names
// running down.
func (c Heat) Data() Table {
	if len(c.X) > len(c.Y) || room(c.X) > room(c.Y) {
		t := Table{Head: append([]string{c.Across}, c.Y...)}
		for x, name := range c.X {
			row := []string{name}
			for y := range c.Y {
				row = append(row, format(c.Format, c.at(y, x)))
			}
			t.Rows = append(t.Rows, row)
		}
		return t
	}
	t := Table{Head: append([]string{c.Down}, c.X...)}
	for y, name := range c.Y {
		row := []string{name}
		for x := range c.X {
			row = append(row, format(c.Format, c.at(y, x)))
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func room(names []string) float64 {
	sum := 0.0
	for _, n := range names {
		sum += width(n)
	}
	return sum
}

func (c Heat) at(y, x int) float64 {
	if y >= len(c.Values) {
		return 0
	}
	return value(c.Values[y], x)
}

// Draw draws the grid. Many columns with long names are named by letters, with a
// key below, so that no label is turned or lies on another.
func (c Heat) Draw() *Drawing {
	d := &Drawing{W: Width, Title: c.Title, Alt: c.Alt}
	left, most, widest := 0.0, 0.0, 0.0
	for y, n := range c.Y {
		left = max(left, width(n))
		for x := range c.X {
			most = max(most, c.at(y, x))
		}
	}
	left = min(left, 200) + 10
	if len(c.X) == 0 || len(c.Y) == 0 {
		d.H = 10
		return d
	}
	for _, n := range c.X {
		widest = max(widest, width(n))
	}
	const row, top = 24.0, 20.0
	step := min((d.W-left)/float64(len(c.X)), 120)
	lettered := widest+4 > step && len(c.X) <= 26 && widest > 24
	every := 1
	if !lettered {
		every = max(1, int(math.Ceil((widest+6)/step)))
	}
	for x, n := range c.X {
		if lettered {
			n = letter(x)
		}
		if x%every == 0 {
			d.text(left+(float64(x)+0.5)*step, 13, n, Middle, muted, false)
		}
	}
	for y, n := range c.Y {
		d.text(left-8, top+float64(y)*row+16, cut(n, left-10), End, ink, false)
		for x := range c.X {
			c.cell(d, left+float64(x)*step, top+float64(y)*row, step, row, c.at(y, x), most)
		}
	}
	d.H = top + row*float64(len(c.Y)) + 6
	if lettered {
		d.H = c.key(d, d.H+12) + 2
	}
	return d
}

func (c Heat) cell(d *Drawing, x, y, w, h, v, most float64) {
	share := 0.0
	if most > 0 {
		share = math.Sqrt(v / most) // small values stay visible beside large ones
	}
	d.rect(x+1, y+1, w-2, h-2, shade(share))
	s := format(c.Format, v)
	if v == 0 || width(s)+4 > w {
		return
	}
	d.text(x+w/2, y+16, s, Middle, inkOn(shade(share)), false)
}

// key writes what the letters above the columns mean and returns the y below.
func (c Heat) key(d *Drawing, y float64) float64 {
	x := 0.0
	for i, n := range c.X {
		s := letter(i) + " = " + cut(n, 280)
		w := width(s) + 16
		if x > 0 && x+w > d.W {
			x, y = 0, y+16
		}
		d.text(x, y, s, Start, muted, false)
		x += w
	}
	return y + 6
}

// inkOn is the ink that reads best on a ground: black is no paler than ink where
// the ground is neither pale nor dark.
func inkOn(ground Color) Color {
	white := Color{255, 255, 255}
	switch {
	case contrast(ink, ground) >= 4.5:
		return ink
	case contrast(white, ground) >= 4.5:
		return white
	}
	return Color{}
}

// contrast is that of WCAG 2, between 1 and 21.
func contrast(a, b Color) float64 {
	x, y := luminance(a), luminance(b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(c Color) float64 {
	part := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*part(c.R) + 0.7152*part(c.G) + 0.0722*part(c.B)
}

func letter(i int) string { return string(rune('A' + i)) }

// shade goes from a pale to a dark blue, for share 0 to 1.
func shade(share float64) Color {
	mix := func(a, b float64) uint8 { return uint8(math.Round(a + (b-a)*min(max(share, 0), 1))) }
	return Color{mix(238, 0), mix(243, 74), mix(248, 124)}
}
