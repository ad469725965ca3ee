package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) replayCommand() *cobra.Command {
	var req services.ReplayRequest
	var from, to, summary string
	cmd := &cobra.Command{
		Use:   "replay --from TIME --to TIME [--source NAME] [--rejections]",
		Short: "Re-process stored lines with the parser, policy, data map and controls of now",
		Long: "Takes the chunks that hold lines of that time, as wholes, and writes their next version from the sealed lines that Kafka still has.\n" +
			"Old versions stay in the record and in the ledger; readers see the new one from one moment on. Chunks whose lines are gone stay as they are.\n" +
			"With --rejections only lines that were rejected are tried again, as long as their line key exists; those that can be read now become entries.\n" +
			"A replay that is interrupted leaves whole chunks: one that was not complete is dropped, at the next start at the latest.\n" +
			"Run it again. The embedded Kafka keeps stored lines only where kafka.keep says so.",
		Example: "  tallystick replay --from 2026-11-20 --to 2026-11-21 --source shop\n  tallystick replay --rejections --from 2026-11-01 --to 2026-11-21",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if summary != "" && summary != "json" {
				return &text.Hint{Err: fmt.Errorf("--summary %s: not known", summary), Hint: "--summary json"}
			}
			if req.From, err = moment("--from", from); err != nil {
				return err
			}
			if req.Until, err = moment("--to", to); err != nil {
				return err
			}
			if !req.Until.After(req.From) {
				return &text.Hint{Err: fmt.Errorf("--to %s is not after --from %s", to, from), Hint: "--to is the moment after the last"}
			}
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				bar := newProgress(c.err, "replay", "chunks")
				s, err := ops.Replay(cmd.Context(), req, bar.show)
				bar.finish()
				if err != nil {
					return err
				}
				return c.printReplay(s, summary)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&from, "from", "", "first moment, YYYY-MM-DD or RFC 3339, UTC")
	f.StringVar(&to, "to", "", "the moment after the last, YYYY-MM-DD or RFC 3339, UTC")
	f.StringVar(&req.Source, "source", "", "only chunks with lines of this source")
	f.BoolVar(&req.Rejections, "rejections", false, "only the lines that were rejected")
	f.StringVar(&summary, "summary", "", "print the summary as json")
	return cmd
}

// moment reads a day or a time.
func moment(flag, s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.UTC(), nil
	}
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return t, &text.Hint{Err: fmt.Errorf("%s %q is not a time", flag, s), Hint: flag + " 2026-11-20 or " + flag + " 2026-11-20T10:00:00Z"}
	}
	return t, nil
}

func (c *cli) printReplay(s *services.ReplaySummary, format string) error {
	if format == "json" {
		return json.NewEncoder(c.out).Encode(s)
	}
	fmt.Fprintf(c.out, "%d chunks: %d entries, %d rejections, %d findings; %.1f s\n", s.Chunks, s.Entries, s.Rejections, s.Findings, s.Seconds)
	if s.Gone > 0 {
		fmt.Fprintf(c.out, "%d chunks stay as they are: Kafka has their lines no more\n", s.Gone)
	}
	if s.Sealed > 0 {
		fmt.Fprintf(c.out, "%d rejected lines stay sealed: their line key was destroyed\n", s.Sealed)
	}
	return nil
}
