package services

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/audit/control"
	auditledger "github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services/ledger"
)

// Verify implements Operations.
func (a *App) Verify(ctx context.Context, r VerifyRequest, progress func(Progress)) (*VerifyResult, error) {
	if err := a.registers.Record(ctx, actorOf(ctx), "ledger.verify", "record", true, ""); err != nil {
		return nil, err
	}
	if err := a.settle(ctx); err != nil {
		return nil, err
	}
	o := ledger.VerifyOptions{From: r.From, Until: r.Until, SinceKept: r.Since}
	if len(r.Checkpoint) > 0 {
		o.Kept = r.Checkpoint
	}
	res, err := a.ledger.Verify(ctx, a.store, o, func(done, total uint64) { progress(Progress{Done: done, Total: total, Lines: done}) })
	if err != nil {
		return nil, err
	}
	return verifyResult(res, a.texts.For("en")), a.raiseChanged(ctx, res.Problems)
}

func verifyResult(res *auditledger.Result, p *text.Printer) *VerifyResult {
	out := &VerifyResult{OK: res.OK(), Chunks: res.Chunks, Rows: res.Rows, Pending: res.Pending, Size: res.Checkpoint.Size,
		Root: base64.StdEncoding.EncodeToString(res.Checkpoint.Root), Unwitnessed: !res.Witnessed,
		Witnesses: res.Witnesses, Silent: res.Silent}
	for _, f := range res.Problems {
		out.Faults = append(out.Faults, f.Message(p))
	}
	return out
}

// mostChanged is how many findings one verification raises: a store that is lost
// as a whole is one incident, and the answer names the rest.
const mostChanged = 100

// raiseChanged records what does not fit as GV-03, once for each table of a
// chunk however often it is verified.
func (a *App) raiseChanged(ctx context.Context, problems []auditledger.Problem) error {
	if a.alerter == nil || len(problems) == 0 {
		return nil
	}
	now := time.Now().UTC()
	for _, p := range problems[:min(len(problems), mostChanged)] {
		err := a.raise(ctx, control.Fault{
			Reason: "record-changed", Key: []string{string(p.Kind), p.Chunk, fmt.Sprint(p.Version), p.Table}, Time: now, Count: 1,
			Facts: map[string]string{"what": string(p.Kind), "table": cmp.Or(p.Table, "ledger"), "chunk": p.Chunk},
		})
		if err != nil {
			return fmt.Errorf("failed to record that the record was changed: %w", err)
		}
	}
	return nil
}
