package ledger_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/services/ledger"
)

// TestToldChunksAreNotLookedFor: between two looks the store is asked for the
// chunks that were told only, and after a failure for all.
func TestToldChunksAreNotLookedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		st := &asked{memory: newMemory()}
		l := openConfig(t, ledger.Config{Dir: t.TempDir(), Poll: 10 * time.Second, Look: time.Minute}, ledger.Deps{Store: st})
		done := make(chan error)
		go func() { done <- l.Run(ctx) }()
		looks := func(want int, leaves ...string) {
			t.Helper()
			synctest.Wait()
			st.mu.Lock()
			n := len(st.since)
			st.mu.Unlock()
			st.memory.mu.Lock()
			defer st.memory.mu.Unlock()
			if got := slices.Sorted(maps.Keys(st.leaves)); n != want || !slices.Equal(got, leaves) {
				t.Errorf("looked %d times, want %d; leaves of %v, want %v", n, want, got, leaves)
			}
		}
		looks(1)
		st.close("told")
		st.close("untold")
		l.Nudge(&audit.Chunk{ID: "told", Version: 1})
		looks(1, "told")
		time.Sleep(59 * time.Second)
		looks(1, "told")
		time.Sleep(2 * time.Second)
		looks(2, "told", "untold")
		st.refuse(errors.New("store away"))
		st.close("late")
		l.Nudge(&audit.Chunk{ID: "late", Version: 1})
		looks(2, "told", "untold")
		st.refuse(nil)
		time.Sleep(10 * time.Second)
		looks(3, "late", "told", "untold")
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}
