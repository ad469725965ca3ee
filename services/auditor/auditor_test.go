package auditor_test

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
	"github.com/tallystick/tallystick/services/auditor"
)

// The steps of a chunk, each of which fails once.
var steps = []string{
	"before position", "stage", "before intent", "after intent", "before entries", "after entries", "after capsules",
	"before originals", "after originals", "after rejections",
	"before findings", "after findings", "before close", "after close", "before publish", "after publish",
}

func TestFailingStep(t *testing.T) {
	for _, step := range steps {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.month = 200 // a chunk has several
			hook, fired := once(step)
			r.store.set(hook)
			tp := r.tap("b1", "shop.log")
			for n := 0; n < 600; n += 100 {
				tp.send(n, n+100)
			}
			r.start()
			r.drained()
			if !*fired {
				t.Fatal("the step was never reached")
			}
			r.check(lines(tp, 0, 0, 600))
		})
	}
}

// The process ends at a step and another one goes on. The batches overlap what
// is stored, so that the second must not take the chunk's own rows for older.
func TestEndAtStep(t *testing.T) {
	for _, step := range []string{"after intent", "after entries", "after capsules", "after originals", "after findings", "after close", "after publish"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			tp := r.tap("b1", "shop.log")
			tp.send(0, 100)
			first := r.start()
			r.drained()
			first.stop()
			tp.send(50, 150)
			tp.send(150, 300)
			reached := make(chan struct{})
			var fire sync.Once
			r.store.set(func(ctx context.Context, at string) error {
				if at != step {
					return nil
				}
				fire.Do(func() { close(reached) })
				<-ctx.Done()
				return ctx.Err()
			})
			second := r.start()
			select {
			case <-reached:
			case <-time.After(deadline):
				t.Fatal("the step was never reached")
			}
			second.stop()
			r.store.set(nil)
			r.start()
			r.drained()
			tp.send(100, 300) // by then all known
			r.drained()
			r.check(lines(tp, 0, 0, 300))
		})
	}
}

func TestReplays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tp := r.tap("b1", "shop.log")
	tp.send(0, 100)
	tp.send(80, 200)
	r.start()
	again := r.tap("b2", "shop.log")
	again.send(0, 150)
	again.send(150, 250)
	r.drained()
	want := lines(tp, 0, 0, 250)
	r.check(want)
	// Other bytes from line 120 to 140, and new lines before them.
	changed := r.tap("b3", "shop.log")
	changed.send(0, 120)
	changed.sendSalted(120, 140, "x")
	for range 2 {
		changed.send(0, 250)
		changed.sendSalted(120, 140, "x")
	}
	r.drained()
	want = append(want, lines(tp, 1, 120, 140)...)
	r.check(want, "bytes-changed")
	// A hole before a change belongs to the record too, when it is sent alone.
	holes := r.tap("b1", "holes.log")
	holes.send(0, 10)
	holes.send(30, 40)
	other := r.tap("b2", "holes.log")
	r.drained()
	m := other.seal(0, 30, "")
	_ = m // sequence 1 of this chain is held back: what comes shows a gap
	other.sendSalted(20, 40, "y")
	r.drained()
	other.sendSalted(20, 30, "y")
	r.drained()
	want = append(want, lines(holes, 0, 0, 10)...)
	want = append(want, lines(holes, 0, 30, 40)...)
	want = append(want, lines(holes, 0, 20, 30)...)
	want = append(want, lines(holes, 1, 30, 40)...)
	r.check(want, "bytes-changed", "bytes-changed", "sequence-missing")
}

// A message that the producer sent twice counts once and costs no query.
func TestSameMessageTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tp := r.tap("b1", "shop.log")
	for n := range 5 {
		m := tp.seal(n*50, n*50+50, "")
		must(t, r.client.Produce(t.Context(), auditor.LinesTopic, m, m))
	}
	in := r.start()
	read, stop := in.Watch("b1")
	defer stop()
	r.drained()
	r.check(lines(tp, 0, 0, 250))
	if tally, _ := read(); tally.Lines > 250 {
		t.Errorf("the tally counts %d lines of 250", tally.Lines)
	}
}

// Where a tap's chain stands survives restarts, whatever other starts sent.
func TestChainsAfterRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tp, ingest := r.tap("b1", "shop.log"), r.tap("b2", "shop.log")
	tp.send(0, 50)
	tp.send(50, 100)
	ingest.send(0, 100)
	first := r.start()
	r.drained()
	first.stop()
	tp.send(100, 150)
	ingest.send(100, 200)
	r.start()
	r.drained()
	r.check(lines(tp, 0, 0, 200))
	_ = tp.seal(200, 210, "") // never arrives
	tp.send(210, 220)
	r.drained()
	r.check(append(lines(tp, 0, 0, 200), lines(tp, 0, 210, 220)...), "sequence-missing")
	if got := r.column("SELECT toString(sum(missing)) FROM completeness"); got[0] != "10" {
		t.Errorf("completeness says that %s lines are missing, want 10", got[0])
	}
}

// What can't be believed is a rejection and a finding, and the rest goes on.
func TestPoison(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tp := r.tap("b1", "shop.log")
	key := []byte(tp.stream)
	tp.send(0, 50)
	forged := tp.seal(50, 100, "")
	bad := append([]byte(nil), forged.Value...)
	bad[len(bad)-1] ^= 1
	must(t, r.client.Produce(t.Context(), auditor.LinesTopic,
		broker.Message{Key: key, Value: []byte("garbage")}, broker.Message{Key: key, Value: nil}, broker.Message{Key: key, Value: bad}, forged))
	reused := r.tap("b1", "shop.log")
	must(t, r.client.Produce(t.Context(), auditor.LinesTopic, reused.seal(0, 40, "z")))
	tp.head = [32]byte{1}
	tp.send(100, 120) // does not follow its chain
	tp.send(120, 150)
	in := r.start()
	read, stop := in.Watch("b1")
	defer stop()
	r.drained()
	r.check(append(lines(tp, 0, 0, 100), lines(tp, 0, 120, 150)...),
		"bad-signature", "bad-signature", "bad-signature", "broken-chain", "sequence-reused")
	if got := r.column("SELECT toString(count()) FROM rejections WHERE reason = 'tap'"); got[0] != "5" {
		t.Errorf("%s messages are rejections, want 5", got[0])
	}
	if tally, _ := read(); tally.Lines < 150 {
		t.Errorf("the tally has %d lines; who waits for all would wait for ever", tally.Lines)
	}
}

// A batch of Kafka that inflates without end is a rejection and a finding with
// its place, once, also after a restart and in a chunk that is redone.
func TestInflatingBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c, err := broker.Open(t.Context(), r.cluster, broker.Deps{Log: slog.New(slog.DiscardHandler), Session: time.Second})
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	tp := r.tap("b1", "shop.log")
	tp.send(0, 50)
	partition := broker.PartitionOf([]byte(tp.stream), 2)
	brokertest.Inflating(t, r.cluster, auditor.LinesTopic, partition, 3, time.Now())
	tp.send(50, 100)
	hook, fired := once("after rejections")
	r.store.set(hook)
	in := r.startIn(c)
	r.drained()
	in.stop()
	r.startIn(c)
	tp.send(100, 120)
	r.drained()
	r.check(lines(tp, 0, 0, 120), "unreadable-batch")
	if !*fired {
		t.Error("no chunk was redone")
	}
	want := fmt.Sprintf("lines.v1-%d 1", partition)
	if got := r.column("SELECT concat(stream, ' ', toString(offset)) FROM rejections WHERE reason = 'tap'"); len(got) != 1 || got[0] != want {
		t.Errorf("rejections %v, want %s", got, want)
	}
	if got := r.column("SELECT facts['messages'] FROM findings WHERE control = 'GV-03'"); got[0] != "3" {
		t.Errorf("the finding is about %s messages", got[0])
	}
}

// The store is away for a while: the worker goes on trying and loses nothing.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tp := r.tap("b1", "shop.log")
	failed := 0
	var mu sync.Mutex
	r.store.set(func(_ context.Context, step string) error {
		mu.Lock()
		defer mu.Unlock()
		if failed < 8 && (step == "before position" || step == "before entries") {
			failed++
			return errAway
		}
		return nil
	})
	for n := 0; n < 500; n += 50 {
		tp.send(n, n+50)
	}
	r.start()
	r.drained()
	if failed != 8 {
		t.Errorf("the store was away %d times", failed)
	}
	r.check(lines(tp, 0, 0, 500))
}

// Messages that the broker deleted before they were read are one finding, also
// when the chunk after them is redone.
func TestDeletedUnread(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tp := r.tap("b1", "shop.log")
	for n := range 6 {
		tp.send(n*50, n*50+50)
	}
	partition := broker.PartitionOf([]byte(tp.stream), 2)
	must(t, r.client.DeleteBelow(t.Context(), auditor.LinesTopic, partition, 2))
	hook, fired := once("after intent")
	r.store.set(hook)
	r.start()
	r.drained()
	if !*fired {
		t.Fatal("no chunk was redone")
	}
	r.check(lines(tp, 0, 100, 300), "lines-dropped", "sequence-missing")
}

// An announced chunk of which the broker has lost a part closes with the rest.
func TestDeletedAnnounced(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.MaxRows, r.cfg.MaxAge = 1000, time.Hour
	tp := r.tap("b1", "shop.log")
	for n := range 6 {
		tp.send(n*200, n*200+200)
	}
	partition := broker.PartitionOf([]byte(tp.stream), 2)
	var fire sync.Once
	r.store.set(func(ctx context.Context, step string) (err error) {
		if step == "after intent" {
			fire.Do(func() { err = r.client.DeleteBelow(ctx, auditor.LinesTopic, partition, 2) })
			if err == nil {
				err = errAway
			}
			r.store.set(nil)
		}
		return err
	})
	r.cfg.MaxAge = 20 * time.Millisecond
	r.start()
	r.drained()
	r.check(lines(tp, 0, 400, 1200), "lines-dropped", "sequence-missing")
}

// Partitions move between two auditors while lines come.
func TestRebalance(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var taps []*tap
	for i := range 6 {
		taps = append(taps, r.tap("b1", fmt.Sprintf("shop%d.log", i)))
	}
	at := 0
	send := func(batches int) {
		for range batches {
			for _, tp := range taps {
				tp.send(at, at+20)
			}
			at += 20
		}
	}
	first := r.start()
	send(10)
	second := r.start()
	send(10)
	until(t, "half of it is committed", func() bool {
		b, err := r.client.Backlog(t.Context(), auditor.Group, auditor.LinesTopic)
		return err == nil && b.Messages < 60
	})
	send(5)
	first.stop()
	send(5)
	third := r.start()
	send(5)
	second.stop()
	send(5)
	r.drained()
	third.stop()
	var want []origin
	for _, tp := range taps {
		want = append(want, lines(tp, 0, 0, at)...)
	}
	r.check(want)
}

// A chunk of more months than a server takes in one insert by default (100).
func TestManyMonths(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.MaxRows = 5000
	r.vault.pair = nil // a capsule for each month is dear, and not what this is about
	r.month = 25
	tp := r.tap("b1", "shop.log")
	tp.send(0, 2625) // 105 months
	hook, fired := once("after entries")
	r.store.set(hook)
	r.start()
	r.drained()
	if !*fired {
		t.Fatal("the chunk was not redone")
	}
	r.check(lines(tp, 0, 0, 2625))
	if got := r.column("SELECT toString(uniqExact(toYYYYMM(event_time))) FROM entries"); got[0] != "105" {
		t.Errorf("%s months", got[0])
	}
}

// A tally tells who waits when all lines are committed.
func TestTally(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	tp := r.tap("b1", "shop.log")
	in := r.start()
	read, stop := in.Watch("b1")
	defer stop()
	tp.send(0, 10)
	until(t, "the lines count", func() bool {
		tally, _ := read()
		return tally.Lines == 10
	})
	tally, _ := read()
	if tally.Entries != 9 || tally.Rejections != 1 || tally.Findings != 2 {
		t.Errorf("the tally is %+v", tally)
	}
	r.drained()
	r.check(lines(tp, 0, 0, 10))
}

// Stopping under load takes less than a second and leaves nothing behind.
func TestStop(t *testing.T) {
	r := newRig(t)
	tp := r.tap("b1", "shop.log")
	for n := 0; n < 20_000; n += 200 {
		tp.send(n, n+200)
	}
	before := stacks()
	in := r.start()
	read, stop := in.Watch("b1")
	until(t, "it works", func() bool {
		tally, _ := read()
		return tally.Lines > 0
	})
	stop()
	began := time.Now()
	in.stop()
	if took := time.Since(began); took > time.Second {
		t.Errorf("stopping took %v", took)
	}
	until(t, "its goroutines end", func() bool { return stacks() <= before })
}

// stacks counts the goroutines in this module's auditor.
func stacks() int {
	buf := make([]byte, 1<<20)
	n := runtime.Stack(buf, true)
	return strings.Count(string(buf[:n]), "services/auditor.(")
}
