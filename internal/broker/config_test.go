package broker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/broker"
)

func TestConfigValidate(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*broker.Config)
		want   string // what the error names, "" for none
	}{
		{"plain", func(*broker.Config) {}, ""},
		{"no address", func(c *broker.Config) { c.Addresses = nil }, "kafka.addresses"},
		{"no port", func(c *broker.Config) { c.Addresses = []string{"kafka"} }, "kafka.addresses"},
		{"too many partitions", func(c *broker.Config) { c.Partitions = 1001 }, "kafka.partitions"},
		{"replication", func(c *broker.Config) { c.Replication = -2 }, "kafka.replication"},
		{"short retention", func(c *broker.Config) { c.Retention = time.Minute }, "kafka.retention"},
		{"certificate without key", func(c *broker.Config) { c.TLS = broker.TLS{Enabled: true, CertFile: "a"} }, "kafka.tls"},
		{"tls fields without tls", func(c *broker.Config) { c.TLS.CAFile = "a" }, "kafka.tls"},
		{"unknown mechanism", func(c *broker.Config) { c.SASL.Mechanism = "PLAIN" }, "kafka.sasl.mechanism"},
		{"user without mechanism", func(c *broker.Config) { c.SASL.User = "a" }, "kafka.sasl.mechanism"},
		{"mechanism without user", func(c *broker.Config) { c.SASL = broker.SASL{Mechanism: "plain", PasswordFile: "a"} }, "kafka.sasl.user"},
		{"no password", func(c *broker.Config) { c.SASL = broker.SASL{Mechanism: "plain", User: "a"} }, "kafka.sasl.password_file"},
		{"password in clear over the network", func(c *broker.Config) {
			c.SASL = broker.SASL{Mechanism: "scram-sha-512", User: "a", PasswordFile: "a"}
		}, "kafka.tls.enabled"},
		{"password over TLS", func(c *broker.Config) {
			c.TLS.Enabled = true
			c.SASL = broker.SASL{Mechanism: "scram-sha-512", User: "a", PasswordFile: "a"}
		}, ""},
		{"password on loopback", func(c *broker.Config) {
			c.Addresses = []string{"127.0.0.1:9092", "localhost:1", "[::1]:2"}
			c.SASL = broker.SASL{Mechanism: "plain", User: "a", PasswordFile: "a"}
		}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := broker.Config{Addresses: []string{"kafka-1.example.org:9093"}}
			tc.change(&c)
			err := c.Validate()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want+":")) {
				t.Fatalf("got %v, want an error of %q", err, tc.want)
			}
			if err == nil && (c.Partitions != 2 || c.Replication != -1 || c.Retention != 720*time.Hour) {
				t.Fatalf("defaults are missing: %+v", c)
			}
		})
	}
}
