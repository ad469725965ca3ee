package parse_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

func TestFormatErrors(t *testing.T) {
	for _, tc := range []struct{ name, format, want, hint string }{
		{"unknown", "iis:w3c", `unknown format "iis:w3c"`, "use one of nginx:combined"},
		{"no name", "apache:", `unknown format "apache:"`, "apache:%h ..."},
		{"unknown nginx name", "nginx:nosuch", `unknown format "nginx:nosuch"`, "own format string"},
		{"no time", "nginx:$remote_addr $status", "log_format: it has no time", "$time_iso8601"},
		{"escape none", "nginx:escape=none $remote_addr $time_local", "log_format with escape=none: its lines can be forged by any client", "escape=json"},
		{"adjacent", "nginx:$time_local $host$request", "log_format: $host is followed at once by another variable: put a character between them", ""},
		{"open quote", "nginx:log_format x '$time_local", "log_format: a quoted string is missing its end", ""},
		{"open brace", "nginx:$time_local ${host", "log_format: ${ without }", ""},
		{"bare dollar", "nginx:$time_local $ x", "log_format: a dollar sign without a variable", ""},
		{"apache without time", "apache:%h %r", "LogFormat: it has no time", "%t"},
		{"apache adjacent", "apache:%t %h%r", "LogFormat: %h is followed at once by another variable: put a character between them", ""},
		{"apache unknown directive", "apache:%t %y", "LogFormat: the directive %y is unknown", ""},
		{"apache open brace", "apache:%t %{Referer i", "LogFormat: %{ without }", ""},
		{"apache time of no fixed width", "apache:%{%c}t %h", "LogFormat: the time pattern has %c, which has no fixed width: use %Y %m %d %H %M %S %b %z %s", ""},
		{"apache half a time", "apache:%{%H:%M:%S}t %h", "LogFormat: the time pattern of %{%H:%M:%S}t has no full date and clock", ""},
		{"haproxy without time", "haproxy:%ci %r", "log-format: it has no time", "%tr"},
		{"haproxy native JSON", "haproxy:%{+json}o %(a)ci %(t)tr", "log-format: it makes JSON or CBOR itself", "haproxy:json"},
		{"haproxy open bracket", "haproxy:%tr %[src", "log-format: %[ without ]", ""},
		{"squid without time", "squid:%>a %ru", "logformat: it has no time", "%ts.%03tu"},
		{"squid unknown code", "squid:%ts %zz", `logformat: the code after the percent sign at "zz" is unknown`, ""},
		{"envoy without time", "envoy:%REQ(:METHOD)%", "format string: it has no time", "%START_TIME%"},
		{"envoy open command", "envoy:%START_TIME% %REQ(:PATH)", "format string: %REQ(:PATH) without its closing percent sign", ""},
		{"no mapping file", "json:testdata/none.yaml", "failed to read the mapping file: open testdata/none.yaml: no such file or directory", "maps our fields"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := parse.ByName(tc.format)
			if err == nil || err.Error() != tc.want || !strings.Contains(text.HintOf(err), tc.hint) {
				t.Errorf("got %v, hint %q", err, text.HintOf(err))
			}
		})
	}
	if _, err := parse.New(map[string]source.Config{"s": {Format: "x"}}); err == nil {
		t.Error("a source with an unknown format was taken")
	}
}

func TestByNameKnowsItsNames(t *testing.T) {
	for _, n := range parse.Names() {
		if _, err := parse.ByName(n); err != nil {
			t.Errorf("%s: %v", n, err)
		}
	}
}

func TestRejections(t *testing.T) {
	const line = `127.0.0.1 - - [21/Nov/2026:08:59:39 +0000] "GET / HTTP/1.1" 200 3 "-" "x"`
	for _, tc := range []struct {
		name, format string
		line         audit.Line
		want         audit.Rejection
	}{
		{"cut", "nginx:combined", audit.Line{Text: plain.New(line[:20]), Length: 99}, audit.Rejection{Reason: audit.ReasonTooLong, Expected: "a line within the limit of the tap", Length: 99}},
		{"nul", "nginx:combined", audit.Line{Text: plain.New("a\x00b"), Length: 3}, audit.Rejection{Reason: audit.ReasonNUL, Column: 2, Expected: "a line without NUL bytes", Length: 3}},
		{"latin-1", "nginx:combined", audit.Line{Text: plain.New("ab\xfc"), Length: 3}, audit.Rejection{Reason: audit.ReasonEncoding, Column: 3, Expected: "UTF-8", Length: 3}},
		{"carriage return only", "envoy:json", audit.Line{Text: plain.New("\r"), Length: 1}, audit.Rejection{Reason: audit.ReasonEmpty, Expected: "a line with content", Length: 1}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := parse.ByName(tc.format)
			if err != nil {
				t.Fatal(err)
			}
			b := &audit.Batch{Lines: []audit.Line{tc.line}, Events: make([]audit.Event, 1), Received: received}
			p.Parse(b, 0)
			tc.want.Format, tc.want.Received = tc.format, received
			if d := cmp.Diff([]audit.Rejection{tc.want}, b.Rejections); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestUnknownSource(t *testing.T) {
	s, err := parse.New(map[string]source.Config{"other": {Format: "envoy:json"}})
	if err != nil {
		t.Fatal(err)
	}
	b := batch([]byte("a\nb"))
	if err := s.Process(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if len(b.Rejections) != 2 || b.Rejections[1].Reason != audit.ReasonNoFormat || b.Rejections[1].Line != 1 {
		t.Fatalf("%+v", b.Rejections)
	}
}

func TestTimezone(t *testing.T) {
	s, err := parse.New(map[string]source.Config{"s": {Format: "kafka:authorizer", Timezone: "Europe/Berlin"}})
	if err != nil {
		t.Fatal(err)
	}
	b := batch([]byte("[2026-07-01 12:00:00,500] INFO Principal = User:a is Denied operation = READ from host = 10.0.0.1 on resource = Topic:LITERAL:x for request = Fetch with resourceRefCount = 1 based on rule DefaultDeny (kafka.authorizer.logger)"))
	if err := s.Process(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if got := b.Events[0].Time.Format("15:04:05.000"); got != "10:00:00.500" || b.Events[0].TimeQuality != audit.TimeAssumed {
		t.Fatalf("%s, %s", got, b.Events[0].TimeQuality)
	}
}

func TestCarries(t *testing.T) {
	for _, tc := range []struct {
		name string
		c    source.Config
		line string
		want audit.Carries
	}{
		{"combined has no purpose", source.Config{Format: "nginx:combined", Purpose: "header:X-Purpose"},
			`127.0.0.1 - - [21/Nov/2026:08:59:39 +0000] "GET / HTTP/1.1" 200 3 "-" "x"`, audit.Carries{Principal: true, Target: true, Outcome: true}},
		{"own format with purpose and TLS", source.Config{Format: `nginx:[$time_local] "$request" $ssl_protocol "$http_x_purpose" "$jwt_claim_sub"`, Purpose: "header:X-Purpose", Principal: []string{"field:jwt_claim_sub"}},
			`[21/Nov/2026:08:59:39 +0000] "GET / HTTP/1.1" - "-" "-"`, audit.Carries{TLS: true, Purpose: true, Principal: true, Target: true}},
		{"apache with TLS", source.Config{Format: `apache:%t %u "%r" %>s %{SSL_PROTOCOL}x "%{X-Purpose}i"`, Purpose: "header:X-Purpose"},
			`[21/Nov/2026:08:59:39 +0000] - "GET / HTTP/1.1" 200 - "-"`, audit.Carries{TLS: true, Purpose: true, Principal: true, Target: true, Outcome: true}},
		{"haproxy http", source.Config{Format: "haproxy:http", Principal: []string{"field:capture.0"}},
			`1.2.3.4:5 [21/Nov/2026:09:00:00.152] fe up/s1 0/0/0/0/0 200 107 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"`, audit.Carries{Principal: true, Target: true, Outcome: true}},
		{"haproxy tcp", source.Config{Format: "haproxy:tcp"},
			`1.2.3.4:5 [21/Nov/2026:09:00:00.152] fe up/s1 0/0/0 107 -- 1/1/0/0/0 0/0`, audit.Carries{Outcome: true}},
		{"haproxy sample", source.Config{Format: `haproxy:[%tr] %[http_auth_user] %sslv "%[req.hdr(X-Purpose)]" %ST %{+Q}r`, Purpose: "header:X-Purpose"},
			`[21/Nov/2026:09:00:00.152] bob TLSv1.3 "x" 200 "GET / HTTP/1.1"`, audit.Carries{TLS: true, Purpose: true, Principal: true, Target: true, Outcome: true}},
		{"squid", source.Config{Format: "squid:squid"},
			`1795221548.201 5 127.0.0.1 TCP_MISS/200 296 GET http://a/ - HIER_DIRECT/127.0.0.1 text/plain`, audit.Carries{Principal: true, Target: true, Outcome: true}},
		{"envoy text", source.Config{Format: "envoy:%START_TIME% %REQ(:PATH)% %RESPONSE_CODE% %DOWNSTREAM_TLS_VERSION% %REQ(X-PURPOSE)%", Purpose: "header:x-purpose"},
			`2026-11-21T09:14:15Z / 200 - -`, audit.Carries{TLS: true, Purpose: true, Target: true, Outcome: true}},
		{"caddy", source.Config{Format: "caddy:json", Purpose: "header:X-Purpose"},
			`{"ts":1795251691.78,"msg":"handled request","request":{"method":"GET"},"status":200}`, audit.Carries{TLS: true, Purpose: true, Principal: true, Target: true, Outcome: true}},
		{"traefik", source.Config{Format: "traefik:json", Principal: []string{"header:X-User"}},
			`{"StartUTC":"2026-11-21T09:14:15Z","RequestMethod":"GET","DownstreamStatus":200}`, audit.Carries{TLS: true, Principal: true, Target: true, Outcome: true}},
		{"mosquitto names users at connections only", source.Config{Format: "mosquitto:log"},
			`1795221634: Client <unknown> disconnected, not authorised.`, audit.Carries{Target: true, Outcome: true}},
		{"mosquitto by client id", source.Config{Format: "mosquitto:log", Principal: []string{"remote_user", "field:client_id"}},
			`1795221634: Client <unknown> disconnected, not authorised.`, audit.Carries{Principal: true, Target: true, Outcome: true}},
		{"envoy keys with null", source.Config{Format: "envoy:json", Purpose: "header:X-Purpose", Principal: []string{"field:jwt_sub"}},
			`{"start_time":"2026-11-21T09:14:15Z","x-purpose":null,"jwt_sub":null,"downstream_tls_version":"-","response_code":200}`, audit.Carries{TLS: true, Purpose: true, Principal: true, Outcome: true}},
		{"envoy nested principal", source.Config{Format: "envoy:json", Principal: []string{"field:jwt.sub"}},
			`{"start_time":"2026-11-21T09:14:15Z","jwt":{"sub":"a"}}`, audit.Carries{Principal: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, err := parse.New(map[string]source.Config{"s": tc.c})
			if err != nil {
				t.Fatal(err)
			}
			b := batch([]byte(tc.line))
			if err := s.Process(t.Context(), b); err != nil {
				t.Fatal(err)
			}
			if len(b.Rejections) > 0 {
				t.Fatalf("rejected: %+v", b.Rejections)
			}
			if d := cmp.Diff(tc.want, b.Events[0].Carries); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

// TestMappingErrors holds that a faulty mapping file is named with its line.
func TestMappingErrors(t *testing.T) {
	for _, tc := range []struct{ name, file, want string }{
		{"unknown field", "fields:\n  time: a\n  person: b\n", ":3:3: person is no field of ours"},
		{"no time", "fields:\n  user: b\n", "the time is missing"},
		{"no place", "fields:\n  time: \"\"\n", "time has no place"},
		{"bad pattern", "fields:\n  time: a\ntime: \"%c\"\n", ":3:7: the time pattern has no full date and clock of a fixed width"},
		{"bad constant", "fields:\n  time: a\nconstants:\n  user: x\n", ":4:3: user can't be a constant"},
		{"bad protocol", "fields:\n  time: a\nconstants:\n  protocol: smtp\n", `:4:3: the protocol "smtp" is unknown`},
		{"unknown key", "fields:\n  time: a\nfoo: b\n", `unknown key "foo"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "m.yaml")
			if err := os.WriteFile(file, []byte(tc.file), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := parse.ByName("json:" + file)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasPrefix(err.Error(), file) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestRealip(t *testing.T) {
	b := process(t, `nginx:$remote_addr $realip_remote_addr [$time_local] "$request"`, []byte(`203.0.113.9 10.0.0.2 [21/Nov/2026:08:59:39 +0000] "GET / HTTP/1.1"`))
	e := b.Events[0]
	if e.PeerAddr.Reveal(plainaccess.Token{}) != "10.0.0.2" || len(e.Forwarded) != 1 || e.Forwarded[0].Reveal(plainaccess.Token{}) != "203.0.113.9" {
		t.Fatalf("%v", clear(&e))
	}
}

func TestRecognise(t *testing.T) {
	for _, tc := range []struct{ name, file, want string }{
		{"combined", "testdata/nginx/combined.log", "nginx:combined"},
		{"main", "testdata/nginx/main.log", "nginx:main"},
		{"apache combined", "testdata/apache/combined.log", "apache:combined"},
		{"apache common", "testdata/apache/common.log", "apache:common"},
		{"apache vhost", "testdata/apache/vhost_combined.log", "apache:vhost_combined"},
		{"haproxy http", "testdata/haproxy/rfc5424.log", "haproxy:http"},
		{"haproxy https", "testdata/haproxy/https.log", "haproxy:https"},
		{"haproxy tcp", "testdata/haproxy/tcp.log", "haproxy:tcp"},
		{"haproxy clf", "testdata/haproxy/clf.log", "haproxy:clf"},
		{"squid", "testdata/squid/native.log", "squid:squid"},
		{"squid combined", "testdata/squid/combined.log", "squid:combined"},
		{"squid common", "testdata/squid/common.log", "squid:common"},
		{"envoy text", "testdata/envoytext/default.log", "envoy:default"},
		{"envoy istio", "testdata/envoytext/istio.log", "envoy:istio"},
		{"traefik generic", "testdata/traefik/generic.log", "nginx:combined"},
		{"traefik json", "testdata/traefik/json.log", "traefik:json"},
		{"caddy", "testdata/caddy/2.11.log", "caddy:json"},
		{"kafka request", "testdata/kafkarequest/4.3.1.log", "kafka:request"},
		{"mosquitto", "testdata/mosquitto/epoch.log", "mosquitto:log"},
		{"envoy", "testdata/envoy/handmade.log", "envoy:json"},
		{"kafka", "testdata/kafka/4.3.1.log", "kafka:authorizer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data, err := os.ReadFile(tc.file)
			if err != nil {
				t.Fatal(err)
			}
			var sample [][]byte
			for _, l := range strings.Split(strings.TrimSpace(string(data)), "\n") {
				sample = append(sample, []byte(l))
			}
			g := parse.Recognise(sample)
			if len(g) == 0 || g[0].Format != tc.want || g[0].Share < 0.8 || g[0].Share > 1 || g[0].Why == "" {
				t.Fatalf("%+v", g)
			}
		})
	}
	if g := parse.Recognise([][]byte{[]byte("hello"), []byte("")}); len(g) != 0 {
		t.Fatalf("%+v", g)
	}
	// A format of the server's own: another one can hold it as free text only.
	data, err := os.ReadFile("testdata/apache/vhost_timed.log")
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range parse.Recognise(bytes.Split(bytes.TrimSpace(data), []byte("\n"))) {
		if g.Share > 0.5 {
			t.Errorf("taken for %+v", g)
		}
	}
}

// TestRejectionHoldsNoValue cuts and corrupts good lines and looks for their
// values in what the rejections say.
func TestRejectionHoldsNoValue(t *testing.T) {
	const line = `198.51.100.77 - canary.user [21/Nov/2026:08:59:39 +0000] "GET /canary?e=canary@example.com HTTP/1.1" 200 3 "http://canary" "canary-agent"`
	for cut := range len(line) {
		b := process(t, "nginx:combined", []byte(line[:cut]))
		for _, r := range b.Rejections {
			if strings.Contains(r.Expected, "canary") || strings.Contains(r.Expected, "198.51") {
				t.Fatalf("cut at %d: %+v", cut, r)
			}
		}
		if cut > 0 && len(b.Rejections) != 1 {
			t.Fatalf("cut at %d: taken for a whole line", cut)
		}
	}
}
