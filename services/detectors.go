package services

import (
	"context"
	"os"
	"time"

	"github.com/tallystick/tallystick/internal/text"
)

// detectorsPoll is how often the auditor looks whether masking.detectors changed.
const detectorsPoll = 2 * time.Second

// loadDetectors reads the rules of detectors for s and has them watched.
func (a *App) loadDetectors(s *stages) error {
	path := a.cfg.Masking.Detectors
	if path == "" {
		return nil
	}
	before := stateOf(path)
	rules, err := loadRules(path)
	if err != nil {
		return err
	}
	s.rules.Store(rules)
	a.onRun("detectors", func(ctx context.Context) error { return a.watchDetectors(ctx, path, before) })
	return nil
}

// fileState changes with a file; it is the zero value where there is none.
type fileState struct {
	size     int64
	modified time.Time
}

func stateOf(path string) fileState {
	st, err := os.Stat(path)
	if err != nil {
		return fileState{}
	}
	return fileState{st.Size(), st.ModTime()}
}

// watchDetectors puts the rules in use when they change, from the next chunk on.
// A file with a fault changes nothing.
func (a *App) watchDetectors(ctx context.Context, path string, seen fileState) error {
	tick := time.NewTicker(detectorsPoll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := stateOf(path)
		if now == seen {
			continue
		}
		seen = now
		rules, err := loadRules(path)
		if err == nil {
			if rules.ID() == a.stages.rules.Load().ID() {
				continue
			}
			a.stages.rules.Store(rules)
			err = a.buildStages()
		}
		if err != nil {
			a.log.Error("the detectors were not read again; those of before stay", "path", path, "error", err, "hint", text.HintOf(err))
			continue
		}
		a.log.Info("the detectors are used from the next chunk on", "path", path, "version", rules.ID())
	}
}
