// Command store measures how the table of entries keeps them: the bytes that
// each column takes under each codec, and for whole tables in several orders and
// codecs the bytes of an entry, the processor time of inserts with their merges, the
// parts and bytes of each table, and the times of the questions that console and
// reports ask most, now and as they were asked before. It generates its entries
// within the embedded engine, prints, and decides nothing. TMPDIR says where its data
// is meanwhile: some 35 bytes an entry and table, and as much again while parts merge.
//
//	go run ./internal/bench/store -rows 2000000 -columns
//	go run ./internal/bench/store -rows 100000000 -layouts present -limit 2h
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"time"
)

func main() {
	log.SetFlags(0)
	rows := flag.Int("rows", 2_000_000, "entries of each table")
	batch := flag.Int("batch", 100_000, "entries of one insert")
	columns := flag.Bool("columns", false, "compare codecs column by column as well")
	names := flag.String("layouts", "all", "tables to compare: "+strings.Join(layoutNames(), ", "))
	limit := flag.Duration("limit", 20*time.Minute, "fill each table for at most this long")
	flag.Parse()
	dir, err := os.MkdirTemp("", "tallystick-bench-store-*")
	if err != nil {
		log.Fatal(err)
	}
	err = run(context.Background(), dir, *rows, *batch, *columns, *names, *limit)
	if e := os.RemoveAll(dir); err == nil {
		err = e
	}
	if err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, dir string, rows, batch int, columns bool, names string, limit time.Duration) error {
	e, err := open(dir)
	if err != nil {
		return err
	}
	defer e.close()
	var chosen []layout
	for _, l := range layouts {
		if names == "all" || slices.Contains(strings.Split(names, ","), l.name) {
			chosen = append(chosen, l)
		}
	}
	for _, l := range chosen {
		t := &table{engine: e, layout: l}
		if err := t.measure(ctx, rows, batch, limit); err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		if columns {
			if err := t.compareCodecs(); err != nil {
				return err
			}
			columns = false
		}
		if err := e.exec("DROP DATABASE " + l.database() + " SYNC"); err != nil {
			return err
		}
	}
	return nil
}
