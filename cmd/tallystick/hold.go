package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) holdCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "hold", Short: "Legal holds: keep parts of the record from being removed"}
	cmd.AddCommand(c.holdList(), c.holdAdd(), c.holdLift())
	return cmd
}

func (c *cli) holdAdd() *cobra.Command {
	var h services.Hold
	var from, to string
	var everything bool
	cmd := &cobra.Command{
		Use:   "add --reason TEXT [--source NAME] [--class CLASS] [--from TIME] [--to TIME] [--subject PSEUDONYM]... [--request ID] [--everything]",
		Short: "Hold what the flags name, until it is lifted",
		Long: "Holds what the flags name together: with --source and --class, that class of that source. While it is held nothing of it goes by its age,\n" +
			"and no erasure takes from it. A chunk is held as a whole when it has a line that is.\n" +
			"A person has another pseudonym each day: give each that is known. --request stops the erasure that a privacy request asks for, and nothing else.",
		Example: "  tallystick hold add --reason \"matter 17\" --source shop --from 2026-01-01 --to 2026-04-01\n  tallystick hold add --reason \"matter 18\" --class originals:identity",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if from != "" {
				if h.From, err = moment("--from", from); err != nil {
					return err
				}
			}
			if to != "" {
				if h.Until, err = moment("--to", to); err != nil {
					return err
				}
			}
			if named := h.Source+h.Class+from+to+h.Request != "" || len(h.Subjects) > 0; named == everything {
				return &text.Hint{Err: errors.New("hold add needs what to hold, or --everything"), Hint: `tallystick hold add --reason "matter 17" --source shop`}
			}
			return c.withRegisters(cmd.Context(), func(ops services.RegisterOperations) error {
				made, err := ops.AddHold(cmd.Context(), h)
				if err == nil {
					fmt.Fprintf(c.out, "hold %d\n", made.ID)
				}
				return err
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&h.Reason, "reason", "", "why, for example the number of the matter; no personal value")
	f.StringVar(&h.Source, "source", "", "only lines of this source")
	f.StringVar(&h.Class, "class", "", "only entries, findings, rejections, originals or originals:CLASS")
	f.StringVar(&from, "from", "", "only lines from this moment on, YYYY-MM-DD or RFC 3339, UTC")
	f.StringVar(&to, "to", "", "only lines before this moment")
	f.StringArrayVar(&h.Subjects, "subject", nil, "only chunks with this subject's pseudonym; may be given again")
	f.StringVar(&h.Request, "request", "", "only the erasure that this privacy request asks for")
	f.BoolVar(&everything, "everything", false, "the whole record")
	return cmd
}

func (c *cli) holdLift() *cobra.Command {
	r := services.LiftRequest{}
	cmd := &cobra.Command{
		Use: "lift NUMBER --reason TEXT", Short: "Lift a hold; what is due goes within the hour", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if r.ID, err = strconv.ParseInt(args[0], 10, 64); err != nil || r.ID < 1 {
				return &text.Hint{Err: errors.New("that is not the number of a hold"), Hint: "tallystick hold list"}
			}
			return c.withRegisters(cmd.Context(), func(ops services.RegisterOperations) error { return ops.LiftHold(cmd.Context(), r) })
		},
	}
	cmd.Flags().StringVar(&r.Reason, "reason", "", "why")
	return cmd
}

func (c *cli) holdList() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the holds, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withRegisters(cmd.Context(), func(ops services.RegisterOperations) error {
				l, err := ops.Holds(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(c.out).Encode(l.Holds)
				}
				w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
				fmt.Fprintln(w, "hold\tsince\tby\twhat\twhy\tlifted")
				for _, h := range l.Holds {
					lifted := "no"
					if h.LiftedBy != "" {
						lifted = h.LiftedAt.Format(time.DateOnly) + " by " + h.LiftedBy + ": " + h.LiftedFor
					}
					fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\n", h.ID, h.At.Format(time.DateOnly), h.By, held(h), oneLine(h.Reason), oneLine(lifted))
				}
				return w.Flush()
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON array")
	return cmd
}

// held says what a hold keeps.
func held(h services.Hold) string {
	var parts []string
	add := func(word, value string) {
		if value != "" {
			parts = append(parts, strings.TrimSpace(word+" "+value))
		}
	}
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	add("", h.Class)
	add("source", h.Source)
	add("from", at(h.From))
	add("before", at(h.Until))
	if n := len(h.Subjects); n > 0 {
		add("subjects", strconv.Itoa(n))
	}
	add("request", h.Request)
	if len(parts) == 0 {
		return "everything"
	}
	return strings.Join(parts, ", ")
}
