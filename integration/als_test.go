//go:build integration && linux

package integration_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// An Envoy that logs requests and TCP connections to the tap, and each to a file
// as well, which tells what there was.
const envoyALS = `node: {id: front, cluster: shop}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: %[2]s}}}
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: %[3]s}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: shop
          access_log:
          - name: file
            typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog, path: %[1]s/access.log}
          - name: tap
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig
              common_config: {log_name: shop, transport_api_version: V3, grpc_service: {envoy_grpc: {cluster_name: tap}}}
              additional_request_headers_to_log: [x-purpose]
          route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: up}}]}]}
          http_filters: [{name: router, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}]
  - address: {socket_address: {address: 127.0.0.1, port_value: %[4]s}}
    filter_chains:
    - filters:
      - name: tcp
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
          stat_prefix: db
          cluster: up
          access_log:
          - name: tap
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.TcpGrpcAccessLogConfig
              common_config: {log_name: db, transport_api_version: V3, grpc_service: {envoy_grpc: {cluster_name: tap}}}
  clusters:
  - {name: up, type: STATIC, load_assignment: {cluster_name: up, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[5]s}}}}]}]}}
  - name: tap
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, explicit_http_config: {http2_protocol_options: {}}}
    load_assignment: {cluster_name: tap, endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[6]s}}}}]}]}
`

// streaming is an Envoy that streams its entries.
type streaming struct {
	*web
	*process
	db string // address of the TCP proxy
}

func startStreaming(t *testing.T, admin, tap string) *streaming {
	t.Helper()
	path, err := exec.Command("../scripts/envoy.sh").Output()
	if err != nil {
		missing(t, "Envoy", err)
	}
	e := &streaming{web: newWeb(t), db: freeAddr(t)}
	addr, dir := freeAddr(t), t.TempDir()
	e.through(addr)
	port := func(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }
	conf := writeFile(t, filepath.Join(dir, "envoy.yaml"), envoyALS, dir, port(admin), port(addr), port(e.db), port(e.backend()), port(tap))
	e.process = launch(t, dir, addr, nil, strings.TrimSpace(string(path)), "-c", conf, "--concurrency", "2", "--disable-hot-restart", "--log-level", "warn")
	return e
}

// connect makes n connections through the TCP proxy, with one request each.
func (e *streaming) connect(n int) {
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			c, err := net.Dial("tcp", e.db)
			if err != nil {
				e.web.t.Error(err)
				return
			}
			defer func() { _ = c.Close() }()
			_, _ = fmt.Fprintf(c, "GET /?n=5 HTTP/1.0\r\n\r\n")
			if _, err := io.Copy(io.Discard, c); err != nil {
				e.web.t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestEnvoyALS streams the entries of a real Envoy. What is lost while the tap
// is killed and started again under load can't be prevented, but the gaps'
// numbers say exactly how much it is.
func TestEnvoyALS(t *testing.T) {
	t.Parallel()
	tap, admin := freeAddr(t), freeAddr(t)
	s := newSite(t, t.TempDir())
	config := fmt.Sprintf("sources:\n- name: front\n  als: {listen: %s, admin: [\"http://%s\"], stat_prefixes: [shop, db]}\n  format: envoy:als\n  purpose: header:X-Purpose\n", tap, admin)
	if err := os.WriteFile(filepath.Join(s.dir, "tallystick.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	e := startStreaming(t, admin, tap)
	i := s.start("--listen", "127.0.0.1:0")
	i.await(30*time.Second, "compared with Envoy's counters from now on")

	tl := tailed{came: "toString(status_code)", where: "protocol = 'http'"}
	want := e.send(1000)
	e.connect(50)
	requests, connections := want.total(), int64(50)
	var sums struct{ HTTP, TCP, Ids, N, Rejected string }
	recorded := func() (http, tcp int64) {
		s.one(&sums, `SELECT countIf(protocol = 'http') AS HTTP, countIf(protocol = 'tcp') AS TCP, uniqExact(event_id) AS Ids, count() AS N,
			(SELECT count() FROM rejections) AS Rejected FROM entries`)
		if sums.Ids != sums.N || sums.Rejected != "0" {
			t.Fatalf("%s ids of %s entries, %s rejections", sums.Ids, sums.N, sums.Rejected)
		}
		_, err := fmt.Sscan(sums.HTTP+" "+sums.TCP, &http, &tcp)
		if err != nil {
			t.Fatal(err)
		}
		return http, tcp
	}
	poll(t, 60*time.Second, "each request and connection is an entry", func() bool {
		http, tcp := recorded()
		return http == requests && tcp == connections
	})
	came := tally{}
	for _, r := range s.rows("SELECT " + tl.came + " AS came, count() AS n FROM entries WHERE " + tl.where + " GROUP BY came") {
		var n int64
		_, _ = fmt.Sscan(r["n"], &n)
		came[r["came"]] = n
	}
	if fmt.Sprint(came) != fmt.Sprint(want) {
		t.Errorf("recorded %v, the client saw %v", came, want)
	}
	if got := e.counted(admin); got != requests {
		t.Errorf("Envoy counted %d requests, the client %d", got, requests)
	}

	missing := func() int64 {
		return s.number("SELECT toInt64(sum(toUInt64OrZero(facts['lines']))) FROM findings WHERE control = 'GV-03' AND facts['how'] = 'missing'")
	}
	var lost int64
	var state string
	t.Cleanup(func() { t.Log(state) })
	for round := range 3 {
		begin := e.answered()
		done := make(chan tally, 1)
		go func() { done <- e.send(6000) }()
		poll(t, 60*time.Second, "the load", func() bool { return e.answered() > begin+1500 })
		i.kill()
		e.connect(20)
		i = s.start("--listen", "127.0.0.1:0")
		if e.answered() >= begin+6000 {
			t.Error("the load ended while the tap was away")
		}
		requests += (<-done).total()
		connections += 20
		all, before := requests+connections, lost
		poll(t, 120*time.Second, fmt.Sprintf("kill %d: the gaps say what is lost of %d", round+1, all), func() bool {
			http, tcp := recorded()
			lost = all - http - tcp
			state = fmt.Sprint(http, " requests and ", tcp, " connections are recorded, the gaps tell of ", missing())
			return lost > before && missing() == lost
		})
		t.Logf("kill %d: %d requests and %d connections, %d entries are lost, and the gaps say so", round+1, requests, connections, lost)
	}
	if lost == 0 {
		t.Error("nothing was lost: the test shows nothing")
	}
	// It stays so: nothing is told twice, and what comes now is not missing.
	requests += e.send(500).total()
	poll(t, 60*time.Second, "the last requests", func() bool {
		http, tcp := recorded()
		return http+tcp == requests+connections-lost
	})
	<-time.After(25 * time.Second)
	if now := missing(); now != lost {
		t.Errorf("the gaps say that %d entries are lost, %d are", now, lost)
	}
	i.stop()
	s.verify()
}

// counted is how many requests the Envoy says that it had.
func (e *streaming) counted(admin string) (n int64) {
	e.web.t.Helper()
	resp, err := http.Get("http://" + admin + "/stats?filter=" + `http\.shop\.downstream_rq_total`)
	if err != nil {
		e.web.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		e.web.t.Fatal(err)
	}
	if _, err := fmt.Sscanf(string(b), "http.shop.downstream_rq_total: %d", &n); err != nil {
		e.web.t.Fatalf("%q: %v", b, err)
	}
	return n
}
