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
type replaying struct{ sync.Mutex }

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
	// What it raised or took away, the live stages must know.
	if gaps, gerr := a.store.GapIDs(ctx); gerr == nil {
		a.stages.control.Reset(gaps)
	} else {
		err = errors.Join(err, gerr)
	}
	if err != nil {
		return nil, err
	}
	return &ReplaySummary{Chunks: done.Chunks, Gone: done.Gone, Entries: done.Entries, Rejections: done.Rejections, Findings: done.Findings,
		Sealed: done.Sealed, Seconds: time.Since(began).Seconds()}, nil
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
