// Command parse measures how fast nginx's combined lines become Events, parsed
// and normalised, beside the naive program (Scanner, regexp, encoding/json) and,
// where it is there, rsyslog's mmnormalize, which reads the same lines from a
// file and writes JSON to one. The three run in turns. It prints medians; it
// decides nothing. scripts/bench-parse.sh pins it to one core.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/normalize"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/bench/naive"
	"github.com/tallystick/tallystick/internal/bench/workload"
)

// run is one pass over the lines.
type run struct{ wall, cpu time.Duration }

func main() {
	n := flag.Int("lines", 500_000, "lines of the workload")
	rounds := flag.Int("rounds", 5, "rounds, each with every program")
	root := flag.String("rsyslog", "", "root of rsyslog's files; empty: without it")
	flag.Parse()
	log.SetFlags(0)
	if err := measure(*n, *rounds, *root); err != nil {
		log.Fatal(err)
	}
}

func measure(n, rounds int, root string) error {
	runtime.GOMAXPROCS(1)
	dir, err := os.MkdirTemp(tmpfs(), "tallystick-bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	var text strings.Builder
	if err := workload.Combined(&text, n, 1); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "access.log"), []byte(text.String()), 0o600); err != nil {
		return err
	}
	stages, err := newStages(n)
	if err != nil {
		return err
	}
	programs := []struct {
		name string
		run  func() (run, error)
	}{
		{"parse and normalise", func() (run, error) { return timed(stages.run) }},
		{"naive: regexp, encoding/json", func() (run, error) {
			return timed(func() error { return naive.Parse(strings.NewReader(text.String())) })
		}},
	}
	if root != "" {
		programs = append(programs, struct {
			name string
			run  func() (run, error)
		}{"rsyslog: mmnormalize, to a file", func() (run, error) { return rsyslog(root, dir, n) }})
	}
	runs := make([][]run, len(programs))
	for range rounds + 1 { // the first is not counted
		for i, p := range programs {
			r, err := p.run()
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			runs[i] = append(runs[i], r)
		}
	}
	fmt.Printf("%d lines, %d bytes a line, medians of %d rounds in turns, one core\n", n, text.Len()/n, rounds)
	fmt.Printf("%-34s %12s %12s %10s\n", "", "lines/s", "cpu ns/line", "times cpu")
	ours := median(runs[0][1:], func(r run) time.Duration { return r.cpu })
	for i, p := range programs {
		cpu := median(runs[i][1:], func(r run) time.Duration { return r.cpu })
		wall := median(runs[i][1:], func(r run) time.Duration { return r.wall })
		fmt.Printf("%-34s %12.0f %12.0f %10.1f\n", p.name, float64(n)/wall.Seconds(), float64(cpu)/float64(n), float64(cpu)/float64(ours))
	}
	return nil
}

func median(runs []run, of func(run) time.Duration) time.Duration {
	var d []time.Duration
	for _, r := range runs {
		d = append(d, of(r))
	}
	slices.Sort(d)
	return d[len(d)/2]
}

// tmpfs is a folder in memory where there is one.
func tmpfs() string {
	if st, err := os.Stat("/dev/shm"); err == nil && st.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// timed measures work of this process.
func timed(work func() error) (run, error) {
	runtime.GC()
	begin, cpu := time.Now(), used(syscall.RUSAGE_SELF)
	err := work()
	return run{time.Since(begin), used(syscall.RUSAGE_SELF) - cpu}, err
}

// used is the processor time of this process, or of its children that ended.
func used(who int) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(who, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// stages are ours: blocks of lines that are made once.
type stages struct {
	parse     *parse.Stage
	normalize *normalize.Stage
	blocks    [][]audit.Line
	batch     audit.Batch
}

func newStages(n int) (*stages, error) {
	sources := map[string]source.Config{"s": {Format: "nginx:combined"}}
	p, err := parse.New(sources)
	if err != nil {
		return nil, err
	}
	s := &stages{parse: p, normalize: normalize.New(sources)}
	s.blocks, _ = workload.Blocks(workload.Formats()[0], n)
	s.batch = audit.Batch{Source: "s", Received: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	return s, nil
}

func (s *stages) run() error {
	for _, lines := range s.blocks {
		s.batch.Lines = lines
		if err := errors.Join(s.parse.Process(context.Background(), &s.batch), s.normalize.Process(context.Background(), &s.batch)); err != nil {
			return err
		}
		if len(s.batch.Rejections) > 0 {
			return errors.New("a line was rejected")
		}
	}
	return nil
}
