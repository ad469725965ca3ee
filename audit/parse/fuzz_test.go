package parse_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// fuzz runs one parser over arbitrary lines, two in a batch. What it must hold:
// no panic, a rejection or an event with a time, and a column within the line.
func fuzz(f *testing.F, format, seeds string) {
	logs, err := filepath.Glob(seeds)
	if err != nil || len(logs) == 0 {
		f.Fatalf("no seeds in %s", seeds)
	}
	for _, l := range logs {
		data, err := os.ReadFile(l)
		if err != nil {
			f.Fatal(err)
		}
		for _, s := range strings.Split(string(data), "\n") {
			f.Add(s)
		}
	}
	p, err := parse.ByName(format)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := &audit.Batch{Received: received, Events: make([]audit.Event, 2)}
		for range 2 {
			b.Lines = append(b.Lines, audit.Line{Text: plain.New(s), Length: len(s)})
		}
		p.Parse(b, 0)
		p.Parse(b, 1)
		for _, r := range b.Rejections {
			if r.Column < 0 || r.Column > len(s)+1 || r.Expected == "" {
				t.Fatalf("column %d of %d, expected %q", r.Column, len(s), r.Expected)
			}
		}
		for i := range b.Events {
			e := &b.Events[i]
			if !e.Rejected && (e.Time.IsZero() || e.ParseStatus == "" || e.Integrity == "" || e.Auth == "") {
				t.Fatalf("an event without %v %q %q %q", e.Time, e.ParseStatus, e.Integrity, e.Auth)
			}
			if len(e.Target.Reveal(plainaccess.Token{})) > 2*len(s) {
				t.Fatal("a target longer than its line")
			}
		}
	})
}

func FuzzNginxCombined(f *testing.F) { fuzz(f, "nginx:combined", "testdata/nginx/*.log") }

func FuzzNginxJSON(f *testing.F) {
	fuzz(f, `nginx:escape=json {"time":"$time_iso8601","remote_addr":"$remote_addr","request":"$request","status":$status,"rt":$request_time,"ua":"$http_user_agent","p":"$http_x_purpose"}`, "testdata/nginx/json*.log")
}

func FuzzNginxLoose(f *testing.F) {
	fuzz(f, "nginx:$remote_addr $http_user_agent $request [$time_iso8601] $args $status", "testdata/nginx/*.log")
}

func FuzzEnvoy(f *testing.F) { fuzz(f, "envoy:json", "testdata/envoy/*.log") }

func FuzzEnvoyALS(f *testing.F) { fuzz(f, "envoy:als", "testdata/envoyals/*.log") }

func FuzzKafka(f *testing.F) { fuzz(f, "kafka:authorizer", "testdata/kafka/*.log") }

func FuzzApache(f *testing.F) { fuzz(f, "apache:combined", "testdata/apache/*.log") }

func FuzzApacheCustom(f *testing.F) {
	fuzz(f, `apache:%V:%p %a:%{remote}p %u [%{%Y-%m-%dT%H:%M:%S}t.%{usec_frac}t%{%z}t] %m %U %q %>s %D %X %{X-Forwarded-For}i`, "testdata/apache/*.log")
}

func FuzzHAProxyHTTP(f *testing.F) { fuzz(f, "haproxy:http", "testdata/haproxy/*.log") }

func FuzzHAProxyHTTPS(f *testing.F) { fuzz(f, "haproxy:https", "testdata/haproxy/*.log") }

func FuzzHAProxyTCP(f *testing.F) { fuzz(f, "haproxy:tcp", "testdata/haproxy/*.log") }

func FuzzHAProxyCLF(f *testing.F) { fuzz(f, "haproxy:clf", "testdata/haproxy/*.log") }

func FuzzHAProxyCustom(f *testing.F) { fuzz(f, haproxyHandmade, "testdata/haproxy/*.log") }

func FuzzHAProxyJSON(f *testing.F) { fuzz(f, "haproxy:json", "testdata/haproxy/json.log") }

func FuzzSquid(f *testing.F) { fuzz(f, "squid:squid", "testdata/squid/*.log") }

func FuzzSquidCombined(f *testing.F) { fuzz(f, "squid:combined", "testdata/squid/*.log") }

func FuzzEnvoyText(f *testing.F) { fuzz(f, "envoy:default", "testdata/envoytext/*.log") }

func FuzzEnvoyIstio(f *testing.F) { fuzz(f, "envoy:istio", "testdata/envoytext/*.log") }

func FuzzTraefikCLF(f *testing.F) { fuzz(f, "traefik:clf", "testdata/traefik/*.log") }

func FuzzTraefikJSON(f *testing.F) { fuzz(f, "traefik:json", "testdata/traefik/json.log") }

func FuzzCaddy(f *testing.F) { fuzz(f, "caddy:json", "testdata/caddy/*.log") }

func FuzzKafkaRequest(f *testing.F) { fuzz(f, "kafka:request", "testdata/kafkarequest/*.log") }

func FuzzConfluent(f *testing.F) { fuzz(f, "confluent:audit", "testdata/confluent/*.log") }

func FuzzKroxylicious(f *testing.F) { fuzz(f, "kroxylicious:json", "testdata/kroxylicious/*.log") }

func FuzzMosquitto(f *testing.F) { fuzz(f, "mosquitto:log", "testdata/mosquitto/*.log") }

func FuzzEMQXText(f *testing.F) { fuzz(f, "emqx:text", "testdata/emqx/*.log") }

func FuzzEMQXJSON(f *testing.F) { fuzz(f, "emqx:json", "testdata/emqx/*.log") }

func FuzzMapping(f *testing.F) {
	fuzz(f, "json:../../schemas/mapping/json-application.yaml", "testdata/json/*.log")
}

// FuzzFormatString compiles arbitrary format strings of the other servers.
func FuzzFormatString(f *testing.F) {
	for _, s := range []string{`%h %l %u %t "%r" %>s %b "%{Referer}i"`, `%{+Q}o %ci:%cp [%tr] %[src,lower] %hr %r`, `%ts.%03tu %6tr %>a "%{Referer}>h"`,
		`[%START_TIME(%Y-%m-%d)%] %REQ(A?B):3%`, `%{%Y-%m-%d %H:%M:%S}t%{usec_frac}t`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, family := range []string{"apache:", "haproxy:", "squid:", "envoy:"} {
			p, err := parse.ByName(family + s)
			if err != nil {
				continue
			}
			b := &audit.Batch{Received: received, Events: make([]audit.Event, 1), Lines: []audit.Line{{Text: plain.New(s), Length: len(s)}}}
			p.Parse(b, 0)
		}
	})
}

// FuzzLogFormat compiles arbitrary log_format strings.
func FuzzLogFormat(f *testing.F) {
	f.Add(`nginx:log_format x escape=json '{"a":"$time_iso8601"}' '$x';`)
	f.Add(`nginx:$remote_addr ${host} [$time_local] "$request"`)
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parse.ByName("nginx:" + s)
		if err != nil {
			return
		}
		b := &audit.Batch{Received: received, Events: make([]audit.Event, 1), Lines: []audit.Line{{Text: plain.New(s), Length: len(s)}}}
		p.Parse(b, 0)
	})
}
