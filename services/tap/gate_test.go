package tap_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/services/tap"
)

// unread is a backlog that counts how often it is measured.
type unread struct {
	bytes    int64
	measured int
}

func (u *unread) Backlog(context.Context, string, string) (broker.Backlog, error) {
	u.measured++
	return broker.Backlog{Bytes: u.bytes}, nil
}

// Room is measured seldom only while there is much of it.
func TestRoomIsMeasured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &unread{}
		r := tap.NewRoom(u, "auditor", slog.New(slog.DiscardHandler))
		tenSeconds := func(bytes int64) int {
			u.bytes, u.measured = bytes, 0
			for range 200 {
				if err := r.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(50 * time.Millisecond)
			}
			return u.measured
		}
		if n := tenSeconds(1 << 20); n != 4 {
			t.Errorf("a little unread: measured %d times in ten seconds", n)
		}
		if n := tenSeconds(tap.MaxUnread / 4); n < 8 || n > 10 {
			t.Errorf("a quarter unread: measured %d times in ten seconds", n)
		}
		if n := tenSeconds(tap.MaxUnread - 1); n < 45 || n > 50 {
			t.Errorf("nearly full: measured %d times in ten seconds", n)
		}
		u.bytes = tap.MaxUnread + 1
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		time.Sleep(200 * time.Millisecond)
		if err := r.Wait(ctx); err == nil {
			t.Error("the gate is open over the limit")
		}
	})
}
