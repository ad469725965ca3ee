package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/tallystick/tallystick/internal/bench/workload"
)

// long feeds lines to `tallystick ingest -` for a time, as fast as it takes them,
// and prints for each minute what it took and the memory that it held. The
// lines are made on the cores that the program does not run on.
func long(bin, dir, procs string, d time.Duration) error {
	abs, err := filepath.Abs(bin)
	if err != nil {
		return err
	}
	if n := runtime.NumCPU(); n > 2 {
		if out, err := exec.Command("taskset", "-a", "-c", "-p", "2-"+strconv.Itoa(n-1), strconv.Itoa(os.Getpid())).CombinedOutput(); err != nil {
			return fmt.Errorf("taskset: %w: %s", err, out)
		}
	}
	cmd := exec.Command("taskset", "-c", cores(procs), abs, "ingest", "--data", filepath.Join(dir, "data"), "--format", "nginx:combined", "--summary", "json", "-")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+procs, "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	fed := &feed{w: in, until: began.Add(d)}
	minutes := make(chan struct{})
	go func() {
		defer close(minutes)
		fed.report(cmd.Process.Pid, d)
	}()
	if err := workload.CombinedFrom(fed, workload.Start.AddDate(-1, 0, 0), 1<<62, 1); err != nil && !errors.Is(err, errOver) {
		_ = in.Close()
		return errors.Join(err, cmd.Wait(), errors.New(said.String()))
	}
	if err := errors.Join(fed.flush(), in.Close()); err != nil {
		return err
	}
	<-minutes
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, said.Bytes())
	}
	n, took := int(fed.lines.Load()), time.Since(began)
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	fmt.Printf("%d lines in %v: %.0f lines/s, %.2f µs of processor time a line\n", n, took.Round(time.Second), float64(n)/took.Seconds(), float64(cpu.Microseconds())/float64(n))
	return complete(out.Bytes(), n)
}

var errOver = errors.New("the time is over")

// feed is a buffer before a pipe that counts its lines, one a write.
type feed struct {
	w     io.Writer
	buf   []byte
	lines atomic.Int64
	until time.Time
}

func (f *feed) Write(line []byte) (int, error) {
	f.buf = append(f.buf, line...)
	f.lines.Add(1)
	if len(f.buf) < 1<<16 {
		return len(line), nil
	}
	if err := f.flush(); err != nil {
		return 0, err
	}
	if time.Now().After(f.until) {
		return len(line), errOver
	}
	return len(line), nil
}

func (f *feed) flush() error {
	_, err := f.w.Write(f.buf)
	f.buf = f.buf[:0]
	return err
}

// report prints a line each minute, and a last one for what is left of d.
func (f *feed) report(pid int, d time.Duration) {
	fmt.Printf("%8s %12s %10s %12s\n", "minute", "lines/s", "RSS MiB", "most so far")
	began, at, before := time.Now(), time.Now(), int64(0)
	for left := d; left > 0; left = d - time.Since(began) {
		time.Sleep(min(left, time.Minute))
		lines, now := f.lines.Load(), time.Now()
		fmt.Printf("%8.1f %12.0f %10.0f %12.0f\n", now.Sub(began).Minutes(), float64(lines-before)/now.Sub(at).Seconds(), memory(pid, "VmRSS"), memory(pid, "VmHWM"))
		at, before = now, lines
	}
}

// memory is a field of the status of a process, in MiB.
func memory(pid int, field string) float64 {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	for line := range bytes.Lines(b) {
		var kb float64
		if _, err := fmt.Sscanf(string(line), field+": %f kB", &kb); err == nil {
			return kb / 1024
		}
	}
	return 0
}
