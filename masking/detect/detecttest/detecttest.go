// Package detecttest measures package detect on labelled lines: a corpus made
// by a seeded generator, hard negatives written by hand, and lines of real
// logs. The tests of detect and `make eval` call it.
//
// A labelled line has ⟦kind|value⟧ where a value stands; the brackets are no
// part of the line that is scanned.
package detecttest

import (
	"cmp"
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/tallystick/tallystick/masking/detect"
)

//go:embed testdata/*.txt
var files embed.FS

// Label is a value in a line.
type Label struct {
	Kind       detect.Kind
	Start, End int
}

// Line is a line with the values that stand in it.
type Line struct {
	Text   string
	Labels []Label
}

// Corpus returns the labelled lines of a file: generated, negatives or real.
func Corpus(name string) ([]Line, error) {
	b, err := files.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		return nil, err
	}
	return Parse(string(b))
}

// Parse reads labelled lines. Lines that begin with # are comments.
func Parse(text string) ([]Line, error) {
	var out []Line
	n := 0
	for raw := range strings.Lines(text) {
		n++
		if raw = strings.TrimSuffix(raw, "\n"); raw == "" || raw[0] == '#' {
			continue
		}
		l, err := parse(raw)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		out = append(out, l)
	}
	return out, nil
}

func parse(raw string) (l Line, err error) {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(raw, "⟦")
		b.WriteString(before)
		if !ok {
			l.Text = b.String()
			return l, nil
		}
		label, after, closed := strings.Cut(rest, "⟧")
		kind, value, named := strings.Cut(label, "|")
		if !closed || !named {
			return l, fmt.Errorf("a label is not ⟦kind|value⟧")
		}
		start := b.Len()
		b.WriteString(value)
		l.Labels = append(l.Labels, Label{detect.Kind(kind), start, b.Len()})
		raw = after
	}
}

// Score counts one kind.
type Score struct {
	Kind    detect.Kind
	Checked bool
	// Values are the labels, Hits those that were found, False what was found
	// where nothing of the kind stands.
	Values, Hits, False int
}

// Precision is the share of matches that are right, 1 without any.
func (s Score) Precision() float64 { return share(s.Hits, s.Hits+s.False) }

// Recall is the share of values that were found, 1 without any.
func (s Score) Recall() float64 { return share(s.Hits, s.Values) }

func share(part, whole int) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

// Miss is a line on which detector and labels differ.
type Miss struct {
	Line string
	Kind detect.Kind
	What string // "not found" or "false"
}

// Evaluate scans the lines and counts by kind.
func Evaluate(d *detect.Detector, lines []Line) (scores []Score, misses []Miss) {
	by := map[detect.Kind]*Score{}
	score := func(k detect.Kind) *Score {
		if by[k] == nil {
			info, _ := d.Info(k)
			by[k] = &Score{Kind: k, Checked: info.Checked}
		}
		return by[k]
	}
	var found []detect.Match
	for _, l := range lines {
		found = d.Scan(found[:0], l.Text)
		used := make([]bool, len(found))
		for _, want := range l.Labels {
			s := score(want.Kind)
			s.Values++
			i := slices.IndexFunc(found, func(m detect.Match) bool { return fits(m, want) })
			if i < 0 || used[i] {
				misses = append(misses, Miss{l.Text, want.Kind, "not found"})
				continue
			}
			used[i] = true
			s.Hits++
		}
		for i, m := range found {
			if !used[i] {
				score(m.Kind).False++
				misses = append(misses, Miss{l.Text, m.Kind, "false"})
			}
		}
	}
	for _, s := range by {
		scores = append(scores, *s)
	}
	slices.SortFunc(scores, func(a, b Score) int { return cmp.Compare(a.Kind, b.Kind) })
	return scores, misses
}

// fits reports whether a match is the labelled value. In base64 a value begins
// and ends within a character.
func fits(m detect.Match, l Label) bool {
	return m.Kind == l.Kind && m.Start <= l.Start && m.Start >= l.Start-1 && m.End >= l.End && m.End <= l.End+1
}

// Total sums scores; checked limits it to kinds that are validated by more
// than their shape.
func Total(scores []Score, checked bool) (t Score) {
	for _, s := range scores {
		if s.Checked || !checked {
			t.Values, t.Hits, t.False = t.Values+s.Values, t.Hits+s.Hits, t.False+s.False
		}
	}
	return t
}

// Print writes a table of the scores and their totals.
func Print(w io.Writer, scores []Score) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "detector\tchecked\tvalues\tfound\tfalse\tprecision\trecall\t")
	row := func(name, checked string, s Score) {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\t%.4f\t%.4f\t\n", name, checked, s.Values, s.Hits, s.False, s.Precision(), s.Recall())
	}
	for _, s := range scores {
		checked := ""
		if s.Checked {
			checked = "yes"
		}
		row(string(s.Kind), checked, s)
	}
	row("checked kinds", "yes", Total(scores, true))
	row("all kinds", "", Total(scores, false))
	return t.Flush()
}
