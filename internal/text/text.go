// Package text is the message catalogue: every text for people comes from
// templates/messages, in English and Brazilian Portuguese, never from Go code.
// It also formats numbers and dates by language. Log messages are for
// operators and stay in code, in English.
package text

import (
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"

	"github.com/tallystick/tallystick/templates"
)

// Languages are the languages of the catalogue; the first is the default.
var Languages = []string{"en", "pt-BR"}

// Catalogue holds the messages of all languages.
type Catalogue struct{ bundle *i18n.Bundle }

// Load reads the embedded catalogue, once a process. It fails when a message of
// the first language has no translation or a file is malformed.
func Load() (*Catalogue, error) { return loaded() }

var loaded = sync.OnceValues(load)

func load() (*Catalogue, error) {
	b := i18n.NewBundle(language.English)
	b.RegisterUnmarshalFunc("yaml", yaml.Unmarshal)
	ids := map[string]map[string]bool{}
	names, err := fs.Glob(templates.Messages, "messages/*.yaml")
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		f, err := b.LoadMessageFileFS(templates.Messages, n)
		if err != nil {
			return nil, fmt.Errorf("failed to read %s: %w", n, err)
		}
		lang := f.Tag.String()
		if ids[lang] == nil {
			ids[lang] = map[string]bool{}
		}
		for _, m := range f.Messages {
			ids[lang][m.ID] = true
		}
	}
	for _, lang := range Languages[1:] {
		for id := range ids[Languages[0]] {
			if !ids[lang][id] {
				return nil, fmt.Errorf("message %q has no %s text: add it to templates/messages", id, lang)
			}
		}
	}
	return &Catalogue{bundle: b}, nil
}

// Printer writes messages of one language. It is safe for concurrent use.
type Printer struct {
	Lang string
	loc  *i18n.Localizer
	num  *message.Printer
}

// For returns the printer of a language tag, of English when it is unknown.
func (c *Catalogue) For(lang string) *Printer {
	tag := Languages[0]
	for _, l := range Languages {
		if strings.EqualFold(l, lang) {
			tag = l
		}
	}
	return &Printer{Lang: tag, loc: i18n.NewLocalizer(c.bundle, tag), num: message.NewPrinter(language.Make(tag))}
}

// T returns message id with data filled in ({{.Name}}). An unknown id returns
// the id between marks, so that a page never fails for a text; a test finds it.
func (p *Printer) T(id string, data map[string]any) string {
	s, err := p.loc.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: data})
	if err != nil {
		return "!" + id + "!"
	}
	return s
}

// N is T with a count: the message has the forms one and other, and {{.Count}}.
func (p *Printer) N(id string, count uint64, data map[string]any) string {
	d := map[string]any{"Count": p.Int(count)}
	for k, v := range data {
		d[k] = v
	}
	s, err := p.loc.Localize(&i18n.LocalizeConfig{MessageID: id, TemplateData: d, PluralCount: fmt.Sprint(count)})
	if err != nil {
		return "!" + id + "!"
	}
	return s
}

// Int formats a whole number with the language's grouping.
func (p *Printer) Int(n uint64) string { return p.num.Sprint(number.Decimal(n)) }

// Decimal formats f with exactly digits decimals.
func (p *Printer) Decimal(f float64, digits int) string {
	return p.num.Sprint(number.Decimal(f, number.Scale(digits)))
}

// Percent formats a share of 1 as a percentage with one decimal.
func (p *Printer) Percent(share float64) string {
	s := p.Decimal(100*share, 1)
	return s + " %"
}

// Date formats the day of t in UTC: 2026-11-21, or 21/11/2026 in pt-BR.
func (p *Printer) Date(t time.Time) string {
	if p.Lang == "pt-BR" {
		return t.UTC().Format("02/01/2006")
	}
	return t.UTC().Format("2006-01-02")
}

// DateTime formats t in UTC to the minute, with the zone.
func (p *Printer) DateTime(t time.Time) string { return p.Date(t) + t.UTC().Format(" 15:04 MST") }
