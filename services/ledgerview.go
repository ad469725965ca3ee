package services

import (
	"context"
	"encoding/hex"
	"strings"

	"github.com/tallystick/tallystick/audit"
	auditledger "github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/services/ledger"
	"github.com/tallystick/tallystick/services/reporter"
)

// ledgerView shows the log, which this process or another writes.
type ledgerView interface {
	State(ctx context.Context) (ledger.State, error)
	Checkpoint(ctx context.Context) (auditledger.Checkpoint, error)
	Verify(ctx context.Context, src auditledger.Source, o ledger.VerifyOptions, progress func(done, total uint64)) (*auditledger.Result, error)
}

// ownLedger is the view of the log that this process writes.
type ownLedger struct{ *ledger.Ledger }

func (l ownLedger) Checkpoint(context.Context) (auditledger.Checkpoint, error) {
	return l.Ledger.Checkpoint(), nil
}

// nudge tells the ledger that a chunk closed, where it is in this process;
// elsewhere it asks the store by itself.
func (a *App) nudge(c *audit.Chunk) {
	if a.writer != nil {
		a.writer.Nudge(c)
	}
}

// reportLedger takes digests here where the ledger is; elsewhere nil: the
// ledger's process finds them in the register of runs.
func (a *App) reportLedger() reporter.Ledger {
	if a.writer == nil {
		return nil
	}
	return reportLedger{a.writer}
}

// runArtefacts are the files of report runs that have no leaf yet.
type runArtefacts struct{ db *registers.DB }

func (r runArtefacts) ArtefactsWithoutLeaf(ctx context.Context) ([]ledger.Artefact, error) {
	runs, err := r.db.UnledgeredRuns(ctx)
	if err != nil {
		return nil, err
	}
	var out []ledger.Artefact
	for _, run := range runs {
		for _, f := range run.Files {
			a := ledger.Artefact{Name: run.ID + "/" + f.Name}
			if _, err := hex.Decode(a.Digest[:], []byte(f.SHA256)); err == nil && !f.Ledgered {
				out = append(out, a)
			}
		}
	}
	return out, nil
}

func (r runArtefacts) SetArtefactLeaf(ctx context.Context, name string, _ uint64) error {
	run, file, _ := strings.Cut(name, "/")
	return r.db.LedgerFile(ctx, run, file)
}
