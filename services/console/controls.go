package console

import (
	"strings"

	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/text"
)

// explained is a control in one language.
type explained struct {
	ID, Name, Why, Do string
	Articles          []article
}

type article struct{ Law, Clause string }

// explain returns what the texts say about a control; of an unknown one only
// its id.
func (s *Console) explain(id string, p *text.Printer) explained {
	out := explained{ID: id, Name: id}
	if s.deps.Controls == nil {
		return out
	}
	c := s.deps.Controls.Control(id)
	if c == nil {
		return out
	}
	out.Name, out.Why, out.Do = controlText(c, p, "title"), controlText(c, p, "why"), controlText(c, p, "do")
	for _, l := range []struct {
		law  string
		refs []string
	}{{"gdpr", c.Law.GDPR}, {"ccpa", c.Law.CCPA}, {"lgpd", c.Law.LGPD}} {
		for _, ref := range l.refs {
			out.Articles = append(out.Articles, article{l.law, ref})
		}
	}
	return out
}

// controlText is a text of the control's own file, or of the catalogue.
func controlText(c *control.Control, p *text.Printer, part string) string {
	if t := c.Texts[part][p.Lang]; t != "" {
		return t
	}
	if t := c.Texts[part][text.Languages[0]]; t != "" {
		return t
	}
	return p.T(c.Message(part), nil)
}

// explainAll explains every control, for the filter.
func (s *Console) explainAll(p *text.Printer) []explained {
	if s.deps.Controls == nil {
		return nil
	}
	out := make([]explained, len(s.deps.Controls.Controls))
	for i, c := range s.deps.Controls.Controls {
		out[i] = s.explain(c.ID, p)
	}
	return out
}

// FactName is the name of a fact: controls may ask for any field of an entry.
func (v view) FactName(name string) string {
	if t := v.Word("fact", name); t != name {
		return t
	}
	return v.Word("field", name)
}

// Fact is a named fact of a finding as people read it.
func (v view) Fact(control, name, value string) string {
	if name == "reason" {
		id := "control." + control + ".reason." + value
		if t := v.Printer.T(id, nil); t != "!"+id+"!" {
			return t
		}
	}
	words := strings.Split(value, ", ")
	for i, w := range words {
		if w == redacted {
			words[i] = v.Printer.T("console.purpose.unknownshort", nil)
			continue
		}
		id := "console.value." + w
		if t := v.Printer.T(id, nil); t != "!"+id+"!" {
			words[i] = t
		}
	}
	return strings.Join(words, ", ")
}
