package reports

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// raw is a value as machines read it. Times are RFC 3339 in UTC, a list is
// joined by semicolons, nil is empty.
func raw(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case string:
		return x
	case []string:
		return strings.Join(x, "; ")
	case bool:
		return strconv.FormatBool(x)
	case float64:
		return strconv.FormatFloat(x, 'f', -1, 64)
	case float32:
		return strconv.FormatFloat(float64(x), 'f', -1, 32)
	case time.Time:
		if x.IsZero() {
			return ""
		}
		return x.UTC().Format(time.RFC3339)
	default:
		return fmt.Sprint(x)
	}
}

// number is a value as a float, 0 for what is none.
func number(v any) float64 {
	switch x := v.(type) {
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return 0
		}
		return x
	case uint64:
		return float64(x)
	case int64:
		return float64(x)
	}
	f, err := strconv.ParseFloat(raw(v), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0
	}
	return f
}

// t is a text of this kind of report.
func (b *builder) t(id string, pairs ...string) string { return b.msg(b.def.Kind+"."+id, pairs...) }

// common is a text of all reports.
func (b *builder) common(id string, pairs ...string) string { return b.msg("common."+id, pairs...) }

func (b *builder) msg(id string, pairs ...string) string {
	data := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		data[pairs[i]] = pairs[i+1]
	}
	return b.p.T("report."+id, data)
}

// word translates a value of a field, such as an outcome; a value that the
// catalogue does not know stays as it is.
func (b *builder) word(v string) string {
	if v == "" {
		return b.common("unknown")
	}
	if s := b.p.T("report.word."+v, nil); !strings.HasPrefix(s, "!") {
		return s
	}
	return v
}

func (b *builder) columnName(name string) string { return b.p.T("report.column."+name, nil) }

// count formats a whole number, or one decimal where it is not whole.
func (b *builder) count(f float64) string {
	if f < 0 || f != math.Trunc(f) {
		return b.p.Decimal(f, 1)
	}
	return b.p.Int(uint64(f))
}

// percent formats a share of 1. What is not all is never shown as 100.0 %, and
// what is not none never as 0.0 %.
func (b *builder) percent(share float64) string {
	switch {
	case share > 0 && share < 0.0005:
		return "< " + b.p.Percent(0.001)
	case share < 1 && share >= 0.9995:
		return b.p.Percent(0.999)
	}
	return b.p.Percent(share)
}

func (b *builder) day(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	if b.p.Lang == "pt-BR" {
		return t.Format("02/01/2006")
	}
	return t.Format(time.DateOnly)
}

// clock is a time in the period's zone, to the minute, with the zone.
func (b *builder) clock(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	t = t.In(b.loc)
	return b.day(t) + t.Format(" 15:04 MST")
}

// country names a country in the report's language with its code.
func (b *builder) country(code string) string {
	if code == "" {
		return b.common("unknown")
	}
	r, err := language.ParseRegion(code)
	if err != nil {
		return code
	}
	if n := display.Regions(language.Make(b.p.Lang)).Name(r); n != "" {
		return n + " (" + code + ")"
	}
	return code
}

// control names a control by id and title.
func (b *builder) control(id string) string {
	for _, c := range b.in.Controls {
		if c.ID == id && c.Title != "" {
			return id + " " + c.Title
		}
	}
	return id
}

// cell formats a value as a column asks. Categories and data uses are fideslang
// keys and stay the same in every language.
func (b *builder) cell(as string, v any) Cell {
	c := Cell{Raw: raw(v), Text: raw(v)}
	switch as {
	case "count":
		c.Text = "–"
		if c.Raw != "" {
			c.Text = b.count(number(v))
		}
	case "system":
		c.Text = b.system(c.Raw)
	case "purpose":
		c.Text = b.purpose(c.Raw)
	case "percent":
		if c.Raw == "" {
			c.Text = b.common("none")
		} else {
			c.Text = b.percent(number(v))
		}
	case "days":
		if c.Raw == "" {
			c.Text = b.common("none")
		} else {
			c.Text = b.p.Decimal(number(v), 1)
		}
	case "day":
		c.Text = b.dayText(v)
	case "time":
		if t, ok := v.(time.Time); ok {
			c.Text = b.clock(t)
		}
	case "word":
		c.Text = b.word(c.Raw)
	case "country":
		c.Text = b.country(c.Raw)
	case "control":
		c.Text = b.control(c.Raw)
	case "rate":
		c.Rate, c.Text = c.Raw, b.word("rate."+c.Raw)
	}
	if c.Text == "" {
		c.Text = "–"
	}
	return c
}

// month formats 2026-03 as the language does.
func (b *builder) month(s string) string {
	if t, err := time.Parse("2006-01", s); err == nil && b.p.Lang == "pt-BR" {
		return t.Format("01/2006")
	}
	return s
}

// system names a system of the data map by its key.
func (b *builder) system(key string) string {
	for _, s := range b.in.Map.Systems {
		if s.Key == key {
			return s.Name
		}
	}
	if key == "" {
		return b.common("undeclared")
	}
	return key
}

// purpose names a purpose of the data map by its key.
func (b *builder) purpose(key string) string {
	for _, p := range b.in.Map.Purposes {
		if p.Key == key {
			return p.Name
		}
	}
	if key == "" {
		return b.common("nopurpose")
	}
	return key
}

// dayText formats a time, a text 2026-01-31 or the registers' day number.
func (b *builder) dayText(v any) string {
	switch x := v.(type) {
	case time.Time:
		return b.day(x)
	case nil:
		return "–"
	}
	s := raw(v)
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return b.day(t)
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n != 0 {
		return b.day(time.Unix(n*86400, 0).UTC())
	}
	return s
}

// label is a chart's label of a value of a column.
func (b *builder) label(column, v string) string {
	switch column {
	case "country", "client_country", "dest_country":
		return b.country(v)
	case "control":
		return b.control(v)
	case "day":
		return b.dayText(v)
	case "weekday":
		return b.word("weekday." + v)
	case "month":
		return b.month(v)
	case "system_key":
		return b.system(v)
	}
	return b.word(v)
}
