package services

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/seal"
	"github.com/tallystick/tallystick/services/auditor"
)

// replaying admits one replay at a time.
type replaying struct {
	sync.Mutex
	// ends is held by a replay, and while those that were interrupted get an end: a
	// replay waits for that.
	ends sync.Mutex
}

// Replay implements Operations.
func (a *App) Replay(ctx context.Context, r ReplayRequest, progress func(Progress)) (*ReplaySummary, error) {
	what := fmt.Sprintf("%s to %s", r.From.UTC().Format(time.RFC3339), r.Until.UTC().Format(time.RFC3339))
	if r.Rejections {
		what = "rejections, " + what
	}
	if err := a.registers.Record(ctx, actorOf(ctx), "replay", what, true, r.Source); err != nil {
		return nil, err
	}
	if a.auditor == nil {
		return nil, &text.Hint{Err: errors.New("no auditor runs in this process"), Hint: "run replay where the auditor runs"}
	}
	if !a.replaying.TryLock() {
		return nil, &text.Hint{Err: errors.New("a replay is under way already"), Hint: "wait for it to end, or stop it where it was started"}
	}
	defer a.replaying.Unlock()
	a.replaying.ends.Lock()
	defer a.replaying.ends.Unlock()
	if _, ok := a.sources.all()[r.Source]; r.Source != "" && !ok {
		return nil, &text.Hint{Err: fmt.Errorf("source %q is not configured", r.Source), Hint: "see sources in tallystick.yaml, or SELECT DISTINCT source FROM entries"}
	}
	replayer, err := a.replayer()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	do := replayer.Chunks
	if r.Rejections {
		do = replayer.Rejections
	}
	done, err := do(ctx, store.Span{From: r.From, Until: r.Until, Source: r.Source}, func(done, total uint64) { progress(Progress{Done: done, Total: total}) })
	if err = errors.Join(err, a.knowGaps(ctx)); err != nil {
		return nil, err
	}
	return &ReplaySummary{Chunks: done.Chunks, Gone: done.Gone, Entries: done.Entries, Rejections: done.Rejections, Findings: done.Findings,
		Sealed: done.Sealed, Seconds: time.Since(began).Seconds()}, nil
}

// knowGaps tells the live stages what a replay raised or took away.
func (a *App) knowGaps(ctx context.Context) error {
	gaps, err := a.store.GapIDs(ctx)
	if err == nil {
		a.stages.control.Reset(gaps)
	}
	return err
}

const (
	// replayPoll is how often replays that were interrupted are looked for.
	replayPoll = time.Minute
	// replayPatience is after how long without a write a replay was interrupted,
	// where another process may do it.
	replayPatience = 10 * time.Minute
)

// interrupted is since when a replay must have written to go on. Nobody else
// reaches the embedded ClickHouse, and in this process replays are told apart by
// their lock.
func (a *App) interrupted() time.Time {
	if a.cfg.ClickHouse.Address == "" {
		return time.Now()
	}
	return time.Now().Add(-replayPatience)
}

// openReplays drops what replays that were interrupted left unfinished, before
// anybody waits for it.
func (a *App) openReplays(ctx context.Context) error {
	if !a.has("auditor") {
		return nil
	}
	r, err := a.replayer()
	if err != nil {
		return err
	}
	n, err := r.Drop(ctx, a.interrupted())
	if n > 0 {
		a.log.Warn("dropped what a replay that was interrupted left unfinished; the record is as before it", "chunks", n, "hint", "run tallystick replay again")
	}
	a.onRun("ends of replays", a.runReplays)
	return err
}

// runReplays gives replays that were interrupted an end until ctx ends.
func (a *App) runReplays(ctx context.Context) error {
	tick := time.NewTicker(replayPoll)
	defer tick.Stop()
	for {
		if err := a.endReplays(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("failed to end a replay that was interrupted; it is tried again", "error", err, "hint", text.HintOf(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

func (a *App) endReplays(ctx context.Context) error {
	if !a.replaying.ends.TryLock() {
		return nil // one is under way, and ends itself
	}
	defer a.replaying.ends.Unlock()
	r, err := a.replayer()
	if err != nil {
		return err
	}
	n, err := r.End(ctx, a.interrupted())
	if n == 0 || err != nil {
		return err
	}
	a.log.Info("ended replays that were interrupted", "chunks", n)
	return a.knowGaps(ctx)
}

func (a *App) replayer() (*auditor.Replayer, error) {
	dec, err := a.keys.LineDecrypt()
	if err != nil {
		return nil, err
	}
	return auditor.NewReplayer(a.auditor, auditor.ReplayDeps{
		Store: a.store, Read: a.broker.Read, Stages: a.replayStages, Sequenced: a.sequenced,
		OpenLine: func(r *audit.Rejection) (plain.Text, error) {
			return seal.OpenLine(dec, r.SealedKey, r.Origin.EntryID(), r.Sealed)
		},
	}), nil
}

// replayStages are the stages of now, which raise gaps that only these chunks
// show.
func (a *App) replayStages(ctx context.Context, chunks []string) (auditor.Processor, error) {
	gaps, err := a.store.GapsBeside(ctx, chunks)
	if err != nil {
		return nil, err
	}
	return stageList(a.sources.all(), a.datamap, a.stages.country, a.stages.rules.Load(), a.maskStage(), control.NewStage(a.controls, gaps))
}

// leafPatience is how long a replay waits for a leaf from another process.
const leafPatience = time.Minute

// sequenced returns when the ledger has the leaf of a chunk's version.
func (a *App) sequenced(ctx context.Context, c *audit.Chunk) error {
	if err := a.settle(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(leafPatience); ; {
		ok, err := a.store.Sequenced(ctx, c.ID, c.Version)
		if err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late:
			return &text.Hint{Err: fmt.Errorf("the ledger has not sequenced a chunk for %s", leafPatience), Hint: "start the process with --target ledger, then run replay again: it goes on where it stands"}
		case <-tick.C:
		}
	}
}
