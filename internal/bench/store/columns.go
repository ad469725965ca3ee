package main

import (
	"fmt"
	"slices"
	"strings"
)

// codecs are tried on each column of a kind.
var (
	numberCodecs = []string{"LZ4", "ZSTD(1)", "ZSTD(3)", "Delta, LZ4", "Delta, ZSTD(1)", "DoubleDelta, LZ4", "DoubleDelta, ZSTD(1)", "T64, LZ4", "T64, ZSTD(1)", "GCD, Delta, ZSTD(1)"}
	textCodecs   = []string{"LZ4", "LZ4HC(9)", "ZSTD(1)", "ZSTD(2)", "ZSTD(3)", "ZSTD(6)"}
)

// compareCodecs prints for each column the bytes an entry under each codec, in
// the table's order.
func (t *table) compareCodecs() error {
	db := t.layout.database()
	a, err := t.engine.ask(db, "SELECT name, type FROM system.columns WHERE database = currentDatabase() AND table = 'entries_all' AND default_kind = '' ORDER BY position", nil)
	if err != nil {
		return err
	}
	fmt.Println("bytes an entry by column and codec, the least first")
	for _, row := range a.Data {
		name, typ := row[0].(string), row[1].(string)
		if err := t.compareColumn(name, typ); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (t *table) compareColumn(name, typ string) error {
	var ways []string // type and codec
	numeric := strings.HasPrefix(typ, "UInt") || strings.HasPrefix(typ, "DateTime64")
	codecs := textCodecs
	if numeric {
		codecs = numberCodecs
	}
	for _, c := range codecs {
		ways = append(ways, typ+" CODEC("+c+")")
	}
	if typ == "String" {
		ways = append(ways, "LowCardinality(String) CODEC(LZ4)", "LowCardinality(String) CODEC(ZSTD(1))")
	}
	if typ == "Array(String)" {
		ways = append(ways, "Array(LowCardinality(String)) CODEC(ZSTD(1))")
	}
	if typ == "LowCardinality(String)" {
		ways = append(ways, "String CODEC(ZSTD(1))")
	}
	var define, read []string
	for i, w := range ways {
		define = append(define, fmt.Sprintf("c%d %s", i, w))
		read = append(read, "`"+name+"`")
	}
	db := t.layout.database()
	probe := db + ".probe"
	if err := t.engine.exec(fmt.Sprintf("CREATE TABLE %s (%s) ENGINE = MergeTree ORDER BY tuple() SETTINGS min_rows_for_wide_part = 0, min_bytes_for_wide_part = 0", probe, strings.Join(define, ", "))); err != nil {
		return err
	}
	sql := fmt.Sprintf("INSERT INTO %s SELECT %s FROM entries_all ORDER BY source, toStartOfHour(event_time), stream, `offset`", probe, strings.Join(read, ", "))
	if _, err := t.engine.ask(db, sql, map[string]string{"max_threads": "1", "max_insert_threads": "1"}); err != nil {
		return err
	}
	a, err := t.columnBytes("probe")
	if err != nil {
		return err
	}
	var out []string
	for _, row := range slices.Backward(a.Data) {
		var i int
		_, _ = fmt.Sscanf(fmt.Sprint(row[0]), "c%d", &i)
		out = append(out, fmt.Sprintf("%s %.3f", strings.TrimPrefix(ways[i], typ+" "), number(row[1])))
	}
	fmt.Printf("  %-20s %s\n", name, strings.Join(out, " | "))
	return t.engine.exec("DROP TABLE " + probe + " SYNC")
}
