package kafka_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/kafka"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
)

// A record is a line, whatever it holds.
func TestValues(t *testing.T) {
	defer noneLeft(t)
	r := newRig(t)
	long := strings.Repeat("x", 70_000)
	r.produce("with a line end\n", "with both\r\n", "two\nlines\n\n", "", long)
	k := r.open()
	defer closed(t, k)
	want := []string{"", "two\nlines\n", "with a line end", "with both", long[:64<<10]}
	if d := cmp.Diff(want, take(t, k, 5, true)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	for what, n := range map[string]int{"line": 3, "empty": 1, "too_long": 1} {
		if got := r.outcome(what); got != n {
			t.Errorf("%v records counted as %s, want %v", got, what, n)
		}
	}
}

// The ends of transactions are offsets without a line, and are committed too.
func TestEndsOfTransactions(t *testing.T) {
	defer noneLeft(t)
	r := newRig(t)
	end := broker.Message{Key: []byte{0, 0, 0, 1}, Value: make([]byte, 6)}
	same := func(v string) broker.Message { return broker.Message{Key: end.Key, Value: []byte(v)} }
	for _, m := range []broker.Message{end, same("a"), end, same("b"), end, end} {
		if err := r.client.Produce(t.Context(), topic, m); err != nil {
			t.Fatal(err)
		}
	}
	k := r.open()
	defer closed(t, k)
	if d := cmp.Diff([]string{"a", "b"}, take(t, k, 2, true)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	await(t, "nothing is left", func() bool { return k.Status().Lag == 0 && r.outcome("passed_over") == 4 })
	if g := r.lost(); len(g) > 0 {
		t.Errorf("gaps %+v", g)
	}
}

// A batch that inflates without end is a gap with its place and number, and the
// rest is read.
func TestInflatingBatch(t *testing.T) {
	defer noneLeft(t)
	r := newRig(t)
	key := []byte("k")
	partition := broker.PartitionOf(key, 2)
	put := func(v string) {
		if err := r.client.Produce(t.Context(), topic, broker.Message{Key: key, Value: []byte(v)}); err != nil {
			t.Fatal(err)
		}
	}
	put("before")
	brokertest.Inflating(t, r.cluster, topic, partition, 4, time.Now())
	put("behind")
	k := r.open(func(c *kafka.Config) { c.Session = time.Second })
	defer closed(t, k)
	if d := cmp.Diff([]string{"before", "behind"}, take(t, k, 2, true)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	await(t, "nothing is left", func() bool { return k.Status().Lag == 0 })
	g := r.lost()
	if len(g) != 1 || g[0].Kind != source.GapUnreadable || g[0].Offset != 1 || g[0].Lines != 4 || r.outcome("unreadable") != 4 {
		t.Errorf("gaps %+v, %d counted", g, r.outcome("unreadable"))
	}
}

func TestFromEnd(t *testing.T) {
	defer noneLeft(t)
	r := newRig(t)
	r.produce(lines("old", 20)...)
	end := func(c *kafka.Config) { c.FromEnd = true }
	k := r.open(end)
	for k.Status().Open < 2 {
		quiet(t, k)
	}
	r.produce(lines("new", 20)...)
	if d := cmp.Diff(lines("new", 20), take(t, k, 20, true)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	closed(t, k)
	r.produce(lines("while away", 20)...)
	k = r.open(end)
	defer closed(t, k)
	if d := cmp.Diff(lines("while away", 20), take(t, k, 20, true)); d != "" {
		t.Errorf("after a restart (-want +got):\n%s", d)
	}
}

// What retention deleted unread is a gap with its number.
func TestExpired(t *testing.T) {
	defer noneLeft(t)
	r := newRig(t)
	r.produce(lines("a", 100)...)
	k := r.open()
	take(t, k, 100, true)
	closed(t, k)

	first := map[int]int64{}
	for p := range 2 {
		first[p] = int64(r.count(100, p))
	}
	r.produce(lines("b", 100)...)
	var want, left uint64
	for p := range 2 {
		if err := r.client.DeleteBelow(t.Context(), topic, p, first[p]+7); err != nil {
			t.Fatal(err)
		}
		want += 7
		left += uint64(r.count(100, p)) - 7
	}
	k = r.open()
	defer closed(t, k)
	take(t, k, int(left), true)
	var got uint64
	for _, g := range r.lost() {
		if g.Kind != source.GapExpired || g.Source != "shop" || g.Seen.IsZero() {
			t.Errorf("gap %+v", g)
		}
		got += g.Lines
	}
	if got != want || r.outcome("expired") != int(want) {
		t.Errorf("%d records are told to be lost and %v counted, want %d", got, r.outcome("expired"), want)
	}
}

// count is how many of n records that produce made are in a partition.
func (r *rig) count(n, partition int) (out int) {
	for i := range n {
		if broker.PartitionOf([]byte(fmt.Sprint(i)), 2) == partition {
			out++
		}
	}
	return out
}
