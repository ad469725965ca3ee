package alerter

import (
	"context"
	"encoding/json"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/broker"
)

const (
	batchFindings = 500                   // in one transaction
	batchWait     = 20 * time.Millisecond // for more, once there is one
)

// partition is what consume needs of broker.Partition.
type partition interface {
	Fetch(ctx context.Context) (broker.Message, error)
	Commit(ctx context.Context, next int64) error
}

// consume handles the findings of one partition until ctx ends.
func (a *Alerter) consume(ctx context.Context, p partition) error {
	for {
		first, err := p.Fetch(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		msgs := append(make([]broker.Message, 0, batchFindings), first)
		more, cancel := context.WithTimeout(ctx, batchWait)
		for len(msgs) < batchFindings {
			m, err := p.Fetch(more)
			if err != nil {
				break // what is wrong for good shows at the next first fetch
			}
			msgs = append(msgs, m)
		}
		cancel()
		if err := a.persist(ctx, a.decode(msgs)); err != nil {
			return nil //nolint:nilerr // only ctx ends persist
		}
		if err := p.Commit(ctx, msgs[len(msgs)-1].Next()); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}

// decode reads messages; one that is no finding is counted and left out.
func (a *Alerter) decode(msgs []broker.Message) []audit.Finding {
	fs := make([]audit.Finding, 0, len(msgs))
	for _, m := range msgs {
		var f audit.Finding
		if err := json.Unmarshal(m.Value, &f); err != nil || f.ID == "" || f.Control == "" {
			a.m.malformed.Inc()
			a.deps.Logger.Error("a message of findings.v1 is no finding and is skipped", "partition", m.Partition, "offset", m.Offset)
			continue
		}
		fs = append(fs, f)
	}
	return fs
}

// persist handles findings and tries again until it succeeds or ctx ends.
func (a *Alerter) persist(ctx context.Context, fs []audit.Finding) error {
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 10*time.Second) {
		err := a.Handle(ctx, fs)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.m.errors.Inc()
		a.deps.Logger.Error("findings could not be grouped and are tried again", "findings", len(fs), "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}
