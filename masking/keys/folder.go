package keys

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/hybrid"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
	"golang.org/x/crypto/argon2"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/internal/text"
)

// Create makes the keysets of roles that the folder does not have yet. Folders
// of people, custodians and readers have other roles than an installation's.
func (s *Store) Create(roles ...Role) error {
	for _, r := range roles {
		if err := s.ensure(r); err != nil {
			return err
		}
	}
	return nil
}

// PersonSigner returns the signer of a person, a reader, a custodian or the key
// officer.
func (s *Store) PersonSigner() (*Signer, error) { return s.signer(RolePerson) }

// InboxDecrypt opens what was encrypted to this custodian.
func (s *Store) InboxDecrypt() (tink.HybridDecrypt, error) {
	h, err := s.handle(RoleInbox)
	if err != nil {
		return nil, err
	}
	return hybrid.NewHybridDecrypt(h)
}

// InboxPublic is the keyset to which is encrypted for this custodian, as
// InboxEncrypt reads it.
func (s *Store) InboxPublic() ([]byte, error) {
	h, err := s.handle(RoleInbox)
	if err != nil {
		return nil, err
	}
	return publicJSON(h)
}

// InboxEncrypt reads the public keyset of a custodian's inbox.
func InboxEncrypt(public []byte) (tink.HybridEncrypt, error) {
	h, err := keyset.ReadWithNoSecrets(keyset.NewJSONReader(strings.NewReader(string(public))))
	if err != nil {
		return nil, errors.New("failed to read the public key of a custodian's inbox: malformed")
	}
	return hybrid.NewHybridEncrypt(h)
}

func publicJSON(h *keyset.Handle) ([]byte, error) {
	half, err := h.Public()
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	if err := half.WriteWithNoSecrets(keyset.NewJSONWriter(&b)); err != nil {
		return nil, err
	}
	return []byte(b.String()), nil
}

// kekSize is the size of a raw key encryption key in bytes.
const kekSize = 32

// rawKEK is AES-256-GCM under the bytes of key.
func rawKEK(key []byte) (tink.AEAD, error) {
	p, err := aesgcm.NewParameters(aesgcm.ParametersOpts{
		KeySizeInBytes: kekSize, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantNoPrefix,
	})
	if err != nil {
		return nil, err
	}
	k, err := aesgcm.NewKey(secretdata.NewBytesFromData(key, insecuresecretdataaccess.Token{}), 0, p)
	if err != nil {
		return nil, err
	}
	m := keyset.NewManager()
	id, err := m.AddKey(k)
	if err != nil {
		return nil, err
	}
	if err := m.SetPrimary(id); err != nil {
		return nil, err
	}
	h, err := m.Handle()
	if err != nil {
		return nil, err
	}
	return aead.New(h)
}

// halfPrefix begins the file of a half.
const halfPrefix = "tallystick-half-v1 "

// CreateHalves makes the two halves of a key encryption key, in files that must
// not exist and that only their owners may read: each is for another person.
func CreateHalves(one, other string) error {
	for _, path := range []string{one, other} {
		half := make([]byte, kekSize)
		_, _ = rand.Read(half) // never fails: crypto/rand ends the program instead
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return fmt.Errorf("failed to make the folder of a half: %w", err)
		}
		err := durable.New(path, []byte(halfPrefix+base64.StdEncoding.EncodeToString(half)+"\n"), 0o600)
		if errors.Is(err, fs.ErrExist) {
			return &text.Hint{Err: fmt.Errorf("the half %s exists", path), Hint: "give a path where there is no file; a half is never made again"}
		}
		if err != nil {
			return fmt.Errorf("failed to write a half: %w", err)
		}
	}
	return nil
}

// SharedKEK returns the key encryption key that two people hold: the exclusive
// or of their halves. Each half alone is independent of the key: it says
// nothing about it, whatever computing power its holder has.
func SharedKEK(one, other string) (tink.AEAD, error) {
	key := make([]byte, kekSize)
	var before string
	for _, path := range []string{one, other} {
		b, err := private.Read("key file", path)
		if err != nil {
			return nil, fmt.Errorf("failed to read a half: %w", err)
		}
		enc, ok := strings.CutPrefix(strings.TrimSpace(string(b)), halfPrefix)
		half, err := base64.StdEncoding.DecodeString(enc)
		if !ok || err != nil || len(half) != kekSize {
			return nil, fmt.Errorf("failed to read a half: %s is none", path)
		}
		if enc == before {
			return nil, &text.Hint{Err: errors.New("both halves are the same"), Hint: "each of two people brings an own half"}
		}
		before = enc
		for i := range key {
			key[i] ^= half[i]
		}
	}
	return rawKEK(key)
}

// The parameters of argon2id: the second recommended option of RFC 9106.
const (
	passphraseTime   = 3
	passphraseMemory = 64 << 10 // KiB
	passphraseLanes  = 4
)

// PassphraseKEK returns the key encryption key of a passphrase, stretched by
// argon2id with the salt in the file at path, which it makes if it is missing.
func PassphraseKEK(path, passphrase string) (tink.AEAD, error) {
	if err := longEnough(passphrase); err != nil {
		return nil, err
	}
	salt, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		salt = make([]byte, 16)
		_, _ = rand.Read(salt)
		if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
			err = durable.New(path, salt, 0o600)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read the salt of the passphrase: %w", err)
	}
	return stretched(salt, passphrase)
}

func longEnough(passphrase string) error {
	if len(passphrase) < 12 {
		return &text.Hint{Err: errors.New("the passphrase has fewer than 12 characters"), Hint: "choose a longer one; a few unrelated words do well"}
	}
	return nil
}

// stretched is the key of a passphrase and a salt.
func stretched(salt []byte, passphrase string) (tink.AEAD, error) {
	if err := longEnough(passphrase); err != nil {
		return nil, err
	}
	return rawKEK(argon2.IDKey([]byte(passphrase), salt, passphraseTime, passphraseMemory, passphraseLanes, kekSize))
}

// saltFile is in a folder whose keys a passphrase wraps.
const saltFile = "passphrase.salt"

// CreateFolder makes the folder of keys of a person, a reader or a custodian:
// its key encryption key comes from the passphrase, or from the file DIR.kek
// beside the folder, mode 0600, if that is empty.
func CreateFolder(dir, passphrase string, roles ...Role) (*Store, tink.AEAD, error) {
	if _, err := os.Stat(dir); err == nil {
		return nil, nil, &text.Hint{Err: fmt.Errorf("the folder of keys %s exists", dir), Hint: "give a folder that is not there yet with --keys; keys are never made again"}
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("failed to create the folder of keys: %w", err)
	}
	var kek tink.AEAD
	var err error
	if passphrase != "" {
		kek, err = PassphraseKEK(filepath.Join(dir, saltFile), passphrase)
	} else {
		kek, err = LocalKEK(kekFile(dir))
	}
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	s, err := Open(dir, kek)
	if err == nil {
		err = s.Create(roles...)
	}
	return s, kek, err
}

// OpenFolder opens what CreateFolder made. ask is called for the passphrase of a
// folder that has one.
func OpenFolder(dir string, ask func() (string, error)) (*Store, tink.AEAD, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, nil, fmt.Errorf("failed to open the folder of keys: %w", err)
	}
	var kek tink.AEAD
	salt := filepath.Join(dir, saltFile)
	if _, err := os.Stat(salt); err == nil {
		passphrase, err := ask()
		if err != nil {
			return nil, nil, err
		}
		if kek, err = PassphraseKEK(salt, passphrase); err != nil {
			return nil, nil, err
		}
	} else {
		if _, err := os.Stat(kekFile(dir)); err != nil {
			return nil, nil, fmt.Errorf("failed to read the key file of the folder of keys: %w", err)
		}
		if kek, err = LocalKEK(kekFile(dir)); err != nil {
			return nil, nil, err
		}
	}
	s, err := Open(dir, kek)
	return s, kek, err
}

func kekFile(dir string) string { return filepath.Clean(dir) + ".kek" }
