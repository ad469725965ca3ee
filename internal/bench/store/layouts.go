package main

import (
	"fmt"
	"regexp"
	"strings"
)

// layout is a way to keep entries: the product's table with some columns, the
// order or the skip indexes changed.
type layout struct {
	name    string
	codecs  map[string]string // column -> codec
	all     string            // codec of the other columns that have none, "" as they are
	order   string            // "" as it is
	indexes []string          // added ones
}

// measured are the codecs that took the least bytes of a column, where that is
// not ZSTD(1).
var measured = map[string]string{
	"event_time": "GCD, Delta(8), ZSTD(1)", "bytes_out": "T64, ZSTD(1)", "subject_count": "T64, ZSTD(1)",
	"peer_ip": "ZSTD(3)", "client_ip": "ZSTD(3)", "target": "ZSTD(3)", "upstream": "ZSTD(3)", "labels": "ZSTD(3)", "carries": "ZSTD(3)",
}

// layouts are those to compare; present is what the migrations make.
var layouts = []layout{
	{name: "present"},
	{name: "zstd1", all: "ZSTD(1)"},
	{name: "measured", all: "ZSTD(1)", codecs: measured},
	{name: "indexed", all: "ZSTD(1)", codecs: measured, indexes: []string{
		"offset_index `offset` TYPE minmax GRANULARITY 1", "time_index event_time TYPE minmax GRANULARITY 1"}},
	{name: "hour_first", all: "ZSTD(1)", codecs: measured, order: "toStartOfHour(event_time), source, stream, `offset`"},
	{name: "time", all: "ZSTD(1)", codecs: measured, order: "event_time, stream, `offset`"},
	{name: "principal", all: "ZSTD(1)", codecs: measured, order: "source, toStartOfHour(event_time), principal_id, stream, `offset`"},
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
	codecPattern  = regexp.MustCompile(` CODEC\(.*\)$`)
	orderPattern  = regexp.MustCompile(`(?m)^ORDER BY .*$`)
)

// edit changes the table's CREATE statement, a line a column.
func (l layout) edit(create string) string {
	create = columnPattern.ReplaceAllStringFunc(create, func(line string) string {
		m := columnPattern.FindStringSubmatch(line)
		name, definition, comma := m[1], m[2], m[3]
		if strings.Contains(definition, " ALIAS ") {
			return line
		}
		codec, ok := l.codecs[name]
		if !ok && l.all != "" && !codecPattern.MatchString(definition) {
			codec = l.all
		}
		if codec != "" {
			definition = codecPattern.ReplaceAllString(definition, "") + " CODEC(" + codec + ")"
		}
		return fmt.Sprintf("    `%s` %s%s", name, definition, comma)
	})
	if l.order != "" {
		create = orderPattern.ReplaceAllString(create, "ORDER BY ("+l.order+")")
	}
	return create
}
