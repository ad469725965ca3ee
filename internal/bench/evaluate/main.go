// Command evaluate prints precision and recall of each detector on the labelled
// corpora of masking/detect/detecttest, and with -misses where it was wrong.
// The tests there hold the goals.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/detect/detecttest"
)

func main() {
	misses := flag.Bool("misses", false, "print the lines on which detector and labels differ; they hold made-up and published values only")
	flag.Parse()
	if err := run(*misses); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
}

func run(misses bool) error {
	for _, corpus := range []struct{ title, name string }{
		{"generated lines, half of them with no value", "generated"}, {"hard negatives, written by hand", "negatives"}, {"values in letters, forms and messages, written by hand", "positives"}, {"lines of real logs", "real"},
	} {
		lines, err := detecttest.Corpus(corpus.name)
		if err != nil {
			return err
		}
		scores, missed := detecttest.Evaluate(detect.Default(), lines)
		total := detecttest.Total(scores, false)
		fmt.Printf("%s: %d lines, %.2f false matches in 1,000 lines\n\n", corpus.title, len(lines), 1000*float64(total.False)/float64(len(lines)))
		if err := detecttest.Print(os.Stdout, scores); err != nil {
			return err
		}
		for _, m := range missed {
			if misses {
				fmt.Printf("%s %s: %s\n", m.What, m.Kind, m.Line)
			}
		}
		fmt.Println()
	}
	return nil
}
