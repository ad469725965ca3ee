package chart

import (
	"bufio"
	"encoding/hex"
	"encoding/xml"
	"hash/fnv"
	"io"
	"strconv"
	"strings"
)

// SVG writes d as one SVG element that needs no style sheet or script, so it may
// stand in a page with a strict content policy. Its title and description are
// read aloud by screen readers.
func (d *Drawing) SVG(out io.Writer) error {
	w := bufio.NewWriter(out)
	h := fnv.New64a()
	_, _ = io.WriteString(h, d.Title+"\x00"+d.Alt)
	id := "c" + hex.EncodeToString(h.Sum(nil))
	p := func(ss ...string) {
		for _, s := range ss {
			_, _ = w.WriteString(s)
		}
	}
	p(`<svg xmlns="http://www.w3.org/2000/svg" class="chart" role="img" viewBox="0 0 `, num(d.W), ` `, num(d.H), `" width="`, num(d.W), `" height="`, num(d.H),
		`" aria-labelledby="`, id, `t `, id, `d" font-family="DejaVu Sans, Verdana, sans-serif">`, "\n",
		`<title id="`, id, `t">`, escape(d.Title), `</title><desc id="`, id, `d">`, escape(d.Alt), "</desc>\n")
	for _, o := range d.Ops {
		switch o.Shape {
		case Rect:
			p(`<rect x="`, num(o.X), `" y="`, num(o.Y), `" width="`, num(o.W), `" height="`, num(o.H), `" fill="`, o.Color.Hex(), `"/>`, "\n")
		case Line:
			p(`<line x1="`, num(o.X), `" y1="`, num(o.Y), `" x2="`, num(o.W), `" y2="`, num(o.H), `" stroke="`, o.Color.Hex(), `"`)
			if o.Dash {
				p(` stroke-dasharray="5 3" stroke-width="1.5"`)
			}
			p("/>\n")
		case Text:
			p(`<text x="`, num(o.X), `" y="`, num(o.Y), `" font-size="`, num(o.Size), `" fill="`, o.Color.Hex(), `"`)
			if o.Anchor != Start {
				p(` text-anchor="`, [...]string{"start", "middle", "end"}[o.Anchor], `"`)
			}
			if o.Bold {
				p(` font-weight="bold"`)
			}
			p(`>`, escape(o.S), "</text>\n")
		}
	}
	p("</svg>\n")
	return w.Flush()
}

// Hex returns the colour as #rrggbb.
func (c Color) Hex() string { return "#" + hex.EncodeToString([]byte{c.R, c.G, c.B}) }

func num(f float64) string { return strconv.FormatFloat(round(f), 'f', -1, 64) }

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
