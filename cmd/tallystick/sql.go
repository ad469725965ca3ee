package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

func (c *cli) sqlCommand() *cobra.Command {
	var format string
	var limit int
	cmd := &cobra.Command{
		Use:   `sql "SELECT ..."`,
		Short: "Ask the store, read-only",
		Example: `  tallystick sql "SELECT count() FROM entries"
  tallystick sql --format csv "SELECT control, count() FROM findings GROUP BY control"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			write := map[string]func(io.Writer, *services.QueryResult) error{"table": writeTable, "csv": writeCSV, "json": writeJSON}[format]
			if write == nil {
				return &text.Hint{Err: fmt.Errorf("--format %s: not known", format), Hint: "--format table, csv or json"}
			}
			return c.withOperations(cmd.Context(), func(ops services.Operations) error {
				res, err := ops.Query(cmd.Context(), services.QueryRequest{SQL: args[0], Limit: limit})
				if err != nil {
					return err
				}
				return write(c.out, res)
			})
		},
	}
	cmd.Flags().StringVar(&format, "format", "table", "table, csv or json (one object a row)")
	cmd.Flags().IntVar(&limit, "limit", 0, "at most this many rows (default 10,000)")
	return cmd
}

func writeTable(w io.Writer, r *services.QueryResult) error {
	if len(r.Columns) == 1 && len(r.Rows) == 1 {
		_, err := fmt.Fprintln(w, r.Rows[0][0])
		return err
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(r.Columns, "\t"))
	for _, row := range r.Rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

func writeCSV(w io.Writer, r *services.QueryResult) error {
	c := csv.NewWriter(w)
	_ = c.Write(r.Columns)
	_ = c.WriteAll(r.Rows)
	return c.Error()
}

func writeJSON(w io.Writer, r *services.QueryResult) error {
	enc := json.NewEncoder(w)
	for _, row := range r.Rows {
		o := make(map[string]string, len(row))
		for i, v := range row {
			o[r.Columns[i]] = v
		}
		if err := enc.Encode(o); err != nil {
			return err
		}
	}
	return nil
}
