package alert

import (
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// Sentence says in one sentence what the group is about: severity, who did what
// to whose data, where and when. A control may have a sentence of its own in the
// catalogue, alerts.sentence.ID; others get one that begins with their title. The
// day is left out where it is the day of now.
func (c *Composer) Sentence(g *Group, now time.Time) string {
	data := map[string]any{
		"Severity": c.Text.T("alerts.severity."+string(g.Severity), nil), "Who": c.who(g), "Verb": c.verb(g), "Data": c.data(g), "What": c.what(g),
		"System": c.system(g), "When": c.when(g.First, g.Last, now), "Times": c.Text.N("alerts.times", g.Entries, nil),
		"Title": c.control(g.Control, "title"), "TLS": c.tls(g), "Found": c.list("alerts.found.", g.Facts["found_kinds"]),
		"Recipient": c.recipient(g), "Country": c.countries(g.Facts["dest_country"]), "Resource": g.Resource, "Source": strings.Join(g.Sources, ", "),
		"Reason": c.list("alerts.reason.", g.Facts["reason"]),
	}
	for _, id := range []string{"alerts.sentence." + g.Control, "alerts.sentence." + string(g.Kind)} {
		if s := c.Text.T(id, data); s != "!"+id+"!" {
			return s
		}
	}
	return c.Text.T("alerts.sentence.violation", data)
}

func (c *Composer) system(g *Group) string {
	if g.System == "" {
		return ""
	}
	return c.Names.System(g.System)
}

func (c *Composer) recipient(g *Group) string {
	if rs := g.Facts["recipient"]; len(rs) == 1 {
		return c.Names.Organisation(rs[0])
	}
	return ""
}

// countries names countries in the language of the notice.
func (c *Composer) countries(codes []string) string {
	names := make([]string, len(codes))
	for i, code := range codes {
		names[i] = code
		if r, err := language.ParseRegion(code); err == nil {
			if n := display.Regions(language.Make(c.Text.Lang)).Name(r); n != "" {
				names[i] = n
			}
		}
	}
	return c.join(names)
}

// verb is what the action was, or accessed when there were several.
func (c *Composer) verb(g *Group) string {
	if as := g.Facts["action"]; len(as) == 1 {
		if s := c.Text.T("alerts.verb."+as[0], nil); s != "!alerts.verb."+as[0]+"!" {
			return s
		}
	}
	return c.Text.T("alerts.verb.other", nil)
}

// data says whose data of what kind: 143 customers' contact data.
func (c *Composer) data(g *Group) string {
	what := map[string]any{"What": c.what(g)}
	if g.Subjects == 0 {
		return c.Text.T("alerts.data.none", what)
	}
	if ts := g.Facts["subject_categories"]; len(ts) == 1 {
		id := "alerts.data." + ts[0]
		if s := c.Text.N(id, g.Subjects, what); s != "!"+id+"!" {
			return s
		}
	}
	return c.Text.N("alerts.data.person", g.Subjects, what)
}

// what names the categories: contact data and names.
func (c *Composer) what(g *Group) string {
	var names []string
	for _, key := range g.Categories {
		if n := c.category(key); !contains(names, n) {
			names = append(names, n)
		}
	}
	if len(names) == 0 || len(names) > 3 {
		return c.Text.T("alerts.category.any", nil)
	}
	return c.join(names)
}

// category names a fideslang key, or the nearest key above it that has a name.
func (c *Composer) category(key string) string {
	for k := key; k != ""; {
		id := "alerts.category." + k
		if s := c.Text.T(id, nil); s != "!"+id+"!" {
			return s
		}
		i := strings.LastIndexByte(k, '.')
		k = k[:max(i, 0)]
	}
	return c.Text.T("alerts.category.any", nil)
}

// list names closed words, each as the message with that prefix or as it is.
func (c *Composer) list(prefix string, words []string) string {
	names := make([]string, 0, len(words))
	for _, w := range words {
		n := w
		if s := c.Text.T(prefix+w, nil); s != "!"+prefix+w+"!" {
			n = s
		}
		names = append(names, n)
	}
	return c.join(names)
}

func (c *Composer) join(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return c.Text.T("alerts.and", map[string]any{"List": strings.Join(names[:last], ", "), "Last": names[last]})
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// tls names the versions in use; none is plaintext.
func (c *Composer) tls(g *Group) string {
	var names []string
	for _, v := range g.Facts["tls_version"] {
		switch {
		case v == "none":
			names = append(names, c.Text.T("alerts.tls.none", nil))
		case strings.HasPrefix(v, "SSL"):
			names = append(names, v)
		default:
			names = append(names, "TLS "+v)
		}
	}
	return c.join(names)
}

// when says the time of the accesses in UTC to the minute, with the day unless
// all of it is the day of now.
func (c *Composer) when(first, last, now time.Time) string {
	first, last = first.UTC(), last.UTC()
	day := ""
	if first.Format(time.DateOnly) != now.UTC().Format(time.DateOnly) {
		day = c.Text.Date(first) + " "
	}
	const clock = "15:04"
	a, b := first.Format(clock), last.Format(clock)
	switch {
	case first.Format(time.DateOnly) != last.Format(time.DateOnly):
		return c.Text.Date(first) + " " + a + " - " + c.Text.Date(last) + " " + b + " UTC"
	case a == b:
		return day + a + " UTC"
	}
	return day + a + "-" + b + " UTC"
}
