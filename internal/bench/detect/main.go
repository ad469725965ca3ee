// Command detect measures how fast package detect finds the nine kinds that
// other engines can look for too, and all its kinds, beside Go's regexp and,
// where its library is there, Hyperscan with start of match. Every engine reads
// the same lines on one core in turns; figures are medians of the rounds, in CPU
// time, so that other work on the machine counts little.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tallystick/tallystick/masking/detect"
)

// patterns are the nine kinds as regular expressions, without checksums.
var patterns = []struct{ kind, pattern string }{
	{"email", `[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,24}`},
	{"phone", `\+[1-9][0-9]{0,2}[ .-]?\(?[0-9]{2,4}\)?[ .-]?[0-9]{3,5}[ .-]?[0-9]{3,4}\b`},
	{"iban", `\b[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}\b`},
	{"card", `\b(?:4[0-9]{3}|5[1-5][0-9]{2}|6011|65[0-9]{2})[ +-]?[0-9]{4}[ +-]?[0-9]{4}[ +-]?[0-9]{4}\b`},
	{"ssn", `\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b`},
	{"cpf", `\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b`},
	{"ipv4", `\b(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\b`},
	{"ipv6", `\b(?:(?:[0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|(?:[0-9a-fA-F]{1,4}:){1,6}(?::[0-9a-fA-F]{1,4}){1,6})\b`},
	{"gps", `-?\b[0-9]{1,2}\.[0-9]{4,8}, ?-?[0-9]{1,3}\.[0-9]{4,8}\b`},
}

func main() {
	size := flag.Int("mb", 20, "megabytes of each corpus")
	rounds := flag.Int("rounds", 5, "rounds, of which the median counts")
	hyperscan := flag.String("hyperscan", "", "program PATTERNS CORPUS that prints its seconds, from scripts/bench-detect.sh")
	flag.Parse()
	runtime.GOMAXPROCS(1)
	if err := run(*size*1_000_000, *rounds, *hyperscan); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(2)
	}
}

// engine scans the lines once and says how long that took and how many it found.
type engine struct {
	name string
	scan func(text string) (time.Duration, int, error)
	runs []time.Duration
	hits int
}

func run(size, rounds int, hyperscan string) error {
	var only []detect.Kind
	for _, p := range patterns {
		only = append(only, detect.Kind(p.kind))
	}
	nine, err := detect.New(detect.Options{Only: only})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tallystick-bench")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, mode := range []string{"dense", "sparse"} {
		text := corpus(mode, size)
		engines := []*engine{{name: "tallystick, nine kinds", scan: ours(nine)}, {name: "tallystick, all kinds", scan: ours(detect.Default())}}
		if hyperscan != "" {
			files := []string{filepath.Join(dir, "patterns"), filepath.Join(dir, mode)}
			var list strings.Builder
			for _, p := range patterns {
				list.WriteString(p.kind + "\t" + p.pattern + "\n")
			}
			for i, s := range []string{list.String(), text} {
				if err := os.WriteFile(files[i], []byte(s), 0o600); err != nil {
					return err
				}
			}
			engines = append(engines, &engine{name: "Hyperscan with start of match", scan: peer(hyperscan, files)})
		}
		engines = append(engines, &engine{name: "Go regexp", scan: expressions(size / 20)})
		if err := measure(mode, text, engines, rounds); err != nil {
			return err
		}
	}
	return nil
}

// measure runs the engines in turns and prints their medians.
func measure(mode, text string, engines []*engine, rounds int) error {
	for r := range rounds {
		for _, e := range engines {
			if e.name == "Go regexp" && r >= 3 {
				continue // it takes a hundred times as long
			}
			d, n, err := e.scan(text)
			if err != nil {
				return fmt.Errorf("failed to run %s: %w", e.name, err)
			}
			e.runs, e.hits = append(e.runs, d), n
		}
	}
	fmt.Printf("%s, %d MB, one core\n", mode, len(text)/1_000_000)
	speed := func(e *engine) float64 {
		slices.Sort(e.runs)
		return float64(len(text)) / e.runs[len(e.runs)/2].Seconds() / 1e6
	}
	for _, e := range engines {
		fmt.Printf("  %-30s %8.1f MB/s %9d matches", e.name, speed(e), e.hits)
		for _, p := range engines[2:] {
			if e != p {
				fmt.Printf("  %6.2fx %s", speed(e)/speed(p), p.name)
			}
		}
		fmt.Println()
	}
	return nil
}

// cpu is the time that this process has computed.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it fails for a wrong argument alone
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func ours(d *detect.Detector) func(string) (time.Duration, int, error) {
	return func(text string) (time.Duration, int, error) {
		var dst []detect.Match
		n, start := 0, cpu()
		for line := range strings.Lines(text) {
			dst = d.Scan(dst[:0], line[:len(line)-1])
			n += len(dst)
		}
		return cpu() - start, n, nil
	}
}

// expressions runs Go's regexp over the first part of the text and scales.
func expressions(part int) func(string) (time.Duration, int, error) {
	var list []*regexp.Regexp
	for _, p := range patterns {
		list = append(list, regexp.MustCompile(p.pattern))
	}
	return func(text string) (time.Duration, int, error) {
		done, n, start := 0, 0, cpu()
		for line := range strings.Lines(text) {
			for _, re := range list {
				n += len(re.FindAllStringIndex(line[:len(line)-1], -1))
			}
			if done += len(line); done >= part {
				break
			}
		}
		scale := float64(len(text)) / float64(done)
		return time.Duration(float64((cpu() - start)) * scale), int(float64(n) * scale), nil
	}
}

// peer runs a program that prints seconds and matches.
func peer(program string, files []string) func(string) (time.Duration, int, error) {
	return func(string) (time.Duration, int, error) {
		out, err := exec.Command(program, files...).Output()
		if err != nil {
			return 0, 0, err
		}
		f := strings.Fields(string(out))
		if len(f) != 2 {
			return 0, 0, fmt.Errorf("it printed %d words instead of 2", len(f))
		}
		seconds, err := strconv.ParseFloat(f[0], 64)
		if err != nil {
			return 0, 0, err
		}
		n, err := strconv.Atoi(f[1])
		return time.Duration(seconds * float64(time.Second)), n, err
	}
}
