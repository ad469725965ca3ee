package ledger

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit"
)

// maxTold is how many chunks are told of and not read yet; what is beyond is
// looked for.
const maxTold = stepChunks

// Nudge says that chunk c closed, of which only its place is kept. It never
// blocks.
func (s *Ledger) Nudge(c *audit.Chunk) {
	select {
	case s.told <- &audit.Chunk{ID: c.ID, Version: c.Version, Partition: c.Partition, From: c.From}:
	default:
		s.overlooked.Store(true)
	}
}

// Run sequences until ctx ends. What fails is tried again.
func (s *Ledger) Run(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.Poll)
	defer tick.Stop()
	var expiring sync.WaitGroup // beside it: no leaf waits for what is rewritten
	defer expiring.Wait()
	expiring.Go(func() { s.runExpiry(ctx) })
	looked := s.deps.Now()
	var told []*audit.Chunk
	whole := time.Time{} // the last look at everything that waits
	for {
		now := s.deps.Now()
		if now.Sub(looked) >= lookBack {
			looked = now
			s.lookAtAll()
		}
		var err error
		if s.overlooked.Swap(false) || now.Sub(whole) >= s.cfg.Look {
			err, whole = s.Step(ctx), now
		} else {
			err = s.stepTold(ctx, told)
		}
		if err != nil && ctx.Err() == nil {
			s.overlooked.Store(true)
			s.m.errors.Inc()
			s.deps.Logger.Error("failed to extend the ledger; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case c := <-s.told:
			told = append(told[:0], c)
			for len(told) < stepChunks && len(s.told) > 0 {
				told = append(told, <-s.told)
			}
		case <-tick.C:
			told = told[:0]
		}
	}
}

// stepTold gives a leaf to chunks that closed, and to what else waits.
func (s *Ledger) stepTold(ctx context.Context, told []*audit.Chunk) error {
	s.stepping.Lock()
	defer s.stepping.Unlock()
	if len(told) > 0 {
		chunks, err := s.deps.Store.ClosedAmong(ctx, told)
		if err != nil {
			return fmt.Errorf("failed to read chunks that closed: %w", err)
		}
		if err := s.sequence(ctx, chunks); err != nil {
			return err
		}
	}
	if err := s.artefacts(ctx); err != nil {
		return err
	}
	return s.erasures(ctx)
}
