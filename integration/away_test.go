//go:build integration && linux

package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// away is how long Kafka is gone.
const away = time.Minute

// TestKafkaAway carries an Apache log through an Apache Kafka that is killed
// for a minute under load, then hangs, and wants each request to be one entry:
// the log is its own spool.
func TestKafkaAway(t *testing.T) {
	program(t, "java")
	program(t, "apache2")
	t.Parallel()
	k := startKafka(t, "PLAINTEXT", "")
	a := startApache(t)
	s := newSite(t, t.TempDir())
	config := fmt.Sprintf("kafka:\n  addresses: [%s]\n  partitions: 12\nsources:\n- name: server\n  file: %s\n%s\n", k.addr, a.log(), apacheFormat)
	if err := os.WriteFile(filepath.Join(s.dir, "tallystick.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	tl := overHTTP(t, apacheFormat, 10)
	want := a.send(500)
	i := s.start("--listen", "127.0.0.1:0")
	s.equal("through Kafka", a, tl, want)
	if n := k.partitions("lines.v1"); n != 12 {
		t.Errorf("lines.v1 has %d partitions", n)
	}

	done := make(chan tally, 1)
	go func() { done <- a.send(6000) }()
	poll(t, 30*time.Second, "the load", func() bool { return a.answered() > 1500 })
	begin := time.Now()
	k.kill()
	i.await(30*time.Second, `Kafka takes no batches`)
	a.rotate()
	want.add(<-done)
	<-time.After(time.Until(begin.Add(away)))
	if n := s.entries(tl); n >= want.total() {
		t.Errorf("%d of %d entries are there although Kafka is away", n, want.total())
	}
	k.run(t)
	s.equal("killed for "+away.String(), a, tl, want)

	k.signal(syscall.SIGSTOP)
	want.add(a.send(2000))
	<-time.After(15 * time.Second)
	k.signal(syscall.SIGCONT)
	s.equal("stood still", a, tl, want)

	i.kill()
	want.add(a.send(500))
	i = s.start("--listen", "127.0.0.1:0")
	s.equal("started again", a, tl, want)
	i.stop()
	s.verify()
	if out := i.out.String(); strings.Contains(out, "level=ERROR") {
		t.Errorf("errors after everything was back:\n%s", out)
	}
}

func (k *kafkaBroker) partitions(topic string) int {
	k.t.Helper()
	c := &kafka.Client{Addr: kafka.TCP(k.addr), Timeout: 20 * time.Second}
	m, err := c.Metadata(k.t.Context(), &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil || len(m.Topics) != 1 {
		k.t.Fatalf("Kafka knows %v: %v", m, err)
	}
	return len(m.Topics[0].Partitions)
}
