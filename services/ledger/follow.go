package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/tallystick/tallystick/audit/ledger"
)

// Follower shows the log that another process of the installation writes. It
// reads files that the writer replaces whole, takes no lock and adds nothing.
type Follower struct {
	cfg    Config
	deps   Deps
	reader *ledger.Reader

	witnesses panel
	key       string
}

// Follow opens the log in cfg.Dir for reading, which need not be there yet. Of
// deps it uses Signer, for the public key, Store and Now.
func Follow(cfg Config, deps Deps) (*Follower, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if cfg.Late == 0 {
		cfg.Late = time.Minute
	}
	witnesses, err := newPanel(cfg.Witnesses)
	if err != nil {
		return nil, err
	}
	key, err := ledger.VerifierKey(deps.Signer.Public(), cfg.Origin)
	if err != nil {
		return nil, err
	}
	return &Follower{cfg: cfg, deps: deps, reader: ledger.OpenReader(cfg.Dir), witnesses: witnesses, key: key}, nil
}

// Checkpoint returns the newest signed checkpoint, whose signature it checks;
// the zero value before the writer's first.
func (f *Follower) Checkpoint(ctx context.Context) (ledger.Checkpoint, error) {
	raw, err := f.reader.ReadCheckpoint(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return ledger.Checkpoint{}, nil
	}
	if err != nil {
		return ledger.Checkpoint{}, err
	}
	cp, err := ledger.ParseCheckpoint(raw, f.deps.Signer.Public(), f.cfg.Origin)
	if err != nil || cp.Size == 0 {
		return cp, err
	}
	err = f.reader.ReadLeaves(ctx, cp.Size-1, cp.Size, func(_ uint64, raw []byte) error {
		leaf, err := ledger.ParseLeaf(raw)
		cp.Time = leaf.Time
		return err
	})
	if errors.Is(err, fs.ErrNotExist) { // the writer has just replaced a partial bundle; the time shows next time
		err = nil
	}
	return cp, err
}

// State returns the newest checkpoint and what waits.
func (f *Follower) State(ctx context.Context) (State, error) {
	cp, err := f.Checkpoint(ctx)
	if err != nil {
		return State{}, err
	}
	chunks, err := f.deps.Store.ClosedWithoutLeaf(ctx, newest(cp), stepChunks)
	if err != nil {
		return State{}, fmt.Errorf("failed to read chunks without leaf: %w", err)
	}
	by, err := f.witnesses.standing(f.reader, f.key, cp, f.deps.Now())
	if err != nil {
		return State{}, err
	}
	return State{Size: cp.Size, Root: cp.Root, Time: cp.Time, Waiting: len(chunks), Witnesses: by}, nil
}

// Verify recomputes the record from src, as the writer's Verify does.
func (f *Follower) Verify(ctx context.Context, src ledger.Source, o VerifyOptions, progress func(done, total uint64)) (*ledger.Result, error) {
	res, _, err := f.witnesses.verify(ctx, src, f.reader, o.options(f.cfg, f.deps), progress)
	return res, err
}
