package ledger

import "github.com/tallystick/tallystick/internal/text"

// ProblemKind says what does not fit. Each has a sentence in the catalogue,
// ledger.problem.KIND.
type ProblemKind string

// The values of ProblemKind.
const (
	RowChanged       ProblemKind = "row-changed"
	RowRemoved       ProblemKind = "row-removed"
	RowAdded         ProblemKind = "row-added"
	TableDiffers     ProblemKind = "table-differs"     // which row cannot be told: there are no marks, or they fit
	ChunkMissing     ProblemKind = "chunk-missing"     // the log has a leaf, the store no such chunk
	ChunkUnsequenced ProblemKind = "chunk-unsequenced" // closed for longer than the grace and without leaf
	ChunkUnknown     ProblemKind = "chunk-unknown"     // rows of a chunk of which neither log nor register knows
	ChunkHidden      ProblemKind = "chunk-hidden"      // taken from the readers' sight without a later version in the log
	ChunkUnseen      ProblemKind = "chunk-unseen"      // the log has a later version of a chunk than readers see
	RejectionHidden  ProblemKind = "rejection-hidden"  // rejections are hidden that no replay read
	RejectionShown   ProblemKind = "rejection-shown"   // lines are shown as rejections that are entries now
	CheckpointForged ProblemKind = "checkpoint-forged" // not signed by the ledger's key
	LogDamaged       ProblemKind = "log-damaged"       // the leaves do not give the checkpoint's root
	LogRolledBack    ProblemKind = "log-rolled-back"   // the log is shorter than the checkpoint given
	LogForked        ProblemKind = "log-forked"        // the log does not continue the checkpoint given
)

// Problem is one thing that verify found. Fields that do not apply are zero.
type Problem struct {
	Kind    ProblemKind
	Chunk   string
	Version uint16
	Table   string
	Row     uint64 // number of the row in its table of the chunk, from 0
	// EntryID names the row that was changed or added: the id of an entry, a
	// rejection's origin or a finding's id. Of a removed row it is the id of
	// the row before it, or "" at the beginning.
	EntryID string
	// Size and Other are log sizes: of this log and of the checkpoint given.
	Size, Other uint64
}

// Message is the problem as a sentence.
func (p Problem) Message(t *text.Printer) string {
	return t.T("ledger.problem."+string(p.Kind), map[string]any{
		"Chunk": p.Chunk, "Version": p.Version, "Table": p.Table, "Row": p.Row, "ID": p.EntryID,
		"Size": p.Size, "Other": p.Other,
	})
}

// Result is what Verify found.
type Result struct {
	Checkpoint Checkpoint
	Leaves     uint64 // leaves under the checkpoint
	Chunks     uint64 // chunks of the store that were recomputed
	Rows       uint64 // their rows
	// Pending are chunks that are being written, or closed so lately that they
	// have no leaf yet.
	Pending uint64
	// Witnessed means that a checkpoint kept elsewhere was given and fits, or
	// that a witness signed this one.
	Witnessed bool
	// Witnesses are those that signed this checkpoint when asked, Silent those
	// that did not answer. Set by services/ledger.
	Witnesses, Silent []string
	Problems          []Problem // in the order of chunk, version and table
}

// OK reports whether everything fits.
func (r *Result) OK() bool { return len(r.Problems) == 0 }

// Message says in a sentence how far the result can be believed: whether a
// checkpoint that was kept elsewhere backs it.
func (r *Result) Message(t *text.Printer) string {
	if r.Witnessed {
		return t.T("ledger.witnessed", map[string]any{"Size": r.Checkpoint.Size})
	}
	return t.T("ledger.unwitnessed", nil)
}
