package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/tallystick/tallystick/internal/text"
)

// Controls describes controls.
type Controls interface {
	// Text returns title, summary, why or do of a control in a language, or "".
	Text(control, part, lang string) string
	// Articles returns the references of a control: "GDPR Art. 5(1)(b)".
	Articles(control string) []string
}

// Names gives keys of the data map their names.
type Names interface {
	// System returns the name of a system, or its key if it has none.
	System(key string) string
	// Organisation does the same for a recipient.
	Organisation(key string) string
}

// Completeness says how much of a source was received.
type Completeness interface {
	// Received returns the share of lines from 0 to 1; ok is false when it
	// cannot be told.
	Received(ctx context.Context, source string, from, until time.Time) (share float64, ok bool, err error)
}

// Notice is what people are told of a group, as JSON for machines and in words.
type Notice struct {
	Type      string    `json:"type"` // finding.opened or finding.updated
	Timestamp time.Time `json:"timestamp"`
	Data      Data      `json:"data"`
}

// Data is the content of a notice. It holds no clear value.
type Data struct {
	Group        string    `json:"group"` // number of the group: all its notices are about one ticket
	Notice       int       `json:"notice"`
	Summary      string    `json:"summary"` // the one sentence
	Severity     string    `json:"severity"`
	Kind         string    `json:"kind"`
	Control      string    `json:"control"`
	Version      uint16    `json:"control_version"`
	Title        string    `json:"title"`
	Articles     []string  `json:"articles"`
	Why          string    `json:"why"`
	Do           string    `json:"do"`
	Principal    string    `json:"principal,omitempty"` // pseudonym
	Who          string    `json:"who"`
	System       string    `json:"system,omitempty"`
	Source       string    `json:"source,omitempty"`
	Resource     string    `json:"resource,omitempty"`
	Categories   []string  `json:"categories,omitempty"`
	Findings     uint64    `json:"findings"`
	Entries      uint64    `json:"entries"`
	Subjects     uint64    `json:"subjects"`
	First        time.Time `json:"first"`
	Last         time.Time `json:"last"`
	Evidence     string    `json:"evidence"` // address in the console
	Completeness []string  `json:"completeness"`
	Text         string    `json:"text"` // all of it in words, plain text
	Language     string    `json:"language"`
}

// MaxBody is the longest notice in bytes: Standard Webhooks wants less than
// 20 kB.
const MaxBody = 19_000

// Composer writes notices. Its parts are safe for concurrent use, and so is it.
type Composer struct {
	Text         *text.Printer
	Controls     Controls
	Names        Names
	Completeness Completeness // Optional: then it cannot be told
	BaseURL      string       // of the console
}

// Compose writes the notice of a group. number is the group's, notice counts its
// notices from 1.
func (c *Composer) Compose(ctx context.Context, g *Group, number int64, notice int, now time.Time) (Notice, error) {
	complete, err := c.completeness(ctx, g)
	if err != nil {
		return Notice{}, err
	}
	d := Data{
		Group: fmt.Sprint(number), Notice: notice, Summary: c.Sentence(g, now), Severity: string(g.Severity), Kind: string(g.Kind),
		Control: g.Control, Version: g.ControlVersion, Title: c.control(g.Control, "title"), Articles: c.Controls.Articles(g.Control),
		Why: c.control(g.Control, "why"), Do: c.control(g.Control, "do"), Principal: g.Principal, Who: c.who(g), System: g.System,
		Source: g.Source, Resource: g.Resource, Categories: g.Categories, Findings: g.Findings, Entries: g.Entries, Subjects: g.Subjects,
		First: g.First.UTC(), Last: g.Last.UTC(), Evidence: c.evidence(g), Completeness: complete, Language: c.Text.Lang,
	}
	d.Text = c.words(d)
	typ := "finding.opened"
	if notice > 1 {
		typ = "finding.updated"
	}
	return Notice{Type: typ, Timestamp: now.UTC().Truncate(time.Second), Data: d}, nil
}

// Body is the notice as JSON. A notice that is too long loses its lists and the
// end of its texts.
func (n Notice) Body() ([]byte, error) {
	b, err := json.Marshal(n)
	if err != nil || len(b) <= MaxBody {
		return b, err
	}
	d := &n.Data
	d.Categories, d.Text = nil, ""
	for _, s := range []*string{&d.Summary, &d.Title, &d.Why, &d.Do, &d.Who, &d.Resource, &d.Evidence} {
		*s = cut(*s, 1000)
	}
	d.Articles, d.Completeness = d.Articles[:min(len(d.Articles), 10)], d.Completeness[:min(len(d.Completeness), 3)]
	return json.Marshal(n)
}

func cut(s string, runes int) string {
	if r := []rune(s); len(r) > runes {
		return string(r[:runes-1]) + "…"
	}
	return s
}

func (c *Composer) control(id, part string) string {
	if s := c.Controls.Text(id, part, c.Text.Lang); s != "" {
		return s
	}
	if part == "title" {
		return id
	}
	return ""
}

// words joins the parts of a notice to a plain text.
func (c *Composer) words(d Data) string {
	var b strings.Builder
	line := func(id string, data map[string]any) {
		b.WriteString(c.Text.T(id, data))
		b.WriteByte('\n')
	}
	b.WriteString(d.Summary + "\n\n")
	line("alerts.text.control", map[string]any{"ID": d.Control, "Title": d.Title, "Articles": strings.Join(d.Articles, "; ")})
	if d.Why != "" {
		line("alerts.text.why", map[string]any{"Why": d.Why})
	}
	if d.Do != "" {
		line("alerts.text.do", map[string]any{"Do": d.Do})
	}
	line("alerts.text.evidence", map[string]any{"URL": d.Evidence})
	for _, s := range d.Completeness {
		b.WriteString(s + "\n")
	}
	return b.String()
}

// evidence is the address of the group's earliest finding.
func (c *Composer) evidence(g *Group) string {
	return strings.TrimSuffix(c.BaseURL, "/") + "/findings/" + url.PathEscape(g.FirstFinding)
}

func (c *Composer) completeness(ctx context.Context, g *Group) ([]string, error) {
	var out []string
	for _, s := range g.Sources {
		var share float64
		known := false
		if c.Completeness != nil {
			var err error
			if share, known, err = c.Completeness.Received(ctx, s, g.First, g.Last); err != nil {
				return nil, fmt.Errorf("failed to tell how complete source %s is: %w", s, err)
			}
		}
		if known { // rounded down: what is not complete never reads 100 %
			out = append(out, c.Text.T("alerts.complete", map[string]any{"Source": s, "Share": c.Text.Percent(math.Floor(share*1000) / 1000)}))
		} else {
			out = append(out, c.Text.T("alerts.complete.unknown", map[string]any{"Source": s}))
		}
	}
	return out, nil
}

// who names the principal as officers know it: the label of the data map, a
// recipient, a kind; never a name from the log.
func (c *Composer) who(g *Group) string {
	switch {
	case g.Label != "":
		return g.Label
	case g.Principals > 1:
		return c.Text.N("alerts.who.several", g.Principals, nil)
	case g.PrincipalKind == "":
		return c.Text.T("alerts.who.unknown", map[string]any{"ID": short(g.Principal)})
	}
	id := "alerts.who." + string(g.PrincipalKind)
	if s := c.Text.T(id, map[string]any{"ID": short(g.Principal)}); s != "!"+id+"!" {
		return s
	}
	return c.Text.T("alerts.who.unknown", map[string]any{"ID": short(g.Principal)})
}

// short is enough of a pseudonym to tell people apart by eye.
func short(pseudonym string) string {
	i := strings.LastIndexByte(pseudonym, '.')
	if i < 0 || len(pseudonym)-i < 9 {
		return pseudonym
	}
	return pseudonym[i+1 : i+9]
}
