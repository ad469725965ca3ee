package keys

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/reencrypt"
)

// VaultKey is the public half of the delegator key of one vault class and
// month, as the key officer signed it.
type VaultKey struct {
	Class     string `json:"class"`
	Month     string `json:"month"` // 2026-11
	KeyID     string `json:"key_id"`
	Key       []byte `json:"key"`       // 33 bytes
	Signature []byte `json:"signature"` // of the officer, Ed25519
}

// ErrVaultKey is wrapped where a vault key is not signed by the key officer.
var ErrVaultKey = errors.New("not signed by the key officer")

func (k *VaultKey) message() []byte {
	b := append([]byte("tallystick vault key v1\x00"), k.Class...)
	b = append(append(b, 0), k.Month...)
	b = append(append(b, 0), k.KeyID...)
	return append(append(b, 0), k.Key...)
}

// Verify checks the officer's signature and the key's form.
func (k *VaultKey) Verify(officer ed25519.PublicKey) error {
	if _, err := time.Parse("2006-01", k.Month); err != nil || len(officer) != ed25519.PublicKeySize || !ed25519.Verify(officer, k.message(), k.Signature) {
		return fmt.Errorf("the vault key of %s %s: %w", k.Class, k.Month, ErrVaultKey)
	}
	_, err := reencrypt.NewPublicKey(k.Key)
	return err
}

// VaultName is the name of the keyset of a class and month.
func VaultName(class, month string) string { return "vault-" + class + "-" + month }

// CreateVaultKey makes the delegator key pair of a class and month in the key
// officer's store and returns its signed public half. Of an existing keyset it
// returns the public half of the primary key.
func (s *Store) CreateVaultKey(class, month string) (VaultKey, error) {
	officer, err := s.signer(RolePerson)
	if err != nil {
		return VaultKey{}, err
	}
	pair, err := s.CreateReencrypt(VaultName(class, month))
	if errors.Is(err, fs.ErrExist) {
		pair, err = s.Reencrypt(VaultName(class, month))
	}
	if err != nil {
		return VaultKey{}, err
	}
	key, id, err := pair.Primary()
	if err != nil {
		return VaultKey{}, err
	}
	k := VaultKey{Class: class, Month: month, KeyID: id, Key: key.Public().Bytes()}
	k.Signature, err = officer.Sign(k.message())
	return k, err
}

// Vault is the file of signed vault keys. It is read again when it changes, so
// that new months need no restart. It is safe for concurrent use.
type Vault struct {
	path    string
	officer ed25519.PublicKey
	log     *slog.Logger
	now     func() time.Time

	mu    sync.Mutex
	asked time.Time // when the file was looked at last
	mtime time.Time
	keys  map[[2]string]vaultKey
}

type vaultKey struct {
	public *reencrypt.PublicKey
	id     string
}

// lookAgain is how often the file is looked at.
const lookAgain = 5 * time.Second

// OpenVault reads the keys in the file at path. Each has to be signed by the
// officer.
func OpenVault(path string, officer ed25519.PublicKey, log *slog.Logger) (*Vault, error) {
	v := &Vault{path: path, officer: officer, log: log, now: time.Now}
	v.asked = v.now()
	return v, v.read()
}

func (v *Vault) read() error {
	st, err := os.Stat(v.path)
	if err != nil {
		return fmt.Errorf("failed to read the vault keys: %w", err)
	}
	list, err := ReadVaultKeys(v.path)
	if err != nil {
		return err
	}
	keys := map[[2]string]vaultKey{}
	for i := range list {
		k := &list[i]
		if err := k.Verify(v.officer); err != nil {
			return &text.Hint{
				Err:  fmt.Errorf("failed to read the vault keys in %s: %w", v.path, err),
				Hint: "copy the file again from the key officer, and compare vault.officer with the key that the officer reads to you",
			}
		}
		public, err := reencrypt.NewPublicKey(k.Key)
		if err != nil {
			return err
		}
		keys[[2]string{k.Class, k.Month}] = vaultKey{public, k.KeyID}
	}
	v.keys, v.mtime = keys, st.ModTime()
	return nil
}

// Key returns the public key to which originals of a class and month are
// sealed, nil if there is none.
func (v *Vault) Key(class, month string) (*reencrypt.PublicKey, string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if now := v.now(); now.Sub(v.asked) > lookAgain {
		v.asked = now
		if st, err := os.Stat(v.path); err != nil || !st.ModTime().Equal(v.mtime) {
			if err := v.read(); err != nil {
				v.log.Error("the vault keys of before stay in use", "error", err)
			}
		}
	}
	k := v.keys[[2]string{class, month}]
	return k.public, k.id
}

// ReadVaultKeys reads a file of vault keys. They are not verified.
func ReadVaultKeys(path string) ([]VaultKey, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("failed to read the vault keys: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var out []VaultKey
	if err := d.Decode(&out); err != nil || d.More() {
		return nil, fmt.Errorf("failed to read the vault keys: %s is malformed", path)
	}
	return out, nil
}

// WriteVaultKeys adds keys to the file at path, sorted by class and month. A
// key of a class and month that is there is replaced.
func WriteVaultKeys(path string, list []VaultKey) error {
	all, err := ReadVaultKeys(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, k := range list {
		all = slices.DeleteFunc(all, func(o VaultKey) bool { return o.Class == k.Class && o.Month == k.Month })
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b VaultKey) int { return strings.Compare(a.Class+" "+a.Month, b.Class+" "+b.Month) })
	b, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := durable.Replace(path, append(b, '\n'), 0o644); err != nil {
		return fmt.Errorf("failed to write the vault keys: %w", err)
	}
	return nil
}
