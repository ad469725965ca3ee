//go:build integration && linux

// Package integration_test proves the binary as its users meet it: beside real
// servers under load, in a fresh folder, and through a browser. Nothing is
// reached but through the command line, log files, signals, HTTP and the
// servers' own protocols. Run it by make integration, which installs the
// servers and builds the binary.
package integration_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the program under test; TALLYSTICK_BIN overrides it.
func binary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("TALLYSTICK_BIN")
	if path == "" {
		path = "../bin/tallystick"
	}
	abs, err := filepath.Abs(path)
	if err == nil {
		_, err = os.Stat(abs)
	}
	if err != nil {
		t.Fatalf("%s is missing: make build", path)
	}
	return abs
}

// site is a folder with an installation, as a user would have it.
type site struct {
	t   *testing.T
	dir string // of tallystick.yaml
	env []string
}

func newSite(t *testing.T, dir string) *site {
	t.Helper()
	return &site{t: t, dir: dir, env: append(os.Environ(), "XDG_CONFIG_HOME="+t.TempDir())}
}

// command prepares tallystick with args in the site's folder. It dies with the
// test.
func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary(s.t), args...)
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// must runs tallystick to its end and returns what it printed.
func (s *site) must(args ...string) string {
	s.t.Helper()
	cmd := s.command(args...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("tallystick %s: %v\n%s%s", strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// row asks for one row through the command line.
func (s *site) row(sql string) map[string]string {
	s.t.Helper()
	out := s.must("sql", "--format", "json", sql)
	var r map[string]string
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		s.t.Fatalf("%s answered %q: %v", sql, out, err)
	}
	return r
}

func (s *site) number(sql string) int64 {
	s.t.Helper()
	for _, v := range s.row(sql) {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			s.t.Fatalf("%s: %v", sql, err)
		}
		return n
	}
	s.t.Fatalf("%s: no column", sql)
	return 0
}

// instance is a running `tallystick run`.
type instance struct {
	*site
	cmd  *exec.Cmd
	out  *transcript
	done chan struct{}
	err  error // of the process, once done is closed
}

// start runs tallystick with args and returns when it has printed its
// console's address, which it does once everything is open.
func (s *site) start(args ...string) *instance {
	s.t.Helper()
	i := &instance{site: s, cmd: s.command(append([]string{"run"}, args...)...), out: &transcript{}, done: make(chan struct{})}
	i.cmd.Stdout, i.cmd.Stderr = i.out, i.out
	if err := i.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		i.err = i.cmd.Wait()
		close(i.done)
	}()
	s.t.Cleanup(func() {
		_ = i.cmd.Process.Kill()
		<-i.done
		if s.t.Failed() {
			s.t.Logf("tallystick wrote:\n%s", i.out)
		}
	})
	i.await(60*time.Second, `(?m)^console: (http://\S+)$`)
	return i
}

// await waits until the pattern shows in what the instance wrote, and returns
// its first group.
func (i *instance) await(within time.Duration, pattern string) string {
	i.t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	poll(i.t, within, "tallystick writes "+pattern, func() bool {
		select {
		case <-i.done:
			i.t.Fatalf("tallystick ended: %v", i.err)
		default:
		}
		found = re.FindStringSubmatch(i.out.String())
		return found != nil
	})
	if len(found) > 1 {
		return found[1]
	}
	return ""
}

// url is the console's address.
func (i *instance) url() string { return i.await(0, `(?m)^console: (http://\S+?)/?$`) }

func (i *instance) signal(sig syscall.Signal) {
	i.t.Helper()
	if err := i.cmd.Process.Signal(sig); err != nil {
		i.t.Fatal(err)
	}
}

// kill ends the process as a power failure would.
func (i *instance) kill() {
	i.t.Helper()
	if err := i.cmd.Process.Kill(); err != nil {
		i.t.Fatal(err)
	}
	<-i.done
}

// stop ends the process as an operator would, and wants a clean exit.
func (i *instance) stop() {
	i.t.Helper()
	if err := i.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		i.t.Fatal(err)
	}
	select {
	case <-i.done:
	case <-time.After(30 * time.Second):
		i.t.Fatal("tallystick did not stop within 30 s of SIGTERM")
	}
	if i.err != nil {
		i.t.Errorf("tallystick stopped with %v", i.err)
	}
}

// verify wants the ledger to answer for every row.
func (s *site) verify() {
	s.t.Helper()
	out := s.must("ledger", "verify")
	if !strings.Contains(out, "\nverified\n") {
		s.t.Errorf("ledger verify printed:\n%s", out)
	}
	s.t.Log(strings.SplitN(out, "\n", 2)[0])
}

// poll asks again and again, with a breath between, until ok or the deadline.
func poll(t *testing.T, within time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	breath := time.NewTicker(20 * time.Millisecond)
	defer breath.Stop()
	for !ok() {
		if time.Since(begin) > within {
			t.Fatalf("not within %s: %s", within, what)
		}
		<-breath.C
	}
	return time.Since(begin)
}

// transcript collects what a process writes.
type transcript struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.Write(p)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buf.String()
}

// eachLine calls f for each line of a file.
func eachLine(t *testing.T, path string, f func(line string)) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	sc := bufio.NewScanner(file)
	for sc.Scan() {
		f(sc.Text())
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
}
