package main

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed entries.sql
var generator string

//go:embed findings.sql
var findings string

// table is the product's tables with entries_all in a layout.
type table struct {
	engine *engine
	layout layout
}

// measure makes the table, times inserts, fills it with rows and asks.
func (t *table) measure(ctx context.Context, rows, batch int, limit time.Duration) error {
	if err := t.make(ctx); err != nil {
		return err
	}
	insert, err := t.timeInserts()
	if err != nil {
		return err
	}
	filled, took, err := t.fill(rows, batch, limit)
	if err != nil {
		return err
	}
	if err := t.find(filled); err != nil {
		return err
	}
	fmt.Printf("%s: %d entries, generated and inserted in %v; inserts of 100,000 with their merges: %.2f µs of processor time an entry\n",
		t.layout.name, filled, took.Round(time.Second), insert)
	if err := t.bytes(); err != nil {
		return err
	}
	if err := t.tables(); err != nil {
		return err
	}
	return t.askAll()
}

// make makes the product's tables and puts one in the layout in the place of
// entries_all.
func (t *table) make(ctx context.Context) error {
	db := t.layout.database()
	if err := t.engine.migrate(ctx, db); err != nil {
		return err
	}
	a, err := t.engine.ask(db, "SHOW CREATE TABLE entries_all", nil)
	if err != nil {
		return err
	}
	if err := t.engine.exec("DROP TABLE " + db + ".entries_all SYNC"); err != nil {
		return err
	}
	return t.engine.exec(t.layout.edit(a.Data[0][0].(string)))
}

// insertSettings are those of the product's inserts, without their tokens.
var insertSettings = map[string]string{
	"max_insert_block_size": "1048576", "min_insert_block_size_rows": "1048576", "min_insert_block_size_bytes": "0", "max_insert_threads": "1",
	"max_block_size": "1048576", "insert_deduplicate": "0",
}

// timeInserts returns the processor time (µs) of an entry that is inserted with
// 99,999 others which are ready in memory, with the merges that follow.
func (t *table) timeInserts() (float64, error) {
	db := t.layout.database()
	const ready, rounds, n = 5, 9, 100_000
	for k := range ready {
		name := fmt.Sprintf("%s.ready_%d", db, k)
		if err := t.engine.exec("CREATE TABLE " + name + " AS " + db + ".entries_all ENGINE = Memory"); err != nil {
			return 0, err
		}
		if err := t.generate(name, k*n, n); err != nil {
			return 0, err
		}
	}
	began := cpu()
	for range rounds {
		for k := range ready {
			if _, err := t.engine.ask(db, fmt.Sprintf("INSERT INTO entries_all SELECT * FROM ready_%d", k), insertSettings); err != nil {
				return 0, err
			}
		}
	}
	if err := t.quiet(); err != nil {
		return 0, err
	}
	used := cpu() - began
	for k := range ready {
		if err := t.engine.exec(fmt.Sprintf("DROP TABLE %s.ready_%d SYNC", db, k)); err != nil {
			return 0, err
		}
	}
	for _, name := range []string{"entries_all", "entries_quarterly_all", "completeness_all"} {
		if err := t.engine.exec("TRUNCATE TABLE " + db + "." + name); err != nil {
			return 0, err
		}
	}
	return float64(used.Microseconds()) / (rounds * ready * n), nil
}

// find inserts the findings of a year, at most some two million.
func (t *table) find(rows int) error {
	sql := strings.ReplaceAll(findings[strings.Index(findings, "INSERT"):], "{share}", strconv.Itoa(max(50, rows/200_000)))
	if _, err := t.engine.ask(t.layout.database(), sql, insertSettings); err != nil {
		return err
	}
	return t.quiet()
}

func (t *table) generate(into string, from, rows int) error {
	sql := strings.NewReplacer("{table}", into, "{from}", strconv.Itoa(from), "{rows}", strconv.Itoa(rows)).Replace(generator)
	sql = sql[strings.Index(sql, "INSERT"):]
	_, err := t.engine.ask(t.layout.database(), sql, insertSettings)
	return err
}

// fill inserts rows in inserts of batch, or what can be had within limit.
func (t *table) fill(rows, batch int, limit time.Duration) (filled int, took time.Duration, err error) {
	began := time.Now()
	for filled < rows && time.Since(began) < limit {
		n := min(batch, rows-filled)
		if err := t.generate("entries_all", filled, n); err != nil {
			return filled, 0, err
		}
		filled += n
	}
	took = time.Since(began)
	if filled <= mergeWhole {
		return filled, took, t.engine.exec("OPTIMIZE TABLE " + t.layout.database() + ".entries_all FINAL")
	}
	return filled, took, t.quiet()
}

// mergeWhole is up to how many entries a table becomes one part a month, as a
// larger one does with time.
const mergeWhole = 10_000_000

// quiet waits until no merge runs and none begins.
func (t *table) quiet() error {
	for still := 0; still < 5; time.Sleep(200 * time.Millisecond) {
		n, err := t.engine.number("", "SELECT count() FROM system.merges")
		if err != nil {
			return err
		}
		if still++; n > 0 {
			still = 0
		}
	}
	return nil
}

// digests are the columns that hold a keyed mark of the line or of ids which no
// two lines share.
var digests = []string{"mark", "request_id"}

// bytes prints what an entry takes on disk, in all and by column.
func (t *table) bytes() error {
	a, err := t.engine.ask(t.layout.database(), `SELECT sum(bytes_on_disk) / sum(rows), count(), sum(secondary_indices_compressed_bytes) / sum(rows),
 (sum(marks_bytes) + sum(primary_key_bytes_in_memory)) / sum(rows) FROM system.parts WHERE active AND table = 'entries_all' AND database = currentDatabase()`, nil)
	if err != nil {
		return err
	}
	r := a.Data[0]
	if a, err = t.columnBytes("entries_all"); err != nil {
		return err
	}
	var list []string
	var apart, sum float64
	for _, row := range a.Data {
		name, b := fmt.Sprint(row[0]), number(row[1])
		if slices.Contains(digests, name) {
			apart += b
		}
		if sum += b; b >= 0.1 {
			list = append(list, fmt.Sprintf("%s %.2f", name, b))
		}
	}
	fmt.Printf("  %.1f bytes an entry in %.0f parts: skip indexes %.2f, marks and keys %.2f; digests (%s) %.1f\n", number(r[0]), number(r[1]), number(r[2]), number(r[3]),
		strings.Join(digests, ", "), apart)
	fmt.Printf("  columns of wide parts: %.1f: %s\n", sum, strings.Join(list, ", "))
	return nil
}

// tables prints what each table takes for an entry, and its parts.
func (t *table) tables() error {
	a, err := t.engine.ask(t.layout.database(), `SELECT table, sum(bytes_on_disk), sum(rows), count() FROM system.parts
 WHERE active AND database = currentDatabase() GROUP BY table HAVING sum(rows) > 10 ORDER BY sum(bytes_on_disk) DESC`, nil)
	if err != nil {
		return err
	}
	entries, err := t.engine.number(t.layout.database(), "SELECT count() FROM entries_all")
	if err != nil {
		return err
	}
	fmt.Printf("  %-24s %14s %14s %6s %14s\n", "table", "MB", "rows", "parts", "bytes an entry")
	for _, r := range a.Data {
		fmt.Printf("  %-24s %14.1f %14.0f %6.0f %14.3f\n", r[0], number(r[1])/1e6, number(r[2]), number(r[3]), number(r[1])/entries)
	}
	return nil
}

// columnBytes are the compressed bytes a row of each column, the largest first.
func (t *table) columnBytes(name string) (*answer, error) {
	return t.engine.ask(t.layout.database(), fmt.Sprintf(`SELECT column, sum(column_data_compressed_bytes) / sum(rows) AS b FROM system.parts_columns
 WHERE active AND part_type = 'Wide' AND table = '%s' AND database = currentDatabase() GROUP BY column ORDER BY b DESC`, name), nil)
}
