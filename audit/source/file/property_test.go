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

	careless bool // what is acknowledged is not always written before the end
	log      *os.File
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
	j.put(s[:cut])
	switch j.rng.IntN(4) {
	case 0, 1:
		j.read(1)
	case 2:
		j.rotate() // the server goes on in the old file
	}
	j.put(s[cut:])
	if j.rng.IntN(3) == 0 {
		j.pause()
	}
}

// put writes to the file that the server has open, as it does after a rename
// until it is told.
func (j *journey) put(s string) {
	if j.log == nil {
		f, err := os.OpenFile(j.path("shop.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			j.t.Fatal(err)
		}
		j.log = f
	}
	if _, err := j.log.WriteString(s); err != nil {
		j.t.Fatal(err)
	}
}

// reopen is what the server does when it is told of a rotation.
func (j *journey) reopen() {
	if j.log != nil {
		_ = j.log.Close()
		j.log = nil
	}
}

// pause lets time pass for the reader, often more than any of its limits.
func (j *journey) pause() {
	j.reopen()
	d := time.Duration(j.rng.IntN(10)) * j.cfg.Grace
	j.trace = append(j.trace, "pause of "+d.String())
	j.ahead += d
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
	if j.log == nil && j.rng.IntN(3) == 0 { // compressed at once
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
	j.reopen()
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
			if !j.careless {
				j.flush()
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
		if !j.careless || j.rng.IntN(3) == 0 {
			j.flush()
		}
	}
}

func (j *journey) flush() {
	if err := j.state.Flush(); err != nil {
		j.t.Fatal(err)
	}
}

// Whatever is appended, torn, rotated, copied, cut, stopped and killed: each line
// that was written is read and has one place. It is read once where what was
// acknowledged was written before the end.
func TestEveryLineOnce(t *testing.T) {
	for seed := range uint64(40) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			j := &journey{
				bench: newBench(t, "shop.log"), rng: rand.New(rand.NewPCG(seed, 1)),
				written: map[string]bool{}, got: map[string]int{}, places: map[string]string{},
				careless: seed%2 == 1,
			}
			j.start()
			j.write("shop.log", "the log is known from here on\n")
			j.want("the log is known from here on")
			for range 40 {
				j.step()
			}
			j.reopen()
			deadline := time.Now().Add(5 * time.Second)
			for len(j.got) < len(j.written) && time.Now().Before(deadline) {
				j.read(1)
			}
			for range 5 {
				j.read(1)
			}
			j.check()
		})
	}
}

func (j *journey) step() {
	switch k := j.rng.IntN(11); {
	case k < 4:
		j.append()
	case k < 7:
		j.read(1 + j.rng.IntN(3))
	case k == 7:
		j.reopen()
		j.rotate()
	case k == 8:
		j.copytruncate()
	case k == 9:
		j.pause()
	default:
		j.trace = append(j.trace, "restart")
		j.stop()
		j.start()
	}
}

func (j *journey) check() {
	j.t.Helper()
	places := map[string]int{}
	for _, l := range j.places {
		places[l]++
	}
	for l := range j.written {
		if places[l] != 1 || !j.careless && j.got[l] != 1 {
			j.t.Errorf("%q was read %d times from %d places", l, j.got[l], places[l])
		}
	}
	if j.t.Failed() {
		j.t.Log(strings.Join(j.trace, "\n"))
	}
	for l := range j.got {
		if !j.written[l] && l != "the log is known from here on" {
			j.t.Errorf("%q was read, but never written", l)
		}
	}
}
