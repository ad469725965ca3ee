package chart_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/reports/chart"
)

// random makes charts of all kinds with labels of all lengths.
func random(r *rand.Rand) []chart.Chart {
	label := func() string {
		const letters = "abcmWil .-Áç漢€"
		var b strings.Builder
		for range r.IntN(40) + 1 {
			b.WriteRune([]rune(letters)[r.IntN(len([]rune(letters)))])
		}
		return b.String()
	}
	labels := func(n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = label()
		}
		return out
	}
	values := func(n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = math.Floor(math.Pow(10, r.Float64()*9)) * float64(r.IntN(2))
		}
		return out
	}
	n, m := r.IntN(90), r.IntN(9)
	items := make([]chart.Item, r.IntN(14))
	for i := range items {
		items[i] = chart.Item{Label: label(), Value: values(1)[0]}
	}
	series := make([]chart.Series, m)
	for i := range series {
		series[i] = chart.Series{Name: label(), Values: values(n)}
	}
	grid := make([][]float64, m)
	for i := range grid {
		grid[i] = values(n % 27)
	}
	marks := []chart.Mark{{At: 3, Label: "45 days"}, {At: 6, Label: "90 days"}}
	return []chart.Chart{
		chart.Stacked{Title: "t", Categories: labels(n), Series: series, Marks: marks},
		chart.Bars{Title: "t", Items: items, Marks: marks},
		chart.Share{Title: "t", Items: items},
		chart.Heat{Title: "t", X: labels(n % 27), Y: labels(m), Values: grid},
	}
}

// box is the room that a text takes, estimated like the font that is shown.
func box(o chart.Op) (x1, y1, x2, y2 float64) {
	w := chart.TextWidth(o.S)
	switch o.Anchor {
	case chart.Middle:
		x1 = o.X - w/2
	case chart.End:
		x1 = o.X - w
	default:
		x1 = o.X
	}
	return x1, o.Y - 8, x1 + w, o.Y + 2
}

func TestLabelsNeverOverlapOrLeave(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		for _, c := range random(r) {
			d := c.Draw()
			var texts []chart.Op
			for _, o := range d.Ops {
				if o.Shape == chart.Text {
					texts = append(texts, o)
				}
			}
			for a, o := range texts {
				x1, y1, x2, y2 := box(o)
				if x1 < -0.5 || x2 > d.W+0.5 || y1 < -0.5 || y2 > d.H+0.5 {
					t.Fatalf("run %d, %T: %q lies at %.0f,%.0f-%.0f,%.0f outside of %.0fx%.0f", i, c, o.S, x1, y1, x2, y2, d.W, d.H)
				}
				for _, q := range texts[a+1:] {
					u1, v1, u2, v2 := box(q)
					if x1 < u2-0.5 && u1 < x2-0.5 && y1 < v2-0.5 && v1 < y2-0.5 {
						t.Fatalf("run %d, %T: %q and %q overlap", i, c, o.S, q.S)
					}
				}
			}
		}
	}
}

func TestShapesStayInside(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		for _, c := range random(r) {
			d := c.Draw()
			for _, o := range d.Ops {
				if o.Shape == chart.Rect && (o.X < -0.5 || o.Y < -0.5 || o.X+o.W > d.W+0.5 || o.Y+o.H > d.H+0.5 || math.IsNaN(o.W)) {
					t.Fatalf("%T: a rectangle at %.1f,%.1f of %.1fx%.1f is outside of %.0fx%.0f", c, o.X, o.Y, o.W, o.H, d.W, d.H)
				}
			}
		}
	}
}

func TestSVGIsWellFormedAndStable(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 50 {
		for _, c := range random(r) {
			var a, b bytes.Buffer
			if err := errors.Join(c.SVG(&a), c.SVG(&b)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a.Bytes(), b.Bytes()) {
				t.Fatalf("%T: the same chart gave other bytes", c)
			}
			for dec := xml.NewDecoder(&a); ; {
				if _, err := dec.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%T: %v", c, err)
				}
			}
		}
	}
}

func TestSVGEscapes(t *testing.T) {
	var b bytes.Buffer
	c := chart.Bars{Title: `<script>"&`, Alt: "</desc><script>", Items: []chart.Item{{Label: "<img onerror=x>", Value: 1}}}
	if err := c.SVG(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "<script") || strings.Contains(b.String(), "<img") {
		t.Errorf("a text became markup: %s", b.String())
	}
}

func TestDataHasEveryValue(t *testing.T) {
	c := chart.Heat{Down: "day", Across: "hour", X: []string{"1", "2", "3"}, Y: []string{"Mon"}, Values: [][]float64{{4, 5, 6}}}
	if got, want := fmt.Sprint(c.Data()), "{[hour Mon] [[1 4] [2 5] [3 6]]}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	s := chart.Stacked{Corner: "day", Categories: []string{"a", "b"}, Series: []chart.Series{{Name: "x", Values: []float64{1}}, {Name: "y", Values: []float64{math.NaN(), -3}}}}
	if got, want := fmt.Sprint(s.Data()), "{[day x y] [[a 1 0] [b 0 0]]}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestHeatDigits holds the digits on every ground to WCAG AA.
func TestHeatDigits(t *testing.T) {
	for share := 0.0; share <= 1; share += 0.005 {
		if c := chart.DigitContrast(share); c < 4.5 {
			t.Errorf("digits at share %.3f have contrast %.2f", share, c)
		}
	}
}
