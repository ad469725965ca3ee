package tap_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/broker"
	embedded "github.com/tallystick/tallystick/internal/embedded/broker"
)

// A tap that is started, stopped and started again while Kafka is away listens
// and spools, and each line is in Kafka once when it has come.
func TestStartedWhileKafkaIsAway(t *testing.T) {
	r, post := posted(t)
	address := freePort(t)
	cfg := broker.DefaultConfig()
	cfg.Addresses = []string{address}
	cfg.SASL = broker.SASL{Mechanism: "scram-sha-256", User: "tallystick", Password: "letmein"}
	open := func() *broker.Client {
		client, err := broker.Open(t.Context(), cfg, broker.Deps{Await: true, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	var lines int
	take := func(n int) {
		t.Helper()
		for range n {
			if status := post(fmt.Sprint("line ", lines)); status != 200 {
				t.Fatalf("%d", status)
			}
			lines++
		}
	}
	var client *broker.Client
	for range 2 {
		client = open()
		r.producer = client
		tp, stop := r.start()
		r.eventually("listening", func() bool { return post(fmt.Sprint("line ", lines)) == 200 })
		lines++
		take(20)
		if tp.Status()[0].Spooled == 0 {
			t.Error("200 before the lines are on disk")
		}
		stop()
	}
	client = open()
	r.producer = client
	tp, stop := r.start()
	_, port, _ := net.SplitHostPort(address)
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	b, err := embedded.StartWith(t.TempDir(), embedded.Options{Port: number, Password: "letmein"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = b.Close() }()
	r.eventually("listening", func() bool { return post(fmt.Sprint("line ", lines)) == 200 })
	lines++
	take(20)
	r.eventually("the spool is empty", func() bool { return tp.Status()[0].Spooled == 0 })
	stop()

	got := map[string]int{}
	for _, line := range consumed(t, client, r.site) {
		got[line]++
	}
	if len(got) != lines {
		t.Errorf("%d lines of %d are in Kafka", len(got), lines)
	}
	for line, n := range got {
		if n != 1 || !strings.HasPrefix(line, "line ") {
			t.Errorf("%q came %d times", line, n)
		}
	}
}

// consumed reads lines.v1 to its end; lines that came again count once.
func consumed(t *testing.T, client *broker.Client, s *site) []string {
	t.Helper()
	ends, err := client.Ends(t.Context(), broker.Lines)
	if err != nil {
		t.Fatal(err)
	}
	var left int64
	for _, end := range ends {
		left += end
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	seen := make(chan broker.Message)
	go func() {
		_ = client.Consume(ctx, "test", broker.Lines, func(ctx context.Context, p *broker.Partition) error {
			for {
				m, err := p.Fetch(ctx)
				if err != nil {
					return err
				}
				seen <- m
			}
		})
	}()
	got := newKafka()
	for ; left > 0; left-- {
		select {
		case m := <-seen:
			got.msgs = append(got.msgs, m)
		case <-ctx.Done():
			t.Fatalf("%d batches did not come", left)
		}
	}
	var out []string
	for _, line := range got.lines(t, s) {
		out = append(out, line)
	}
	return out
}
