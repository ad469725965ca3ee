package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/reports"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) reportCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "report", Short: "List and render reports for the three laws"}
	cmd.AddCommand(&cobra.Command{Use: "list", Short: "List the kinds of report", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		defs, err := reports.Definitions()
		if err != nil {
			return err
		}
		for _, kind := range slices.Sorted(maps.Keys(defs)) {
			fmt.Fprintf(c.out, "%-22s %-5s %s\n", kind, defs[kind].Law, defs[kind].Language)
		}
		return nil
	}}, c.renderCommand())
	return cmd
}

func (c *cli) renderCommand() *cobra.Command {
	var r services.RenderRequest
	var from, to, out string
	cmd := &cobra.Command{
		Use:     "render KIND [--from DATE --to DATE] [--format html|pdf|csv|json] [-o FILE]",
		Short:   "Render one report",
		Example: "  tallystick report render gdpr-accountability --from 2026-11-01 --to 2026-12-01 --format pdf -o november.pdf",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r.Kind = args[0]
			defs, err := reports.Definitions()
			if err != nil {
				return err
			}
			kinds := slices.Sorted(maps.Keys(defs))
			if !slices.Contains(kinds, r.Kind) {
				return &text.Hint{Err: fmt.Errorf("report %q: no such kind", r.Kind), Hint: "one of " + strings.Join(kinds, ", ")}
			}
			if r.From, r.Until, err = period(from, to, time.Now()); err != nil {
				return err
			}
			if !slices.Contains([]string{"html", "pdf", "csv", "json"}, r.Format) {
				return &text.Hint{Err: fmt.Errorf("--format %q: not known", r.Format), Hint: "--format html, pdf, csv or json"}
			}
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				res, err := ops.Render(cmd.Context(), r)
				if err != nil {
					return err
				}
				if out == "" {
					out = res.Name
				}
				if out == "-" {
					_, err = c.out.Write(res.Data)
					return err
				}
				if err := os.WriteFile(out, res.Data, 0o600); err != nil {
					return fmt.Errorf("failed to write the report: %w", err)
				}
				fmt.Fprintln(c.out, out)
				return nil
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "first day, YYYY-MM-DD, UTC (default the first of last month)")
	f.StringVar(&to, "to", "", "the day after the last, YYYY-MM-DD, UTC (default a month after --from)")
	f.StringVar(&r.Format, "format", "pdf", "html, pdf, csv or json")
	f.StringVar(&r.Lang, "lang", "", "en or pt-BR (default of the kind)")
	f.StringVarP(&out, "output", "o", "", "file to write, - for standard output (default KIND-PERIOD.FORMAT)")
	return cmd
}

// period is the report's period: last month, or a month from a first day, if
// nothing else was said.
func period(from, to string, now time.Time) (first, until time.Time, err error) {
	y, m, _ := now.UTC().Date()
	first = time.Date(y, m-1, 1, 0, 0, 0, 0, time.UTC)
	if from != "" {
		if first, err = day("--from", from); err != nil {
			return first, until, err
		}
	}
	until = first.AddDate(0, 1, 0)
	if to != "" {
		if until, err = day("--to", to); err != nil {
			return first, until, err
		}
	}
	if !first.Before(until) {
		return first, until, &text.Hint{
			Err:  fmt.Errorf("--to %s is not after --from %s", until.Format(time.DateOnly), first.Format(time.DateOnly)),
			Hint: "--to is the first day that is no longer in the period",
		}
	}
	return first, until, nil
}

func day(flag, s string) (time.Time, error) {
	t, err := time.Parse("2006-01-02", s)
	if err != nil {
		return t, &text.Hint{Err: fmt.Errorf("%s %q is not a day", flag, s), Hint: flag + " 2026-11-01"}
	}
	return t, nil
}
