// Package brokertest starts an embedded broker for tests.
package brokertest

import (
	"context"
	"log/slog"
	"testing"

	"github.com/tallystick/tallystick/internal/broker"
	embedded "github.com/tallystick/tallystick/internal/embedded/broker"
)

// Start runs a broker in a temporary folder for the length of the test and
// returns the configuration that reaches it.
func Start(t testing.TB) broker.Config {
	t.Helper()
	b, err := embedded.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return Config(b)
}

// Config is the configuration that reaches b.
func Config(b *embedded.Broker) broker.Config {
	c := broker.DefaultConfig()
	c.Addresses = []string{b.Addr()}
	c.SASL.Mechanism = "scram-sha-256"
	c.SASL.User, c.SASL.Password = b.Credentials()
	return c
}

// Open opens a client for the length of the test.
func Open(t testing.TB, cfg broker.Config) *broker.Client {
	t.Helper()
	c, err := broker.Open(context.Background(), cfg, broker.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}
