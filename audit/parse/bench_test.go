package parse_test

import (
	"bytes"
	"context"
	"os"
	"testing"

	"github.com/tallystick/tallystick/audit/parse"
	"github.com/tallystick/tallystick/audit/source"
)

// BenchmarkParse reports the time per line for batches of the golden samples.
func BenchmarkParse(b *testing.B) {
	for _, tc := range []struct{ name, format, file string }{
		{"nginx", "nginx:combined", "testdata/nginx/combined.log"},
		{"apache", "apache:combined", "testdata/apache/combined.log"},
		{"haproxy", "haproxy:http", "testdata/haproxy/raw.log"},
		{"haproxy-syslog", "haproxy:http", "testdata/haproxy/rfc5424.log"},
		{"haproxy-tcp", "haproxy:tcp", "testdata/haproxy/tcp.log"},
		{"squid", "squid:squid", "testdata/squid/native.log"},
		{"squid-combined", "squid:combined", "testdata/squid/combined.log"},
		{"envoy-text", "envoy:default", "testdata/envoytext/default.log"},
		{"traefik", "traefik:clf", "testdata/traefik/clf.log"},
		{"traefik-json", "traefik:json", "testdata/traefik/json.log"},
		{"caddy", "caddy:json", "testdata/caddy/2.11.log"},
		{"kafka-request", "kafka:request", "testdata/kafkarequest/4.3.1.log"},
		{"mosquitto", "mosquitto:log", "testdata/mosquitto/iso.log"},
		{"mapping", "json:../../schemas/mapping/json-squid.yaml", "testdata/json/squid.log"},
		{"envoy", "envoy:json", "testdata/envoy/handmade.log"},
		{"kafka", "kafka:authorizer", "testdata/kafka/4.3.1.log"},
	} {
		b.Run(tc.name, func(b *testing.B) {
			data, err := os.ReadFile(tc.file)
			if err != nil {
				b.Fatal(err)
			}
			s, err := parse.New(map[string]source.Config{"s": {Format: tc.format}})
			if err != nil {
				b.Fatal(err)
			}
			batch := batch(bytes.Repeat(data, 20))
			if err := s.Process(context.Background(), batch); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			lines := 0
			for b.Loop() {
				batch.Rejections = batch.Rejections[:0]
				if err := s.Process(context.Background(), batch); err != nil {
					b.Fatal(err)
				}
				lines += len(batch.Lines)
			}
			b.SetBytes(int64(20 * len(data)))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(lines), "ns/line")
		})
	}
}
