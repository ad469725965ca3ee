package auditor_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/tallystick/tallystick/services/auditor"
)

// Two auditors hold the same partitions for a long time, as no group would allow,
// and pause at random: the record is that of one.
func TestTwoHoldOnePartition(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.keep = true
	r.cfg.Trust = -1
	r.vault.pair = nil // two that redo each other's chunk all the time get on only while a chunk is short
	rng := rand.New(rand.NewPCG(7, 7))
	var mu sync.Mutex
	steps := 0
	r.store.set(func(ctx context.Context, _ string) error {
		mu.Lock()
		steps++
		pause := time.Duration(rng.Int64N(int64(4 * time.Millisecond)))
		mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
			return nil
		}
	})
	tp, other := r.tap("b1", "shop.log"), r.tap("b1", "web.log")
	one, two := r.start(), r.startIn(otherGroup{r.client, "the-other"})
	for n := 0; n < 900; n += 60 {
		tp.send(n, n+60)
		other.send(n, n+60)
	}
	// How many chunks they close between them is chance: on a slow machine they
	// take one from each other for long. Only their steps are sure.
	until(t, "they have done many steps, or all there is to do", func() bool {
		b, err := r.client.Backlog(t.Context(), auditor.Group, auditor.LinesTopic)
		mu.Lock()
		defer mu.Unlock()
		return steps >= 120 || err == nil && b.Messages == 0
	})
	two.stop()
	r.drained()
	one.stop()
	r.check(append(lines(tp, 0, 0, 900), lines(other, 0, 0, 900)...))
}

// An auditor is paused at a step while another one takes its partition over,
// and goes on from there when that one has done all.
func TestPausedAuditor(t *testing.T) {
	for _, step := range []string{"before intent", "after intent", "before entries", "after entries", "after rejections", "after findings", "before close", "after close"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.keep = true
			r.cfg.Trust = -1 // the pause of the test is shorter than a real one
			tp := r.tap("b1", "shop.log")
			for n := 0; n < 400; n += 50 {
				tp.send(n, n+50)
			}
			reached, wake := make(chan struct{}), make(chan struct{})
			var once sync.Once
			r.store.set(func(_ context.Context, at string) error {
				if at != step {
					return nil
				}
				mine := false
				once.Do(func() { mine = true })
				if mine {
					close(reached)
					<-wake // whatever its context says
				}
				return nil
			})
			paused := r.startIn(otherGroup{r.client, "paused"})
			select {
			case <-reached:
			case <-time.After(deadline):
				t.Fatal("the step was never reached")
			}
			r.start()
			r.drained()
			close(wake)
			r.drainedIn("paused")
			paused.stop()
			r.check(lines(tp, 0, 0, 400))
		})
	}
}

// drainedIn waits until a group has committed everything.
func (r *rig) drainedIn(group string) {
	r.t.Helper()
	until(r.t, "the other group is through", func() bool {
		b, err := r.client.Backlog(r.t.Context(), group, auditor.LinesTopic)
		return err == nil && b.Messages == 0
	})
}

var _ auditor.Consumer = otherGroup{}
