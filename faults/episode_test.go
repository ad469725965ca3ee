//go:build faults && linux

package faults_test

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit/alert/webhook"
)

// episode is one installation, the load on it and the kills that it suffers.
type episode struct {
	t     *testing.T
	shape shape
	rng   *rand.Rand
	dir   string
	env   []string

	parts    []*part // in the order in which they start
	receiver *webhook.Receiver
	address  string // of the stand-in's HTTP interface
	kafka    *kafka

	written, violations int
}

func newEpisode(t *testing.T, s shape, rng *rand.Rand) *episode {
	dir := t.TempDir()
	e := &episode{t: t, shape: s, rng: rng, dir: dir, env: append(os.Environ(), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))}
	e.write("shop.log", "")
	url := e.receive()
	var addresses string
	if s.brokers > 0 {
		e.kafka = startKafka(t, filepath.Join(dir, "kafka"), s.brokers, cmp.Or(s.session, 3*time.Second))
		addresses = e.kafka.addresses()
		e.address = fmt.Sprintf("127.0.0.1:%d", freePort(t))
	}
	e.configure(addresses, url)
	return e
}

// receive opens the receiver of webhooks and returns its address.
func (e *episode) receive() string {
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("a secret of this test, 32 bytes."))
	e.write("secret", secret)
	var err error
	if e.receiver, err = webhook.NewReceiver(secret); err != nil {
		e.t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		e.t.Fatal(err)
	}
	srv := &http.Server{Handler: e.receiver, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = srv.Serve(ln) }()
	e.t.Cleanup(func() { _ = srv.Close() })
	return "http://" + ln.Addr().String() + "/"
}

// configure writes the configuration and names the processes.
func (e *episode) configure(brokers, url string) {
	var remote string
	if brokers != "" {
		remote = fmt.Sprintf("kafka: {addresses: [%s], partitions: 3, replication: %d}\nclickhouse: {address: \"http://%s\"}\n", brokers, e.shape.brokers, e.address)
	}
	e.write("tallystick.yaml", fmt.Sprintf(`data: data
console: {listen: "127.0.0.1:0"}
sources:
- {name: shop, file: shop.log, format: "nginx:combined"}
alerts:
  webhooks:
  - {name: tickets, url: %q, secret_file: secret, allow_private: true}
%s`, url, remote))
	if brokers == "" {
		e.parts = []*part{e.product("all")}
		return
	}
	e.parts = []*part{e.store(), e.product("ledger"), e.product("auditor"), e.product("alerter"), e.product("tap")}
	e.parts = append(e.parts, e.kafka.brokers...)
}

func (e *episode) write(name, content string) {
	if err := os.WriteFile(filepath.Join(e.dir, name), []byte(content), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// run starts the parts, kills some of them under load, and checks the record.
func (e *episode) run() {
	endFeed := e.start()
	pace := 2500 * time.Millisecond
	if e.kafka != nil { // brokers take their time to start
		pace = 5 * time.Second
	}
	for k := range perEpisode {
		time.Sleep(e.moment(pace))
		p := e.parts[e.rng.IntN(len(e.parts))]
		down := e.moment(1500 * time.Millisecond)
		e.t.Logf("kill %d: %s, down for %v", k, p.name, down.Round(time.Millisecond))
		p.kill(down)
	}
	endFeed()
	e.conclude()
}

// start starts the parts and the feed; the returned function ends the feed.
func (e *episode) start() (endFeed func()) {
	for _, p := range e.parts {
		if !p.broker { // they run already
			p.start()
		}
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		e.feed(stop)
	}()
	return func() {
		close(stop)
		<-stopped
	}
}

// conclude checks the record and stops the parts but for the brokers.
func (e *episode) conclude() {
	e.check()
	for i := len(e.parts) - 1; i >= 0; i-- {
		if !e.parts[i].broker {
			e.parts[i].end()
		}
	}
	e.checkAlerts()
}

// moment is a random part of longest.
func (e *episode) moment(longest time.Duration) time.Duration {
	return time.Duration(e.rng.Int64N(int64(longest)))
}

// feed appends lines until stop closes; one of a hundred holds a violation.
func (e *episode) feed(stop <-chan struct{}) {
	f, err := os.OpenFile(filepath.Join(e.dir, "shop.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		e.t.Error(err)
		return
	}
	defer func() { _ = f.Close() }()
	from := time.Now().UTC().Add(-24 * time.Hour)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		var b strings.Builder
		for range 200 {
			b.WriteString(e.line(from.Add(time.Duration(e.written) * time.Second / 10)))
			b.WriteByte('\n')
			e.written++
		}
		if _, err := f.WriteString(b.String()); err != nil {
			e.t.Error(err)
			return
		}
	}
}

func (e *episode) line(at time.Time) string {
	target := fmt.Sprintf("/products/%d", e.written)
	if e.written%100 == 7 {
		target = fmt.Sprintf("/find?who=person%d@example.org&n=%d", e.written, e.written)
		e.violations++
	}
	return fmt.Sprintf(`192.0.2.%d - - [%s] "GET %s HTTP/1.1" 200 512 "-" "curl/8.5.0"`, e.written%250+1, at.Format("02/Jan/2006:15:04:05 -0700"), target)
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	return ln.Addr().(*net.TCPAddr).Port
}
