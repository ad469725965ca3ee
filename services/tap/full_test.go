package tap_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/audit/source"
)

// spooled are the bytes of the spool on disk.
func (r *rig) spooled() []byte {
	var out []byte
	list, err := filepath.Glob(filepath.Join(r.dir, "spool", "shop", "*"))
	if err != nil {
		r.t.Fatal(err)
	}
	for _, p := range list {
		b, err := os.ReadFile(p)
		if err != nil {
			r.t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

// While Kafka is away batches wait on disk, sealed, also over a restart; they
// come in order, before what is read later.
func TestSpool(t *testing.T) {
	r := newRig(t)
	r.cfg.Sources[0].WhenFull = source.Spool
	r.kafka.set(true)
	tp, stop := r.start()
	want := 0
	add := func(n int) {
		for range n {
			want++
			r.write("shop.log", fmt.Sprintf("anna%d@example.com\n", want))
		}
		st, err := os.Stat(filepath.Join(r.dir, "shop.log"))
		if err != nil {
			t.Fatal(err)
		}
		r.eventually("read", func() bool { return tp.Status()[0].Done == st.Size() })
	}
	add(3)
	r.eventually("spooled", func() bool { return tp.Status()[0].Spooled > 0 && tp.Status()[0].Blocked != "" })
	add(2)
	held := tp.Status()[0].Spooled
	add(1)
	r.eventually("spooled more", func() bool { return tp.Status()[0].Spooled > held })
	if since := tp.Status()[0].SpooledSince; since.IsZero() {
		t.Error("since when the oldest batch waits is not known")
	}
	stop()
	if b := r.spooled(); len(b) == 0 || bytes.Contains(b, []byte("anna")) {
		t.Fatalf("%d bytes on disk, or a line shows", len(b))
	}
	tp, stop = r.start()
	add(2)
	r.kafka.set(false)
	r.wantLines(want)
	r.eventually("empty", func() bool { return tp.Status()[0].Spooled == 0 && tp.Status()[0].Blocked == "" })
	add(1)
	r.wantLines(want)
	stop()
	if len(r.spooled()) != 0 || len(r.told()) != 0 {
		t.Errorf("%d bytes are left on disk, gaps %v", len(r.spooled()), r.told())
	}
	var last uint64
	for _, m := range r.kafka.msgs {
		h, _, _, err := r.opener.Open(m.Value)
		if err != nil {
			t.Fatal(err)
		}
		if h.First < last {
			t.Errorf("offset %d came after %d", h.First, last)
		}
		last = h.First
	}
}

// A source that does not spool any more still sends what it spooled before.
func TestSpoolIsEmptiedLater(t *testing.T) {
	r := newRig(t)
	r.cfg.Sources[0].WhenFull = source.Spool
	r.kafka.set(true)
	r.write("shop.log", "a1\n")
	tp, stop := r.start()
	r.eventually("spooled", func() bool { return tp.Status()[0].Spooled > 0 })
	stop()
	var log strings.Builder
	r.log = &log
	r.cfg.Sources[0].Name = "other"
	_, stop = r.start()
	stop()
	if s := log.String(); !strings.Contains(s, "not configured any more") {
		t.Errorf("log: %s", s)
	}
	r.cfg.Sources[0].Name, r.cfg.Sources[0].WhenFull = "shop", ""
	r.kafka.set(false)
	_, stop = r.start()
	r.wantLines(1)
	stop()
}

// Chosen losses are counted and told with their number; the chain of batches
// shows no others.
func TestDrop(t *testing.T) {
	r := newRig(t)
	r.cfg.Sources[0].WhenFull = source.Drop
	var log strings.Builder
	r.log = &log
	r.write("shop.log", "a1\n")
	tp, stop := r.start()
	r.wantLines(1)
	r.kafka.set(true)
	dropped := func(n uint64) { r.eventually("dropped", func() bool { return tp.Status()[0].Dropped == n }) }
	r.write("shop.log", "a2\na3\n")
	dropped(2)
	r.write("shop.log", "a4\n")
	dropped(3)
	r.kafka.set(false)
	lines := uint64(1)
	r.eventually("taken again", func() bool {
		r.write("shop.log", "b\n")
		r.eventually("read", func() bool { s := tp.Status()[0]; return s.Lines+s.Dropped > lines+3 })
		s := tp.Status()[0]
		more := s.Lines > lines
		lines = s.Lines + s.Dropped - 3
		return more
	})
	r.eventually("told", func() bool { return len(r.told()) == 1 })
	g, s := r.told()[0], tp.Status()[0]
	if g.Kind != source.GapDropped || g.Lines != s.Dropped || g.Offset != 3 || g.Stream == "" || s.Gaps != 1 {
		t.Errorf("gap %+v, %d dropped", g, s.Dropped)
	}
	r.wantLines(int(s.Lines))
	stop()
	if s := log.String(); !strings.Contains(s, "lines are dropped and counted") {
		t.Errorf("log: %s", s)
	}
}

// What is being dropped when the tap ends is told, too.
func TestDropTillTheEnd(t *testing.T) {
	r := newRig(t)
	r.cfg.Sources[0].WhenFull = source.Drop
	r.kafka.set(true)
	r.write("shop.log", "a1\n")
	tp, stop := r.start()
	r.eventually("dropped", func() bool { return tp.Status()[0].Dropped == 1 })
	stop()
	if g := r.told(); len(g) != 1 || g[0].Lines != 1 {
		t.Errorf("gaps %+v", g)
	}
}
