package ledger

import (
	"context"
	"crypto/ed25519"
	"time"

	"github.com/tallystick/tallystick/audit/ledger"
)

// State says how far the record is committed to.
type State struct {
	Size    uint64    // leaves under the newest checkpoint
	Root    []byte    // its root
	Time    time.Time // of the last leaf; zero for an empty log
	Waiting int       // closed chunks without leaf, at most 100
	// Unwitnessed means that nobody else keeps a checkpoint: whoever controls
	// this machine could have rewritten the log.
	Unwitnessed bool
}

// State returns the newest checkpoint and what waits.
func (s *Ledger) State(ctx context.Context) (State, error) {
	chunks, err := s.deps.Store.ClosedWithoutLeaf(ctx, stepChunks)
	if err != nil {
		return State{}, err
	}
	cp := s.log.Checkpoint()
	return State{Size: cp.Size, Root: cp.Root, Time: cp.Time, Waiting: len(chunks), Unwitnessed: true}, nil
}

// Checkpoint returns the newest signed checkpoint.
func (s *Ledger) Checkpoint() ledger.Checkpoint { return s.log.Checkpoint() }

// Leaf returns the index of a chunk's leaf. Each leaf is under the newest
// checkpoint.
func (s *Ledger) Leaf(chunk string, version uint16) (index uint64, ok bool) {
	return s.log.Index(chunk, version)
}

// Public is the key that checks the checkpoints.
func (s *Ledger) Public() ed25519.PublicKey { return s.deps.Signer.Public() }

// Verify recomputes the record from src. Kept is a checkpoint that was kept
// elsewhere, or nil.
func (s *Ledger) Verify(ctx context.Context, src ledger.Source, kept []byte, progress func(done, total uint64)) (*ledger.Result, error) {
	o := ledger.Options{Public: s.Public(), Origin: s.cfg.Origin, Kept: kept, Grace: s.cfg.Late, Now: s.deps.Now}
	return ledger.Verify(ctx, src, s.log, o, progress)
}
