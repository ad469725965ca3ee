package chart

import (
	"math"
	"strconv"
)

func round(f float64) float64 { return math.Round(f*100) / 100 }

// format applies f, or prints a whole or short decimal number.
func format(f func(float64) string, v float64) string {
	if f != nil {
		return f(v)
	}
	return strconv.FormatFloat(round(v), 'f', -1, 64)
}

// ticks returns about four round steps from 0 to at least most. Counts stay whole.
func ticks(most float64) []float64 {
	if most <= 0 || math.IsNaN(most) || math.IsInf(most, 0) {
		return []float64{0, 1}
	}
	step := math.Pow(10, math.Floor(math.Log10(most/4)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if step*m*4 >= most {
			step *= m
			break
		}
	}
	if step < 1 {
		step = 1
	}
	if most > 10 {
		step = math.Ceil(step)
	}
	out := []float64{0}
	for v := step; out[len(out)-1] < most; v += step {
		out = append(out, v)
	}
	return out
}

// value returns values[i], or 0 when there is none or it is no number.
func value(values []float64, i int) float64 {
	if i >= len(values) || math.IsNaN(values[i]) || values[i] < 0 {
		return 0
	}
	return values[i]
}
