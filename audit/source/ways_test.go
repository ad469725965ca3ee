package source_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/source"
)

func TestWays(t *testing.T) {
	tls := source.ServerTLS{CertFile: "c.pem", KeyFile: "k.pem"}
	for _, tc := range []struct {
		name string
		cfg  source.Config
		want string // how the fault begins; "" if there is none
	}{
		{"file", source.Config{File: "a.log"}, ""},
		{"none, as ingest makes it", source.Config{}, ""},
		{"stdin", source.Config{Stdin: true}, ""},
		{"two", source.Config{File: "a.log", Stdin: true}, "stdin: stands beside file"},
		{"syslog", source.Config{Syslog: &source.Syslog{UDP: "127.0.0.1:5514", TCP: "[::1]:6514", TLS: tls}}, ""},
		{"syslog without listener", source.Config{Syslog: &source.Syslog{}}, "syslog: "},
		{"syslog, no port", source.Config{Syslog: &source.Syslog{UDP: "127.0.0.1"}}, "syslog.udp: "},
		{"syslog, no host", source.Config{Syslog: &source.Syslog{TCP: ":514"}}, "syslog.tcp: "},
		{"syslog, TLS over UDP", source.Config{Syslog: &source.Syslog{UDP: "127.0.0.1:514", TLS: tls}}, "syslog.tls: "},
		{"syslog, half a certificate", source.Config{Syslog: &source.Syslog{TCP: "127.0.0.1:514", TLS: source.ServerTLS{CertFile: "c"}}}, "syslog.tls.key_file: "},
		{"http", source.Config{HTTP: &source.HTTP{Listen: "127.0.0.1:8514", TokenFile: "token"}}, ""},
		{"http for everybody", source.Config{HTTP: &source.HTTP{Listen: "127.0.0.1:8514"}}, "http: "},
		{"http token in clear", source.Config{HTTP: &source.HTTP{Listen: "0.0.0.0:8514", TokenFile: "token"}}, "http.tls: "},
		{"http, mutual TLS", source.Config{HTTP: &source.HTTP{Listen: "0.0.0.0:8514", TLS: source.ServerTLS{CertFile: "c", KeyFile: "k", ClientCAFile: "ca"}}}, ""},
		{"http, dropping", source.Config{HTTP: &source.HTTP{Listen: "127.0.0.1:1", TokenFile: "t"}, WhenFull: source.Drop}, "when_full: "},
		{"kafka", source.Config{Kafka: &source.Kafka{Addresses: []string{"k1:9092"}, Topic: "audit"}}, ""},
		{"kafka without topic", source.Config{Kafka: &source.Kafka{Addresses: []string{"k1:9092"}}}, "kafka.topic: "},
		{"kafka password in clear", source.Config{Kafka: &source.Kafka{Addresses: []string{"k1:9092"}, Topic: "a", SASL: source.SASL{Mechanism: "plain", User: "u", PasswordFile: "p"}}}, "kafka.tls.enabled: "},
		{"als", source.Config{ALS: &source.ALS{Listen: "127.0.0.1:9001", Admin: []string{"http://127.0.0.1:9901"}}}, ""},
		{"als, admin", source.Config{ALS: &source.ALS{Listen: "127.0.0.1:9001", Admin: []string{"127.0.0.1:9901"}}}, "als.admin: "},
		{"otlp", source.Config{OTLP: &source.OTLP{GRPC: "127.0.0.1:4317"}}, ""},
		{"otlp without listener", source.Config{OTLP: &source.OTLP{}}, "otlp: "},
		{"small spool", source.Config{File: "a.log", SpoolBytes: 1}, "spool_bytes: "},
		{"unknown choice", source.Config{File: "a.log", WhenFull: "wait"}, "when_full: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.cfg.Name, tc.cfg.Format = "shop", "nginx:combined"
			err := tc.cfg.Validate()
			if (err == nil) != (tc.want == "") || (err != nil && !strings.HasPrefix(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	syslog := source.Config{Name: "a", Format: "f", Syslog: &source.Syslog{UDP: "127.0.0.1:5514"}}
	if err := syslog.Validate(); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(*syslog.Syslog, source.Syslog{UDP: "127.0.0.1:5514", MaxConnections: 1000, IdleTimeout: time.Hour}); d != "" {
		t.Errorf("(-got +want):\n%s", d)
	}
	file := source.Config{File: "a.log"}
	if syslog.Full() != source.Spool || file.Full() != source.Block || !syslog.Pushed() || file.Pushed() {
		t.Errorf("syslog %s, file %s", syslog.Full(), file.Full())
	}
}

// Every file that a section names is found, and can be changed.
func TestPaths(t *testing.T) {
	c := source.Config{HTTP: &source.HTTP{TokenFile: "token", TLS: source.ServerTLS{CertFile: "c"}}}
	for _, p := range c.Paths() {
		if *p != "" {
			*p = "/etc/" + *p
		}
	}
	if c.HTTP.TokenFile != "/etc/token" || c.HTTP.TLS.CertFile != "/etc/c" {
		t.Errorf("%+v", c.HTTP)
	}
}
