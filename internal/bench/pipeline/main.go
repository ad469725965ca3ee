// Command pipeline measures `tallystick ingest` against two programs that anyone
// would write first, in the same run on the same lines: rows (Scanner, regexp,
// hmac.New, encoding/json) to nowhere, and the chain through Kafka and ClickHouse
// (kafka-go, regexp, Tink, row-wise Append). It prints medians; it decides
// nothing.
//
//	go run ./internal/bench/pipeline -bin bin/tallystick -lines 1000000 -runs 3
//	go run ./internal/bench/pipeline -bin bin/tallystick -for 10m
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/tallystick/tallystick/internal/bench/naive"
	"github.com/tallystick/tallystick/internal/bench/workload"
)

type result struct {
	linesPerSecond float64
	rssMiB         float64
	cpuPerLine     float64 // µs
}

func main() {
	bin := flag.String("bin", "bin/tallystick", "the binary to measure")
	n := flag.Int("lines", 1_000_000, "lines of the workload")
	runs := flag.Int("runs", 3, "runs of each, interleaved")
	procs := flag.String("procs", "2", "GOMAXPROCS and cores of both programs")
	job := flag.String("naive", "", "internal: run the naive program rows or chain on this file")
	file := flag.String("file", "", "internal: the file of -naive")
	length := flag.Duration("for", 0, "feed one ingest for this long instead, and print each minute's lines and memory")
	flag.Parse()
	log.SetFlags(0)
	if *job != "" {
		if err := runNaive(*job, *file, *n); err != nil {
			log.Fatal(err)
		}
		return
	}
	dir, err := os.MkdirTemp("", "tallystick-bench-*")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if *length > 0 {
		err := long(*bin, dir, *procs, *length)
		_ = os.RemoveAll(dir)
		if err != nil {
			log.Fatal(err)
		}
		return
	}
	*file = filepath.Join(dir, "access.log")
	if err := write(*file, *n); err != nil {
		log.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	var ours, rows, chain []result
	for i := range *runs {
		r, _ := measure(*n, *procs, dir, self, "-naive", "rows", "-file", *file)
		rows = append(rows, r)
		r, _ = measure(*n, *procs, dir, self, "-naive", "chain", "-file", *file, "-lines", strconv.Itoa(*n))
		chain = append(chain, r)
		data := filepath.Join(dir, fmt.Sprintf("data%d", i))
		r, out := measure(*n, *procs, dir, *bin, "ingest", "--data", data, "--format", "nginx:combined", "--summary", "json", *file)
		if err := complete(out, *n); err != nil {
			log.Fatal(err)
		}
		ours = append(ours, r)
		_ = os.RemoveAll(data)
	}
	fmt.Printf("%d nginx combined lines, %s cores, median of %d runs with the slowest and fastest, whole processes\n", *n, *procs, *runs)
	fmt.Printf("%-44s %9s %18s %9s %12s %10s\n", "", "lines/s", "", "RSS MiB", "CPU µs/line", "cores used")
	show("tallystick ingest (store and ledger on)", ours)
	show("naive chain: Kafka, regexp, Tink, Append", chain)
	show("naive rows: regexp, HMAC, JSON, to nowhere", rows)
}

func write(file string, n int) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	if err := workload.Combined(w, n, 1); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// complete checks what an ingest says of itself: a fast one that lost lines is none.
func complete(summary []byte, n int) error {
	var s struct{ Lines, Entries, Findings int }
	if err := json.Unmarshal(summary, &s); err != nil {
		return fmt.Errorf("failed to read the summary of the ingest: %w", err)
	}
	if s.Lines != n || s.Entries != n || s.Findings == 0 {
		return fmt.Errorf("the ingest made %d entries and %d findings of %d lines, want %d entries", s.Entries, s.Findings, s.Lines, n)
	}
	return nil
}

// measure runs a program on the given cores and returns what it printed. What it
// says on standard error shows only if it fails.
func measure(n int, procs, dir, name string, args ...string) (result, []byte) {
	abs, err := filepath.Abs(name)
	if err != nil {
		log.Fatal(err)
	}
	argv := append([]string{"-c", cores(procs), abs}, args...)
	cmd := exec.Command("taskset", argv...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+procs, "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
	var said bytes.Buffer
	cmd.Stderr = &said
	began := time.Now()
	out, err := cmd.Output()
	if err != nil {
		log.Fatalf("%s: %v: %s%s", name, err, out, said.Bytes())
	}
	took := time.Since(began)
	usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return result{
		linesPerSecond: float64(n) / took.Seconds(),
		rssMiB:         float64(usage.Maxrss) / 1024,
		cpuPerLine:     float64(cpu.Microseconds()) / float64(n),
	}, out
}

// cores are those of the programs that are measured.
func cores(procs string) string {
	if procs == "1" {
		return "0"
	}
	return "0,1"
}

func show(name string, rs []result) {
	sorted := func(f func(result) float64) []float64 {
		var v []float64
		for _, r := range rs {
			v = append(v, f(r))
		}
		slices.Sort(v)
		return v
	}
	median := func(v []float64) float64 { return v[len(v)/2] }
	speed := sorted(func(r result) float64 { return r.linesPerSecond })
	fmt.Printf("%-44s %9.0f %8.0f..%-8.0f %9.0f %12.2f %10.2f\n", name, median(speed), speed[0], speed[len(speed)-1],
		median(sorted(func(r result) float64 { return r.rssMiB })), median(sorted(func(r result) float64 { return r.cpuPerLine })),
		median(sorted(func(r result) float64 { return r.cpuPerLine * r.linesPerSecond / 1e6 })))
}

// runNaive runs one of the naive programs in this process.
func runNaive(job, file string, n int) error {
	if job == "rows" {
		return naive.Rows(file)
	}
	dir, err := os.MkdirTemp("", "tallystick-naive-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	return naive.Chain(context.Background(), file, dir, n)
}
