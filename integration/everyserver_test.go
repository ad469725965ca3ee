//go:build integration && linux

package integration_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// tapped is a server whose log a site follows beside others.
type tapped struct {
	name string
	server
	tailed
	want tally
}

// behindNginx is nginx with a client that counts.
type behindNginx struct {
	*web
	*nginx
}

func (b behindNginx) log() string { return b.nginx.log() }

// tappedFiles starts the servers that write files.
func tappedFiles(t *testing.T) []*tapped {
	t.Helper()
	n := behindNginx{newWeb(t), startNginx(t)}
	n.base = n.url
	squid, overSquid := startSquid(t)
	mosquitto, overMQTT := startMosquitto(t)
	authorizer, overKafka := startAuthorized(t)
	out := []*tapped{
		{name: "nginx", server: n, tailed: overHTTP(t, "  format: nginx:combined", 9)},
		{name: "haproxy", server: startHAProxy(t), tailed: overHTTP(t, "  format: haproxy:http", 6)},
		{name: "squid", server: squid, tailed: overSquid},
		{name: "apache", server: startApache(t), tailed: overHTTP(t, apacheFormat, 10)},
		{name: "envoy", server: startEnvoy(t, envoyJSON), tailed: overEnvoyJSON(t)},
		{name: "mosquitto", server: mosquitto, tailed: overMQTT},
		{name: "authorizer", server: authorizer, tailed: overKafka},
	}
	for _, sv := range out {
		sv.where += " AND source = '" + sv.name + "'"
		sv.want = tally{}
	}
	return out
}

// trickle sends some requests four times a second until stop closes.
func trickle(stop <-chan struct{}, send func()) {
	pace := time.NewTicker(250 * time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case <-stop:
			return
		case <-pace.C:
			send()
		}
	}
}

// some is how many requests a trickle sends at once.
const some = 12

// TestEveryServerWithoutKafka drives every kind of server into one site whose
// Kafka is killed for a minute. In it the logs are rotated twice and tallystick
// is killed and started again. Each request is one entry; only of Envoy's stream
// some are lost while nobody listens, and the gap has their number.
func TestEveryServerWithoutKafka(t *testing.T) {
	program(t, "java")
	t.Parallel()
	files := tappedFiles(t)
	k := startKafka(t, "PLAINTEXT", "")
	topic := newTopic(t, startKafka(t, "PLAINTEXT", ""), 3)
	als, admin, text, attributes, posted := freeAddr(t), freeAddr(t), freeAddr(t), freeAddr(t), freeAddr(t)
	mapping, err := filepath.Abs("../schemas/mapping/json-otlp.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config strings.Builder
	fmt.Fprintf(&config, "kafka:\n  addresses: [%s]\nsources:\n", k.addr)
	for _, sv := range files {
		fmt.Fprintf(&config, "- name: %s\n  file: %s\n%s\n", sv.name, sv.log(), strings.TrimRight(sv.source, "\n"))
	}
	fmt.Fprintf(&config, "- name: topic\n  kafka: {addresses: [%q], topic: access}\n  format: nginx:combined\n", topic.addr)
	fmt.Fprintf(&config, "- name: stream\n  als: {listen: %q, admin: [\"http://%s\"], stat_prefixes: [shop, db]}\n  format: envoy:als\n", als, admin)
	fmt.Fprintf(&config, "- name: text\n  otlp: {grpc: %q}\n  format: 'envoy:%s'\n", text, otlpText)
	fmt.Fprintf(&config, "- name: attributes\n  otlp: {grpc: %q, whole_records: true}\n  format: \"json:%s\"\n", attributes, mapping)
	fmt.Fprintf(&config, "- name: posted\n  otlp: {http: %q}\n  format: nginx:combined\n", posted)
	s := newSite(t, t.TempDir())
	if err := os.WriteFile(filepath.Join(s.dir, "tallystick.yaml"), []byte(config.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	streaming, logging := startStreaming(t, admin, als), startLogging(t, text, attributes)
	i := s.start("--listen", "127.0.0.1:0")
	i.await(30*time.Second, "compared with Envoy's counters from now on")

	stop, tapAway := make(chan struct{}), make(chan struct{})
	var load, before sync.WaitGroup
	for _, sv := range files {
		load.Go(func() { trickle(stop, func() { sv.want.add(sv.send(some)) }) })
	}
	streamed, logged, records := tally{}, tally{}, 0
	load.Go(func() { trickle(stop, func() { topic.produce(some, 3) }) })
	load.Go(func() { trickle(stop, func() { streamed.add(streaming.send(some)) }) })
	load.Go(func() {
		trickle(stop, func() { post(t, "http://"+posted+"/v1/logs", records, some); records += some })
	})
	before.Go(func() { trickle(tapAway, func() { logged.add(logging.send(some)) }) })
	rotate := func() {
		for _, sv := range files {
			sv.rotate()
		}
	}

	<-time.After(3 * time.Second)
	begin := time.Now()
	k.kill()
	i.await(30*time.Second, `Kafka takes no batches`)
	<-time.After(5 * time.Second)
	rotate()
	// Envoy's OpenTelemetry forgets what nobody takes, and counts nothing: what it
	// sends while the tap is away can't be known.
	close(tapAway)
	before.Wait()
	<-time.After(5 * time.Second)
	i.kill()
	<-time.After(3 * time.Second)
	i = s.start("--listen", "127.0.0.1:0")
	i.await(30*time.Second, `Kafka is away at the start`)
	load.Go(func() { trickle(stop, func() { logged.add(logging.send(some)) }) })
	<-time.After(time.Until(begin.Add(away * 3 / 4)))
	rotate()
	<-time.After(time.Until(begin.Add(away)))
	k.run(t)
	<-time.After(3 * time.Second)
	close(stop)
	load.Wait()

	for _, sv := range files {
		s.equal(sv.name, sv, sv.tailed, sv.want)
	}
	s.cameOnce("text", logged)
	s.cameOnce("attributes", logged)
	_, ends := topic.ends()
	s.cameOnce("topic", tally{"200": ends})
	n := s.number("SELECT uniqExact(bytes_out) FROM entries WHERE source = 'posted'")
	if all := s.number("SELECT count() FROM entries WHERE source = 'posted'"); n != int64(records) || all > n+some {
		t.Errorf("posted: %d records are %d entries of %d sizes", records, all, n)
	}
	var lost, told int64
	poll(t, 90*time.Second, "the gaps say what of Envoy's stream is lost", func() bool {
		lost = streamed.total() - s.number("SELECT count() FROM entries WHERE source = 'stream'")
		told = s.number("SELECT toInt64(sum(toUInt64OrZero(facts['lines']))) FROM findings WHERE control = 'GV-03' AND source = 'stream'")
		return told == lost
	})
	if unknown := s.number("SELECT count() FROM findings WHERE control = 'GV-03' AND facts['lines'] = '0'"); lost == 0 || unknown != 0 {
		t.Errorf("%d entries of Envoy's stream are lost; %d gaps have no number", lost, unknown)
	}
	t.Logf("stream: %v, %d of them lost and told; text and attributes: %v; topic: %d; posted: %d", streamed, lost, logged, ends, records)
	i.stop()
	s.verify()
}

// cameOnce wants the entries of a source to be what the client saw.
func (s *site) cameOnce(source string, want tally) {
	s.t.Helper()
	poll(s.t, 60*time.Second, fmt.Sprintf("%s: %d entries", source, want.total()), func() bool {
		return s.number("SELECT count() FROM entries WHERE source = '"+source+"'") >= want.total()
	})
	got, ids := tally{}, int64(0)
	for _, r := range s.rows("SELECT toString(status_code) AS came, count() AS n, uniqExact(event_id) AS ids FROM entries WHERE source = '" + source + "' GROUP BY came") {
		var n, id int64
		if _, err := fmt.Sscan(r["n"]+" "+r["ids"], &n, &id); err != nil {
			s.t.Fatal(err)
		}
		got[r["came"]], ids = n, ids+id
	}
	if !maps.Equal(got, want) || ids != got.total() {
		s.t.Errorf("%s: recorded %v with %d ids, want %v", source, got, ids, want)
	}
}
