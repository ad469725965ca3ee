package tap_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/services/tap"
)

// freePort is a port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// posted is a rig whose source is posted to.
func posted(t *testing.T) (r *rig, post func(line string) int) {
	r = newRig(t)
	token := strings.Repeat("t", 32)
	r.write("token", token)
	address := freePort(t)
	r.cfg.Sources = []source.Config{{Name: "shop", Format: "nginx:combined", HTTP: &source.HTTP{Listen: address, TokenFile: filepath.Join(r.dir, "token")}}}
	if err := r.cfg.Sources[0].Validate(); err != nil {
		t.Fatal(err)
	}
	return r, func(line string) int {
		req, err := http.NewRequest(http.MethodPost, "http://"+address+"/v1/lines", strings.NewReader(line+"\n"))
		if err != nil {
			t.Error(err)
			return 0
		}
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		return resp.StatusCode
	}
}

// With Kafka away a sender is told 200 when its lines are spooled; they are in
// Kafka later, once, also after a restart.
func TestPostedWhileKafkaIsAway(t *testing.T) {
	r, post := posted(t)
	r.kafka.set(true)
	tp, stop := r.start()
	r.eventually("listening", func() bool { return post("a0") == 200 })
	for i := range 5 {
		if status := post(fmt.Sprint("a", i+1)); status != 200 {
			t.Fatalf("%d", status)
		}
	}
	if tp.Status()[0].Spooled == 0 {
		t.Error("200 before the lines are on disk")
	}
	stop()
	r.kafka.set(false)
	_, stop = r.start()
	r.wantLines(6)
	if status := post("b"); status != 200 {
		t.Errorf("%d", status)
	}
	r.wantLines(7)
	stop()
}

// Where nothing is spooled, a sender waits and is told 503 at the end.
func TestPostedWithoutSpool(t *testing.T) {
	r, post := posted(t)
	r.cfg.Sources[0].WhenFull = source.Block
	_, stop := r.start()
	r.eventually("listening", func() bool { return post("a0") == 200 })
	r.kafka.set(true)
	status := make(chan int)
	go func() { status <- post("a1") }()
	r.eventually("refused by Kafka", func() bool { return strings.Contains(fmt.Sprint(r.metric("tallystick_tap_errors_total")), "produce") })
	stop()
	if got := <-status; got != 503 {
		t.Errorf("%d", got)
	}
	if n := len(r.kafka.lines(t, r.site)); n != 1 {
		t.Errorf("%d lines", n)
	}
}

// metric are the labels of a metric's series.
func (r *rig) metric(name string) (out []string) {
	families, err := r.reg.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				out = append(out, m.String())
			}
		}
	}
	return out
}

// Datagrams reach Kafka, and what arrived before the end is delivered.
func TestSyslogThroughTheTap(t *testing.T) {
	r := newRig(t)
	address := freePort(t)
	r.cfg.Sources = []source.Config{{Name: "shop", Format: "nginx:combined", Syslog: &source.Syslog{UDP: address, TCP: address}}}
	if err := r.cfg.Sources[0].Validate(); err != nil {
		t.Fatal(err)
	}
	tp, stop := r.start()
	for _, network := range []string{"udp", "tcp"} {
		c, err := net.Dial(network, address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		if _, err := fmt.Fprintf(c, "<13>%s\n", network); err != nil {
			t.Fatal(err)
		}
	}
	r.wantLines(2)
	r.eventually("counted", func() bool { s := tp.Status()[0]; return s.Lines == 2 && s.Bytes == 14 && s.Open == 1 })
	stop()
	if n := len(r.metric("tallystick_tap_received_total")); n != 2 {
		t.Errorf("outcomes %v", r.metric("tallystick_tap_received_total"))
	}
}

// What a pipe brought and nobody took is told at the next start; after a clean
// end nothing is.
func TestUncleanEnd(t *testing.T) {
	r := newRig(t)
	r.cfg.Sources = []source.Config{{Name: "shop", Format: "nginx:combined", Stdin: true}}
	run := func(down bool) {
		t.Helper()
		in, out := io.Pipe()
		defer func() { _ = out.Close() }()
		r.cfg.Stdin = in
		r.kafka.set(down)
		tp, stop := r.start()
		if _, err := io.WriteString(out, "a\n"); err != nil {
			t.Fatal(err)
		}
		r.eventually("taken", func() bool { s := tp.Status()[0]; return s.Lines == 1 || s.Blocked != "" })
		stop()
	}
	for i, tc := range []struct {
		down bool
		gaps int
	}{{false, 0}, {true, 0}, {false, 1}, {false, 1}} {
		run(tc.down)
		if got := r.told(); len(got) != tc.gaps {
			t.Fatalf("start %d: gaps %+v, want %d", i, got, tc.gaps)
		}
	}
	if g := r.told()[0]; g.Kind != source.GapMissing || g.Lines != 0 || g.Stream == "" {
		t.Errorf("gap %+v", g)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "spool", "shop.running")); err == nil {
		t.Error("the mark is still there")
	}
}

// Where entries are compared with Envoy's counters, those tell what a kill lost,
// and no gap without a number stands beside theirs.
func TestKilledWhileCompared(t *testing.T) {
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"stats":[{"name":"http.shop.downstream_rq_total","value":5},{"name":"server.uptime","value":9}]}`)
	}))
	defer admin.Close()
	for _, tc := range []struct {
		admin []string
		gaps  int
	}{{[]string{admin.URL}, 0}, {nil, 1}} {
		r := newRig(t)
		r.cfg.Sources = []source.Config{{Name: "shop", Format: "envoy:als", ALS: &source.ALS{Listen: freePort(t), Admin: tc.admin}}}
		if err := r.cfg.Sources[0].Validate(); err != nil {
			t.Fatal(err)
		}
		_, stop := r.start()
		counts := filepath.Join(r.dir, "spool", "shop.counts")
		if tc.admin != nil {
			r.eventually("compared", func() bool {
				book, _ := os.ReadFile(counts)
				return strings.Contains(string(book), "base")
			})
		}
		stop()
		r.write("spool/shop.running", "") // as a kill leaves it
		_, stop = r.start()
		stop()
		if got := r.told(); len(got) != tc.gaps {
			t.Errorf("admin %v: gaps %+v, want %d", tc.admin, got, tc.gaps)
		}
	}
}

// Two sources can't have one address, and the first one's is free again then.
func TestAddressTaken(t *testing.T) {
	r, post := posted(t)
	second := r.cfg.Sources[0]
	second.Name = "crm"
	r.cfg.Sources = append(r.cfg.Sources, second)
	if _, err := tap.New(r.cfg, r.deps()); err == nil || !strings.Contains(err.Error(), "source crm") {
		t.Fatalf("got %v", err)
	}
	r.cfg.Sources = r.cfg.Sources[:1]
	_, stop := r.start()
	r.eventually("listening", func() bool { return post("a") == 200 })
	stop()
}
