package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) ingestCommand() *cobra.Command {
	var req services.IngestRequest
	var summary string
	cmd := &cobra.Command{
		Use:   "ingest --format FORMAT FILE...|-",
		Short: "Put existing logs through the whole pipeline, once",
		Long: "Reads log files (plain or .gz) from beginning to end, through tap, auditor, store and ledger.\n" +
			"Lines that the record has already count once. Works with and without an instance running on the data folder.\n" +
			"The file - is standard input: its lines can't be known again, so they count each time.",
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if summary != "" && summary != "json" {
				return &text.Hint{Err: fmt.Errorf("--summary %s: not known", summary), Hint: "--summary json"}
			}
			if req.Stream != "" && req.New {
				return &text.Hint{Err: fmt.Errorf("--stream and --new exclude each other"), Hint: "--stream continues a known stream, --new begins another"}
			}
			if slices.Contains(args, "-") {
				if len(args) > 1 || req.Stream != "" || req.New {
					return &text.Hint{Err: fmt.Errorf("standard input is read alone, without --stream and --new"), Hint: "give - and nothing else, or files"}
				}
				args, req.Input = nil, c.in
			}
			for _, a := range args {
				abs, err := filepath.Abs(a)
				if err != nil {
					return err
				}
				if _, err := os.Stat(abs); err != nil {
					return &text.Hint{Err: fmt.Errorf("failed to read %s: no such file, or it may not be read", a), Hint: "check the path with ls -l " + a}
				}
				req.Files = append(req.Files, abs)
			}
			if req.Stream != "" { // like the files, of this folder: the instance runs in another one
				var err error
				if req.Stream, err = filepath.Abs(req.Stream); err != nil {
					return err
				}
			}
			return c.withNewOperations(cmd.Context(), func(ops services.Operations) error {
				bar := newProgress(c.err, "ingest", "lines")
				s, err := ops.Ingest(cmd.Context(), req, bar.show)
				bar.finish()
				if err != nil {
					return err
				}
				return c.printSummary(s, summary)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&req.Format, "format", "auto", "format of the lines, or auto")
	f.StringVar(&req.Source, "source", "", "configured source whose settings apply (default: the one whose file matches, else ingest)")
	f.StringVar(&req.Stream, "stream", "", "continue the stream of this name: the file has moved")
	f.BoolVar(&req.New, "new", false, "a stream of its own although its first line is known under another path")
	f.StringVar(&summary, "summary", "", "print the summary as json")
	return cmd
}

func (c *cli) printSummary(s *services.IngestSummary, format string) error {
	if format == "json" {
		return json.NewEncoder(c.out).Encode(s)
	}
	rate := 0.0
	if s.Seconds > 0 {
		rate = float64(s.Lines) / s.Seconds
	}
	_, err := fmt.Fprintf(c.out, "%d lines: %d entries, %d rejections, %d known already; %d findings; %.1f s, %.0f lines/s\n",
		s.Lines, s.Entries, s.Rejections, s.Duplicates, s.Findings, s.Seconds, rate)
	return err
}

// progress shows long work: a bar on a terminal, a line now and then elsewhere.
type progress struct {
	w     io.Writer
	name  string
	unit  string // of Progress.Lines: lines or rows
	bar   *progressbar.ProgressBar
	last  time.Time
	began time.Time
}

func newProgress(w io.Writer, name, unit string) *progress {
	p := &progress{w: w, name: name, unit: unit, began: time.Now(), last: time.Now()}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		opts := []progressbar.Option{progressbar.OptionSetWriter(w), progressbar.OptionSetDescription(name), progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100 * time.Millisecond)}
		if unit == "rows" { // then Done counts them too
			opts = append(opts, progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(unit))
		} else {
			opts = append(opts, progressbar.OptionShowBytes(true))
		}
		p.bar = progressbar.NewOptions64(-1, opts...)
	}
	return p
}

func (p *progress) show(at services.Progress) {
	if p.bar != nil {
		if p.bar.GetMax64() != int64(at.Total) && at.Total > 0 {
			p.bar.ChangeMax64(int64(at.Total))
		}
		_ = p.bar.Set64(int64(at.Done))
		return
	}
	if time.Since(p.last) < 5*time.Second {
		return
	}
	p.last = time.Now()
	fmt.Fprintln(p.w, p.line(at, time.Since(p.began)))
}

// line is the progress in words: rate, share and the time that is left.
func (p *progress) line(at services.Progress, took time.Duration) string {
	var parts []string
	if at.Total > 0 {
		left := time.Duration(float64(took) * (float64(at.Total)/float64(max(at.Done, 1)) - 1)).Round(time.Second)
		parts = append(parts, fmt.Sprintf("%.0f %%, %s left", 100*float64(at.Done)/float64(at.Total), left))
	}
	if at.Lines > 0 {
		parts = append(parts, fmt.Sprintf("%d %s, %.0f/s", at.Lines, p.unit, float64(at.Lines)/took.Seconds()))
	}
	return p.name + ": " + strings.Join(parts, ", ")
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
