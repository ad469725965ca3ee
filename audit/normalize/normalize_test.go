package normalize_test

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/normalize"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

func reveal(t plain.Text) string { return t.Reveal(plainaccess.Token{}) }

// run normalises one event of a source with a trusted network.
func run(t testing.TB, e audit.Event) audit.Event {
	t.Helper()
	s := normalize.New(map[string]source.Config{"s": {TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}})
	b := &audit.Batch{Source: "s", Lines: make([]audit.Line, 1), Events: []audit.Event{e}}
	if err := s.Process(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return b.Events[0]
}

func TestURL(t *testing.T) {
	for _, tc := range []struct{ name, target, path, query, host string }{
		{"plain", "/v1/customers/4711", "/v1/customers/4711", "", ""},
		{"query", "/s?email=a%40b.de&q=red+shoes&flag", "/s", "email=a@b.de;q=red shoes;flag=", ""},
		{"empty parts", "/s?&&a=1&=2", "/s", "a=1;=2", ""},
		{"equals in value", "/s?a=b=c", "/s", "a=b=c", ""},
		{"encoded once only", "/a%2540b?c=%2541", "/a%40b", "c=%41", ""},
		{"bad escapes stay", "/a%zz%4", "/a%zz%4", "", ""},
		{"plus in path stays", "/a+b", "/a+b", "", ""},
		{"dot segments", "/a/./b/../c", "/a/c", "", ""},
		{"encoded dot segments", "/a/%2e%2e/b", "/b", "", ""},
		{"above the root", "/../../etc", "/etc", "", ""},
		{"ends in dots", "/a/b/..", "/a/", "", ""},
		{"double slashes", "//a///b/", "/a/b/", "", ""},
		{"hidden file", "/.well-known/x", "/.well-known/x", "", ""},
		{"only dots", "/..", "/", "", ""},
		{"absolute form", "http://shop.example:81/x?u=1", "/x", "u=1", "shop.example:81"},
		{"absolute form without path", "https://shop.example?u=1", "/", "u=1", "shop.example"},
		{"absolute form with user", "http://a:b@shop.example/", "/", "", "shop.example"},
		{"star", "*", "*", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := run(t, audit.Event{Protocol: "http", Method: plain.New("GET"), Target: plain.New(tc.target)})
			var q []string
			for _, f := range e.Query {
				q = append(q, f.Name+"="+reveal(f.Value))
			}
			got := []string{reveal(e.Path), strings.Join(q, ";"), reveal(e.Host)}
			if d := cmp.Diff([]string{tc.path, tc.query, tc.host}, got); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestManyParameters(t *testing.T) {
	e := run(t, audit.Event{Protocol: "http", Target: plain.New("/?" + strings.Repeat("a=1&", 1000))})
	if len(e.Query) != 256 {
		t.Fatalf("%d parameters", len(e.Query))
	}
}

func TestOperation(t *testing.T) {
	for _, tc := range []struct {
		name, protocol, method, operation string
		action                            audit.Action
	}{
		{"get", "http", "GET", "GET", audit.ActionRead},
		{"lower case is another method", "http", "get", "OTHER", audit.ActionOther},
		{"unknown", "http", "M-SEARCH", "OTHER", audit.ActionOther},
		{"absent", "http", "", "OTHER", audit.ActionOther},
		{"tcp", "tcp", "", "CONNECT", audit.ActionConnect},
		{"kafka read", "kafka", "Read", "READ", audit.ActionRead},
		{"kafka new spelling", "kafka", "DESCRIBE_CONFIGS", "DESCRIBECONFIGS", audit.ActionAdmin},
		{"kafka old spelling", "kafka", "DescribeConfigs", "DESCRIBECONFIGS", audit.ActionAdmin},
		{"kafka unknown", "kafka", "alice@example.com", "OTHER", audit.ActionOther},
		{"kafka fetch", "kafka", "FETCH", "READ", audit.ActionRead},
		{"confluent fetch", "kafka", "Fetch", "READ", audit.ActionRead},
		{"kafka produce", "kafka", "PRODUCE", "WRITE", audit.ActionWrite},
		{"kafka topics", "kafka", "CREATE_TOPICS", "CREATE", audit.ActionCreate},
		{"kafka group", "kafka", "JOIN_GROUP", "SUBSCRIBE", audit.ActionSubscribe},
		{"confluent authentication", "kafka", "Authentication", "CONNECT", audit.ActionConnect},
		{"mqtt delivery", "mqtt", "DELIVER", "DELIVER", audit.ActionRead},
		{"mqtt publication", "mqtt", "PUBLISH", "PUBLISH", audit.ActionWrite},
		{"mqtt subscription", "mqtt", "SUBSCRIBE", "SUBSCRIBE", audit.ActionSubscribe},
		{"mqtt connection", "mqtt", "CONNECT", "CONNECT", audit.ActionConnect},
		{"mqtt unknown", "mqtt", "alice", "OTHER", audit.ActionOther},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := run(t, audit.Event{Protocol: tc.protocol, Method: plain.New(tc.method)})
			if e.Operation != tc.operation || e.Action != tc.action {
				t.Errorf("got %s, %s", e.Operation, e.Action)
			}
		})
	}
}

func TestOutcome(t *testing.T) {
	flags := []audit.Field{{Name: "response_flags", Value: plain.New("DC")}}
	filter := []audit.Field{{Name: "check", Value: plain.New("filter")}}
	all := audit.Carries{Outcome: true}
	for _, tc := range []struct {
		name  string
		event audit.Event
		want  audit.Outcome
		by    string
	}{
		{"ok", audit.Event{Protocol: "http", Status: 200}, audit.OutcomeAllowed, ""},
		{"not modified", audit.Event{Protocol: "http", Status: 304}, audit.OutcomeAllowed, ""},
		{"forbidden by the proxy", audit.Event{Protocol: "http", Status: 403}, audit.OutcomeDenied, "proxy"},
		{"forbidden by the upstream", audit.Event{Protocol: "http", Status: 403, Upstream: plain.New("10.0.0.1:80")}, audit.OutcomeDenied, "upstream"},
		{"external authorisation", audit.Event{Protocol: "http", Status: 503, Denied: true, DenyBy: "authz"}, audit.OutcomeDenied, "authz"},
		{"not found", audit.Event{Protocol: "http", Status: 404}, audit.OutcomeError, ""},
		{"client left", audit.Event{Protocol: "http", Status: 499}, audit.OutcomeAborted, ""},
		{"client left, envoy", audit.Event{Protocol: "http", Status: 200, Fields: flags}, audit.OutcomeAborted, ""},
		{"no response", audit.Event{Protocol: "http", Carries: all}, audit.OutcomeAborted, ""},
		{"format without status", audit.Event{Protocol: "http"}, audit.OutcomeUnknown, ""},
		{"forged", audit.Event{Protocol: "http", Status: 200, Integrity: audit.IntegrityAmbiguous}, audit.OutcomeUnknown, ""},
		{"kafka allowed", audit.Event{Protocol: "kafka"}, audit.OutcomeAllowed, ""},
		{"kafka denied", audit.Event{Protocol: "kafka", Denied: true, DenyBy: "authz"}, audit.OutcomeDenied, "authz"},
		{"kafka filter", audit.Event{Protocol: "kafka", Denied: true, Fields: filter}, audit.OutcomeUnknown, ""},
		{"kafka error", audit.Event{Protocol: "kafka", Fields: field("error_code", "3")}, audit.OutcomeError, ""},
		{"mqtt allowed", audit.Event{Protocol: "mqtt"}, audit.OutcomeAllowed, ""},
		{"mqtt denied", audit.Event{Protocol: "mqtt", Denied: true, DenyBy: "authz"}, audit.OutcomeDenied, "authz"},
		{"mqtt forged", audit.Event{Protocol: "mqtt", Integrity: audit.IntegrityAmbiguous}, audit.OutcomeUnknown, ""},
		{"haproxy normal end", haproxy("http", "----", 200), audit.OutcomeAllowed, ""},
		{"haproxy denied by a rule", haproxy("http", "PR--", 403), audit.OutcomeDenied, "proxy"},
		{"haproxy refuses a request", haproxy("http", "PR--", 400), audit.OutcomeDenied, "proxy"},
		{"haproxy asks for a password", haproxy("http", "LR--", 401), audit.OutcomeDenied, "proxy"},
		{"haproxy redirects", haproxy("http", "LR--", 302), audit.OutcomeAllowed, ""},
		{"haproxy finds no server", haproxy("http", "SC--", 503), audit.OutcomeError, ""},
		{"haproxy server too slow", haproxy("http", "sH--", 504), audit.OutcomeError, ""},
		{"haproxy client left", haproxy("http", "CD--", 200), audit.OutcomeAborted, ""},
		{"haproxy client too slow", haproxy("http", "cR--", 408), audit.OutcomeAborted, ""},
		{"haproxy tcp", haproxy("tcp", "--", 0), audit.OutcomeAllowed, ""},
		{"haproxy tcp, client left", haproxy("tcp", "CD", 0), audit.OutcomeAborted, ""},
		{"haproxy no request", audit.Event{Format: "haproxy:http", Protocol: "tcp", Fields: field("connection_error", "SSL handshake failure")}, audit.OutcomeError, ""},
		{"the field of another format", audit.Event{Format: "envoy:json", Protocol: "http", Status: 200, Fields: field("termination", "PR--")}, audit.OutcomeAllowed, ""},
		{"squid denied", squid("TCP_DENIED", 403), audit.OutcomeDenied, "proxy"},
		{"squid denied, with a page", squid("TCP_DENIED_REPLY", 200), audit.OutcomeDenied, "proxy"},
		{"squid client left", squid("TCP_MISS_ABORTED", 200), audit.OutcomeAborted, ""},
		{"squid time up", squid("TCP_MISS_TIMEDOUT", 200), audit.OutcomeError, ""},
		{"squid hit", squid("TCP_MEM_HIT", 200), audit.OutcomeAllowed, ""},
		{"apache client left", audit.Event{Format: "apache:custom", Protocol: "http", Status: 200, Fields: field("connection_status", "X")}, audit.OutcomeAborted, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.event.Integrity == "" {
				tc.event.Integrity = audit.IntegrityOK
			}
			e := run(t, tc.event)
			if e.Outcome != tc.want || e.DenyBy != tc.by {
				t.Errorf("got %s by %q", e.Outcome, e.DenyBy)
			}
		})
	}
}

func field(name, value string) []audit.Field {
	return []audit.Field{{Name: name, Value: plain.New(value)}}
}

func haproxy(protocol, state string, status uint16) audit.Event {
	return audit.Event{Format: "haproxy:http", Protocol: protocol, Status: status, Fields: field("termination", state), Carries: audit.Carries{Outcome: true}}
}

func squid(result string, status uint16) audit.Event {
	return audit.Event{Format: "squid:squid", Protocol: "http", Status: status, Fields: field("result", result)}
}

func TestCipher(t *testing.T) {
	for _, tc := range []struct{ name, value, want string }{
		{"number", "4865", "TLS_AES_128_GCM_SHA256"}, {"hex", "0xc02f", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"},
		{"name", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"}, {"too large", "70000", "70000"}, {"none", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := reveal(run(t, audit.Event{Protocol: "http", TLSCipher: plain.New(tc.value)}).TLSCipher); got != tc.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	for _, tc := range []struct {
		name, value string
		carries     bool
		status      uint16
		want        string
	}{
		{"openssl", "TLSv1.3", true, 200, "1.3"}, {"number", "772", true, 200, "1.3"}, {"bare", "1.3", true, 200, "1.3"},
		{"old", "TLSv1", true, 200, "1.0"}, {"ssl", "SSLv3", true, 200, "SSLv3"},
		{"none", "", true, 200, "none"}, {"handshake failed", "", true, 400, ""}, {"format without it", "", false, 200, ""},
		{"garbage", "alice", true, 200, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := run(t, audit.Event{Protocol: "http", TLSVersion: plain.New(tc.value), Status: tc.status, Carries: audit.Carries{TLS: tc.carries}})
			if e.TLS != tc.want {
				t.Errorf("got %q", e.TLS)
			}
		})
	}
}

func TestClientAddr(t *testing.T) {
	for _, tc := range []struct {
		name, peer string
		xff        []string
		want       string
	}{
		{"no header", "10.0.0.1", nil, "10.0.0.1"},
		{"trusted peer", "10.0.0.1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"untrusted peer lies", "198.51.100.1", []string{"203.0.113.9"}, "198.51.100.1"},
		{"client adds a hop", "10.0.0.1", []string{"1.2.3.4", "203.0.113.9", "10.0.0.7"}, "203.0.113.9"},
		{"port and brackets", "10.0.0.1", []string{"[2001:db8::7]:443", "10.0.0.5:80"}, "2001:db8::7"},
		{"unknown hop", "10.0.0.1", []string{"unknown"}, "10.0.0.1"},
		{"mapped peer", "::ffff:10.0.0.1", []string{"203.0.113.9"}, "203.0.113.9"},
		{"unix socket", "", []string{"203.0.113.9"}, "203.0.113.9"},
		{"peer is a name", "broker-1", []string{"203.0.113.9"}, "broker-1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			ev := audit.Event{Protocol: "http", PeerAddr: plain.New(tc.peer)}
			for _, h := range tc.xff {
				ev.Forwarded = append(ev.Forwarded, plain.New(h))
			}
			if got := reveal(run(t, ev).ClientAddr); got != tc.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestSkipsRejected(t *testing.T) {
	e := run(t, audit.Event{Rejected: true, Protocol: "http", Method: plain.New("GET")})
	if e.Operation != "" {
		t.Fatal("a rejected line was normalised")
	}
}

// A path that is taken as clean is one, and nearly every clean path is taken.
func TestIsClean(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	const alphabet = "/.%ab0-$"
	taken := 0
	for range 200_000 {
		b := make([]byte, rnd.IntN(30))
		for i := range b {
			if b[i] = 'a' + byte(rnd.IntN(26)); rnd.IntN(4) == 0 {
				b[i] = alphabet[rnd.IntN(len(alphabet))]
			}
		}
		p := "/" + string(b)
		clean := normalize.IsClean(p)
		if clean && normalize.Clean(p) != p {
			t.Fatalf("%q is not clean: %q", p, normalize.Clean(p))
		}
		if want := !strings.Contains(p, "%") && !strings.Contains(p, "//") && !strings.Contains(p, "/."); clean != want {
			t.Fatalf("%q: %t", p, clean)
		}
		if clean {
			taken++
		}
	}
	if taken < 10_000 {
		t.Errorf("%d clean paths", taken)
	}
}

// FuzzURL holds that a path never leaves the root, has no dot segment left and
// that decoding never grows a value.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"/a/../b?x=%41", "http://h/%2e%2e/?a+b", "//x", "/%", "?", "/a/.%2e/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, target string) {
		e := run(t, audit.Event{Protocol: "http", Method: plain.New("GET"), Target: plain.New(target)})
		p := reveal(e.Path)
		if len(p) > len(target)+1 {
			t.Fatalf("path of %d bytes from %d", len(p), len(target))
		}
		if strings.HasPrefix(p, "/") {
			for _, seg := range strings.Split(p, "/") {
				if seg == "." || seg == ".." {
					t.Fatalf("dot segment in %q", p)
				}
			}
		}
		for _, q := range e.Query {
			if len(q.Name)+q.Value.Len() > len(target) {
				t.Fatal("a parameter longer than its target")
			}
		}
	})
}
