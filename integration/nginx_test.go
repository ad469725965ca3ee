//go:build integration && linux

package integration_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tallystick/tallystick/integration/chromium"
)

// nginx is a private server with its own folder on a loopback port.
type nginx struct {
	t    *testing.T
	dir  string
	url  string
	cmd  *exec.Cmd
	asks int64 // requests that the test itself made for the status
}

// The log is nginx's predefined combined. An answer is as long as the query, so
// that the sum of bytes tells requests apart.
const nginxConf = `daemon off;
worker_processes 2;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 256; }
http {
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  keepalive_requests 1000000;
  server {
    listen %[2]s;
    access_log %[1]s/access.log combined;
    location / { return 200 "$args"; }
    location /v1/refused/ { return 403 "$args"; }
    location = /status { stub_status; access_log off; }
  }
}
`

// program finds a server's program, or leaves the test out.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{"", "/usr/sbin/"} {
		if path, err := exec.LookPath(dir + name); err == nil {
			return path
		}
	}
	chromium.Missing(t, name)
	return ""
}

func startNginx(t *testing.T) *nginx {
	t.Helper()
	path := program(t, "nginx")
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
	n := &nginx{t: t, dir: folder(t, "nobody"), url: "http://" + addr}
	conf := filepath.Join(n.dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, n.dir, addr), 0o600); err != nil {
		t.Fatal(err)
	}
	n.cmd = exec.Command(path, "-p", n.dir, "-e", filepath.Join(n.dir, "error.log"), "-c", conf)
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out := &transcript{}
	n.cmd.Stdout, n.cmd.Stderr = out, out
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = n.cmd.Process.Signal(syscall.SIGTERM)
		_ = n.cmd.Wait()
	})
	poll(t, 10*time.Second, "nginx answers: "+out.String(), func() bool {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	return n
}

func (n *nginx) log() string { return filepath.Join(n.dir, "access.log") }

func (n *nginx) get(path string) string {
	n.t.Helper()
	resp, err := http.Get(n.url + path)
	if err != nil {
		n.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	return string(b)
}

// requests is how many requests nginx counted itself, without those for its
// status.
func (n *nginx) requests() int64 {
	n.t.Helper()
	n.asks++
	// Active connections: 1 / server accepts handled requests / 2 2 3 / ...
	lines := strings.Split(n.get("/status"), "\n")
	fields := strings.Fields(lines[2])
	all, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		n.t.Fatal(err)
	}
	return all - n.asks
}

// rotate renames the log as logrotate does and has nginx open a new one.
func (n *nginx) rotate() {
	n.t.Helper()
	for i := 8; i >= 0; i-- {
		from := fmt.Sprintf("%s.%d", n.log(), i)
		if i == 0 {
			from = n.log()
		}
		if err := os.Rename(from, fmt.Sprintf("%s.%d", n.log(), i+1)); err != nil && !os.IsNotExist(err) {
			n.t.Fatal(err)
		}
	}
	if err := n.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		n.t.Fatal(err)
	}
	poll(n.t, 10*time.Second, "nginx opens a new log", func() bool {
		_, err := os.Stat(n.log())
		return err == nil
	})
}

// logged sums up all generations of the log.
func (n *nginx) logged() (s sums) {
	n.t.Helper()
	paths, err := filepath.Glob(n.log() + "*")
	if err != nil {
		n.t.Fatal(err)
	}
	for _, p := range paths {
		eachLine(n.t, p, func(line string) {
			// ADDRESS - USER [TIME ZONE] "METHOD TARGET PROTOCOL" STATUS BYTES ...
			f := strings.Fields(line)
			size, err := strconv.ParseInt(f[9], 10, 64)
			if err != nil {
				n.t.Fatal(err)
			}
			s.entries++
			s.bytes += size
			if f[8] == "403" {
				s.denied++
			}
		})
	}
	return s
}

// sums tell whether a record is the log's: no line lost, none twice, and not
// one for another.
type sums struct{ entries, bytes, denied int64 }

func (s *site) recorded() sums {
	s.t.Helper()
	r := s.row("SELECT count() AS n, sum(bytes_out) AS bytes, countIf(outcome = 'denied') AS denied, uniqExact(event_id) AS ids FROM entries")
	num := func(k string) int64 {
		v, err := strconv.ParseInt(r[k], 10, 64)
		if err != nil {
			s.t.Fatalf("%s = %q", k, r[k])
		}
		return v
	}
	if num("n") != num("ids") {
		s.t.Errorf("%d entries have %d ids", num("n"), num("ids"))
	}
	return sums{num("n"), num("bytes"), num("denied")}
}

// load is a wrk at work.
type load struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  transcript
	done chan struct{}
	err  error
}

// Each connection waits some milliseconds between requests, so that the rate
// is bounded too.
const wrkScript = `local thread, n = 0, 0
function setup(t) thread = thread + 1; t:set("id", thread) end
function request()
  n = n + 1
  local path = n % 50 == 0 and "/v1/refused/" or "/v1/customers/"
  return wrk.format("GET", path .. (1000 + n % 700) .. "?t=" .. id .. "&n=" .. n, {["Authorization"] = n % 3 == 0 and "Basic YWdlbnQxNDp4" or "Basic YWdlbnQwNzp4"})
end
function delay() return 4 end
function done(summary)
  io.write("total ", summary.requests, " errors ", summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout, "\n")
end
`

const connections = 24

// startLoad sends requests to nginx for some seconds.
func startLoad(t *testing.T, n *nginx, seconds int) *load {
	t.Helper()
	path := program(t, "wrk")
	script := filepath.Join(t.TempDir(), "requests.lua")
	if err := os.WriteFile(script, []byte(wrkScript), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(seconds+20)*time.Second)
	t.Cleanup(cancel)
	l := &load{t: t, done: make(chan struct{})}
	l.cmd = exec.CommandContext(ctx, path, "-t", "2", "-c", strconv.Itoa(connections), "-d", strconv.Itoa(seconds)+"s", "-s", script, n.url)
	l.cmd.Stdout, l.cmd.Stderr = &l.out, &l.out
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		l.err = l.cmd.Wait()
		close(l.done)
	}()
	return l
}

// wait returns how many answers wrk counted. Those under way at its end are
// not among them.
func (l *load) wait() int64 {
	l.t.Helper()
	<-l.done
	var total, errs int64
	_, tail, _ := strings.Cut(l.out.String(), "total ")
	if _, err := fmt.Sscanf(tail, "%d errors %d", &total, &errs); err != nil || l.err != nil || errs > 0 {
		l.t.Fatalf("wrk: %v, %d errors\n%s", l.err, errs, l.out.String())
	}
	return total
}

// TestNginxUnderLoad tails a real server's log while requests are answered and
// the log is rotated, kills tallystick in the middle, and wants every request
// to be one entry, before and after.
func TestNginxUnderLoad(t *testing.T) {
	n := startNginx(t)
	n.get("/v1/customers/1000?n=0") // init looks at a log with lines
	s := newSite(t, t.TempDir())
	t.Log(s.must("init", n.log()))
	i := s.start("--listen", "127.0.0.1:0")

	// equal wants all requests to be recorded. wrk's total lacks at most one
	// request for each connection.
	equal := func(when string, wrk int64) {
		t.Helper()
		served, logged := n.requests(), n.logged()
		if served != logged.entries || served < wrk || served > wrk+2*connections+1 {
			t.Fatalf("%s: nginx counted %d requests and logged %d, wrk counted %d", when, served, logged.entries, wrk)
		}
		var got sums
		took := poll(t, 60*time.Second, fmt.Sprintf("%s: %d entries", when, served), func() bool {
			got = s.recorded()
			return got.entries >= served
		})
		if got != logged {
			t.Fatalf("%s: recorded %+v, logged %+v", when, got, logged)
		}
		t.Logf("%s: %d requests answered, %d entries, %s after the last", when, served, got.entries, took.Round(time.Millisecond))
	}
	reached := func(requests int64) {
		t.Helper()
		poll(t, 30*time.Second, fmt.Sprintf("%d requests", requests), func() bool { return n.requests() >= requests })
	}

	l := startLoad(t, n, 4)
	reached(5_000)
	n.rotate()
	first := l.wait()
	equal("rotated once", first)

	l = startLoad(t, n, 10)
	begin := n.requests()
	reached(begin + 5_000)
	poll(t, 20*time.Second, "entries of the second load", func() bool { return s.number("SELECT count() FROM entries") > begin })
	i.kill()
	n.rotate() // nobody looks
	reached(begin + 12_000)
	n.rotate()
	i = s.start("--listen", "127.0.0.1:0")
	reached(begin + 18_000)
	n.rotate()
	second := l.wait()
	equal("killed, rotated twice meanwhile, started again", first+second)

	i.stop()
	s.verify()
	if got, want := s.recorded(), n.logged(); got != want {
		t.Errorf("after a clean stop: recorded %+v, logged %+v", got, want)
	}
	i = s.start("--listen", "127.0.0.1:0")
	equal("started once more", first+second)
	s.verify()
	i.stop()
}

// TestFreshFolder goes from a log to visible entries with three commands and
// no file written by hand.
func TestFreshFolder(t *testing.T) {
	n := startNginx(t)
	for k := range 40 {
		n.get(fmt.Sprintf("/v1/customers/%d?page=%d", 1000+k, k))
	}
	begin := time.Now()
	s := newSite(t, t.TempDir())
	s.must("init", n.log())
	i := s.start("--listen", "127.0.0.1:0")
	poll(t, 3*time.Minute, "40 entries", func() bool { return s.number("SELECT count() FROM entries") >= 40 })
	took := time.Since(begin)
	n.get("/v1/customers/1001?page=41")
	live := poll(t, 10*time.Second, "the 41st", func() bool { return s.number("SELECT count() FROM entries") == 41 })
	t.Logf("from init to visible entries %s; a line written later shows after %s", took.Round(time.Millisecond), live.Round(time.Millisecond))
	if entries, err := filepath.Glob(filepath.Join(s.dir, "*")); err != nil || len(entries) != 3 {
		t.Errorf("the folder holds %q, want data, datamap.yaml and tallystick.yaml", entries)
	}
	s.must("config", "check")
	s.movedLog(n)
	i.stop()
	s.verify()
}

// movedLog ingests a copy of the log from another folder than the instance's,
// under the name of the log's stream: nothing of it counts again.
func (s *site) movedLog(n *nginx) {
	s.t.Helper()
	dir := s.t.TempDir()
	data, err := os.ReadFile(n.log())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "moved.log"), data, 0o600)
	}
	stream, rerr := filepath.Rel(dir, n.log())
	if err := errors.Join(err, rerr); err != nil {
		s.t.Fatal(err)
	}
	cmd := s.command("ingest", "--config", filepath.Join(s.dir, "tallystick.yaml"), "--format", "nginx:combined", "--stream", stream, "--summary", "json", "moved.log")
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), `"entries":0`) {
		s.t.Errorf("ingest --stream of a moved log: %v\n%s", err, out)
	}
}
