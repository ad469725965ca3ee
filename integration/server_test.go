//go:build integration && linux

package integration_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tallystick/tallystick/integration/chromium"
)

// server is a real server that writes a log.
type server interface {
	// log is the path that the server writes to now.
	log() string
	// send makes n requests and returns what came of them, as the client saw
	// it, when all are answered. It reports failures by Errorf: it is called
	// beside the test's goroutine.
	send(n int) tally
	// answered is how many requests of send were answered so far.
	answered() int64
	// rotate renames the log and has the server go on in a new file.
	rotate()
}

// tally counts requests by what came of them.
type tally map[string]int64

func (c tally) add(more tally) {
	for k, n := range more {
		c[k] += n
	}
}

func (c tally) total() (n int64) {
	for _, k := range c {
		n += k
	}
	return n
}

// tailed says how a server's log is followed and what its entries are compared
// by.
type tailed struct {
	source string // YAML of the source after name and file, indented by two
	came   string // SQL: what came of the request of an entry, as in tally
	where  string // SQL: the entries that are requests of send
	// bytes is the size of the answer that a line of the log tells, which the
	// entry has as bytes_out. nil if lines tell none.
	bytes func(line string) int64
	// lines is how many lines the log has for each request; 0 if that is not
	// fixed.
	lines int64
}

// loads are the requests before tallystick runs, while it runs undisturbed,
// and while it is killed and started again.
var loads = [3]int{100, 900, 7000}

// follow tails the log of a server under load, which is rotated once while
// tallystick looks, once after it was killed, and once after it runs again,
// and wants each request to be one entry.
func follow(t *testing.T, sv server, tl tailed) *site {
	t.Helper()
	s := newSite(t, t.TempDir())
	config := fmt.Sprintf("sources:\n- name: server\n  file: %s\n%s\n", sv.log(), strings.TrimRight(tl.source, "\n"))
	if err := os.WriteFile(filepath.Join(s.dir, "tallystick.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	want := sv.send(loads[0])
	i := s.start("--listen", "127.0.0.1:0")
	want.add(sv.send(loads[1] / 2))
	sv.rotate()
	want.add(sv.send(loads[1] / 2))
	s.equal("rotated once", sv, tl, want)

	begin := sv.answered()
	reached := func(requests int64) {
		t.Helper()
		poll(t, 60*time.Second, fmt.Sprintf("%d requests", requests), func() bool { return sv.answered() >= begin+requests })
	}
	done := make(chan tally, 1)
	go func() { done <- sv.send(loads[2]) }()
	reached(500)
	poll(t, 30*time.Second, "entries of the load", func() bool { return s.entries(tl) > begin })
	i.kill()
	sv.rotate() // nobody looks
	i = s.start("--listen", "127.0.0.1:0")
	if sv.answered()-begin >= int64(loads[2]) {
		t.Error("the load ended while tallystick was away")
	}
	sv.rotate()
	want.add(<-done)
	s.equal("killed, started again, rotated twice meanwhile", sv, tl, want)

	i.stop()
	s.verify()
	i = s.start("--listen", "127.0.0.1:0")
	want.add(sv.send(loads[0]))
	s.equal("started once more", sv, tl, want)
	i.stop()
	return s
}

func (s *site) entries(tl tailed) int64 {
	s.t.Helper()
	return s.number("SELECT count() FROM entries WHERE " + tl.where)
}

// equal wants the record to be what the client saw and what the log tells.
func (s *site) equal(when string, sv server, tl tailed, want tally) {
	s.t.Helper()
	defer s.explain(sv, tl, want)
	took := poll(s.t, 60*time.Second, fmt.Sprintf("%s: %d entries", when, want.total()), func() bool { return s.entries(tl) >= want.total() })
	var sums struct{ IDs, Rejected, Bytes, N string }
	s.one(&sums, `SELECT uniqExact(event_id) AS IDs, count() AS N, sum(bytes_out) AS Bytes,
		(SELECT count() FROM rejections WHERE reason != 'not-access') AS Rejected FROM entries WHERE `+tl.where)
	got := tally{}
	for _, r := range s.rows("SELECT " + tl.came + " AS came, count() AS n FROM entries WHERE " + tl.where + " GROUP BY came") {
		var n int64
		if _, err := fmt.Sscan(r["n"], &n); err != nil {
			s.t.Fatal(err)
		}
		got[r["came"]] = n
	}
	if !maps.Equal(got, want) || sums.IDs != sums.N || sums.Rejected != "0" {
		s.t.Fatalf("%s: recorded %v, the client saw %v; %s ids of %s entries, %s rejections", when, got, want, sums.IDs, sums.N, sums.Rejected)
	}
	lines, bytes := logged(s.t, sv.log(), tl)
	if tl.lines > 0 && lines != tl.lines*want.total() || tl.bytes != nil && sums.Bytes != fmt.Sprint(bytes) {
		s.t.Fatalf("%s: %d lines and %d bytes are in the log of %d requests, the record has %s bytes", when, lines, bytes, want.total(), sums.Bytes)
	}
	s.t.Logf("%s: %v, %s after the last", when, got, took.Round(time.Millisecond))
}

// logged sums up all generations of a log.
func logged(t *testing.T, log string, tl tailed) (lines, bytes int64) {
	t.Helper()
	paths, err := filepath.Glob(log + "*")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		eachLine(t, p, func(line string) {
			lines++
			if tl.bytes != nil {
				bytes += tl.bytes(line)
			}
		})
	}
	return lines, bytes
}

// one asks for one row and reads it into v.
func (s *site) one(v any, sql string) {
	s.t.Helper()
	rows := s.rows(sql)
	b, err := json.Marshal(rows[0])
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

// rows asks for rows through the command line.
func (s *site) rows(sql string) (rows []map[string]string) {
	s.t.Helper()
	d := json.NewDecoder(strings.NewReader(s.must("sql", "--format", "json", sql)))
	for {
		var r map[string]string
		if err := d.Decode(&r); errors.Is(err, io.EOF) {
			return rows
		} else if err != nil {
			s.t.Fatalf("%s: %v", sql, err)
		}
		rows = append(rows, r)
	}
}

// renameLogs is what logrotate does before it signals a server.
func renameLogs(t *testing.T, log string) {
	t.Helper()
	for i := 8; i >= 0; i-- {
		from := fmt.Sprintf("%s.%d", log, i)
		if i == 0 {
			from = log
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", log, i+1)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// appears waits for a file.
func appears(t *testing.T, path string) {
	t.Helper()
	poll(t, 20*time.Second, filepath.Base(path)+" is there", func() bool {
		_, err := os.Stat(path)
		return err == nil
	})
}

// process is a server's process, which ends with the test.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	out *transcript
}

// launch starts a program in a folder and returns when its address takes
// connections.
func launch(t *testing.T, dir, addr string, stdout io.Writer, path string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(path, args...), out: &transcript{}}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, stdout, p.out
	if stdout == nil {
		p.cmd.Stdout = p.out
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.end()
		if t.Failed() {
			t.Logf("%s wrote:\n%.8000s", filepath.Base(path), p.out)
		}
	})
	begin := time.Now()
	for {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
			return p
		}
		if time.Since(begin) > 60*time.Second {
			t.Fatalf("%s does not answer: %v\n%s", filepath.Base(path), err, p.out)
		}
		<-time.After(20 * time.Millisecond)
	}
}

func (p *process) signal(sig syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
}

// end stops the process by SIGTERM, or by SIGKILL after ten seconds.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(10*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	_ = p.cmd.Wait()
}

// folder is a new folder that a server's own user may use: as root, servers
// drop to it.
func folder(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	giveTo(t, name, dir)
	if err := os.Chmod(filepath.Dir(dir), 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

// giveTo makes files a user's own where the test runs as root.
func giveTo(t *testing.T, name string, paths ...string) {
	t.Helper()
	if os.Getuid() != 0 {
		return
	}
	u, err := user.Lookup(name)
	if err != nil {
		chromium.Missing(t, "user "+name)
	}
	uid, errU := strconv.Atoi(u.Uid)
	gid, errG := strconv.Atoi(u.Gid)
	for _, p := range paths {
		if err := errors.Join(errU, errG, os.Chown(p, uid, gid)); err != nil {
			t.Fatal(err)
		}
	}
}

// localZone is the IANA name of the machine's time zone, in which servers write
// times without a zone.
func localZone(t *testing.T) string {
	t.Helper()
	to, err := filepath.EvalSymlinks("/etc/localtime")
	if _, name, ok := strings.Cut(to, "/zoneinfo/"); err == nil && ok && os.Getenv("TZ") == "" {
		return name
	}
	if zone := os.Getenv("TZ"); zone != "" {
		return zone
	}
	return "UTC"
}

// freeAddr is a loopback address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().String()
}

// writeFile fills in a template and returns the file's path.
func writeFile(t *testing.T, path, template string, args ...any) string {
	t.Helper()
	if err := os.WriteFile(path, fmt.Appendf(nil, template, args...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// copyLines is a collector of lines: it appends what comes to a file that can
// be opened anew between two lines.
type copyLines struct {
	path string
	swap chan chan error
}

// collect copies r to path until r ends.
func collect(t *testing.T, r io.Reader, path string) *copyLines {
	t.Helper()
	c := &copyLines{path: path, swap: make(chan chan error)}
	lines := make(chan []byte, 1024)
	go func() {
		defer close(lines)
		in := bufio.NewReaderSize(r, 1<<20)
		for {
			line, err := in.ReadBytes('\n')
			if len(line) > 0 {
				lines <- line
			}
			if err != nil {
				return
			}
		}
	}()
	file, err := appendTo(path)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer func() { _ = file.Close() }()
		for {
			select {
			case line, ok := <-lines:
				if !ok {
					return
				}
				if _, err := file.Write(line); err != nil {
					t.Errorf("failed to collect lines: %v", err)
				}
			case done := <-c.swap:
				_ = file.Close()
				file, err = appendTo(path)
				done <- err
			}
		}
	}()
	return c
}

func appendTo(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// reopen goes on in a new file.
func (c *copyLines) reopen(t *testing.T) {
	t.Helper()
	done := make(chan error)
	c.swap <- done
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// missing leaves a test out because a server can't be had, or fails it where
// CI is set.
func missing(t *testing.T, what string, err error) {
	t.Helper()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Logf("%s", exit.Stderr)
	}
	chromium.Missing(t, what)
}
