// Command sizing computes what a deployment needs at a rate of lines: rows, bytes,
// cores and cost, from the costs of a line that were measured
// (docs/design/performance.md, docs/design/store.md). It prints the table of
// docs/how-to/sizing.md, which a test compares. It measures nothing itself.
//
//	go run ./internal/bench/sizing -days 90 -core-hour 0.04 -terabyte-month 80
package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
)

// part is what one part of the deployment spends on a line.
type part struct {
	name   string
	micros float64 // of processor time a line, in each copy
	copies int     // how many times the work is done: replicas
}

// site is what is assumed beside the measured costs.
type site struct {
	days      float64 // for which entries are kept
	kafkaDays float64 // for which sealed lines are kept
	use       float64 // share of the processors that is planned for
	machine   float64 // cores of one machine
	coreHour  float64 // price of a core for an hour
	teraMonth float64 // price of 10^12 bytes of disk for a month
}

// usual are the assumptions of the page.
var usual = site{days: 90, kafkaDays: 1, use: 0.5, machine: 16, coreHour: 0.04, teraMonth: 80}

// parts are the stages of performance.md by the process that does them, collector and
// Kafka's client with the auditor, where most of them is.
var parts = []part{
	{"taps", 1.1, 1},
	{"auditors", 3.3 + 2.1 + 0.4 + 0.3 + 0.5, 1},
	{"ClickHouse", 5.1, 2},
	{"Kafka", 0.5, 3},
}

const (
	entryBytes = 33.0    // of a row of entries on disk: docs/design/store.md
	sealedLine = 37.0    // of a line in lines.v1: 27,000 lines in a message of 1,000,000 bytes
	markBytes  = 8.0     // of a row hash beside the ledger's tiles
	perPart    = 100_000 // lines/s of one partition: what one auditor's core takes, with room
	leafRows   = 100_000 // lines of a full chunk, which is a leaf
)

// plan is what a rate needs.
type plan struct {
	rows, entries, sealed, marks float64 // rows a day; bytes with all copies
	cores                        []float64
	total                        float64
	partitions, leaves           float64
	first                        string // the part that needs the most of one machine
	share                        float64
	cost                         float64 // a month
}

func (s site) plan(rate float64) plan {
	p := plan{
		rows:       rate * 86400,
		partitions: math.Max(2, math.Ceil(rate/perPart)),
		leaves:     rate / leafRows,
	}
	p.entries = p.rows * s.days * entryBytes * copies("ClickHouse")
	p.sealed = p.rows * s.kafkaDays * sealedLine * copies("Kafka")
	p.marks = p.rows * s.days * markBytes
	for _, x := range parts {
		c := rate * x.micros / 1e6 * float64(x.copies) / s.use
		p.cores = append(p.cores, c)
		p.total += c
		// Copies are machines of their own.
		if one := c / float64(x.copies) / s.machine; one > p.share {
			p.first, p.share = x.name, one
		}
	}
	p.cost = math.Ceil(p.total)*730*s.coreHour + (p.entries+p.sealed+p.marks)/1e12*s.teraMonth
	return p
}

func copies(name string) float64 {
	for _, x := range parts {
		if x.name == name {
			return float64(x.copies)
		}
	}
	return 1
}

// rates of the page, lines/s.
var rates = []float64{10_000, 1_000_000, 10_000_000}

// table writes the plans side by side as Markdown.
func (s site) table(w io.Writer) {
	var plans []plan
	head := []string{"lines/s"}
	for _, r := range rates {
		plans = append(plans, s.plan(r))
		head = append(head, count(r))
	}
	_, _ = fmt.Fprintf(w, "| %s |\n| --- |%s\n", strings.Join(head, " | "), strings.Repeat(" ---: |", len(rates)))
	row := func(name string, f func(plan) string) {
		cells := []string{name}
		for _, p := range plans {
			cells = append(cells, f(p))
		}
		_, _ = fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | "))
	}
	row("rows a day, million", func(p plan) string { return count(p.rows / 1e6) })
	row(fmt.Sprintf("entries of %.0f days, two replicas", s.days), func(p plan) string { return size(p.entries) })
	row("sealed lines of a day in Kafka, three copies", func(p plan) string { return size(p.sealed) })
	row("marks beside the ledger's tiles", func(p plan) string { return size(p.marks) })
	for i, x := range parts {
		row("cores: "+x.name, func(p plan) string { return cores(p.cores[i]) })
	}
	row("cores in all", func(p plan) string { return cores(p.total) })
	row("partitions of lines.v1, at least", func(p plan) string { return count(p.partitions) })
	row("leaves a second in full chunks", func(p plan) string { return cores(p.leaves) })
	row("most of one machine: part, machines", func(p plan) string { return fmt.Sprintf("%s, %s", p.first, cores(p.share)) })
	row("cost a month", func(p plan) string { return count(math.Round(p.cost)) })
}

// count writes a whole number with separators.
func count(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func cores(v float64) string {
	if v < 10 {
		return fmt.Sprintf("%.1f", v)
	}
	return count(v)
}

func size(bytes float64) string {
	switch {
	case bytes < 1e12:
		return fmt.Sprintf("%.0f GB", bytes/1e9)
	case bytes < 1e13:
		return fmt.Sprintf("%.1f TB", bytes/1e12)
	}
	return count(bytes/1e12) + " TB"
}

func main() {
	s := usual
	flag.Float64Var(&s.days, "days", s.days, "days for which entries are kept")
	flag.Float64Var(&s.kafkaDays, "kafka-days", s.kafkaDays, "days for which Kafka keeps sealed lines")
	flag.Float64Var(&s.use, "use", s.use, "share of the processors that is planned for")
	flag.Float64Var(&s.machine, "machine", s.machine, "cores of one machine")
	flag.Float64Var(&s.coreHour, "core-hour", s.coreHour, "price of a core for an hour")
	flag.Float64Var(&s.teraMonth, "terabyte-month", s.teraMonth, "price of 10^12 bytes of disk for a month")
	flag.Parse()
	s.table(os.Stdout)
}
