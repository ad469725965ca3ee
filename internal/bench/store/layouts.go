package main

import (
	"fmt"
	"regexp"
	"strings"
)

// layout is a way to keep entries: the product's table with some codecs or the
// order changed.
type layout struct {
	name  string
	words string // codec of words, flags and lists of words, "" as they are
	order string // "" as it is
}

// layouts are those to compare; present is what the migrations make, and
// words_lz4 nearly what they made before the ninth.
var layouts = []layout{
	{name: "present"},
	{name: "words_lz4", words: "LZ4"},
	{name: "words_zstd3", words: "ZSTD(3)"},
	{name: "hour_first", order: "toStartOfHour(event_time), source, stream, `offset`"},
	{name: "principal", order: "source, toStartOfHour(event_time), principal_id, stream, `offset`"},
}

func layoutNames() []string {
	var out []string
	for _, l := range layouts {
		out = append(out, l.name)
	}
	return out
}

func (l layout) database() string { return "layout_" + l.name }

var (
	columnPattern = regexp.MustCompile("(?m)^    `([a-z_0-9]+)` (.*?)(,?)$")
	wordPattern   = regexp.MustCompile(`^(LowCardinality|Array\(LowCardinality|Bool|UInt16|UInt32)`)
	codecPattern  = regexp.MustCompile(` CODEC\(.*\)$`)
	orderPattern  = regexp.MustCompile(`(?m)^ORDER BY .*$`)
)

// edit changes the table's CREATE statement, a line a column.
func (l layout) edit(create string) string {
	create = columnPattern.ReplaceAllStringFunc(create, func(line string) string {
		m := columnPattern.FindStringSubmatch(line)
		name, definition, comma := m[1], m[2], m[3]
		if strings.Contains(definition, "Delta") || strings.Contains(definition, "NONE") || !wordPattern.MatchString(definition) || l.words == "" {
			return line
		}
		definition = codecPattern.ReplaceAllString(definition, "") + " CODEC(" + l.words + ")"
		return fmt.Sprintf("    `%s` %s%s", name, definition, comma)
	})
	if l.order != "" {
		create = orderPattern.ReplaceAllString(create, "ORDER BY ("+l.order+")")
	}
	return create
}
