package masker

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tallystick/tallystick/internal/text"
)

// circle is a way that leads from a stream's output back to its input, as
// indexes of streams; nil if there is none. clusters says what a stream's
// cluster is known by: two streams are on the same one if they share any.
// Records would go round for ever.
func circle(streams []Stream, clusters func(i int) []string) []int {
	next := func(i int) (out []int) {
		for j := range streams {
			from := streams[j].From
			shared := slices.ContainsFunc(clusters(i), func(c string) bool { return slices.Contains(clusters(j), c) })
			if shared && (from == streams[i].To || from == streams[i].DeadLetter) {
				out = append(out, j)
			}
		}
		return out
	}
	done := make([]bool, len(streams)) // no circle goes through it
	var way []int
	var walk func(i int) []int
	walk = func(i int) []int {
		if at := slices.Index(way, i); at >= 0 {
			return way[at:]
		}
		if done[i] {
			return nil
		}
		way = append(way, i)
		for _, j := range next(i) {
			if found := walk(j); found != nil {
				return found
			}
		}
		way, done[i] = way[:len(way)-1], true
		return nil
	}
	for i := range streams {
		if found := walk(i); found != nil {
			return slices.Clone(found)
		}
	}
	return nil
}

// circleError tells of a circle at the stream that is last in the configuration.
func circleError(streams []Stream, way []int) error {
	last := slices.Max(way)
	at := slices.Index(way, last)
	way = append(slices.Clone(way[at:]), way[:at]...)
	var topics []string
	for _, i := range way {
		topics = append(topics, streams[i].From)
	}
	s := &streams[last]
	field := "to"
	if streams[way[1%len(way)]].From == s.DeadLetter {
		field = "dead_letter"
	}
	return &text.Hint{
		Err:  fmt.Errorf("masker.streams[%d].%s: what stream %s writes comes back to it: %s -> %s", last, field, s.Name, strings.Join(topics, " -> "), s.From),
		Hint: "let one of these streams write to a topic that none of them reads",
	}
}
