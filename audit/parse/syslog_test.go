package parse_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A server's line is the same event with and without the header that its syslog
// target puts before it.
func TestSyslogHeader(t *testing.T) {
	headers := map[string]string{
		"RFC 3164":               "<190>Nov 21 10:00:00 web-1 nginx: ",
		"RFC 3164, no host":      "<134>Nov  1 10:00:00 haproxy[123]: ",
		"RFC 3164, ISO time":     "<134>2026-11-21T10:00:00.123456+01:00 web-1 app[1]: ",
		"RFC 5424":               "<134>1 2026-11-21T10:00:00.123Z web-1 haproxy 123 - - ",
		"RFC 5424, data":         `<134>1 2026-11-21T10:00:00Z web-1 app 1 ID47 [meta sequenceId="29" x="a \] \" b"][y z="1"] `,
		"RFC 5424, byte order":   "<134>1 - - - - - - \ufeff",
		"RFC 5424, data and BOM": "<134>1 - - - - - [a b=\"c\"] \ufeff",
	}
	for _, tc := range []struct{ format, log string }{
		{"nginx:combined", "nginx/combined"}, {"nginx:main", "nginx/main"}, {"apache:combined", "apache/combined"},
		{"squid:squid", "squid/native"}, {"envoy:json", "envoy/istio"}, {"traefik:json", "traefik/json"}, {"caddy:json", "caddy/2.6.2"},
	} {
		data, err := os.ReadFile(filepath.Join("testdata", tc.log+".log"))
		if err != nil {
			t.Fatal(err)
		}
		want := process(t, tc.format, data)
		for name, header := range headers {
			t.Run(tc.format+"/"+name, func(t *testing.T) {
				var with bytes.Buffer
				for line := range bytes.Lines(data) {
					with.WriteString(header)
					with.Write(line)
				}
				got := process(t, tc.format, with.Bytes())
				for i := range want.Events {
					if d := cmp.Diff(clear(&want.Events[i]), clear(&got.Events[i])); d != "" {
						t.Fatalf("line %d (-without +with):\n%s", i+1, d)
					}
				}
			})
		}
	}
}
