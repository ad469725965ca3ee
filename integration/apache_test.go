//go:build integration && linux

package integration_test

import (
	"path/filepath"
	"syscall"
	"testing"
)

const apacheConf = `ServerRoot %[1]s
ServerName shop.aurora.example
PidFile %[1]s/httpd.pid
DefaultRuntimeDir %[1]s
Mutex file:%[1]s
Listen %[2]s
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
User nobody
Group nogroup
ErrorLog %[1]s/error.log
MaxKeepAliveRequests 0
LogFormat "%%v:%%p %%h %%l %%u %%t \"%%r\" %%>s %%O \"%%{Referer}i\" \"%%{User-Agent}i\" %%D \"%%{X-Forwarded-For}i\"" timed
CustomLog %[1]s/access.log timed
ProxyPass / http://%[3]s/
`

// apacheFormat is the line of apacheConf, as a user would copy it.
const apacheFormat = `  format: 'apache:LogFormat "%v:%p %h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\" %D \"%{X-Forwarded-For}i\"" timed'`

type apache struct {
	*web
	*process
	dir string
}

func startApache(t *testing.T) *apache {
	path := program(t, "apache2")
	a := &apache{web: newWeb(t), dir: folder(t, "nobody")}
	addr := freeAddr(t)
	a.through(addr)
	conf := writeFile(t, filepath.Join(a.dir, "apache2.conf"), apacheConf, a.dir, addr, a.backend())
	a.process = launch(t, a.dir, addr, nil, path, "-DFOREGROUND", "-f", conf)
	return a
}

func TestApache(t *testing.T) {
	t.Parallel()
	follow(t, startApache(t), overHTTP(t, apacheFormat, 10))
}

func (a *apache) log() string { return filepath.Join(a.dir, "access.log") }

func (a *apache) rotate() {
	renameLogs(a.web.t, a.log())
	a.signal(syscall.SIGUSR1)
	appears(a.web.t, a.log())
}
