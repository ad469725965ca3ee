package auditor

import (
	"context"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
)

// dropPatience is how long dropping a version may take after its replay ended.
const dropPatience = time.Minute

// drop removes what there is of a version that did not close, also when ctx has
// ended.
func (r *Replayer) drop(ctx context.Context, k audit.ChunkKey) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dropPatience)
	defer cancel()
	return r.deps.Store.Discard(ctx, k.ID, k.Version)
}

// Drop removes the versions that did not close and that no replay has written to
// since a time: nobody goes on with them, and what waits for them to close would
// wait for ever. It returns how many there were.
func (r *Replayer) Drop(ctx context.Context, since time.Time) (n int, err error) {
	list, err := r.unfinished(ctx)
	if err != nil {
		return 0, err
	}
	return r.dropAmong(ctx, list, since)
}

// End is Drop, and makes the versions that closed before a time and are not seen
// the ones that are.
func (r *Replayer) End(ctx context.Context, since time.Time) (n int, err error) {
	list, err := r.unfinished(ctx)
	if err != nil {
		return 0, err
	}
	if n, err = r.dropAmong(ctx, list, since); err != nil {
		return n, err
	}
	for _, u := range list {
		if !u.Closed || !u.At.Before(since) {
			continue
		}
		if err := r.show(ctx, &audit.Chunk{ID: u.ID, Version: u.Version}); err != nil {
			return n, fmt.Errorf("failed to end the replay of chunk %s: %w", u.ID, err)
		}
		n++
	}
	return n, nil
}

func (r *Replayer) unfinished(ctx context.Context) ([]store.Unfinished, error) {
	list, err := r.deps.Store.UnfinishedReplays(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to look for replays that were interrupted: %w", err)
	}
	return list, nil
}

func (r *Replayer) dropAmong(ctx context.Context, list []store.Unfinished, since time.Time) (n int, err error) {
	for _, u := range list {
		if u.Closed || !u.At.Before(since) {
			continue
		}
		if err := r.drop(ctx, u.ChunkKey); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}
