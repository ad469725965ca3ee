package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/detect"
)

// docsCommand writes the generated reference pages; `make generate` calls it
// and a test compares.
func (c *cli) docsCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{Use: "docs", Short: "Write the generated reference pages", Hidden: true, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		pages, err := c.referencePages(cmd.Root())
		if err != nil {
			return err
		}
		for name, body := range pages {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return err
			}
			if err := os.WriteFile(path, []byte(body), 0o644); err != nil {
				return err
			}
		}
		return nil
	}}
	cmd.Flags().StringVar(&dir, "write", "docs/reference", "folder to write to")
	return cmd
}

// referencePages are the pages by name.
func (c *cli) referencePages(root *cobra.Command) (map[string]string, error) {
	set, err := c.controls(nil)
	if err != nil {
		return nil, err
	}
	texts, err := text.Load()
	if err != nil {
		return nil, err
	}
	pages := map[string]string{"fields.md": fieldsPage(), "cli.md": cliPage(root), "detectors.md": detectorsPage()}
	var index strings.Builder
	index.WriteString("# Controls\n\n| id | title | kind | severity |\n| --- | --- | --- | --- |\n")
	p := texts.For("en")
	for _, ctl := range set.Controls {
		fmt.Fprintf(&index, "| [%s](%s.md) | %s | %s | %s |\n", ctl.ID, ctl.ID, p.T(ctl.Message("title"), nil), ctl.Kind, ctl.Severity)
		pages["controls/"+ctl.ID+".md"] = controlPage(ctl, p)
	}
	pages["controls/index.md"] = index.String()
	return pages, nil
}

func fieldsPage() string {
	kinds := map[audit.Kind]string{audit.Word: "LowCardinality(String)", audit.Text: "String", audit.Words: "Array(LowCardinality(String))", audit.Texts: "Array(String)",
		audit.Bool: "Bool", audit.Uint16: "UInt16", audit.Uint32: "UInt32", audit.Uint64: "UInt64", audit.Time: "DateTime64(9, 'UTC')", audit.Map: "Map(LowCardinality(String), String)"}
	var b strings.Builder
	b.WriteString("# Fields of an entry\n\nThe same names in SQL, JSON, controls and `tallystick parse`. `event_id` is STREAM-GENERATION-OFFSET.\n\n| field | type | meaning |\n| --- | --- | --- |\n")
	for _, f := range audit.EntryFields {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, kinds[f.Kind], f.Doc)
	}
	return b.String()
}

func detectorsPage() string {
	var b strings.Builder
	b.WriteString("# Detectors\n\nWhat `tallystick detect` and `tallystick mask` find. *Group* is the word that controls and entries (`found_kinds`) use. *Checked* kinds can be " +
		"validated by more than their shape: a checksum, or a table of prefixes and lengths.\n\n| kind | category | group | checked |\n| --- | --- | --- | --- |\n")
	for _, k := range detect.Default().Kinds() {
		checked := ""
		if k.Checked {
			checked = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | `%s` | %s | %s |\n", k.Kind, k.Category, k.Group, checked)
	}
	return b.String()
}

func cliPage(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Command line\n\nExit codes: 0 done, 1 the answer is no, 2 misuse or failure. Errors are two lines: `error: ...` and `hint: ...`.\n\n```\n")
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Name() == "help" || cmd.Name() == "completion" {
			return
		}
		if cmd.Runnable() {
			fmt.Fprintf(&b, "%s\n    %s\n", cmd.UseLine(), cmd.Short)
			if flags := strings.TrimRight(cmd.LocalFlags().FlagUsages(), "\n"); flags != "" && cmd != root {
				b.WriteString(flags + "\n")
			}
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(root)
	b.WriteString("```\n")
	return b.String()
}

func controlPage(ctl *control.Control, p *text.Printer) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s %s\n\n%s\n\n- **Kind**: %s\n- **Severity**: %s\n- **Version**: %d\n- **Articles**: %s\n",
		ctl.ID, p.T(ctl.Message("title"), nil), p.T(ctl.Message("why"), nil), ctl.Kind, ctl.Severity, ctl.Version, strings.Join(ctl.Articles(), "; "))
	fmt.Fprintf(&b, "\n## What to do\n\n%s\n", p.T(ctl.Message("do"), nil))
	b.WriteString("\n## How it is evaluated\n\n")
	switch {
	case ctl.Window != nil:
		fmt.Fprintf(&b, "A query over the entries, on a schedule:\n\n```sql\n%s\n```\n", strings.TrimSpace(ctl.Window.SQL))
	case len(ctl.Raised) > 0:
		b.WriteString("The program raises it itself, for these reasons:\n\n")
		for _, r := range ctl.Raised {
			fmt.Fprintf(&b, "- `%s` (%s, %s)\n", r.Reason, r.Kind, r.Severity)
		}
	default:
		fmt.Fprintf(&b, "| question | expression |\n| --- | --- |\n| applies | `%s` |\n", ctl.Applies)
		if ctl.Evidenced != "" {
			fmt.Fprintf(&b, "| evidenced | `%s` |\n", ctl.Evidenced)
		}
		if len(ctl.Needs) > 0 {
			fmt.Fprintf(&b, "| needs of the format | %s |\n", strings.Join(ctl.Needs, ", "))
		}
		fmt.Fprintf(&b, "| violated | `%s` |\n", ctl.Violation)
	}
	b.WriteString("\nAn entry to which it applies but for which it can't be evidenced counts as *not evidenced*, never as passed.\n")
	return b.String()
}
