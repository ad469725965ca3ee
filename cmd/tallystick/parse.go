package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
	"github.com/tallystick/tallystick/services"
)

// parseOptions are the flags of parse.
type parseOptions struct {
	format, source string
	clear          bool
}

func (c *cli) parseCommand() *cobra.Command {
	var o parseOptions
	cmd := &cobra.Command{
		Use:   "parse --format FORMAT|auto [FILE|-]",
		Short: "Print what the lines of a log become, one JSON object a line, masked",
		Long: "Nothing is stored. Pseudonyms are made under keys that end with the command. Files may be compressed by gzip.\n" +
			"Where tallystick.yaml has a source with that file, or the one of --source, its format, time zone, trusted proxies and system apply.\n" +
			"Rejected lines go to standard error as FILE:LINE:COLUMN: reason, what was expected there; then the exit code is 1.\n" +
			"Formats: " + strings.Join(parse.Names(), ", ") + ".\n" +
			"Format strings of the servers, and mapping files for JSON: " + strings.Join(parse.FormatStrings(), ", ") + ".",
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f, ok := c.out.(*os.File); o.clear && (!ok || !term.IsTerminal(int(f.Fd()))) {
				return &text.Hint{Err: errors.New("--clear shows clear values on a terminal only"), Hint: "run it without a pipe or a redirection"}
			}
			name := "-"
			if len(args) == 1 {
				name = args[0]
			}
			return c.parse(cmd.Context(), name, o)
		},
	}
	cmd.Flags().StringVar(&o.format, "format", "auto", "name of a format, FAMILY:FORMAT STRING, json:FILE.yaml, or auto (files only)")
	cmd.Flags().StringVar(&o.source, "source", "", "configured source whose settings apply (default: the one with that file)")
	cmd.Flags().BoolVar(&o.clear, "clear", false, "show clear values, on your own terminal only")
	return cmd
}

func (c *cli) parse(ctx context.Context, name string, o parseOptions) error {
	in, label, err := c.open(name)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	cfg, err := c.config()
	if err != nil {
		return err
	}
	src, err := c.sourceOf(cfg, name, o)
	if err != nil {
		return err
	}
	i, err := services.NewInspector(ctx, cfg, src)
	if err != nil {
		return err
	}
	defer func() { _ = i.Close() }()
	out := bufio.NewWriterSize(c.out, 64<<10)
	rejected := 0
	err = i.Each(ctx, in, func(first int, b *audit.Batch) error {
		for n := range b.Entries {
			if b.Events[n].Rejected {
				continue
			}
			if err := writeEntry(out, first+n, &b.Entries[n], &b.Events[n], o.clear); err != nil {
				return err
			}
		}
		for _, r := range b.Rejections {
			rejected++
			fmt.Fprintf(c.err, "%s:%d:%d: %s, expected %s\n", label, first+r.Line, max(r.Column, 1), r.Reason, r.Expected)
		}
		return nil
	})
	if ferr := out.Flush(); err == nil {
		err = ferr
	}
	if err == nil && rejected > 0 {
		err = errNo
	}
	return err
}

// sourceOf says how lines are read: as those of the configured source that is
// named or tails the file, else by the format alone.
func (c *cli) sourceOf(cfg *services.Config, name string, o parseOptions) (source.Config, error) {
	path := ""
	if name != "-" {
		var err error
		if path, err = filepath.Abs(name); err != nil {
			return source.Config{}, err
		}
	}
	src, found := cfg.SourceOf(o.source, path)
	switch {
	case o.source != "" && !found:
		return src, &text.Hint{Err: fmt.Errorf("source %q is not configured", o.source), Hint: "see sources in tallystick.yaml, or --config with the path of another one"}
	case !found:
		src.Name = "parse"
	case o.format == "auto":
		fmt.Fprintf(c.err, "%s: %s, as source %s says\n", name, src.Format, src.Name)
		return src, nil
	}
	src.Format = o.format
	if o.format == "auto" {
		if name == "-" {
			return src, &text.Hint{Err: errors.New("standard input can't be recognised"), Hint: "--format with one of " + strings.Join(parse.Names(), ", ")}
		}
		g, err := services.Recognise(name)
		if err != nil {
			return src, err
		}
		src.Format = g.Format
		fmt.Fprintf(c.err, "%s: %s, %.0f %% of the first lines (%s)\n", name, g.Format, 100*g.Share, g.Why)
	}
	if _, err := parse.ByName(src.Format); err != nil && text.HintOf(err) == "" {
		return src, &text.Hint{Err: err, Hint: "one of " + strings.Join(parse.Names(), ", ")}
	} else if err != nil {
		return src, err
	}
	return src, nil
}

// open returns a file or standard input, decompressed if need be.
func (c *cli) open(name string) (io.ReadCloser, string, error) {
	if name != "-" {
		f, err := services.OpenLog(name)
		return f, name, err
	}
	in, err := services.Unpacked(c.in)
	if err != nil {
		return nil, "", fmt.Errorf("failed to decompress standard input: %w", err)
	}
	return io.NopCloser(in), "stdin", nil
}

// notPrinted are the fields that say where an entry stands in a record; parse
// makes no record.
var notPrinted = map[string]bool{"stream": true, "generation": true, "chunk": true, "version": true, "row": true, "mark": true,
	"source": true, "ingest_time": true, "schema_version": true}

// writeEntry prints an entry as one JSON object: line, then the fields that
// have a value, in the order of the table of fields.
func writeEntry(w *bufio.Writer, line int, e *audit.Entry, ev *audit.Event, clear bool) error {
	over := map[string]string{}
	if clear {
		over = clearValues(ev)
	}
	fmt.Fprintf(w, `{"line":%d`, line)
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false) // & < > are common in targets
	for i := range audit.EntryFields {
		f := &audit.EntryFields[i]
		v := value(f, e)
		if s, ok := over[f.Name]; ok {
			v = s
		}
		if v == nil || notPrinted[f.Name] {
			continue
		}
		buf.Reset()
		if err := enc.Encode(v); err != nil {
			return err
		}
		fmt.Fprintf(w, `,%q:%s`, f.Name, bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
	}
	_, err := w.WriteString("}\n")
	return err
}

// value is a field's value, nil if it is empty.
func value(f *audit.EntryField, e *audit.Entry) any {
	switch {
	case f.Str != nil && *f.Str(e) != "":
		return *f.Str(e)
	case f.Strs != nil && len(*f.Strs(e)) > 0:
		return *f.Strs(e)
	case f.Bool != nil:
		return *f.Bool(e)
	case f.U16 != nil && *f.U16(e) != 0:
		return *f.U16(e)
	case f.U32 != nil && *f.U32(e) != 0:
		return *f.U32(e)
	case f.U64 != nil && (*f.U64(e) != 0 || f.Name == "offset"):
		return *f.U64(e)
	case f.Time != nil && !f.Time(e).IsZero():
		return f.Time(e).Format(time.RFC3339Nano)
	case f.Map != nil && len(*f.Map(e)) > 0:
		return *f.Map(e)
	}
	return nil
}

// clearValues are the clear values behind masked fields, for the operator's
// own terminal.
func clearValues(ev *audit.Event) map[string]string {
	out := map[string]string{}
	for name, v := range map[string]plain.Text{"principal_id": ev.Principal, "session_id": ev.Session, "peer_ip": ev.PeerAddr, "client_ip": ev.ClientAddr,
		"device_id": ev.DeviceID, "request_id": ev.RequestID, "resource_name": ev.ResourceName, "target": ev.Target, "host": ev.Host,
		"referer": ev.Referer, "user_agent": ev.UserAgent, "sni": ev.SNI, "client_cert_subject": ev.ClientCertSubject, "upstream": ev.Upstream} {
		if !v.Empty() {
			out[name] = v.Reveal(plainaccess.Token{})
		}
	}
	return out
}
