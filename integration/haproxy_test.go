//go:build integration && linux

package integration_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

const haproxyConf = `global
  log stdout len 4096 format raw local0 info
  maxconn 512
  nbthread 1
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

// haproxy writes no files itself: it hands its lines to a collector, here by a
// pipe, which rotates the log.
type haproxy struct {
	*web
	collector *copyLines
}

func TestHAProxy(t *testing.T) {
	t.Parallel()
	follow(t, startHAProxy(t), overHTTP(t, "  format: haproxy:http", 6))
}

func startHAProxy(t *testing.T) *haproxy {
	t.Helper()
	path := program(t, "haproxy")
	dir, addr := t.TempDir(), freeAddr(t)
	h := &haproxy{web: newWeb(t)}
	h.through(addr)
	conf := writeFile(t, filepath.Join(dir, "haproxy.cfg"), haproxyConf, addr, h.backend())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	// HAProxy drops what a full pipe does not take, and with several threads also
	// what two of them write at once.
	if _, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 1<<20); err != nil {
		t.Fatal(err)
	}
	h.collector = collect(t, r, filepath.Join(dir, "haproxy.log"))
	launch(t, dir, addr, w, path, "-db", "-f", conf)
	_ = w.Close()
	return h
}

func (h *haproxy) log() string { return h.collector.path }

func (h *haproxy) rotate() {
	renameLogs(h.t, h.log())
	h.collector.reopen(h.t)
}
