package ledger

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net/http"
	"time"

	"github.com/tallystick/tallystick/audit/ledger"
)

// State says how far the record is committed to.
type State struct {
	Size    uint64    // leaves under the newest checkpoint
	Root    []byte    // its root
	Time    time.Time // of the last leaf; zero for an empty log
	Waiting int       // closed chunks without leaf, at most 100
	// Witnesses are who stands behind the newest checkpoint. Without one, whoever
	// controls this machine could have rewritten the log.
	Witnesses []string
}

// State returns the newest checkpoint and what waits.
func (s *Ledger) State(ctx context.Context) (State, error) {
	cp := s.log.Checkpoint()
	chunks, err := s.deps.Store.ClosedWithoutLeaf(ctx, newest(cp), stepChunks)
	if err != nil {
		return State{}, fmt.Errorf("failed to read chunks without leaf: %w", err)
	}
	by, err := s.witnesses.standing(s.log.Reader, s.key, cp, s.deps.Now())
	if err != nil {
		return State{}, err
	}
	return State{Size: cp.Size, Root: cp.Root, Time: cp.Time, Waiting: len(chunks), Witnesses: by}, nil
}

// Checkpoint returns the newest signed checkpoint.
func (s *Ledger) Checkpoint() ledger.Checkpoint { return s.log.Checkpoint() }

// Leaf returns the index of a chunk's leaf. Each leaf is under the newest
// checkpoint.
func (s *Ledger) Leaf(chunk string, version uint16) (index uint64, ok bool) {
	return s.log.Index(chunk, version)
}

// Erasures are the ids of the acts of erasing in the log.
func (s *Ledger) Erasures() []string { return s.log.Erasures() }

// Public is the key that checks the checkpoints.
func (s *Ledger) Public() ed25519.PublicKey { return s.deps.Signer.Public() }

// VerifyOptions say what of the record is recomputed and against what.
type VerifyOptions struct {
	// Kept is a checkpoint that was kept elsewhere, or nil.
	Kept []byte
	// From and Until bound the time in which the rows became part of the record;
	// zero means no bound.
	From, Until time.Time
	// SinceKept leaves out what Kept covers.
	SinceKept bool
}

func (o VerifyOptions) options(c Config, d Deps) ledger.Options {
	return ledger.Options{
		Public: d.Signer.Public(), Origin: c.Origin, Kept: o.Kept, From: o.From, Until: o.Until, SinceKept: o.SinceKept, Grace: c.Late, Now: d.Now,
	}
}

// Handler answers tile clients.
func (s *Ledger) Handler() http.Handler { return s.log.Handler() }

// Verify recomputes the record from src, asks the witnesses and keeps what they
// signed.
func (s *Ledger) Verify(ctx context.Context, src ledger.Source, o VerifyOptions, progress func(done, total uint64)) (*ledger.Result, error) {
	res, r, err := s.witnesses.verify(ctx, src, s.log.Reader, o.options(s.cfg, s.deps), progress)
	if err != nil || r == nil {
		return res, err
	}
	s.publishing.Lock()
	defer s.publishing.Unlock()
	return res, s.keep(r, res.Checkpoint.Size)
}
