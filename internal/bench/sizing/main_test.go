package main

import (
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlan(t *testing.T) {
	p := usual.plan(1_000_000)
	near := func(name string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > want/1000 {
			t.Errorf("%s: %g, want %g", name, got, want)
		}
	}
	near("rows a day", p.rows, 86.4e9)
	near("entries", p.entries, 86.4e9*90*33*2)
	near("cores of ClickHouse", p.cores[2], 5.1*2/0.5)
	near("cores of auditors", p.cores[1], 6.6/0.5)
	near("partitions", p.partitions, 10)
	if p.first != "auditors" {
		t.Errorf("the first to need another machine: %s, want auditors", p.first)
	}
	twice := usual.plan(2_000_000)
	near("twice the lines", twice.total, 2*p.total)
	if few := usual.plan(10); few.partitions != 2 {
		t.Errorf("%g partitions for a quiet site", few.partitions)
	}
	spare := usual
	spare.use = 1
	near("all of the processors", spare.plan(1_000_000).total, p.total/2)
}

// TestPage holds the table of the page to what the program prints.
func TestPage(t *testing.T) {
	b, err := os.ReadFile("../../../docs/how-to/sizing.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	usual.table(&want)
	_, got, ok := strings.Cut(string(b), "| lines/s |")
	got, _, ok2 := strings.Cut("| lines/s |"+got, "\n\n")
	if !ok || !ok2 {
		t.Fatal("the page has no table of rates")
	}
	if d := cmp.Diff(got+"\n", want.String()); d != "" {
		t.Errorf("the page's table is not what go run ./internal/bench/sizing prints (-page +program):\n%s", d)
	}
}
