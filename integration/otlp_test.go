//go:build integration && linux

package integration_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/plog/plogotlp"
)

// An Envoy that logs by OpenTelemetry: once as text, and once as attributes with
// the names of the semantic conventions.
const envoyOTLP = `static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: %[1]s}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: shop
          access_log:
          - name: text
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig
              common_config: {log_name: text, transport_api_version: V3, grpc_service: {envoy_grpc: {cluster_name: text}}}
              body: {string_value: '%[5]s'}
          - name: attributes
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.open_telemetry.v3.OpenTelemetryAccessLogConfig
              common_config: {log_name: attributes, transport_api_version: V3, grpc_service: {envoy_grpc: {cluster_name: attributes}}}
              attributes:
                values:
                - {key: http.request.method, value: {string_value: "%%REQ(:METHOD)%%"}}
                - {key: url.path, value: {string_value: "%%REQ(:PATH)%%"}}
                - {key: http.response.status_code, value: {string_value: "%%RESPONSE_CODE%%"}}
                - {key: http.response.body.size, value: {string_value: "%%BYTES_SENT%%"}}
                - {key: client.address, value: {string_value: "%%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%%"}}
          route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: up}}]}]}
          http_filters: [{name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]
  clusters:
  - {name: up, type: STATIC, load_assignment: {cluster_name: up, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[2]s}}}}]}]}}
  - name: text
    type: STATIC
    typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: &h2 {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}}}
    load_assignment: {cluster_name: text, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[3]s}}}}]}]}
  - name: attributes
    type: STATIC
    typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions: *h2}
    load_assignment: {cluster_name: attributes, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[4]s}}}}]}]}
`

const otlpText = `[%START_TIME%] "%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%" %RESPONSE_CODE% %BYTES_SENT%`

// TestOTLP takes the records of a real Envoy, as text and as attributes, and
// those of a sender that is answered, over HTTP, while the tap is killed.
func TestOTLP(t *testing.T) {
	t.Parallel()
	mapping, err := filepath.Abs("../schemas/mapping/json-otlp.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, attributes, posted := freeAddr(t), freeAddr(t), freeAddr(t)
	s := newSite(t, t.TempDir())
	config := fmt.Sprintf(`sources:
- name: text
  otlp: {grpc: %q}
  format: 'envoy:%s'
- name: attributes
  otlp: {grpc: %q, whole_records: true}
  format: "json:%s"
- name: posted
  otlp: {http: %q}
  format: nginx:combined
`, text, otlpText, attributes, mapping, posted)
	if err := os.WriteFile(filepath.Join(s.dir, "tallystick.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	i := s.start("--listen", "127.0.0.1:0")
	w := startLogging(t, text, attributes)
	want := w.send(2000)
	for _, source := range []string{"text", "attributes"} {
		var n, bytes string
		poll(t, 60*time.Second, fmt.Sprintf("%s: %d entries", source, want.total()), func() bool {
			r := s.row("SELECT count() AS n, sum(bytes_out) AS b FROM entries WHERE source = '" + source + "'")
			n, bytes = r["n"], r["b"]
			return n == fmt.Sprint(want.total())
		})
		got := tally{}
		for _, r := range s.rows("SELECT toString(status_code) AS came, count() AS n FROM entries WHERE source = '" + source + "' GROUP BY came") {
			var n int64
			_, _ = fmt.Sscan(r["n"], &n)
			got[r["came"]] = n
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: recorded %v, the client saw %v", source, got, want)
		}
		t.Logf("%s: %s entries with %s bytes", source, n, bytes)
	}
	if n := s.number("SELECT count() FROM rejections"); n != 0 {
		t.Errorf("%d rejections", n)
	}

	const records, each = 4000, 20
	var sent, again atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; n < records; n += each {
			again.Add(post(t, "http://"+posted+"/v1/logs", n, each))
			sent.Add(each)
		}
	}()
	poll(t, 60*time.Second, "a third of the records", func() bool { return sent.Load() > records/3 })
	i.kill()
	i = s.start("--listen", "127.0.0.1:0")
	if sent.Load() == records {
		t.Error("all were sent before the tap was killed")
	}
	<-done
	poll(t, 60*time.Second, "each record that was answered is an entry", func() bool {
		return s.number("SELECT uniqExact(bytes_out) FROM entries WHERE source = 'posted'") == records
	})
	n := s.number("SELECT count() FROM entries WHERE source = 'posted'")
	if n > records+each {
		t.Errorf("%d entries of %d records: more came again than the one request without an answer", n, records)
	}
	t.Logf("%d records in %d requests, %d of them sent again: %d entries", records, records/each, again.Load(), n)
	i.stop()
	s.verify()
}

// startLogging starts an Envoy that logs to two addresses: as text, and as
// attributes.
func startLogging(t *testing.T, text, attributes string) *web {
	t.Helper()
	path, err := exec.Command("../scripts/envoy.sh").Output()
	if err != nil {
		missing(t, "Envoy", err)
	}
	w, dir, addr := newWeb(t), t.TempDir(), freeAddr(t)
	w.through(addr)
	port := func(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }
	conf := writeFile(t, filepath.Join(dir, "envoy.yaml"), envoyOTLP, port(addr), port(w.backend()), port(text), port(attributes), otlpText)
	launch(t, dir, addr, nil, strings.TrimSpace(string(path)), "-c", conf, "--concurrency", "2", "--disable-hot-restart", "--log-level", "warn")
	return w
}

// post sends records until they are answered, and returns how often it tried
// again. Their sizes tell them apart.
func post(t *testing.T, url string, first, n int) (again int64) {
	logs := plog.NewLogs()
	list := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty().LogRecords()
	for k := range n {
		list.AppendEmpty().Body().SetStr(fmt.Sprintf("192.0.2.7 - - [%s] \"GET /v1/customers/%d HTTP/1.1\" 200 %d \"-\" \"x\"", time.Now().Format("02/Jan/2006:15:04:05 -0700"), first+k, first+k))
	}
	b, err := plogotlp.NewExportRequestFromLogs(logs).MarshalJSON()
	if err != nil {
		t.Error(err)
		return 0
	}
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	_, _ = z.Write(b)
	_ = z.Close()
	client := http.Client{Timeout: 20 * time.Second}
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); again++ {
		req, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body.Bytes()))
		if err != nil {
			t.Error(err)
			return again
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Content-Encoding", "gzip")
		if resp, err := client.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return again
			}
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Errorf("record %d got no answer", first)
	return again
}
