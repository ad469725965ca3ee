package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/detect"
)

func (c *cli) detectCommand() *cobra.Command {
	var json bool
	var rules string
	var countries []string
	cmd := &cobra.Command{
		Use:   "detect [--json] [FILE|-]",
		Short: "Find personal data in a log or any text, without showing it",
		Long: "Prints how often each kind was found, or with --json one object a finding: line, kind, category, start and end\n" +
			"(bytes in the line), confidence in percent, validated. Values are never printed. Percent-encoding, JSON and base64\n" +
			"are looked into. Lines may be of any length and need not be UTF-8. " + "Docs: docs/how-to/find-personal-data.md.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			d, err := detector(rules, countries)
			if err != nil {
				return err
			}
			name := "-"
			if len(args) == 1 {
				name = args[0]
			}
			in, _, err := c.open(name)
			if err != nil {
				return err
			}
			defer func() { _ = in.Close() }()
			if json {
				return c.findings(d, in)
			}
			return c.summary(d, in)
		},
	}
	cmd.Flags().BoolVar(&json, "json", false, "one JSON object a finding")
	cmd.Flags().StringVar(&rules, "detectors", "", "rules file with your own detectors and values that are no findings")
	cmd.Flags().StringSliceVar(&countries, "country", nil, "countries whose national numbers count without a name beside them: "+strings.Join(detect.Countries(), ", "))
	return cmd
}

// detector is the one that flags of detect and mask ask for.
func detector(rules string, countries []string) (*detect.Detector, error) {
	o := detect.Options{Countries: countries}
	if rules != "" {
		b, err := os.ReadFile(rules)
		if err != nil {
			return nil, fmt.Errorf("failed to read the rules of detectors: %w", err)
		}
		if o.Rules, err = detect.ParseRules(rules, b); err != nil {
			return nil, err
		}
	}
	d, err := detect.New(o)
	if err != nil {
		return nil, &text.Hint{Err: err, Hint: "tallystick help detect"}
	}
	return d, nil
}

// findings prints one object a finding.
func (c *cli) findings(d *detect.Detector, in io.Reader) error {
	out := bufio.NewWriterSize(c.out, 64<<10)
	err := d.Lines(in, func(line int, m detect.Match) error {
		info, _ := d.Info(m.Kind)
		_, err := fmt.Fprintf(out, `{"line":%d,"kind":%q,"category":%q,"start":%d,"end":%d,"confidence":%d,"validated":%v}`+"\n",
			line, m.Kind, info.Category, m.Start, m.End, m.Confidence, m.Validated)
		return err
	})
	return cmp.Or(err, out.Flush())
}

// tally counts the findings of one kind.
type tally struct{ found, validated, lines, last int }

// summary prints a table of kinds.
func (c *cli) summary(d *detect.Detector, in io.Reader) error {
	by := map[detect.Kind]*tally{}
	err := d.Lines(in, func(line int, m detect.Match) error {
		t := by[m.Kind]
		if t == nil {
			t = &tally{}
			by[m.Kind] = t
		}
		t.found++
		if m.Validated {
			t.validated++
		}
		if t.last != line {
			t.lines, t.last = t.lines+1, line
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(by) == 0 {
		fmt.Fprintln(c.out, "no personal data found")
		return nil
	}
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\tCATEGORY\tFOUND\tVALIDATED\tLINES")
	for _, k := range slices.Sorted(maps.Keys(by)) {
		info, _ := d.Info(k)
		t := by[k]
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\n", k, info.Category, t.found, t.validated, t.lines)
	}
	return w.Flush()
}
