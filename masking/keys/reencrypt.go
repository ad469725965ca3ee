package keys

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/reencrypt"
)

const reencryptFolder = "reencrypt"

// ReencryptKeys is a named keyset of proxy re-encryption key pairs: a delegator's
// for one vault class and month, a reader's or a signer's. It is immutable and
// safe for concurrent use.
type ReencryptKeys struct {
	name   string
	handle *keyset.Handle
	pairs  map[string]*reencrypt.PrivateKey // enabled keys by key id
}

// CreateReencrypt makes a keyset of one fresh key pair under a name of 1 to 64
// lower-case letters, digits and dashes. An existing one is an error that is
// fs.ErrExist.
func (s *Store) CreateReencrypt(name string) (*ReencryptKeys, error) {
	path, err := s.reencryptPath(name)
	if err != nil {
		return nil, err
	}
	if err := reencrypt.Register(); err != nil {
		return nil, err
	}
	h, err := keyset.NewHandle(reencrypt.Template())
	if err != nil {
		return nil, fmt.Errorf("failed to make keyset %s: %w", name, err)
	}
	b, err := s.wrapReencrypt(name, h)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("failed to create the folder of keysets: %w", err)
	}
	if err := durable.New(path, b, 0o600); err != nil {
		return nil, fmt.Errorf("failed to write keyset %s: %w", name, err)
	}
	return newReencryptKeys(name, h)
}

// Reencrypt reads a keyset: an error that is ErrNoKeyset if there is none.
func (s *Store) Reencrypt(name string) (*ReencryptKeys, error) {
	path, err := s.reencryptPath(name)
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path) // wrapped, so its mode decides nothing
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s/%s", ErrNoKeyset, reencryptFolder, name)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read keyset %s: %w", name, err)
	}
	if err := reencrypt.Register(); err != nil {
		return nil, err
	}
	h, err := keyset.ReadWithAssociatedData(keyset.NewJSONReader(bytes.NewReader(b)), s.kek, reencryptAssociated(name))
	if err != nil {
		return nil, &text.Hint{
			Err:  fmt.Errorf("failed to unwrap keyset %s: the key file does not fit this data folder, or %s was changed", name, path),
			Hint: "put back the key file that was made with this data folder, from its back-up",
		}
	}
	return newReencryptKeys(name, h)
}

// RotateReencrypt adds a fresh key pair and makes it the primary one. Older
// pairs stay enabled, so that capsules made for them still open.
func (s *Store) RotateReencrypt(name string) (*ReencryptKeys, error) {
	path, err := s.reencryptPath(name)
	if err != nil {
		return nil, err
	}
	// Of two that rotate at once neither may lose the other's key pair: what was
	// sealed to it would never open.
	unlock, err := lockFolder(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s/%s", ErrNoKeyset, reencryptFolder, name)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to lock the folder of keysets: %w", err)
	}
	defer unlock()
	k, err := s.Reencrypt(name)
	if err != nil {
		return nil, err
	}
	h, err := withNewPrimary(k.handle)
	if err != nil {
		return nil, fmt.Errorf("failed to rotate keyset %s: %w", name, err)
	}
	b, err := s.wrapReencrypt(name, h)
	if err != nil {
		return nil, err
	}
	if err := durable.Replace(path, b, 0o600); err != nil {
		return nil, fmt.Errorf("failed to write keyset %s: %w", name, err)
	}
	return newReencryptKeys(name, h)
}

func withNewPrimary(h *keyset.Handle) (*keyset.Handle, error) {
	m := keyset.NewManagerFromHandle(h)
	id, err := m.Add(reencrypt.Template())
	if err != nil {
		return nil, err
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, err
	}
	return m.Handle()
}

// lockFolder waits until no other process or goroutine has the folder locked.
func lockFolder(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return func() { _ = d.Close() }, nil // closing unlocks
}

func (s *Store) wrapReencrypt(name string, h *keyset.Handle) ([]byte, error) {
	var b bytes.Buffer
	if err := h.WriteWithAssociatedData(keyset.NewJSONWriter(&b), s.kek, reencryptAssociated(name)); err != nil {
		return nil, fmt.Errorf("failed to wrap keyset %s: %w", name, err)
	}
	return b.Bytes(), nil
}

func reencryptAssociated(name string) []byte {
	return []byte("tallystick keyset " + reencryptFolder + "/" + name)
}

func newReencryptKeys(name string, h *keyset.Handle) (*ReencryptKeys, error) {
	k := &ReencryptKeys{name: name, handle: h, pairs: map[string]*reencrypt.PrivateKey{}}
	// Tink has no public way from a handle to the primitive of a key type that
	// is not its own but through the keyset's clear form.
	for _, key := range insecurecleartextkeyset.KeysetMaterial(h).GetKey() {
		if key.GetStatus() != tinkpb.KeyStatusType_ENABLED {
			continue
		}
		pair, _, err := reencrypt.FromKeyData(key.GetKeyData())
		if err != nil || pair == nil {
			return nil, fmt.Errorf("keyset %s holds a key that is no key pair of proxy re-encryption", name)
		}
		k.pairs[keyID(key.GetKeyId())] = pair
	}
	return k, nil
}

// Primary returns the key pair that new capsules and grants use, and its key id.
func (k *ReencryptKeys) Primary() (*reencrypt.PrivateKey, string, error) {
	e, err := k.handle.Primary()
	if err != nil {
		return nil, "", err
	}
	id := keyID(e.KeyID())
	pair, err := k.Key(id)
	return pair, id, err
}

// Key returns the key pair of an id.
func (k *ReencryptKeys) Key(id string) (*reencrypt.PrivateKey, error) {
	pair := k.pairs[id]
	if pair == nil {
		return nil, fmt.Errorf("keyset %s has no enabled key %s", k.name, id)
	}
	return pair, nil
}

// Public is the keyset of the public halves, as ReadReencryptPublic reads it.
func (k *ReencryptKeys) Public() ([]byte, error) {
	h, err := k.handle.Public()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := h.WriteWithNoSecrets(keyset.NewJSONWriter(&b)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// ReadReencryptPublic reads a keyset of public halves: the primary one, to
// which is sealed, with its key id. It refuses a keyset that holds secrets. Who
// made the keyset is the caller's question.
func ReadReencryptPublic(b []byte) (*reencrypt.PublicKey, string, error) {
	if err := reencrypt.Register(); err != nil {
		return nil, "", err
	}
	ks, err := keyset.NewJSONReader(bytes.NewReader(b)).Read()
	if err == nil {
		_, err = keyset.NewHandleWithNoSecrets(ks) // Tink's own checks
	}
	if err != nil {
		return nil, "", fmt.Errorf("failed to read a public keyset: %w", err)
	}
	for _, key := range ks.GetKey() {
		if key.GetKeyId() != ks.GetPrimaryKeyId() {
			continue
		}
		_, pub, err := reencrypt.FromKeyData(key.GetKeyData())
		if err != nil {
			return nil, "", fmt.Errorf("failed to read a public keyset: %w", err)
		}
		return pub, keyID(key.GetKeyId()), nil
	}
	return nil, "", errors.New("failed to read a public keyset: it has no primary key")
}

// listReencrypt describes the keys of all named keysets, by name.
func (s *Store) listReencrypt() ([]Info, error) {
	files, err := os.ReadDir(filepath.Join(s.dir, reencryptFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".keyset"); ok && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	var out []Info
	for _, name := range names {
		k, err := s.Reencrypt(name)
		if err != nil {
			return nil, err
		}
		f, err := os.Stat(filepath.Join(s.dir, reencryptFolder, name+".keyset"))
		if err != nil {
			return nil, err
		}
		in, err := describe(Role(reencryptFolder+"/"+name), k.handle, f.ModTime().UTC())
		if err != nil {
			return nil, err
		}
		out = append(out, in...)
	}
	return out, nil
}

// reencryptPath refuses names that could name another file.
func (s *Store) reencryptPath(name string) (string, error) {
	if name == "" || len(name) > 64 || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", errors.New("the name of a keyset is not 1 to 64 lower-case letters, digits and dashes")
	}
	return filepath.Join(s.dir, reencryptFolder, name+".keyset"), nil
}
