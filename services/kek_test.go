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
		w, up := services.NewKEKWatch(5*time.Minute, 24*time.Hour, func(context.Context) error {
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
		w, _ := services.NewKEKWatch(time.Minute, time.Hour, func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
		ctx, end := context.WithTimeout(t.Context(), 3*time.Hour)
		defer end()
		if err := w(ctx); err != nil {
			t.Error(err)
		}
	})
}
