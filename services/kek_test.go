package services_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

// A process goes on without its key management service for the time of grace,
// which begins with the last good answer.
func TestKEKWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		away := &text.Hint{Err: errors.New("away"), Hint: "look at the network"}
		var asked atomic.Int64
		w, up := services.NewKEKWatch(5*time.Minute, 24*time.Hour, time.Now, func(context.Context) error {
			asked.Add(1)
			if at := time.Since(began); at > time.Hour && at < 20*time.Hour || at > 30*time.Hour {
				return away
			}
			return nil
		})
		ended := make(chan error, 1)
		go func() { ended <- w(t.Context()) }()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if up() != 0 {
			t.Error("the metric does not tell that the service is away")
		}
		time.Sleep(20 * time.Hour)
		synctest.Wait()
		if up() != 1 || asked.Load() != 22*12 {
			t.Errorf("up %v after %d calls", up(), asked.Load())
		}
		err := <-ended
		if at := time.Since(began); at < 54*time.Hour || at > 54*time.Hour+5*time.Minute {
			t.Errorf("ended after %v", at)
		}
		if !errors.Is(err, away) || text.HintOf(err) != away.Hint || !strings.Contains(err.Error(), "24h") {
			t.Errorf("error %v, hint %q", err, text.HintOf(err))
		}
	})
}

func TestKEKWatchEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := services.NewKEKWatch(time.Minute, time.Hour, time.Now, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		ctx, end := context.WithTimeout(t.Context(), 3*time.Hour)
		defer end()
		if err := w(ctx); err != nil {
			t.Error(err)
		}
	})
}

// While a machine sleeps only the wall's clock goes on: the time of grace ends by
// that, soon after the machine wakes. A clock that is put back makes it no longer.
func TestKEKWatchClocks(t *testing.T) {
	for _, tc := range []struct {
		name string
		jump time.Duration // of the wall's clock, after an hour
		ends time.Duration // of the monotonic clock
	}{
		{"a machine that slept", 30 * time.Hour, time.Hour + time.Minute},
		{"a clock put back", -100 * time.Hour, 24 * time.Hour},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				wall := func() time.Time {
					if time.Since(began) > time.Hour {
						return time.Now().Add(tc.jump)
					}
					return time.Now()
				}
				w, _ := services.NewKEKWatch(5*time.Minute, 24*time.Hour, wall, func(context.Context) error { return errors.New("away") })
				err := w(t.Context())
				if at := time.Since(began); err == nil || at < tc.ends-time.Minute || at > tc.ends+5*time.Minute {
					t.Errorf("ended after %v: %v", at, err)
				}
			})
		})
	}
}
