// Command pipeline measures `tallystick ingest` against the naive Go program
// that anyone would write first (Scanner, regexp, hmac.New, encoding/json), in
// the same run on the same lines. It prints medians; it decides nothing.
//
//	go run ./internal/bench/pipeline -bin bin/tallystick -lines 1000000 -runs 3
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

type result struct {
	linesPerSecond float64
	rssMiB         float64
	cpuPerLine     float64 // µs
}

func main() {
	bin := flag.String("bin", "bin/tallystick", "the binary to measure")
	lines := flag.Int("lines", 1_000_000, "lines of the workload")
	runs := flag.Int("runs", 3, "runs of each, interleaved")
	procs := flag.String("procs", "2", "GOMAXPROCS and cores of both programs")
	naive := flag.String("naive", "", "internal: run the naive program on this file")
	flag.Parse()
	log.SetFlags(0)
	if *naive != "" {
		runNaive(*naive)
		return
	}
	dir, err := os.MkdirTemp("", "tallystick-bench-*")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "access.log")
	if err := write(file, *lines); err != nil {
		log.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		log.Fatal(err)
	}
	ours, theirs := []result{}, []result{}
	for i := range *runs {
		theirs = append(theirs, measure(*lines, *procs, dir, self, "-naive", file))
		data := filepath.Join(dir, fmt.Sprintf("data%d", i))
		ours = append(ours, measure(*lines, *procs, dir, *bin, "ingest", "--data", data, "--format", "nginx:combined", "--summary", "json", file))
		_ = os.RemoveAll(data)
	}
	fmt.Printf("%d nginx combined lines, %s cores, median of %d runs, whole processes\n", *lines, *procs, *runs)
	fmt.Printf("%-38s %12s %10s %12s\n", "", "lines/s", "RSS MiB", "CPU µs/line")
	show("tallystick ingest (store and ledger on)", ours)
	show("naive Go program, to /dev/null", theirs)
}

func write(file string, lines int) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	generate(w, lines, 1)
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

func measure(lines int, procs, dir, name string, args ...string) result {
	abs, err := filepath.Abs(name)
	if err != nil {
		log.Fatal(err)
	}
	cores := "0"
	if procs != "1" {
		cores = "0,1"
	}
	argv := append([]string{"-c", cores, abs}, args...)
	cmd := exec.Command("taskset", argv...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+procs, "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
	cmd.Stderr = os.Stderr
	began := time.Now()
	if out, err := cmd.Output(); err != nil {
		log.Fatalf("%s: %v: %s", name, err, out)
	}
	took := time.Since(began)
	usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return result{
		linesPerSecond: float64(lines) / took.Seconds(),
		rssMiB:         float64(usage.Maxrss) / 1024,
		cpuPerLine:     float64(cpu.Microseconds()) / float64(lines),
	}
}

func show(name string, rs []result) {
	median := func(f func(result) float64) float64 {
		var v []float64
		for _, r := range rs {
			v = append(v, f(r))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	fmt.Printf("%-38s %12.0f %10.0f %12.2f\n", name, median(func(r result) float64 { return r.linesPerSecond }),
		median(func(r result) float64 { return r.rssMiB }), median(func(r result) float64 { return r.cpuPerLine }))
}

// runNaive parses with a regular expression, pseudonymises address and user,
// redacts e-mail addresses and writes one JSON object a line.
func runNaive(file string) {
	f, err := os.Open(file)
	if err != nil {
		log.Fatal(err)
	}
	out, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		log.Fatal(err)
	}
	w := bufio.NewWriterSize(out, 1<<20)
	enc := json.NewEncoder(w)
	sc := bufio.NewScanner(f)
	sc.Buffer(make([]byte, 64<<10), 1<<20)
	for sc.Scan() {
		if row, ok := naiveRow(sc.Text()); ok {
			if err := enc.Encode(row); err != nil {
				log.Fatal(err)
			}
		}
	}
	if err := w.Flush(); err != nil {
		log.Fatal(err)
	}
}
