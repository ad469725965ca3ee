package auditor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/masking/seal"
)

// keysAhead is how long before a month its vault keys have to be there.
const keysAhead = 7 * 24 * time.Hour

// sealOriginals seals what the mask stage kept of a batch. An original without
// vault key is not kept, which is a finding per class and month.
func (b *building) sealOriginals(a *Auditor, batch *audit.Batch) error {
	if a.deps.Vault == nil || len(batch.Unsealed) == 0 {
		return nil
	}
	if b.vault == nil {
		b.vault = seal.NewOriginals(a.deps.Vault, b.chunk.ID, b.chunk.Version)
	}
	defer func() { // clear values live no longer than they must
		clear(batch.Unsealed)
		batch.Unsealed = batch.Unsealed[:0]
	}()
	for i := range batch.Unsealed {
		u := &batch.Unsealed[i]
		o, err := b.vault.Seal(&batch.Entries[u.Line], u)
		if errors.Is(err, seal.ErrNoVaultKey) {
			err = b.missingKey(a, "vault-key-missing", o.Class, o.Month)
			if err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		o.Row = uint32(len(b.originals))
		b.originals = append(b.originals, o)
	}
	return b.watchKeys(a)
}

// watchKeys raises a finding when the keys of the month that begins soon are
// not there, for the classes that the chunk has originals of.
func (b *building) watchKeys(a *Auditor) error {
	soon := a.deps.Now().UTC().Add(keysAhead).Format("2006-01")
	for _, c := range b.vault.Capsules() {
		if to, _ := a.deps.Vault.Key(c.Class, soon); to != nil {
			continue
		}
		if err := b.missingKey(a, "vault-keys-ending", c.Class, soon); err != nil {
			return err
		}
	}
	return nil
}

func (b *building) missingKey(a *Auditor, reason, class, month string) error {
	at, err := time.Parse("2006-01", month)
	if err != nil {
		return fmt.Errorf("failed to read the month of a vault key: %w", err)
	}
	if b.gaps[control.FindingID("GV-04", reason, class, month)] {
		return nil
	}
	f, err := a.deps.Controls.Raise("GV-04", control.Fault{
		Reason: reason, Key: []string{class, month}, Time: at, Until: at.AddDate(0, 1, 0), Count: 1,
		Facts: map[string]string{"class": class, "month": month},
	}, a.deps.Now().UTC())
	if err != nil {
		return err
	}
	b.addFindings(a, []audit.Finding{f})
	return nil
}

// closeVault ends the sealing of a chunk: its data keys are gone.
func (b *building) closeVault() {
	if b.vault == nil {
		return
	}
	b.capsules, b.vault = b.vault.Capsules(), nil
	ledger.SortCapsules(b.capsules)
}

// storeOriginals stores what was sealed. Capsules come first: whatever originals
// are stored, the capsule of their data key is.
func (b *building) storeOriginals(ctx context.Context, s Store) error {
	if len(b.originals) == 0 {
		return nil
	}
	if err := s.InsertCapsules(ctx, b.chunk, b.capsules); err != nil {
		return err
	}
	return s.InsertOriginalsBut(ctx, b.chunk, b.originals, b.kept)
}
