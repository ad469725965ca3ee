// Package brokertest starts an embedded broker for tests.
package brokertest

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/scram"

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

// Inflating writes a batch of n messages that is larger than 64 MiB when
// decompressed, of the time at.
func Inflating(t testing.TB, cfg broker.Config, topic string, partition, n int, at time.Time) {
	t.Helper()
	transport := &kafka.Transport{}
	if cfg.SASL.Mechanism != "" {
		who, err := scram.Mechanism(scram.SHA256, cfg.SASL.User, cfg.SASL.Password)
		if err != nil {
			t.Fatal(err)
		}
		transport.SASL = who
	}
	value := make([]byte, 65<<20/n)
	records := make([]kafka.Record, n)
	for i := range records {
		records[i] = kafka.Record{Time: at, Value: kafka.NewBytes(value)}
	}
	defer transport.CloseIdleConnections()
	client := kafka.Client{Addr: kafka.TCP(cfg.Addresses...), Transport: transport, Timeout: time.Minute}
	r, err := client.Produce(context.Background(), &kafka.ProduceRequest{
		Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll, Compression: kafka.Gzip, Records: kafka.NewRecordReader(records...),
	})
	if err == nil {
		err = r.Error
	}
	if err != nil {
		t.Fatal(err)
	}
}
