package detecttest_test

import (
	"flag"
	"os"
	"testing"

	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/detect/detecttest"
)

var update = flag.Bool("update", false, "write the generated corpus again")

// perSample is how many lines of each sample are kept in testdata.
const perSample = 24

// TestGeneratedIsCommitted: the committed corpus is what the generator makes.
func TestGeneratedIsCommitted(t *testing.T) {
	want := detecttest.Generate(1, perSample)
	if *update {
		if err := os.WriteFile("testdata/generated.txt", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile("testdata/generated.txt")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Error("testdata/generated.txt is not what is generated; run go test ./masking/detect/detecttest -update")
	}
}

// TestAccuracy: precision and recall of the kinds that are validated, on the
// committed corpus, on one of another seed, and on the lines written by hand
// alone, where a single miss weighs more.
func TestAccuracy(t *testing.T) {
	generated, err := detecttest.Corpus("generated")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := detecttest.Parse(detecttest.Generate(2, 100))
	if err != nil {
		t.Fatal(err)
	}
	negatives, err := detecttest.Corpus("negatives")
	if err != nil {
		t.Fatal(err)
	}
	positives, err := detecttest.Corpus("positives")
	if err != nil {
		t.Fatal(err)
	}
	hand := append(negatives, positives...)
	for name, lines := range map[string][]detecttest.Line{"committed": append(generated, hand...), "fresh": append(fresh, hand...), "by hand": hand} {
		t.Run(name, func(t *testing.T) {
			scores, misses := detecttest.Evaluate(detect.Default(), lines)
			for _, checked := range []bool{true, false} {
				s := detecttest.Total(scores, checked)
				if name == "by hand" && s.Precision() >= 0.95 && s.Recall() >= 0.95 {
					continue
				}
				if s.Precision() < 0.99 || s.Recall() < 0.98 {
					t.Errorf("checked only %v: precision %.4f, recall %.4f of %d values", checked, s.Precision(), s.Recall(), s.Values)
				}
			}
			for i, m := range misses {
				if i == 40 {
					break
				}
				t.Logf("%s %s: %s", m.What, m.Kind, m.Line)
			}
		})
	}
}

// TestReal: at most one false match in a thousand lines of real logs.
func TestReal(t *testing.T) {
	lines, err := detecttest.Corpus("real")
	if err != nil {
		t.Fatal(err)
	}
	scores, misses := detecttest.Evaluate(detect.Default(), lines)
	s := detecttest.Total(scores, false)
	if len(lines) < 1000 || s.False*1000 > len(lines) || s.Recall() < 0.98 {
		t.Errorf("%d lines, %d values, %d found, %d false", len(lines), s.Values, s.Hits, s.False)
	}
	for _, m := range misses {
		t.Logf("%s %s: %s", m.What, m.Kind, m.Line)
	}
}
