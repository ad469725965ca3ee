package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/transform"
)

// maxMaskLine is the longest line that mask reads. A longer one is left out:
// half of an object can't be masked.
const maxMaskLine = 16 << 20

// maskFlags are what the command mask was asked for.
type maskFlags struct {
	policy, keys, rules string
	countries, assess   []string
	check, dry, restore bool
}

func (c *cli) maskCommand() *cobra.Command {
	var f maskFlags
	cmd := &cobra.Command{
		Use:   "mask --policy FILE [FILE|-]",
		Short: "Mask lines of JSON or text by a policy, outside of the record",
		Long: "A field that the policy does not name is redacted. Pseudonyms, tokens and formats are made under the keys of the\n" +
			"policy's domain, which a key file holds that only you may read; it is made at first use. Lines that can't be masked are\n" +
			"left out and go to standard error as FILE:LINE:COLUMN: reason; then the exit code is 1. Docs: docs/how-to/find-personal-data.md.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := "-"
			if len(args) == 1 {
				name = args[0]
			}
			if f.policy == "" {
				return usage(cmd, errors.New("mask needs --policy FILE"))
			}
			return c.mask(&f, name)
		},
	}
	cmd.Flags().StringVar(&f.policy, "policy", "", "the policy file")
	cmd.Flags().StringVar(&f.keys, "keys", "", "the key file of the policy's domain (default mask/DOMAIN.keys in the data folder)")
	cmd.Flags().BoolVar(&f.check, "check", false, "check the policy and do nothing else")
	cmd.Flags().BoolVar(&f.dry, "dry-run", false, "print how many values each rule meets and changes, and no line")
	cmd.Flags().StringSliceVar(&f.assess, "assess", nil, "print the k-anonymity of these fields of the masked lines, and no line: user.born,zip")
	cmd.Flags().BoolVar(&f.restore, "restore", false, "put the values of reversible tokens back, on your own terminal only")
	cmd.Flags().StringVar(&f.rules, "detectors", "", "rules file with your own detectors and values that are no findings")
	cmd.Flags().StringSliceVar(&f.countries, "country", nil, "countries whose national numbers count without a name beside them: "+strings.Join(detect.Countries(), ", "))
	cmd.MarkFlagsMutuallyExclusive("check", "dry-run", "assess", "restore")
	return cmd
}

func (c *cli) mask(f *maskFlags, name string) error {
	if out, ok := c.out.(*os.File); f.restore && (!ok || !term.IsTerminal(int(out.Fd()))) {
		return &text.Hint{Err: errors.New("--restore shows clear values on a terminal only"), Hint: "run it without a pipe or a redirection"}
	}
	m, err := c.masker(f)
	if err != nil || f.check {
		return err
	}
	in, label, err := c.open(name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	switch {
	case f.restore:
		return eachLine(in, func(_ int, line string) error {
			_, err := fmt.Fprintln(c.out, m.Restore(line))
			return err
		}, nil)
	case f.dry:
		err = c.maskLines(m, in, label, func([]byte) error { return nil })
		return cmp.Or(c.counts(m), err)
	case len(f.assess) > 0:
		a := transform.NewAssessment(f.assess)
		err = c.maskLines(m, in, label, a.Add)
		if err != nil && !errors.Is(err, errNo) {
			return err
		}
		return cmp.Or(c.assessment(a.Result(), f.assess), err)
	}
	w := bufio.NewWriterSize(c.out, 64<<10)
	err = c.maskLines(m, in, label, func(line []byte) error {
		_, err := w.Write(append(line, '\n'))
		return err
	})
	return cmp.Or(w.Flush(), err)
}

// masker is the one that flags ask for; with --check there is none.
func (c *cli) masker(f *maskFlags) (*transform.Masker, error) {
	b, err := os.ReadFile(f.policy)
	if err != nil {
		return nil, fmt.Errorf("failed to read the policy: %w", err)
	}
	p, err := transform.ParsePolicy(f.policy, b)
	if err != nil {
		return nil, err
	}
	d, err := detector(f.rules, f.countries)
	if err != nil {
		return nil, err
	}
	if err := p.Fits(d); err != nil {
		return nil, &text.Hint{Err: fmt.Errorf("%s: %w", f.policy, err), Hint: "use a kind or category of docs/reference/detectors.md, or name the rules file with --detectors"}
	}
	if f.check {
		fmt.Fprintf(c.out, "%s is a policy for domain %s\n", f.policy, p.Domain())
		return nil, nil
	}
	var domain *keys.Domain
	if p.Keyed() || f.restore {
		if domain, err = c.domainKeys(f.keys, p.Domain()); err != nil {
			return nil, err
		}
	}
	return transform.New(p, d, domain)
}

// domainKeys opens or makes the key file of a domain.
func (c *cli) domainKeys(path, domain string) (*keys.Domain, error) {
	if path == "" {
		cfg, err := c.config()
		if err != nil {
			return nil, err
		}
		path = filepath.Join(cfg.Data, "mask", domain+".keys")
	}
	d, err := keys.OpenDomain(path, domain)
	if err == nil && d.Made {
		fmt.Fprintf(c.err, "made the keys of domain %s in %s: without this file no token can be made again or reversed, by anyone; whoever has it can do both. Copy it to a safe place.\n", domain, path)
	}
	return d, err
}

// maskLines masks a text line by line; use gets each masked line.
func (c *cli) maskLines(m *transform.Masker, in io.Reader, label string, use func([]byte) error) error {
	var buf []byte
	rejected := false
	reject := func(line, column int, reason string) {
		rejected = true
		fmt.Fprintf(c.err, "%s:%d:%d: %s\n", label, line, column, reason)
	}
	err := eachLine(in, func(n int, line string) error {
		var fault *transform.LineError
		var err error
		if buf, err = m.Line(buf[:0], line); errors.As(err, &fault) {
			reject(n, fault.Column, fault.Reason)
			return nil
		}
		return cmp.Or(err, use(buf))
	}, func(n int) { reject(n, maxMaskLine+1, fmt.Sprintf("the line is longer than %d MiB", maxMaskLine>>20)) })
	if err == nil && rejected {
		err = errNo
	}
	return err
}

// eachLine calls f for each line without its break, and long for one that is
// too long to be kept in memory.
func eachLine(in io.Reader, f func(n int, line string) error, long func(n int)) error {
	r := bufio.NewReaderSize(in, 64<<10)
	var buf []byte
	tooLong := false
	for n := 1; ; {
		part, err := r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) && err != io.EOF {
			return fmt.Errorf("failed to read line %d: %w", n, err)
		}
		if tooLong = tooLong || len(buf)+len(part) > maxMaskLine+1; tooLong {
			buf = buf[:0]
		} else {
			buf = append(buf, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		switch {
		case tooLong && long != nil:
			long(n)
		case err == io.EOF && len(buf) == 0:
		case !tooLong:
			if ferr := f(n, strings.TrimSuffix(strings.TrimSuffix(string(buf), "\n"), "\r")); ferr != nil {
				return ferr
			}
		}
		if err == io.EOF {
			return nil
		}
		n, buf, tooLong = n+1, buf[:0], false
	}
}

// counts prints what each rule did.
func (c *cli) counts(m *transform.Masker) error {
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "RULE\tVALUES\tCHANGED\tREFUSED")
	for _, n := range m.Counts() {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\n", cmp.Or(n.Rule, "(not named)"), n.Values, n.Changed, n.Refused)
	}
	return w.Flush()
}

// assessment prints the k-anonymity of fields.
func (c *cli) assessment(r transform.Anonymity, fields []string) error {
	w := tabwriter.NewWriter(c.out, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "fields\t%s\nlines\t%d\nclasses\t%d\nk (the smallest class)\t%d\nlines that are alone in their class\t%d\nlines in classes of under 5\t%d\nlines in classes of under 10\t%d\n",
		strings.Join(fields, ", "), r.Lines, r.Classes, r.K, r.Alone, r.Under5, r.Under10)
	if r.Missing > 0 {
		fmt.Fprintf(w, "lines that are no JSON object, left out\t%d\n", r.Missing)
	}
	return w.Flush()
}
