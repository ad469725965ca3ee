//go:build integration && linux

package integration_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/tallystick/tallystick/internal/broker"
)

// topicOf is a topic of an Apache Kafka to which lines of an access log are
// produced.
type topicOf struct {
	*kafkaBroker
	t      *testing.T
	client *kafka.Client
	next   atomic.Int64 // number of the next line
}

func newTopic(t *testing.T, k *kafkaBroker, partitions int) *topicOf {
	t.Helper()
	c := &topicOf{kafkaBroker: k, t: t, client: &kafka.Client{Addr: kafka.TCP(k.addr), Timeout: 20 * time.Second}}
	poll(t, 60*time.Second, "Kafka makes a topic", func() bool {
		r, err := c.client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "access", NumPartitions: partitions, ReplicationFactor: 1}}})
		return err == nil && r.Errors["access"] == nil
	})
	return c
}

func (c *topicOf) line() string {
	n := c.next.Add(1)
	return fmt.Sprintf("192.0.2.%d - - [%s] \"GET /v1/customers/%d HTTP/1.1\" 200 %d \"-\" \"x\"", n%250, time.Now().Format("02/Jan/2006:15:04:05 -0700"), n, n%977)
}

// produce makes records of one line each, ten at once, in all partitions. What
// Kafka may have taken without saying so is produced again: it is another
// record then.
func (c *topicOf) produce(n, partitions int) {
	c.t.Helper()
	for made := 0; made < n; made += 10 {
		var records []kafka.Record
		for range 10 {
			records = append(records, kafka.Record{Value: kafka.NewBytes([]byte(c.line()))})
		}
		poll(c.t, 60*time.Second, "Kafka takes records", func() bool {
			for i := range records {
				_, _ = records[i].Value.(interface {
					Seek(int64, int) (int64, error)
				}).Seek(0, 0)
			}
			r, err := c.client.Produce(c.t.Context(), &kafka.ProduceRequest{
				Topic: "access", Partition: made / 10 % partitions, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(records...),
			})
			return err == nil && r.Error == nil
		})
	}
}

// ends are one past the last offset of each partition.
func (c *topicOf) ends() (out []int64, sum int64) {
	c.t.Helper()
	n := c.parts()
	var ask []kafka.OffsetRequest
	for p := range n {
		ask = append(ask, kafka.LastOffsetOf(p))
	}
	var r *kafka.ListOffsetsResponse
	poll(c.t, 30*time.Second, "Kafka tells its offsets", func() (ok bool) { // its first connection may be of before
		var err error
		r, err = c.client.ListOffsets(c.t.Context(), &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{"access": ask}})
		return err == nil
	})
	out = make([]int64, n)
	for _, p := range r.Topics["access"] {
		out[p.Partition] = p.LastOffset
		sum += p.LastOffset
	}
	return out, sum
}

func (c *topicOf) parts() int {
	c.t.Helper()
	m, err := c.client.Metadata(c.t.Context(), &kafka.MetadataRequest{Topics: []string{"access"}})
	if err != nil || len(m.Topics) != 1 {
		c.t.Fatalf("Kafka knows %v: %v", m, err)
	}
	return len(m.Topics[0].Partitions)
}

// TestKafkaTopic reads a topic of a real Kafka, which is killed under load, as
// is the tap; partitions are added, a producer uses transactions, of which some
// are aborted, and at last records are deleted before they were read. Every
// record is one entry, or in the gap's number.
func TestKafkaTopic(t *testing.T) {
	program(t, "java")
	t.Parallel()
	k := startKafka(t, "PLAINTEXT", "")
	c := newTopic(t, k, 3)
	s := newSite(t, t.TempDir())
	config := fmt.Sprintf("sources:\n- name: topic\n  kafka: {addresses: [%q], topic: access}\n  format: nginx:combined\n", k.addr)
	if err := os.WriteFile(filepath.Join(s.dir, "tallystick.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var markers, expired int64
	equal := func(when string) {
		t.Helper()
		_, want := c.ends()
		want -= markers + expired
		var sums struct{ N, IDs, Rejected string }
		took := poll(t, 60*time.Second, fmt.Sprintf("%s: %d entries", when, want), func() bool {
			s.one(&sums, "SELECT count() AS N, uniqExact(event_id) AS IDs, (SELECT count() FROM rejections) AS Rejected FROM entries")
			return sums.N >= fmt.Sprint(want) && len(sums.N) >= len(fmt.Sprint(want))
		})
		if sums.N != fmt.Sprint(want) || sums.IDs != sums.N || sums.Rejected != "0" {
			t.Fatalf("%s: %s ids of %s entries, %s rejections; the topic has %d records", when, sums.IDs, sums.N, sums.Rejected, want)
		}
		t.Logf("%s: %d records, as many entries, %s after the last", when, want, took.Round(time.Millisecond))
	}
	lost := func() int64 {
		return s.number("SELECT toInt64(sum(toUInt64OrZero(facts['lines']))) FROM findings WHERE control = 'GV-03' AND source = 'topic'")
	}

	c.produce(1000, 3)
	i := s.start("--listen", "127.0.0.1:0")
	c.produce(1000, 3)
	equal("before and after the start")

	load := func(n, partitions int) chan struct{} {
		done := make(chan struct{})
		go func() { defer close(done); c.produce(n, partitions) }()
		return done
	}
	begin := c.next.Load()
	done := load(6000, 3)
	reached := func(n int64) {
		t.Helper()
		poll(t, 60*time.Second, "the load", func() bool { return c.next.Load() >= begin+n })
	}
	reached(1000)
	i.kill()
	reached(2500)
	i = s.start("--listen", "127.0.0.1:0")
	reached(4000)
	k.kill()
	k.run(t)
	<-done
	equal("the tap killed, then Kafka")

	if r, err := c.client.CreatePartitions(t.Context(), &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{{Name: "access", Count: 5}}}); err != nil || r.Errors["access"] != nil {
		t.Fatalf("%v %v", r, err)
	}
	poll(t, 30*time.Second, "there are five partitions", func() bool { return c.parts() == 5 })
	<-load(1000, 5)
	equal("with two partitions more")

	_, before := c.ends()
	program, err := filepath.Abs("kafka/Transactions.java")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := k.java(program, k.addr, "access", "600", c.line()).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, after := c.ends()
	if markers = after - before - 600; markers <= 0 {
		t.Fatalf("600 records in transactions took %d offsets", after-before)
	}
	equal(fmt.Sprintf("with %d offsets of transactions", markers))
	if n := lost(); n != 0 {
		t.Errorf("%d records are told to be lost", n)
	}

	i.stop()
	read, _ := c.ends()
	c.produce(1000, 5)
	cfg := broker.DefaultConfig()
	cfg.Addresses = []string{k.addr}
	admin, err := broker.OpenTopic(cfg, "access", broker.Deps{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close() }()
	for p, offset := range read {
		if err := admin.DeleteBelow(t.Context(), "access", p, offset+int64(10*p)); err != nil {
			t.Fatal(err)
		}
		expired += int64(10 * p)
	}
	i = s.start("--listen", "127.0.0.1:0")
	equal(fmt.Sprintf("with %d records deleted unread", expired))
	poll(t, 30*time.Second, "the gaps say so", func() bool { return lost() == expired })
	i.stop()
	s.verify()
}
