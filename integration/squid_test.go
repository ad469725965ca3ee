//go:build integration && linux

package integration_test

import (
	"path/filepath"
	"syscall"
	"testing"
)

const squidConf = `http_port %[2]s
visible_hostname proxy.aurora.example
pid_filename %[1]s/squid.pid
cache_log %[1]s/cache.log
coredump_dir %[1]s
netdb_filename none
pinger_enable off
cache deny all
cache_mem 8 MB
shutdown_lifetime 0 seconds
logfile_rotate 0
strip_query_terms off
acl here src 127.0.0.1
http_access allow here
http_access deny all
access_log stdio:%[1]s/access.log logformat=squid
`

type squid struct {
	*web
	*process
	dir string
}

func TestSquid(t *testing.T) {
	t.Parallel()
	s, tl := startSquid(t)
	follow(t, s, tl)
}

func startSquid(t *testing.T) (*squid, tailed) {
	t.Helper()
	path := program(t, "squid")
	s := &squid{web: newWeb(t), dir: folder(t, "proxy")}
	addr := freeAddr(t)
	s.by(addr)
	conf := writeFile(t, filepath.Join(s.dir, "squid.conf"), squidConf, s.dir, addr)
	s.process = launch(t, s.dir, addr, nil, path, "-N", "-f", conf)
	tl := overHTTP(t, "  format: squid:squid", 4)
	tl.where += " AND status_code > 0" // launch connects and asks nothing
	tl.lines = 0
	return s, tl
}

func (s *squid) log() string { return filepath.Join(s.dir, "access.log") }

func (s *squid) rotate() {
	renameLogs(s.web.t, s.log())
	s.signal(syscall.SIGUSR1)
	appears(s.web.t, s.log())
}
