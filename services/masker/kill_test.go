package masker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/services/masker"
)

const childVariable = "TALLYSTICK_TEST_MASKER"

// child is what a masker's process of its own gets.
type child struct {
	Dir, Address, User, Password string
	Stream                       masker.Stream
}

// TestMain is the child of TestKill when the variable is set: it masks until it
// is killed.
func TestMain(m *testing.M) {
	v := os.Getenv(childVariable)
	if v == "" {
		os.Exit(m.Run())
	}
	var c child
	err := json.Unmarshal([]byte(v), &c)
	if err == nil {
		err = c.run()
	}
	fmt.Fprintln(os.Stderr, "error:", err)
	os.Exit(1)
}

func (c *child) run() error {
	cfg := broker.DefaultConfig()
	cfg.Addresses = []string{c.Address}
	cfg.SASL = broker.SASL{Mechanism: "scram-sha-256", User: c.User, Password: c.Password}
	m, err := masker.New(masker.Config{Streams: []masker.Stream{c.Stream}}, masker.Deps{
		Policies: files{c.Dir}, Kafka: cfg, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), Session: session,
	})
	if err != nil {
		return err
	}
	return m.Run(context.Background())
}

// process starts a masker of one stream in a process of its own, which ends with
// the test.
func (r *rig) process(s masker.Stream, log *buffer) *os.Process {
	r.t.Helper()
	env, err := json.Marshal(child{Dir: r.dir, Address: r.cfg.Addresses[0], User: r.cfg.SASL.User, Password: r.cfg.SASL.Password, Stream: s})
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(env))
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process
}

// TestKill kills maskers at random moments while records come in. Every record is
// masked once, in order, and every bad one has one dead letter.
func TestKill(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const partitions, kills, records = 2, 3, 200
	var log buffer
	start := func() (kill func()) {
		p := r.process(stream(func(s *masker.Stream) { s.OnError, s.DeadLetter = "dead-letter", "letters" }), &log)
		return func() {
			_ = p.Kill()
			_, _ = p.Wait()
		}
	}
	n := 0
	produce := func() {
		for p := range partitions {
			var msgs []broker.Message
			for i := range records {
				value := fmt.Sprintf(`{"n":%d,"mail":"ann@example.com"}`, n+i)
				if isBad(n + i) {
					value = "{bad"
				}
				msgs = append(msgs, broker.Message{Value: []byte(value)})
			}
			r.produce("orders", partitions, p, msgs...)
		}
		n += records
	}
	bad := func() (bad int) {
		for i := range n {
			if isBad(i) {
				bad++
			}
		}
		return bad
	}
	// Nobody is killed while it joins: the embedded broker would keep its place for ever.
	settled := func() {
		t.Helper()
		for p := range partitions {
			r.has(&log, "masked", p, n-bad())
			r.has(&log, "letters", p, bad())
		}
	}
	produce()
	random := rand.New(rand.NewPCG(1, 2))
	kill := start()
	for range kills {
		settled()
		produce()
		time.Sleep(time.Duration(random.IntN(40)) * time.Millisecond)
		produce()
		kill()
		kill = start()
	}
	settled()
	for p := range partitions {
		r.exactly(&log, "masked", p, n-bad(), func(i int) bool { return !isBad(i) })
		r.exactly(&log, "letters", p, bad(), isBad)
	}
}

func isBad(i int) bool { return i%7 == 3 }

func waitUntil(t *testing.T, what string, log *buffer, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s\n%s", what, log.String())
		}
	}
}

// exactly checks that a partition has the records that are wanted, each once and
// in order.
func (r *rig) exactly(log *buffer, topic string, partition, n int, wanted func(int) bool) {
	r.t.Helper()
	r.has(log, topic, partition, n)
	out := r.readPartition(topic, partition, n)
	if len(out) != n {
		r.t.Errorf("%s, partition %d: %d records, want %d", topic, partition, len(out), n)
	}
	next := 0
	for i := range out {
		for !wanted(next) {
			next++
		}
		origin := header(&out[i], "tallystick-origin")
		if at, err := strconv.Atoi(origin[strings.LastIndexByte(origin, '/')+1:]); err != nil || at != next {
			r.t.Fatalf("%s, partition %d: record %d was made of %s, want offset %d", topic, partition, i, origin, next)
		}
		next++
	}
}

// has waits until a partition has n records.
func (r *rig) has(log *buffer, topic string, partition, n int) {
	r.t.Helper()
	c := r.client(topic)
	waitUntil(r.t, fmt.Sprintf("%s has %d records", topic, n), log, func() bool {
		ends, err := c.Ends(r.t.Context(), topic)
		return err == nil && ends[partition] >= int64(n)
	})
}
