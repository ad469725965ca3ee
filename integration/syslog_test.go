//go:build integration && linux

package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// nginxSyslog sends its log as datagrams, RFC 3164.
const nginxSyslog = `daemon off;
worker_processes 2;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log;
events { worker_connections 256; }
http {
  client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
  uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
  server {
    listen %[2]s;
    access_log syslog:server=%[3]s,facility=local7,tag=nginx,severity=info combined;
    location / { proxy_pass http://%[4]s; }
  }
}
`

// haproxySyslog sends its log over a stream, RFC 5424 with octet counts.
const haproxySyslog = `global
  log ring@tap format rfc5424 local0 info
  nbthread 2
ring tap
  format rfc5424
  maxlen 8192
  size 4194304
  timeout connect 5s
  timeout server 10s
  server tap %s log-proto octet-count
defaults
  mode http
  log global
  option httplog
  option dontlognull
  timeout connect 5s
  timeout client 20s
  timeout server 20s
frontend shop
  bind %s
  capture request header User-Agent len 128
  default_backend up
backend up
  server s1 %s
`

// sender is a proxy that sends its log and writes none.
type sender struct {
	*web
	none string
}

func (s *sender) log() string { return s.none }
func (s *sender) rotate()     {}

// viaSyslog starts a site that takes syslog at an address.
func viaSyslog(t *testing.T, config, source, addr string) (*site, *instance) {
	t.Helper()
	s := newSite(t, t.TempDir())
	text := fmt.Sprintf("%ssources:\n- name: server\n  syslog: {udp: %q, tcp: %q}\n%s\n", config, addr, addr, source)
	if err := os.WriteFile(filepath.Join(s.dir, "tallystick.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s, s.start("--listen", "127.0.0.1:0")
}

func startNginxSyslog(t *testing.T, to string) *sender {
	t.Helper()
	path := program(t, "nginx")
	dir, addr := folder(t, "nobody"), freeAddr(t)
	sv := &sender{web: newWeb(t), none: filepath.Join(t.TempDir(), "none")}
	sv.through(addr)
	conf := writeFile(t, filepath.Join(dir, "nginx.conf"), nginxSyslog, dir, addr, to, sv.backend())
	launch(t, dir, addr, nil, path, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", conf)
	return sv
}

func sentOverHTTP(t *testing.T, source string) tailed {
	tl := overHTTP(t, source, 0)
	tl.bytes, tl.lines = nil, 0
	return tl
}

// TestNginxSyslog: each request that nginx tells of in a datagram is one entry.
func TestNginxSyslog(t *testing.T) {
	program(t, "nginx")
	t.Parallel()
	to, source := freeAddr(t), "  format: nginx:combined"
	s, i := viaSyslog(t, "", source, to)
	sv := startNginxSyslog(t, to)
	want := sv.send(2000)
	s.equal("over UDP", sv, sentOverHTTP(t, source), want)
	i.stop()
	s.verify()
}

// TestHAProxySyslog: each request that HAProxy tells of over a stream is one
// entry, also those of the time in which the tap is started again, which HAProxy
// keeps in its ring.
func TestHAProxySyslog(t *testing.T) {
	path := program(t, "haproxy")
	t.Parallel()
	to, source := freeAddr(t), "  format: haproxy:http"
	s, i := viaSyslog(t, "", source, to)
	dir, addr := t.TempDir(), freeAddr(t)
	sv := &sender{web: newWeb(t), none: filepath.Join(t.TempDir(), "none")}
	sv.through(addr)
	launch(t, dir, addr, nil, path, "-db", "-f", writeFile(t, filepath.Join(dir, "haproxy.cfg"), haproxySyslog, to, addr, sv.backend()))
	tl := sentOverHTTP(t, source)
	want := sv.send(2000)
	s.equal("over TCP, octet-counted", sv, tl, want)
	i.stop()
	want.add(sv.send(500))
	i = s.start("--listen", "127.0.0.1:0")
	want.add(sv.send(500))
	s.equal("started again", sv, tl, want)
	i.stop()
	s.verify()
}

// TestKafkaAwayFromSyslog: what comes as datagrams while Kafka is away waits in
// the spool, and each request is one entry in the end.
func TestKafkaAwayFromSyslog(t *testing.T) {
	program(t, "java")
	program(t, "nginx")
	t.Parallel()
	k := startKafka(t, "PLAINTEXT", "")
	to, source := freeAddr(t), "  format: nginx:combined"
	s, i := viaSyslog(t, fmt.Sprintf("kafka:\n  addresses: [%s]\n", k.addr), source, to)
	sv := startNginxSyslog(t, to)
	tl := sentOverHTTP(t, source)
	want := sv.send(500)
	s.equal("through Kafka", sv, tl, want)
	k.kill()
	want.add(sv.send(3000))
	i.await(30*time.Second, `nothing is lost: they are spooled`)
	if list, err := filepath.Glob(filepath.Join(s.dir, "data", "tap", "spool", "server", "*.spool")); err != nil || len(list) == 0 {
		t.Errorf("nothing is on disk: %v", err)
	}
	k.run(t)
	s.equal("Kafka is back", sv, tl, want)
	k.signal(syscall.SIGSTOP)
	want.add(sv.send(1000))
	<-time.After(15 * time.Second)
	k.signal(syscall.SIGCONT)
	want.add(sv.send(100))
	s.equal("Kafka stood still", sv, tl, want)
	i.stop()
	s.verify()
}
