package keys

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/hybrid"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// ErrUnavailable is wrapped when keys can't be read or noted: a fault of the
// machine, and no sign that a ciphertext is not for them.
var ErrUnavailable = errors.New("the keys are not available")

// LineDecrypt returns the primitive that opens what taps sealed. It follows
// the keyset: keys that are added or destroyed later need no restart.
func (s *Store) LineDecrypt() (tink.HybridDecrypt, error) {
	d := &lineDecrypt{store: s, noted: map[string]time.Time{}}
	_, err := d.current()
	return d, err
}

type lineDecrypt struct {
	store *Store

	mu      sync.Mutex
	handle  *keyset.Handle // that prim and primary are of
	prim    tink.HybridDecrypt
	primary string
	noted   map[string]time.Time // retired key -> when its use was last noted
}

// Decrypt implements tink.HybridDecrypt.
func (d *lineDecrypt) Decrypt(ciphertext, contextInfo []byte) ([]byte, error) {
	prim, err := d.current()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	b, err := prim.Decrypt(ciphertext, contextInfo)
	if err != nil {
		return nil, err
	}
	if err := d.used(ciphertext, time.Now()); err != nil {
		return nil, fmt.Errorf("%w: failed to note the use of a retired line key: %w", ErrUnavailable, err)
	}
	return b, nil
}

func (d *lineDecrypt) current() (tink.HybridDecrypt, error) {
	h, err := d.store.handle(RoleLine)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.handle == h {
		return d.prim, nil
	}
	e, err := h.Primary()
	if err != nil {
		return nil, err
	}
	prim, err := hybrid.NewHybridDecrypt(h)
	if err != nil {
		return nil, fmt.Errorf("failed to use the line keys: %w", err)
	}
	d.handle, d.prim, d.primary = h, prim, keyID(e.KeyID())
	return d.prim, nil
}

// used notes now and then which retired key opened a ciphertext: its prefix
// names the key (Tink's variant TINK: 1, then the id in 4 bytes).
func (d *lineDecrypt) used(ciphertext []byte, now time.Time) error {
	id := keyID(binary.BigEndian.Uint32(ciphertext[1:5]))
	d.mu.Lock()
	due := id != d.primary && now.Sub(d.noted[id]) >= usedEvery
	if due {
		d.noted[id] = now
	}
	d.mu.Unlock()
	if !due {
		return nil
	}
	return d.store.usedLine(id, now)
}

// LineEncrypt seals to the newest public line key of a folder, and follows its
// file: a key that is published later needs no restart. It is a
// tink.HybridEncrypt, safe for concurrent use.
type LineEncrypt struct {
	dir string

	mu   sync.Mutex
	file fs.FileInfo
	prim tink.HybridEncrypt
	id   string
}

// LinePublic opens the public line key in dir and refuses it unless the
// installation key in dir signed it. A tap needs nothing else to seal.
func LinePublic(dir string) (*LineEncrypt, error) {
	e := &LineEncrypt{dir: dir}
	_, _, err := e.current()
	return e, err
}

// Encrypt implements tink.HybridEncrypt.
func (e *LineEncrypt) Encrypt(plaintext, contextInfo []byte) ([]byte, error) {
	prim, _, err := e.current()
	if err != nil {
		return nil, err
	}
	return prim.Encrypt(plaintext, contextInfo)
}

// KeyID is the id of the key that Encrypt uses now.
func (e *LineEncrypt) KeyID() string {
	_, id, _ := e.current()
	return id
}

// current is the key in the file. What can't be read or believed any more is no
// reason to use an older key: sealing fails, and is tried again.
func (e *LineEncrypt) current() (tink.HybridEncrypt, string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f, err := os.Stat(filepath.Join(e.dir, lineFile))
	if err != nil {
		return nil, e.id, fmt.Errorf("failed to load the line public key: %w", err)
	}
	if e.file != nil && unchanged(e.file, f) {
		return e.prim, e.id, nil
	}
	prim, id, err := readLinePublic(e.dir)
	if err != nil {
		return nil, e.id, fmt.Errorf("failed to load the line public key: %w", err)
	}
	e.file, e.prim, e.id = f, prim, id
	return prim, id, nil
}
