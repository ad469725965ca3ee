package auditor_test

import (
	"context"
	"errors"
	"testing"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/services/auditor"
)

// interrupting is a store during whose first insert the replay is interrupted.
// Any other insert would panic.
type interrupting struct {
	auditor.ReplayStore
	interrupt func()
	ended     error // of the insert's context
}

func (s *interrupting) OpenChunk(ctx context.Context, _ *audit.Chunk) error {
	s.interrupt()
	s.ended = ctx.Err()
	return nil
}

// TestReplayWaitsForItsInsert: what drops an interrupted version would run before
// an insert that was given up comes in.
func TestReplayWaitsForItsInsert(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &interrupting{interrupt: cancel}
	if err := auditor.FillVersion(ctx, s, &audit.Chunk{ID: "c", Version: 2}); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted replay ended with %v", err)
	}
	if s.ended != nil {
		t.Errorf("the insert was given up: %v", s.ended)
	}
}
