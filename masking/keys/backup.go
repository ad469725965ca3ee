package keys

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/hybrid"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/internal/text"
)

// backupVersion is of the format of a back-up.
const backupVersion = 1

// Backup is a back-up of the keys of an installation: the folder of keysets and
// the keys of declared principals' pseudonyms. Day keys are left out, so that a
// destroyed one never comes back. Its content is encrypted to the installation's
// KEK, or to a passphrase, and then holds the KEK too.
type Backup struct {
	Version      int       `json:"tallystick_key_backup"`
	Installation string    `json:"installation"`
	Made         time.Time `json:"made"`
	// Salt is of the passphrase; empty where the KEK opens the content.
	Salt []byte `json:"salt,omitempty"`
	// KEK is the KEK as a service wrapped it; empty for a key file.
	KEK     *wrappedKEK `json:"kek,omitempty"`
	Content []byte      `json:"content"` // encrypted

	opened *backupContent // nil until it is opened
}

// backupContent is what a back-up holds.
type backupContent struct {
	KEK        json.RawMessage   `json:"kek,omitempty"` // in clear, under a passphrase only
	Files      map[string][]byte `json:"files"`         // of the folder of keysets, by path with slashes
	Pseudonyms []PseudonymKey    `json:"pseudonyms,omitempty"`
	Proofs     []proof           `json:"proofs"`
}

// PseudonymKey is a pseudonym key of the register, wrapped by the KEK.
type PseudonymKey struct {
	Domain       string    `json:"domain"`
	Kind         string    `json:"kind"`
	Period       string    `json:"period"`
	ID           string    `json:"id"`
	Wrapped      string    `json:"wrapped"`
	Created      time.Time `json:"created"`
	DestroyAfter time.Time `json:"destroy_after"`
	Retired      time.Time `json:"retired,omitzero"`
}

// proof is a text that a line key sealed when the back-up was made: whoever
// restores opens it.
type proof struct {
	KeyID  string `json:"key_id"`
	Text   []byte `json:"text"`
	Sealed []byte `json:"sealed"`
}

var proofContext = []byte("tallystick back-up proof")

// bound is what the content is bound to.
func (b *Backup) bound() []byte {
	return fmt.Appendf(nil, "tallystick key back-up %d %s %s", b.Version, b.Installation, b.Made.UTC().Format(time.RFC3339Nano))
}

// Backup returns a back-up of the folder and of these pseudonym keys. Without a
// passphrase it is encrypted to the KEK.
func (s *Store) Backup(installation string, kek *KEK, passphrase string, pseudonyms []PseudonymKey, now time.Time) ([]byte, error) {
	b := Backup{Version: backupVersion, Installation: installation, Made: now.UTC()}
	if w, err := readWrapped(s.dir); err == nil {
		b.KEK = &w
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	s.changes.Lock() // no keyset changes between its copy and its proof
	defer s.changes.Unlock()
	c := backupContent{Pseudonyms: pseudonyms}
	var err error
	if c.Files, err = s.copyFiles(); err != nil {
		return nil, err
	}
	if c.Proofs, err = s.proofs(); err != nil {
		return nil, err
	}
	var with tink.AEAD = kek
	if passphrase != "" {
		b.KEK, b.Salt = nil, make([]byte, 16)
		_, _ = rand.Read(b.Salt)
		if with, err = stretched(b.Salt, passphrase); err != nil {
			return nil, err
		}
		if c.KEK, err = kek.clear(); err != nil {
			return nil, err
		}
	}
	clear, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	if b.Content, err = with.Encrypt(clear, b.bound()); err != nil {
		return nil, fmt.Errorf("failed to encrypt the back-up: %w", err)
	}
	return json.Marshal(&b)
}

// copyFiles reads what a back-up keeps of the folder.
func (s *Store) copyFiles() (map[string][]byte, error) {
	files := map[string][]byte{}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(s.dir, path)
		if err != nil || !kept(filepath.ToSlash(name)) {
			return err
		}
		b, err := os.ReadFile(path)
		files[filepath.ToSlash(name)] = b
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("failed to read the folder of keysets: %w", err)
	}
	return files, nil
}

// kept reports whether a file of the folder belongs in a back-up. The wrapped
// KEK has a place of its own.
func kept(name string) bool {
	base := name[strings.LastIndexByte(name, '/')+1:]
	switch filepath.Ext(base) {
	case ".keyset", ".pub", ".times":
		return base[0] != '.' && filepath.IsLocal(filepath.FromSlash(name)) && strings.Count(name, "/") <= 1
	}
	return false
}

// proofs seals a random text with each line key.
func (s *Store) proofs() ([]proof, error) {
	h, err := s.handle(RoleLine)
	if err != nil {
		return nil, err
	}
	half, err := h.Public()
	if err != nil {
		return nil, err
	}
	var out []proof
	for i := range half.Len() {
		e, err := half.Entry(i)
		if err != nil {
			return nil, err
		}
		if e.KeyStatus() != keyset.Enabled {
			continue
		}
		m := keyset.NewManagerFromHandle(half)
		if err := m.SetPrimary(e.KeyID()); err != nil {
			return nil, err
		}
		one, err := m.Handle()
		if err != nil {
			return nil, err
		}
		enc, err := hybrid.NewHybridEncrypt(one)
		if err != nil {
			return nil, err
		}
		p := proof{KeyID: keyID(e.KeyID()), Text: make([]byte, 16)}
		_, _ = rand.Read(p.Text)
		if p.Sealed, err = enc.Encrypt(p.Text, proofContext); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// ReadBackup reads a back-up without opening it.
func ReadBackup(data []byte) (*Backup, error) {
	var b Backup
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil || d.More() || b.Version == 0 || len(b.Content) == 0 {
		return nil, &text.Hint{Err: errors.New("the file is no back-up of keys"), Hint: "give the file that tallystick keys backup wrote"}
	}
	if b.Version != backupVersion {
		return nil, &text.Hint{Err: fmt.Errorf("the back-up has format %d, which this version does not know", b.Version), Hint: "restore it with the version that made it"}
	}
	return &b, nil
}

// Service is the URI of the key that wraps the KEK, "" for none.
func (b *Backup) Service() string {
	if b.KEK == nil {
		return ""
	}
	return b.KEK.Service
}
