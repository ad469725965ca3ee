package als_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/audit/source/als"
)

// envoy drives a reader beside an Envoy's counters, with a clock of its own.
type envoy struct {
	*rig
	a *als.Reader
	w als.Watch
}

func newEnvoy(t *testing.T) *envoy {
	e := &envoy{rig: newRig(t)}
	e.a = e.open(e.clock, func(c *als.Config) { c.Admin = []string{e.admin.URL} })
	t.Cleanup(e.a.Kill)
	return e
}

// pass lets requests end, of which some arrive and are durable, and looks.
func (e *envoy) pass(d time.Duration, requests, arrive int) {
	e.t.Helper()
	e.mu.Lock()
	e.requests += requests
	e.now = e.now.Add(d)
	e.mu.Unlock()
	for range arrive {
		if err := e.a.Put(e.t.Context(), true); err != nil {
			e.t.Fatal(err)
		}
	}
	if arrive > 0 {
		run, err := e.a.Inlet().Next(e.t.Context())
		if err != nil {
			e.t.Fatal(err)
		}
		e.a.Hand(run)
		if err := e.a.Ack(run); err != nil {
			e.t.Fatal(err)
		}
	}
	if err := e.a.Look(e.t.Context(), &e.w); err != nil {
		e.t.Fatal(err)
	}
}

// quiet lets nothing happen for long enough.
func (e *envoy) quiet() {
	for range 4 {
		e.pass(5*time.Second, 0, 0)
	}
}

// What was on its way when the comparison began hides no later loss.
func TestEarlyEntries(t *testing.T) {
	e := newEnvoy(t)
	e.pass(time.Second, 10, 0) // ended before the first look
	e.pass(time.Second, 0, 3)  // three of them arrive
	e.quiet()
	e.pass(time.Second, 20, 15)
	e.quiet()
	if got := e.lost(); got != 5 {
		t.Errorf("gaps tell of %d lost entries, want 5", got)
	}
}

// While requests never pause a loss is told after a minute, as far as it is
// sure, and the rest in a pause.
func TestWithoutPause(t *testing.T) {
	e := newEnvoy(t)
	e.pass(time.Second, 0, 0)
	e.pass(time.Second, 500, 0)
	for range 20 {
		e.pass(5*time.Second, 10, 10)
	}
	if got := e.lost(); got == 0 || got > 500 {
		t.Errorf("gaps tell of %d lost entries while requests go on", got)
	}
	e.quiet()
	if got := e.lost(); got != 500 {
		t.Errorf("gaps tell of %d lost entries, want 500", got)
	}
}

// An Envoy that starts anew under load leaves a gap without a number, and what
// is lost afterwards is told exactly.
func TestEnvoyRestarts(t *testing.T) {
	e := newEnvoy(t)
	e.uptime = 100
	e.pass(time.Second, 0, 0)
	e.pass(time.Second, 50, 50)
	e.mu.Lock()
	e.requests, e.uptime = 0, 5
	e.mu.Unlock()
	e.pass(time.Second, 30, 20)
	e.quiet()
	if len(e.gaps) != 2 || e.gaps[0].Lines != 0 || e.gaps[0].Kind != source.GapMissing || e.gaps[1].Lines != 10 {
		t.Errorf("gaps %+v", e.gaps)
	}
	if e.gaps[0].Generation == 0 {
		t.Error("the gaps of two starts could be taken for one")
	}
}

// An Envoy that started anew while the tap was away may have lost entries, and
// one that did not has lost what its counters say.
func TestEnvoyRestartsUnseen(t *testing.T) {
	for _, anew := range []bool{false, true} {
		r := newRig(t)
		book := filepath.Join(t.TempDir(), "counts")
		r.uptime = 100
		open := func() *envoy {
			return &envoy{rig: r, a: r.open(r.clock, func(c *als.Config) { c.Admin, c.Book = []string{r.admin.URL}, book })}
		}
		e := open()
		if e.a.Compared() {
			t.Error("nothing was compared yet")
		}
		e.pass(time.Second, 10, 10)
		e.a.Kill()
		r.uptime = 110
		if anew {
			r.uptime, r.requests = 5, 0
		}
		e = open()
		if !e.a.Compared() {
			t.Error("what the first start counted is not known")
		}
		e.pass(time.Second, 0, 0)
		e.quiet()
		e.a.Kill()
		if unknown := len(e.gaps) == 1 && e.gaps[0].Lines == 0; len(e.gaps) > 0 != anew || unknown != anew {
			t.Errorf("started anew: %t; gaps %+v", anew, e.gaps)
		}
	}
}

// An admin interface that does not answer is a problem, and no loss.
func TestAdminAway(t *testing.T) {
	e := newEnvoy(t)
	e.pass(time.Second, 10, 10)
	e.admin.Close()
	if err := e.a.Look(t.Context(), &e.w); err == nil {
		t.Error("no error")
	}
	if len(e.gaps) > 0 {
		t.Errorf("gaps %+v", e.gaps)
	}
}
