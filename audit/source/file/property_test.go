package file_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"
)

// journey is one run of the property test.
type journey struct {
	*bench
	rng     *rand.Rand
	written map[string]bool
	got     map[string]int
	places  map[string]string // stream, generation, offset -> line
	line    int
	file    int
	trace   []string
}

// append writes lines, each unique, in one or two pieces.
func (j *journey) append() {
	s := ""
	for range 1 + j.rng.IntN(4) {
		j.line++
		l := fmt.Sprintf("file %d line %d", j.file, j.line)
		j.written[l] = true
		s += l + "\n"
	}
	cut := j.rng.IntN(len(s))
	j.write("shop.log", s[:cut])
	if j.rng.IntN(2) == 0 {
		j.read(1)
	}
	j.write("shop.log", s[cut:])
}

// rotate renames the chain and begins a new file, by rename or compressed.
func (j *journey) rotate() {
	j.trace = append(j.trace, "rotate")
	if _, err := os.Stat(j.path("shop.log")); err != nil {
		return
	}
	for i := 9; i > 0; i-- {
		for _, ext := range []string{"", ".gz"} {
			if _, err := os.Stat(j.path(fmt.Sprint("shop.log.", i, ext))); err == nil {
				j.rename(fmt.Sprint("shop.log.", i, ext), fmt.Sprint("shop.log.", i+1, ext))
			}
		}
	}
	j.rename("shop.log", "shop.log.1")
	j.file++
	if j.rng.IntN(3) == 0 { // compressed at once
		raw, err := os.ReadFile(j.path("shop.log.1"))
		if err != nil {
			j.t.Fatal(err)
		}
		j.write("shop.log.1.gz", pack(j.t, string(raw)))
		if err := os.Remove(j.path("shop.log.1")); err != nil {
			j.t.Fatal(err)
		}
	}
}

// copytruncate copies the log and cuts it, with nothing written in between.
func (j *journey) copytruncate() {
	j.trace = append(j.trace, "copytruncate")
	raw, err := os.ReadFile(j.path("shop.log"))
	if err != nil || len(raw) == 0 {
		return
	}
	if j.rng.IntN(2) == 0 {
		j.rotate() // makes room at .1
		return
	}
	for i := 9; i > 0; i-- {
		for _, ext := range []string{"", ".gz"} {
			if _, err := os.Stat(j.path(fmt.Sprint("shop.log.", i, ext))); err == nil {
				j.rename(fmt.Sprint("shop.log.", i, ext), fmt.Sprint("shop.log.", i+1, ext))
			}
		}
	}
	j.write("shop.log.1", string(raw))
	if err := os.Truncate(j.path("shop.log"), 0); err != nil {
		j.t.Fatal(err)
	}
	j.file++
}

// read takes up to n runs; with a chance it leaves the last unacknowledged and
// is killed.
func (j *journey) read(n int) {
	for range n {
		run, err := j.next(20 * time.Millisecond)
		if errors.Is(err, context.DeadlineExceeded) {
			return
		}
		if err != nil {
			j.t.Fatal(err)
		}
		if j.rng.IntN(8) == 0 {
			if err := j.state.Flush(); err != nil {
				j.t.Fatal(err)
			}
			j.kill()
			j.trace = append(j.trace, fmt.Sprintf("killed after %q", texts(run)))
			j.start()
			return
		}
		for i, s := range texts(run) {
			j.trace = append(j.trace, fmt.Sprintf("read %q at %+v", s, run.Lines[i].Origin))
			j.got[s]++
			at := fmt.Sprint(run.Lines[i].Origin)
			if had, ok := j.places[at]; ok && had != s {
				j.t.Fatalf("%s is both %q and %q", at, had, s)
			}
			j.places[at] = s
		}
		if err := j.tail.Ack(run); err != nil {
			j.t.Fatal(err)
		}
		if err := j.state.Flush(); err != nil {
			j.t.Fatal(err)
		}
	}
}

// Whatever is appended, rotated, copied, cut, stopped and killed: each line
// that was written is read once and has one place.
func TestEveryLineOnce(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			j := &journey{
				bench: newBench(t, "shop.log"), rng: rand.New(rand.NewPCG(seed, 1)),
				written: map[string]bool{}, got: map[string]int{}, places: map[string]string{},
			}
			j.start()
			j.write("shop.log", "the log is known from here on\n")
			j.want("the log is known from here on")
			for range 40 {
				switch k := j.rng.IntN(10); {
				case k < 4:
					j.append()
				case k < 7:
					j.read(1 + j.rng.IntN(3))
				case k == 7:
					j.rotate()
				case k == 8:
					j.copytruncate()
				default:
					j.trace = append(j.trace, "restart")
					j.stop()
					j.start()
				}
			}
			deadline := time.Now().Add(5 * time.Second)
			for len(j.got) < len(j.written) && time.Now().Before(deadline) {
				j.read(1)
			}
			for range 5 {
				j.read(1)
			}
			for l := range j.written {
				if j.got[l] != 1 {
					t.Errorf("%q was read %d times", l, j.got[l])
				}
			}
			if t.Failed() {
				t.Log(strings.Join(j.trace, "\n"))
			}
			if len(j.got) != len(j.written) {
				t.Errorf("%d lines read, %d written", len(j.got), len(j.written))
			}
		})
	}
}
