package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tink-crypto/tink-go/v2/hybrid"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/text"
)

// OpenPassphrase opens a back-up and returns the KEK that it holds.
func (b *Backup) OpenPassphrase(passphrase string) (*KEK, error) {
	with, err := stretched(b.Salt, passphrase)
	if err != nil {
		return nil, err
	}
	if err := b.open(with); err != nil {
		return nil, &text.Hint{Err: err, Hint: "check the passphrase; the file may also have been changed"}
	}
	k, err := kekFromClear(b.opened.KEK)
	if err != nil {
		return nil, fmt.Errorf("failed to read the key-encryption key in the back-up: %w", err)
	}
	return k, nil
}

// OpenKEK opens a back-up with the KEK of the installation that it is of.
func (b *Backup) OpenKEK(kek *KEK) error {
	if err := b.open(kek); err != nil {
		return &text.Hint{Err: err, Hint: "put back the key file of installation " + b.Installation + ", or use a back-up with a passphrase"}
	}
	return nil
}

func (b *Backup) open(with tink.AEAD) error {
	clear, err := with.Decrypt(b.Content, b.bound())
	if err != nil {
		return errors.New("the back-up does not open")
	}
	var c backupContent
	if err := json.Unmarshal(clear, &c); err != nil {
		return errors.New("the back-up's content is not understood")
	}
	for name := range c.Files {
		if !kept(name) {
			return errors.New("the back-up holds files that are no keys")
		}
	}
	b.opened = &c
	return nil
}

// PutKEK writes the wrapped KEK of a back-up into the folder of keysets dir, so
// that ServiceKEK finds it.
func (b *Backup) PutKEK(dir string) error {
	out, err := json.MarshalIndent(b.KEK, "", "  ")
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = durable.New(filepath.Join(dir, wrappedFile), append(out, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("failed to write the wrapped key-encryption key: %w", err)
	}
	return nil
}

// Save writes the KEK to a key file that must not exist.
func (k *KEK) Save(path string) error {
	b, err := k.clear()
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err == nil {
		err = durable.New(path, b, 0o600)
	}
	if err != nil {
		return fmt.Errorf("failed to write the key file: %w", err)
	}
	return nil
}

// Restored is what came of a back-up.
type Restored struct {
	Keysets    int            // that open
	LineKeys   []string       // whose proof opened
	Gone       []string       // line keys whose time has come since: destroyed
	Pseudonyms []PseudonymKey // for the register; those whose time has come are left out
}

// Restore writes the keysets of an opened back-up into the folder dir, which has
// none, and proves that what was sealed opens under them.
func (b *Backup) Restore(dir string, kek tink.AEAD, now time.Time, horizon time.Duration) (*Restored, error) {
	for name, content := range b.opened.Files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, fmt.Errorf("failed to make the folder of keysets: %w", err)
		}
		mode := os.FileMode(0o600)
		if filepath.Ext(name) == ".pub" {
			mode = 0o644
		}
		if err := durable.New(path, content, mode); err != nil {
			return nil, fmt.Errorf("failed to write %s: %w", name, err)
		}
	}
	s, err := Open(dir, kek)
	if err != nil {
		return nil, err
	}
	infos, err := s.List()
	if err != nil {
		return nil, err
	}
	out := &Restored{}
	seen := map[Role]bool{}
	for _, i := range infos {
		seen[i.Role] = true
	}
	out.Keysets = len(seen)
	if out.LineKeys, err = b.prove(s); err != nil {
		return nil, err
	}
	if _, err := LinePublic(dir); err != nil {
		return nil, err
	}
	if out.Gone, err = s.DestroyLines(now, horizon); err != nil {
		return nil, err
	}
	for _, p := range b.opened.Pseudonyms {
		if p.DestroyAfter.After(now) {
			out.Pseudonyms = append(out.Pseudonyms, p)
		}
	}
	return out, nil
}

// prove opens what the line keys sealed when the back-up was made.
func (b *Backup) prove(s *Store) ([]string, error) {
	h, err := s.handle(RoleLine)
	if err != nil {
		return nil, err
	}
	dec, err := hybrid.NewHybridDecrypt(h)
	if err != nil {
		return nil, fmt.Errorf("failed to use the line keys: %w", err)
	}
	var ids []string
	for _, p := range b.opened.Proofs {
		if got, err := dec.Decrypt(p.Sealed, proofContext); err != nil || !bytes.Equal(got, p.Text) {
			return nil, fmt.Errorf("what line key %s sealed before the back-up does not open", p.KeyID)
		}
		ids = append(ids, p.KeyID)
	}
	return ids, nil
}
