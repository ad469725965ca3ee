package masker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/tallystick/tallystick/internal/broker"
)

// TestCompacted: offsets that compaction took are not told as lost, and those
// that were deleted unread are.
func TestCompacted(t *testing.T) {
	t.Parallel()
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	admin := &kafka.Client{Addr: kafka.TCP(k.ListenAddrs()...), Timeout: 10 * time.Second}
	res, err := admin.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "orders", NumPartitions: 1, ReplicationFactor: 1,
		ConfigEntries: []kafka.ConfigEntry{{ConfigName: "cleanup.policy", ConfigValue: "compact"}}}}})
	if err != nil || res.Errors["orders"] != nil {
		t.Fatalf("%v %v", err, res)
	}
	r := &rig{t: t, dir: t.TempDir(), cfg: broker.Config{Addresses: k.ListenAddrs()}}
	r.write("plain.yaml", policy)
	put := func(key string, n int) {
		r.produce("orders", 1, 0, broker.Message{Key: []byte(key), Value: fmt.Appendf(nil, `{"n":%d}`, n)})
	}
	for n := range 4 {
		put("a", n)
	}
	put("b", 4)
	put("c", 5)
	k.Compact() // takes offsets 0 to 2
	stop := r.start(stream(nil))
	out := r.read("masked", 3)
	if got := string(out[0].Value); got != `{"n":3}` {
		t.Fatalf("the first record is %s: nothing was compacted", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	lost := func() float64 { return r.metric("tallystick_masker_lost_records_total", `stream="orders"`) }
	if n := lost(); n != 0 {
		t.Errorf("%v records are told as lost", n)
	}
	for n := 6; n < 10; n++ {
		put("b", n)
	}
	put("c", 10)
	k.Compact() // takes 6 to 8
	stop = r.start(stream(nil))
	r.read("masked", 5)
	if n := lost(); n != 0 {
		t.Errorf("%v records are told as lost", n)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	put("d", 11)
	put("d", 12)
	put("d", 13)
	c := r.client("orders")
	if err := c.DeleteBelow(t.Context(), "orders", 0, 13); err != nil {
		t.Fatal(err)
	}
	r.start(stream(nil))
	r.read("masked", 6)
	if n := lost(); n != 2 {
		t.Errorf("%v records are told as lost, want 2", n)
	}
}
