package keys_test

import (
	"crypto/ed25519"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys"
)

// officer is a key officer's store that two halves open.
func officer(t *testing.T) (s *keys.Store, dir, one, other string) {
	t.Helper()
	root := t.TempDir()
	dir, one, other = filepath.Join(root, "officer"), filepath.Join(root, "one", "half"), filepath.Join(root, "other", "half")
	if err := keys.CreateHalves(one, other); err != nil {
		t.Fatal(err)
	}
	kek, err := keys.SharedKEK(one, other)
	if err != nil {
		t.Fatal(err)
	}
	if s, err = keys.Open(dir, kek); err != nil {
		t.Fatal(err)
	}
	if err := s.Create(keys.RolePerson); err != nil {
		t.Fatal(err)
	}
	return s, dir, one, other
}

func TestHalves(t *testing.T) {
	_, dir, one, other := officer(t)
	again, err := keys.SharedKEK(other, one) // in either order
	if err != nil {
		t.Fatal(err)
	}
	if s, err := keys.Open(dir, again); err != nil {
		t.Errorf("the store does not open again: %v", err)
	} else if _, err := s.PersonSigner(); err != nil {
		t.Error(err)
	}
	if _, err := keys.SharedKEK(one, one); err == nil {
		t.Error("one person opened the store with one half twice")
	}
	if err := keys.CreateHalves(one, other+"2"); err == nil || text.HintOf(err) == "" {
		t.Errorf("a half was replaced: %v", err)
	}
	third, fourth := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	if err := keys.CreateHalves(third, fourth); err != nil {
		t.Fatal(err)
	}
	wrong, err := keys.SharedKEK(one, third)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open(dir, wrong); err == nil {
		t.Error("a half and a foreign half opened the store")
	}
	if err := os.Chmod(one, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.SharedKEK(one, other); err == nil || text.HintOf(err) != "chmod 600 "+one {
		t.Errorf("an open half was accepted: %v", err)
	}
}

func TestPassphraseKEK(t *testing.T) {
	salt := filepath.Join(t.TempDir(), "salt")
	a, err := keys.PassphraseKEK(salt, "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	ct, err := a.Encrypt([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	open := func(k tink.AEAD, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		_, err = k.Decrypt(ct, nil)
		return err
	}
	if err := open(keys.PassphraseKEK(salt, "correct horse battery")); err != nil {
		t.Errorf("the same passphrase: %v", err)
	}
	if open(keys.PassphraseKEK(salt, "correct horse battely")) == nil {
		t.Error("another passphrase opens")
	}
	if _, err := keys.PassphraseKEK(salt, "short"); err == nil {
		t.Error("a short passphrase was taken")
	}
}

func TestVaultKeys(t *testing.T) {
	s, _, _, _ := officer(t)
	signer, err := s.PersonSigner()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "vault.json")
	nov, err := s.CreateVaultKey("identity", "2026-11")
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.WriteVaultKeys(path, []keys.VaultKey{nov}); err != nil {
		t.Fatal(err)
	}
	v, err := keys.OpenVault(path, signer.Public(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	v.SetNow(func() time.Time { return now })
	if k, id := v.Key("identity", "2026-11"); k == nil || id != nov.KeyID {
		t.Error("the key is not there")
	}
	if k, _ := v.Key("identity", "2026-12"); k != nil {
		t.Error("a key that nobody made")
	}
	// The same class and month again is the same key, and new months need no restart.
	again, err := s.CreateVaultKey("identity", "2026-11")
	if err != nil || again.KeyID != nov.KeyID {
		t.Errorf("another key, error %v", err)
	}
	dec, err := s.CreateVaultKey("identity", "2026-12")
	if err != nil {
		t.Fatal(err)
	}
	if err := keys.WriteVaultKeys(path, []keys.VaultKey{dec, again}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, now, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if k, _ := v.Key("identity", "2026-12"); k == nil {
		t.Error("the new month was not seen")
	}
	// What the officer did not sign is refused, and what is there stays.
	forged := dec
	forged.Month = "2027-01"
	if err := keys.WriteVaultKeys(path, []keys.VaultKey{forged}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, now, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Minute)
	if k, _ := v.Key("identity", "2027-01"); k != nil {
		t.Error("a forged key was accepted")
	}
	if k, _ := v.Key("identity", "2026-12"); k == nil {
		t.Error("the keys of before are gone")
	}
	if _, err := keys.OpenVault(path, signer.Public(), nil); !errors.Is(err, keys.ErrVaultKey) || text.HintOf(err) == "" {
		t.Errorf("error %v", err)
	}
	other, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := nov.Verify(other); !errors.Is(err, keys.ErrVaultKey) {
		t.Errorf("another officer: %v", err)
	}
}
