package generalise_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/masking/generalise"
)

func TestAddress(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"ipv4", "203.0.113.77", "203.0.113.0/24"},
		{"ipv6", "2001:db8:7:8::9", "2001:db8:7::/48"},
		{"mapped", "::ffff:203.0.113.77", "203.0.113.0/24"},
		{"loopback", "::1", "::/48"},
		{"kafka spelling", "0:0:0:0:0:0:0:1", "::/48"},
		{"zone", "fe80::1%alice", "[redacted]"},
		{"name", "alice", "[redacted]"},
		{"absent", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := generalise.Address(tc.in); got != tc.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestHostPort(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"ipv4", "10.4.1.7:8080", "10.4.1.0/24:8080"},
		{"ipv6", "[2001:db8:7:8::9]:443", "2001:db8:7::/48:443"},
		{"scheme", "tcp://10.4.1.7:8080", "10.4.1.0/24:8080"},
		{"no port", "10.4.1.7", "10.4.1.0/24"},
		{"name", "db.example:5432", "[redacted]"},
		{"absent", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := generalise.HostPort(tc.in); got != tc.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAgent(t *testing.T) {
	const webkit = " AppleWebKit/537.36 (KHTML, like Gecko) "
	var a generalise.Agents
	for _, tc := range []struct{ name, in, want string }{
		{"chrome", "Mozilla/5.0 (Windows NT 10.0)" + webkit + "Chrome/128.0.0.0 Safari/537.36", "Chrome 128"},
		{"edge", "Mozilla/5.0 (Windows NT 10.0)" + webkit + "Chrome/128.0.0.0 Safari/537.36 Edg/128.0", "Edge 128"},
		{"safari", "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15", "Safari 17"},
		{"firefox", "Mozilla/5.0 (X11; Linux x86_64; rv:129.0) Gecko/20100101 Firefox/129.0", "Firefox 129"},
		{"bot", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot 2"},
		{"curl", "curl/8.5.0", "curl 8"},
		{"go", "Go-http-client/2.0", "Go 2"},
		{"kafka", "apache-kafka-java 4.2.0", "Kafka Java client"},
		{"version with a name in it", "curl/alice", "curl"},
		{"long number", "curl/4111111111111111", "curl"},
		{"part of another word", "mycurl/8", "other"},
		{"unknown", "alice meyer's phone", "other"},
		{"absent", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 2 { // made and remembered
				if got := a.Agent(tc.in); got != tc.want {
					t.Errorf("got %q", got)
				}
			}
		})
	}
}

func TestAgentsForget(t *testing.T) {
	var a generalise.Agents
	for i := range 10000 {
		if got := a.Agent(fmt.Sprintf("curl/8.%d", i)); got != "curl 8" {
			t.Fatalf("got %q", got)
		}
	}
}

// FuzzAgent holds that nothing of an unknown user agent comes through.
func FuzzAgent(f *testing.F) {
	f.Add("Version/alice Safari/1")
	f.Fuzz(func(t *testing.T, ua string) {
		got := generalise.Agent(ua)
		if i := strings.LastIndexByte(got, ' '); i >= 0 && strings.Trim(got[i+1:], "0123456789") == "" {
			if len(got)-i-1 > 3 {
				t.Fatalf("a long number in %q", got)
			}
		}
	})
}

// TestNetworkIsThatOfNetip holds the short way for dotted addresses against the
// one for all.
func TestNetworkIsThatOfNetip(t *testing.T) {
	parts := []string{"0", "1", "9", "10", "99", "100", "255", "256", "00", "01", "1000", "", "a", "-1", " 1", "+1", "1/2"}
	for _, a := range parts {
		for _, d := range parts {
			for _, s := range []string{a + ".0.255." + d, "1." + a + "." + d + ".9", "1.2.3.4" + a + d, a + "." + d, "1.2.3." + a + "." + d, a + d} {
				want := "[redacted]"
				if addr, err := netip.ParseAddr(s); err == nil {
					p, err := addr.Prefix(24)
					if err != nil {
						t.Fatal(err)
					}
					want = p.String()
				}
				if got := generalise.Address(s); s != "" && got != want {
					t.Errorf("%q: got %s, want %s", s, got, want)
				}
			}
		}
	}
}
