package masker_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
	embedded "github.com/tallystick/tallystick/internal/embedded/broker"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services/masker"
)

// TestJSON masks values, keys and headers, keeps partitions, times and
// tombstones, and does nothing twice after a restart.
func TestJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	record := func(n int) broker.Message {
		return broker.Message{Key: []byte("ann@example.com"), Value: fmt.Appendf(nil, `{"n":%d,"mail":"Ann@example.com","card":"4111111111111111","other":"x"}`, n),
			Headers: []broker.Header{{Name: "trace", Value: []byte("t1")}, {Name: "user", Value: []byte("ann@example.com")}, {Name: "secret", Value: []byte("x")},
				{Name: "tallystick-origin", Value: []byte("forged")}}}
	}
	r.produce("orders", 3, 0, record(0), record(1), broker.Message{Key: []byte("ann@example.com")})
	r.produce("orders", 3, 2, record(2))
	s := stream(func(s *masker.Stream) {
		s.Key.Transform = "pseudonym email"
		s.Headers = map[string]string{"trace": "keep", "user": "pseudonym email"}
	})
	m, err := r.new(s)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Trouble(); err == nil {
		t.Error("nothing is wrong before it runs")
	}
	stop := r.run(m)
	out := r.read("masked", 3)
	third := r.readPartition("masked", 2, 1)
	mail := string(out[0].Key)
	if !strings.HasPrefix(mail, "v1.") {
		t.Errorf("the key is %s", mail)
	}
	want := `{"n":1,"mail":"` + mail + `","card":"***1111","[redacted]":"[redacted]"}`
	if d := cmp.Diff(want, string(out[1].Value)); d != "" {
		t.Errorf("value (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]broker.Header{{Name: "trace", Value: []byte("t1")}, {Name: "user", Value: []byte(mail)}, {Name: "tallystick-origin", Value: []byte("kfake/orders/0/1")}}, out[1].Headers); d != "" {
		t.Errorf("headers (-want +got):\n%s", d)
	}
	if out[2].Value != nil || string(out[2].Key) != mail {
		t.Errorf("a tombstone became key %s, value %v", out[2].Key, out[2].Value)
	}
	if !strings.HasPrefix(string(third[0].Value), `{"n":2,`) || third[0].Time.UnixMilli() != 1_800_000_000_000 {
		t.Errorf("partition 2 has %s of %v", third[0].Value, third[0].Time)
	}
	if n := r.metric("tallystick_masker_records_total", `outcome="masked",stream="orders"`); n != 4 {
		t.Errorf("%v records are counted", n)
	}
	if err := m.Trouble(); err != nil {
		t.Errorf("while it runs: %v", err)
	}
	if err := stop(); err != nil {
		t.Fatalf("stopped: %v", err)
	}
	r.produce("orders", 3, 0, record(3))
	r.start(s)
	if out := r.read("masked", 4); len(out) != 4 || header(&out[3], "tallystick-origin") != "kfake/orders/0/3" {
		t.Errorf("after a restart there are %d records", len(out))
	}
}

// TestNewGroup: the output itself says where it stands, also to a group that
// never committed anything.
func TestNewGroup(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var msgs []broker.Message
	for n := range 300 {
		msgs = append(msgs, broker.Message{Value: fmt.Appendf(nil, `{"n":%d}`, n)})
	}
	r.produce("orders", 1, 0, msgs...)
	stop := r.start(stream(nil))
	r.read("masked", 300)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	r.produce("masked", 1, 0, msgs[:100]...) // somebody else's, behind the masker's
	r.produce("orders", 1, 0, broker.Message{Value: []byte(`{"n":300}`)})
	r.start(stream(func(s *masker.Stream) { s.Group = "another" }))
	if out := r.read("masked", 401); len(out) != 401 || string(out[400].Value) != `{"n":300}` {
		t.Errorf("there are %d records, the last is %s", len(out), out[len(out)-1].Value)
	}
}

// TestBadRecords: what can't be masked goes nowhere in clear.
func TestBadRecords(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const secret = "ann@example.com"
	good := broker.Message{Value: []byte(`{"n":1}`)}
	r.produce("orders", 1, 0, good, broker.Message{Key: []byte(secret), Value: []byte(`{"n":` + secret)},
		broker.Message{Value: []byte(strings.Repeat(`[`, 100_000))}, broker.Message{Value: []byte("{\"" + secret + "\xff\":1}")}, broker.Message{Value: []byte(strings.Repeat(" ", 900))}, good)

	err := r.fails(stream(nil))
	want := "stream orders stopped at topic orders, partition 0, offset 1, which can't be masked: its value is no JSON, column 6: this is no JSON value"
	if err == nil || err.Error() != want || !strings.Contains(text.HintOf(err), "on_error") {
		t.Errorf("error %v, hint %s", err, text.HintOf(err))
	}
	if out := r.read("masked", 1); len(out) != 1 {
		t.Errorf("%d records before the one that stopped", len(out))
	}
	dead := stream(func(s *masker.Stream) {
		s.To, s.Group, s.OnError, s.DeadLetter, s.MaxRecord = "masked2", "g2", "dead-letter", "letters", 200_000
	})
	stop := r.start(dead)
	if out := r.read("masked2", 2); header(&out[1], "tallystick-origin") != "kfake/orders/0/5" {
		t.Errorf("the last record is of %s", header(&out[1], "tallystick-origin"))
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	var reasons []string
	letters := r.read("letters", 4)
	for _, m := range letters {
		reasons = append(reasons, header(&m, "tallystick-origin")+" "+header(&m, "tallystick-bytes")+" "+header(&m, "tallystick-reason"))
		if all := fmt.Sprintf("%q %q %q", m.Key, m.Value, m.Headers); strings.Contains(all, secret) || m.Key != nil || string(m.Value) != "[redacted]" {
			t.Errorf("a dead letter has %s", all)
		}
	}
	if d := cmp.Diff([]string{
		"kfake/orders/0/1 20 its value is no JSON, column 6: this is no JSON value",
		"kfake/orders/0/2 100000 its value is no JSON, column 65: it is nested deeper than 64 levels",
		"kfake/orders/0/3 22 its value is no JSON that is not UTF-8",
		"kfake/orders/0/4 900 its value is no JSON, column 901: the line ends within a value",
	}, reasons); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	stop = r.start(stream(func(s *masker.Stream) { s.To, s.Group, s.OnError, s.MaxRecord = "masked3", "g3", "drop", 500 }))
	r.read("masked3", 2)
	r.dropped(4)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(r.log.String(), secret) {
		t.Error("the log has a value")
	}
}

// TestCounted: records count as masked once the broker has acknowledged them.
func TestCounted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := embedded.StartWith(dir, embedded.Options{Password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{t: t, dir: t.TempDir(), cfg: brokertest.Config(b)}
	r.write("plain.yaml", policy)
	asked, answer := make(chan struct{}), make(chan struct{})
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(asked)
		<-answer
		_, _ = w.Write([]byte(`{"schema":"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"mail\",\"type\":\"string\"}]}"}`))
	}))
	defer registry.Close()
	record := broker.Message{Value: []byte("\x00\x00\x00\x00\x07\x02x")}
	r.produce("orders", 1, 0, record, record, broker.Message{Value: []byte("no frame")})
	stop := r.start(stream(func(s *masker.Stream) {
		s.Value, s.Registry.URL, s.OnError = masker.Payload{Format: "avro", Framed: true}, registry.URL, "drop"
	}))
	<-asked // the records are fetched
	_, port, err := net.SplitHostPort(b.Addr())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	close(answer)
	waitUntil(t, "writing fails", &r.log, func() bool { // on a slow machine already the proof that the partition is still ours
		s := r.log.String()
		return strings.Contains(s, "producing failed") || strings.Contains(s, "failed to commit")
	})
	counted := func() [2]float64 {
		return [2]float64{r.metric("tallystick_masker_records_total", `outcome="masked",stream="orders"`), r.metric("tallystick_masker_records_total", `outcome="dropped",stream="orders"`)}
	}
	if n := counted(); n != [2]float64{} {
		t.Errorf("before the broker has them %v records are counted", n)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	if b, err = embedded.StartWith(dir, embedded.Options{Port: n, Password: "secret"}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	waitUntil(t, "all are counted", &r.log, func() bool { return counted() == [2]float64{2, 1} })
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestUnreadable: a batch that can't be read is like records that can't be masked.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	good := broker.Message{Value: []byte(`{"n":1}`)}
	r.produce("orders", 1, 0, good)
	brokertest.Inflating(t, r.cfg, "orders", 0, 3, time.UnixMilli(1_800_000_000_000))
	r.produce("orders", 1, 0, good)
	err := r.fails(stream(nil))
	want := "stream orders stopped at topic orders, partition 0, offset 1, which can't be masked: the batch can't be read: " +
		"a compressed batch is larger than 64 MiB when decompressed; it has the records up to offset 3"
	if err == nil || err.Error() != want {
		t.Errorf("error %v", err)
	}
	letters := stream(func(s *masker.Stream) { s.OnError, s.DeadLetter = "dead-letter", "letters" })
	for range 2 { // the second one finds that all is done
		stop := r.start(letters)
		if out := r.read("masked", 2); len(out) != 2 || header(&out[1], "tallystick-origin") != "kfake/orders/0/4" {
			t.Errorf("%d records, the last of %s", len(out), header(&out[len(out)-1], "tallystick-origin"))
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		dead := r.read("letters", 1)
		if len(dead) != 1 || header(&dead[0], "tallystick-origin") != "kfake/orders/0/3" || !strings.Contains(header(&dead[0], "tallystick-reason"), "64 MiB") {
			t.Errorf("dead letters: %v", dead)
		}
		letters.Group = "another"
	}
	stop := r.start(stream(func(s *masker.Stream) { s.To, s.Group, s.OnError = "masked2", "g2", "drop" }))
	r.read("masked2", 2)
	r.dropped(3)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// way is a stream from one topic to another.
func way(from, to string) masker.Stream {
	return stream(func(s *masker.Stream) { s.Name, s.From, s.To = "s-"+from+"-"+to, from, to })
}

// TestHiddenCircle: streams between two names of one cluster end once both have
// found their topics.
func TestHiddenCircle(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.produce("a", 1, 0, broker.Message{Value: []byte(`{"n":1}`)})
	r.produce("b", 1, 0, broker.Message{Value: []byte(`{"n":2}`)})
	back := way("b", "a")
	back.Kafka = r.cfg
	_, port, err := net.SplitHostPort(r.cfg.Addresses[0])
	if err != nil {
		t.Fatal(err)
	}
	back.Kafka.Addresses = []string{"localhost:" + port}
	err = r.fails(way("a", "b"), back)
	if err == nil || !strings.Contains(err.Error(), "comes back to it: b -> a -> b") {
		t.Errorf("%v", err)
	}
}

// TestRefused: what could repeat or lose records is refused, and what can't work.
func TestRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.write("random.yaml", "version: 1\ndomain: test\nfields: {n: random}")
	for _, tc := range []struct {
		name   string
		change func(*masker.Stream)
		want   string
	}{
		{"random tokens", func(s *masker.Stream) { s.Policy = "random" }, "stream orders: policy random has a transform random"},
		{"transform", func(s *masker.Stream) { s.Headers = map[string]string{"a": "encrypt"} }, `stream orders: headers: a: "encrypt" is no transform`},
		{"one topic", func(s *masker.Stream) { s.To = s.From }, "masker.streams[0].to: from, to and dead_letter"},
		{"format", func(s *masker.Stream) { s.Value.Format = "xml" }, "masker.streams[0].value.format: "},
		{"avro", func(s *masker.Stream) { s.Value.Format = "avro" }, "masker.streams[0].value.schema: "},
		{"avro framed", func(s *masker.Stream) { s.Value = masker.Payload{Format: "avro", Framed: true} }, "masker.streams[0].value.framed: "},
		{"protobuf", func(s *masker.Stream) { s.Value.Format = "protobuf" }, "masker.streams[0].value.descriptors: "},
		{"key", func(s *masker.Stream) { s.Key = masker.Payload{Format: "json", Transform: "keep"} }, "masker.streams[0].key.transform: "},
		{"dead letters", func(s *masker.Stream) { s.OnError = "dead-letter" }, "masker.streams[0].dead_letter: "},
		{"open password", func(s *masker.Stream) {
			path := r.write("open", "x")
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
			s.Registry = masker.Registry{URL: "https://registry.example", User: "u", PasswordFile: path}
		}, "stream orders: registry.password_file " + r.dir + "/open is open to other users"},
		{"password in clear", func(s *masker.Stream) {
			s.Registry = masker.Registry{URL: "http://registry.example", User: "u", PasswordFile: "p"}
		}, "masker.streams[0].registry.url: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if m, err := r.new(stream(tc.change)); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("%v; want %s...", err, tc.want)
				if m != nil {
					_ = m.Close()
				}
			}
		})
	}
	for _, tc := range []struct {
		name    string
		streams []masker.Stream
		want    string
	}{
		{"two", []masker.Stream{way("a", "b"), way("b", "a")}, "masker.streams[1].to: what stream s-b-a writes comes back to it: b -> a -> b"},
		{"three and another", []masker.Stream{way("x", "a"), way("a", "b"), way("c", "a2"), way("b", "c"), way("c", "x")},
			"masker.streams[4].to: what stream s-c-x writes comes back to it: c -> x -> a -> b -> c"},
		{"by dead letters", []masker.Stream{way("a", "b"), func() masker.Stream {
			s := way("b", "c")
			s.OnError, s.DeadLetter = "dead-letter", "a"
			return s
		}()}, "masker.streams[1].dead_letter: what stream s-b-c writes comes back to it: b -> a -> b"},
		{"one cluster by two names", []masker.Stream{way("a", "b"), func() masker.Stream {
			s := way("b", "a")
			s.Kafka = r.cfg
			s.Kafka.Addresses = append([]string{"127.0.0.1:1"}, r.cfg.Addresses...)
			return s
		}()}, "masker.streams[1].to: what stream s-b-a writes comes back to it: b -> a -> b"},
	} {
		t.Run("circle of "+tc.name, func(t *testing.T) {
			if _, err := r.new(tc.streams...); err == nil || err.Error() != tc.want || text.HintOf(err) == "" {
				t.Errorf("%v; want %s", err, tc.want)
			}
		})
	}
	for name, streams := range map[string][]masker.Stream{
		"a line": {way("a", "b"), way("b", "c"), way("a", "c2")},
		"two clusters": {way("a", "b"), func() masker.Stream {
			s := way("b", "a")
			s.Kafka = r.cfg
			s.Kafka.Addresses = []string{"127.0.0.1:1"}
			return s
		}()},
	} {
		m, err := r.new(streams...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = m.Close()
	}
	r.produce("orders", 2, 1, broker.Message{Value: []byte(`{}`)})
	r.produce("small", 1, 0, broker.Message{Value: []byte(`{}`)})
	err := r.fails(stream(func(s *masker.Stream) { s.To = "small" }))
	if err == nil || err.Error() != "stream orders: topic small has 1 partitions and orders has 2" {
		t.Errorf("%v", err)
	}
}
