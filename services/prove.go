package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tallystick/tallystick/audit"
	auditledger "github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
)

// Prove implements Operations.
func (a *App) Prove(ctx context.Context, r ProveRequest) (*ProveResult, error) {
	what := r.Entry
	if what == "" {
		what = "checkpoint"
	}
	if err := a.registers.Record(ctx, actorOf(ctx), "ledger.prove", what, true, ""); err != nil {
		return nil, err
	}
	if err := a.settle(ctx); err != nil {
		return nil, err
	}
	cp, err := a.ledger.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	files := auditledger.OpenReader(a.dir.join("ledger"))
	var p *auditledger.Proof
	if r.Entry != "" {
		p, err = a.proveEntry(ctx, files, r.Entry, cp)
	} else {
		p, err = a.proveConsistency(files, r.Checkpoint, cp)
	}
	if err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, err
	}
	return &ProveResult{Proof: append(b, '\n')}, nil
}

func (a *App) proveEntry(ctx context.Context, files *auditledger.Reader, id string, cp auditledger.Checkpoint) (*auditledger.Proof, error) {
	places, err := a.provable(ctx, id)
	if err != nil {
		return nil, err
	}
	at := places[0]
	return files.ProveEntry(ctx, a.store, at.Salt, at.ChunkKey, at.Row, at.Leaf, cp)
}

// provable finds the entries that proofs are wanted of.
func (a *App) provable(ctx context.Context, ids ...string) ([]*store.EntryPlace, error) {
	const some = `tallystick sql "SELECT event_id FROM entries LIMIT 10" shows some`
	origins := make([]audit.Origin, len(ids))
	for i, id := range ids {
		o, err := audit.ParseEntryID(id)
		if err != nil {
			return nil, &text.Hint{Err: fmt.Errorf("failed to prove %q: %w", id, err), Hint: some}
		}
		origins[i] = o
	}
	found, err := a.store.FindEntries(ctx, origins)
	if err != nil {
		return nil, err
	}
	out := make([]*store.EntryPlace, len(ids))
	for i, id := range ids {
		at := found[origins[i]]
		switch {
		case at == nil:
			return nil, &text.Hint{Err: fmt.Errorf("failed to prove %q: there is no such entry", id), Hint: some}
		case !at.Sequenced:
			return nil, &text.Hint{Err: fmt.Errorf("failed to prove %q: its chunk has no leaf yet", id), Hint: "try again in a few seconds; the process with the ledger makes the leaf"}
		}
		out[i] = at
	}
	return out, nil
}

func (a *App) proveConsistency(files *auditledger.Reader, kept []byte, cp auditledger.Checkpoint) (*auditledger.Proof, error) {
	signer, err := a.keys.LedgerSigner()
	if err != nil {
		return nil, err
	}
	old, err := auditledger.ParseCheckpoint(kept, signer.Public(), a.ledgerOrigin())
	if err != nil {
		return nil, &text.Hint{Err: fmt.Errorf("failed to use the checkpoint that was given: %w", err), Hint: "give a file that tallystick ledger checkpoint wrote for this installation"}
	}
	p, err := files.ProveConsistency(old, cp)
	if err != nil {
		return nil, &text.Hint{Err: err, Hint: "tallystick ledger verify --checkpoint FILE says whether the log was rolled back or forked"}
	}
	return p, nil
}

// CheckProof checks a proof file offline, with the text of the key file ledger.pub.
func CheckProof(proof, key []byte) (*auditledger.Proven, error) {
	p, err := auditledger.ParseProof(proof)
	if err != nil {
		return nil, &text.Hint{Err: err, Hint: "tallystick ledger prove makes one"}
	}
	k, err := auditledger.ParseKeyFile(key)
	if err != nil {
		return nil, &text.Hint{Err: err, Hint: "give the ledger's public key: tallystick ledger key prints it"}
	}
	out, err := p.Check(k)
	if err != nil {
		return nil, errors.Join(ErrProof, err)
	}
	return out, nil
}

// VerifyLog checks the files of a ledger in folder dir, or of a copy of it, with
// the text of the key file alone. kept is a checkpoint kept elsewhere, or nil.
func VerifyLog(ctx context.Context, dir string, key, kept []byte) (*VerifyResult, error) {
	k, err := auditledger.ParseKeyFile(key)
	if err != nil {
		return nil, &text.Hint{Err: err, Hint: "give the ledger's public key: tallystick ledger key prints it"}
	}
	public, origin, err := auditledger.ParseVerifierKey(k)
	if err != nil {
		return nil, err
	}
	res, err := auditledger.VerifyLog(ctx, auditledger.OpenReader(dir), auditledger.Options{Public: public, Origin: origin, Kept: kept})
	if err != nil {
		return nil, err
	}
	texts, err := text.Load()
	if err != nil {
		return nil, err
	}
	return verifyResult(res, texts.For("en")), nil
}

// ErrProof is wrapped when a proof does not hold.
var ErrProof = errors.New("the proof does not hold")
