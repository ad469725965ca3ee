//go:build integration && linux

package integration_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The JSON keys are those of Istio's and Envoy Gateway's defaults; the text is
// Envoy's own default.
const envoyConf = `admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: %[2]s}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: shop
          access_log:
          - name: file
            typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: %[1]s/access.log%[4]s}
          route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: up}}]}]}
          http_filters: [{name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]
  clusters:
  - {name: up, type: STATIC, load_assignment: {cluster_name: up, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[3]s}}}}]}]}}
`

const envoyJSON = `, log_format: {json_format: {start_time: "%START_TIME%", method: "%REQ(:METHOD)%", path: "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", protocol: "%PROTOCOL%",
              response_code: "%RESPONSE_CODE%", response_flags: "%RESPONSE_FLAGS%", bytes_received: "%BYTES_RECEIVED%", bytes_sent: "%BYTES_SENT%", duration: "%DURATION%",
              downstream_remote_address: "%DOWNSTREAM_REMOTE_ADDRESS%", user_agent: "%REQ(USER-AGENT)%", authority: "%REQ(:AUTHORITY)%", upstream_host: "%UPSTREAM_HOST%"}}`

type envoy struct {
	*web
	*process
	dir string
}

func TestEnvoyJSON(t *testing.T) {
	t.Parallel()
	follow(t, startEnvoy(t, envoyJSON), overEnvoyJSON(t))
}

func overEnvoyJSON(t *testing.T) tailed {
	tl := overHTTP(t, "  format: envoy:json", 0)
	tl.bytes = func(line string) int64 {
		var v struct {
			Bytes int64 `json:"bytes_sent"`
		}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Error(err)
		}
		return v.Bytes
	}
	return tl
}

func TestEnvoyText(t *testing.T) {
	t.Parallel()
	follow(t, startEnvoy(t, ""), overHTTP(t, "  format: envoy:default", 7))
}

// startEnvoy starts an Envoy with a format of its file log. Hot restart would
// tie it to other Envoys of the machine.
func startEnvoy(t *testing.T, format string) *envoy {
	t.Helper()
	path, err := exec.Command("../scripts/envoy.sh").Output()
	if err != nil {
		missing(t, "Envoy", err)
	}
	e := &envoy{web: newWeb(t), dir: t.TempDir()}
	addr := freeAddr(t)
	e.through(addr)
	port := func(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }
	conf := writeFile(t, filepath.Join(e.dir, "envoy.yaml"), envoyConf, e.dir, port(addr), port(e.backend()), format)
	e.process = launch(t, e.dir, addr, nil, strings.TrimSpace(string(path)), "-c", conf, "--concurrency", "2", "--disable-hot-restart", "--file-flush-interval-msec", "200")
	return e
}

func (e *envoy) log() string { return filepath.Join(e.dir, "access.log") }

func (e *envoy) rotate() {
	renameLogs(e.web.t, e.log())
	e.signal(syscall.SIGUSR1)
	appears(e.web.t, e.log())
}
