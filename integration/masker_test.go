//go:build integration && linux

package integration_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/broker"
)

const maskerConfig = `kafka: {addresses: [%q]}
masking: {policies: [{name: partner-a, file: partner-a.yaml, keys: partner-a.keys}]}
masker:
  streams:
  - {name: access, from: access, to: masked, policy: partner-a, value: {format: text}}
  - name: orders
    from: orders
    to: orders.partner-a
    policy: partner-a
    value: {format: json}
    key: {transform: pseudonym customer_id}
    headers: {traceparent: keep}
`

const maskerPolicy = `version: 1
domain: partner-a
text: detect
fields: {id: keep, customer: pseudonym customer_id, mail: pseudonym email, card: last 4, total: round 10}
found: {ipv4: truncate}
`

// TestMasker masks topics of a real Kafka while maskers, of which there are two
// at times, and Kafka are killed under load. Every record is masked once, in order.
func TestMasker(t *testing.T) {
	program(t, "java")
	t.Parallel()
	const partitions = 3
	k := startKafka(t, "PLAINTEXT", "")
	c := newTopic(t, k, partitions)
	s := newSite(t, t.TempDir())
	for name, content := range map[string]string{"tallystick.yaml": fmt.Sprintf(maskerConfig, k.addr), "partner-a.yaml": maskerPolicy} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.must("config", "check")
	client := func(topic string) *broker.Client {
		cfg := broker.DefaultConfig()
		cfg.Addresses = []string{k.addr}
		b, err := broker.OpenTopic(cfg, topic, broker.Deps{Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return b
	}
	orders := client("orders")
	poll(t, 30*time.Second, "the topic orders", func() bool { _, err := orders.Ensure(t.Context(), "orders", 1); return err == nil })
	var order *broker.Appender
	poll(t, 60*time.Second, "Kafka gives a producer id", func() (ok bool) {
		var err error
		order, err = orders.NewAppender(t.Context(), "orders", 0)
		return err == nil
	})
	err := order.Append(t.Context(), []broker.Message{{Key: []byte("C-77"), Headers: []broker.Header{{Name: "user", Value: []byte("ann")}},
		Value: []byte(`{"id":1,"customer":"C-77","mail":"ann@example.com","card":"4111111111111111","total":123,"note":"call her"}`)}})
	if err != nil {
		t.Fatal(err)
	}

	logs := &transcript{}
	start := func() (kill func()) {
		cmd := s.command("run", "--target", "masker")
		cmd.Stdout, cmd.Stderr = logs, logs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	c.produce(1000, partitions)
	kill := start()
	defer func() { kill() }()
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				c.produce(300, partitions)
			}
		}
	}()
	out := client("masked")
	masked := func() (sum int64) {
		ends, err := out.Ends(t.Context(), "masked")
		if err != nil {
			return 0
		}
		for _, e := range ends {
			sum += e
		}
		return sum
	}
	for n := range 4 {
		before := masked()
		poll(t, 90*time.Second, "some more is masked", func() bool { return masked() > before+100 })
		time.Sleep(time.Duration(rand.IntN(300)) * time.Millisecond)
		switch {
		case n == 2:
			k.kill()
			k.run(t)
		case n%2 == 0:
			next := start() // beside the one that is killed
			kill()
			kill = next
		default:
			kill()
			kill = start()
		}
	}
	close(stop)
	<-done
	ends, sum := c.ends()
	poll(t, 90*time.Second, "all is masked", func() bool { return masked() >= sum })
	for p, end := range ends {
		next := int64(0)
		err := out.Read(t.Context(), "masked", p, 0, 1<<40, func(m broker.Message) error {
			origin := ""
			for _, h := range m.Headers {
				if h.Name == "tallystick-origin" {
					origin = string(h.Value)
				}
			}
			if want := fmt.Sprintf("/access/%d/%d", p, next); !strings.HasSuffix(origin, want) {
				return fmt.Errorf("record %d of partition %d was made of %s", next, p, origin)
			}
			if !strings.HasPrefix(string(m.Value), "192.0.2.0/24 - - [") {
				return fmt.Errorf("record %d of partition %d is not masked", next, p)
			}
			next++
			return nil
		})
		if err != nil || next != end {
			t.Errorf("partition %d has %d records of %d: %v\n%s", p, next, end, err, logs)
		}
	}
	t.Logf("%d records of %d partitions, each masked once", sum, partitions)
	err = client("orders.partner-a").Read(t.Context(), "orders.partner-a", 0, 0, 1<<40, func(m broker.Message) error {
		t.Logf("%s\n%s\n%s", m.Key, m.Value, m.Headers)
		if key := string(m.Key); !strings.HasPrefix(key, "v1.") || !strings.HasPrefix(string(m.Value), `{"id":1,"customer":"`+key+`","mail":"v1.`) || len(m.Headers) != 1 {
			t.Errorf("the order became key %s, %d headers, %s", m.Key, len(m.Headers), m.Value)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
