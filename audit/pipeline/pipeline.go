// Package pipeline is the list of stages that turns the lines of a batch into
// entries, rejections and findings.
//
// The stages meet only here. Each is synchronous and has one method; the
// auditor owns the loops and the concurrency around them. Enrich and classify
// need clear values, so they stand before mask; controls stand after it and
// see only entries.
package pipeline

import (
	"context"
	"fmt"

	"github.com/tallystick/tallystick/audit"
)

// Stage does one step for every line of a batch. It skips rejected events. An
// error is a failure of the machinery (a key store that does not answer), after
// which the batch is processed again from the start; a bad line is never an
// error but a rejection. A stage is used by several goroutines at once.
type Stage interface {
	Process(ctx context.Context, b *audit.Batch) error
}

// Named is a stage with the name that errors and metrics show.
type Named struct {
	Name  string
	Stage Stage
}

// Pipeline runs stages in order.
type Pipeline struct{ stages []Named }

// New makes the pipeline of the given stages, in their order.
func New(stages ...Named) *Pipeline { return &Pipeline{stages: stages} }

// Process turns b.Lines into events, entries, rejections and findings. What b
// held of those before is overwritten and its memory reused: parse sizes and
// clears the events, mask the entries.
func (p *Pipeline) Process(ctx context.Context, b *audit.Batch) error {
	b.Rejections, b.Findings, b.Unsealed = b.Rejections[:0], b.Findings[:0], b.Unsealed[:0]
	for _, s := range p.stages {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.Stage.Process(ctx, b); err != nil {
			return fmt.Errorf("failed at stage %s: %w", s.Name, err)
		}
	}
	for i := range b.Entries {
		b.Entries[i].Mark = b.Lines[i].Mark
	}
	return nil
}
