package keys

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/text"
)

// wrappedFile is in a folder of keysets whose KEK a key management service wraps.
const wrappedFile = "kek.json"

// kekBound is the associated data of a wrapped KEK.
var kekBound = []byte("tallystick key encryption key")

// Wrapper encrypts and decrypts with a key that never leaves a key management
// service.
type Wrapper interface{ tink.AEADWithContext }

// KEK is a key encryption key in memory.
type KEK struct {
	tink.AEAD
	// Made says that opening it made it.
	Made bool

	handle  *keyset.Handle
	wrapped json.RawMessage // as it was read; nil without a service
	by      Wrapper
}

// wrappedKEK is the content of wrappedFile. Neither part is secret.
type wrappedKEK struct {
	Service string          `json:"service"` // URI of the key that wraps
	Keyset  json.RawMessage `json:"keyset"`  // encrypted, as Tink writes it
}

func kekOf(h *keyset.Handle) (*KEK, error) {
	a, err := aead.New(h)
	if err != nil {
		return nil, err
	}
	return &KEK{AEAD: a, handle: h}, nil
}

// WrappedBy says which service's key wraps the KEK of the folder, "" for none.
func WrappedBy(dir string) (string, error) {
	w, err := readWrapped(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return w.Service, err
}

func readWrapped(dir string) (w wrappedKEK, err error) {
	b, err := os.ReadFile(filepath.Join(dir, wrappedFile))
	if err != nil {
		return w, fmt.Errorf("failed to read the wrapped key-encryption key: %w", err)
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return w, fmt.Errorf("failed to read the wrapped key-encryption key: %s is malformed", filepath.Join(dir, wrappedFile))
	}
	return w, nil
}

// ServiceKEK has the service unwrap the KEK of the folder of keysets dir, and
// makes one where the folder has no keys yet. The folder holds it wrapped, and
// the process holds it in memory as long as it runs.
func ServiceKEK(ctx context.Context, dir, uri string, by Wrapper) (*KEK, error) {
	w, err := readWrapped(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return makeWrapped(ctx, dir, uri, by)
	}
	if err != nil {
		return nil, err
	}
	if w.Service != uri {
		return nil, &text.Hint{
			Err:  fmt.Errorf("keys.kek names %s, but %s wraps the key-encryption key of this data folder", uri, w.Service),
			Hint: "set keys.kek to the latter; tallystick keys rewrap changes it",
		}
	}
	h, err := unwrap(ctx, w.Keyset, by)
	if err != nil {
		return nil, err
	}
	k, err := kekOf(h)
	if err != nil {
		return nil, err
	}
	k.wrapped, k.by = w.Keyset, by
	return k, nil
}

func unwrap(ctx context.Context, b []byte, by Wrapper) (*keyset.Handle, error) {
	n := noted{Wrapper: by}
	h, err := keyset.ReadWithContext(ctx, keyset.NewJSONReader(bytes.NewReader(b)), &n, kekBound)
	if err != nil {
		return nil, fmt.Errorf("failed to unwrap the key-encryption key: %w", cmp.Or(n.err, err))
	}
	return h, nil
}

// noted keeps the error of a service, which Tink turns into text.
type noted struct {
	Wrapper
	err error
}

func (n *noted) EncryptWithContext(ctx context.Context, plaintext, associated []byte) (b []byte, err error) {
	b, n.err = n.Wrapper.EncryptWithContext(ctx, plaintext, associated)
	return b, n.err
}

func (n *noted) DecryptWithContext(ctx context.Context, ciphertext, associated []byte) (b []byte, err error) {
	b, n.err = n.Wrapper.DecryptWithContext(ctx, ciphertext, associated)
	return b, n.err
}

// HasKeysets reports whether a folder has keysets; they may not open.
func HasKeysets(dir string) (bool, error) {
	names, err := fs.Glob(os.DirFS(dir), "*.keyset")
	if err != nil {
		return false, fmt.Errorf("failed to read the folder of keysets: %w", err)
	}
	return len(names) > 0, nil
}

func makeWrapped(ctx context.Context, dir, uri string, by Wrapper) (*KEK, error) {
	have, err := HasKeysets(dir)
	if err != nil {
		return nil, err
	}
	if have {
		return nil, &text.Hint{
			Err:  fmt.Errorf("keys.kek names %s, but a key file wraps the keys of this data folder", uri),
			Hint: "set keys.kek to the key file (leave it out for the default), then tallystick keys rewrap " + uri,
		}
	}
	k, err := newKEK()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("failed to create the folder of keysets: %w", err)
	}
	b, err := k.wrap(ctx, uri, by)
	if err != nil {
		return nil, err
	}
	err = durable.New(filepath.Join(dir, wrappedFile), b, 0o600)
	if errors.Is(err, fs.ErrExist) { // another process was first
		return ServiceKEK(ctx, dir, uri, by)
	}
	if err != nil {
		return nil, fmt.Errorf("failed to write the wrapped key-encryption key: %w", err)
	}
	k.Made = true
	return k, nil
}

// wrap returns the content of wrappedFile, and remembers it for Check.
func (k *KEK) wrap(ctx context.Context, uri string, by Wrapper) ([]byte, error) {
	var b bytes.Buffer
	n := noted{Wrapper: by}
	if err := k.handle.WriteWithContext(ctx, keyset.NewJSONWriter(&b), &n, kekBound); err != nil {
		return nil, fmt.Errorf("failed to wrap the key-encryption key: %w", cmp.Or(n.err, err))
	}
	k.wrapped, k.by = b.Bytes(), by
	out, err := json.MarshalIndent(wrappedKEK{Service: uri, Keyset: b.Bytes()}, "", "  ")
	return append(out, '\n'), err
}

// Check asks the service that unwrapped the KEK whether it would still do so.
// A KEK of a file is always well.
func (k *KEK) Check(ctx context.Context) error {
	if k.by == nil {
		return nil
	}
	_, err := unwrap(ctx, k.wrapped, k.by)
	return err
}

// Rewrap has a service wrap the same KEK in the folder dir from now on, so that
// no keyset changes. Wrapping by the same service takes the newest version of
// its key.
func (k *KEK) Rewrap(ctx context.Context, dir, uri string, by Wrapper) error {
	next := &KEK{AEAD: k.AEAD, handle: k.handle}
	b, err := next.wrap(ctx, uri, by)
	if err != nil {
		return err
	}
	if err := next.Check(ctx); err != nil { // before the old way in is gone
		return err
	}
	if err := durable.Replace(filepath.Join(dir, wrappedFile), b, 0o600); err != nil {
		return fmt.Errorf("failed to write the wrapped key-encryption key: %w", err)
	}
	return nil
}

// Unwrap writes the KEK to a key file that must not exist, and forgets the
// service that wrapped it.
func (k *KEK) Unwrap(dir, path string) error {
	if err := k.Save(path); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, wrappedFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("failed to remove the wrapped key-encryption key: %w", err)
	}
	return durable.SyncDir(dir)
}

// clear is the KEK as a key file has it.
func (k *KEK) clear() ([]byte, error) {
	var b bytes.Buffer
	err := insecurecleartextkeyset.Write(k.handle, keyset.NewJSONWriter(&b))
	return b.Bytes(), err
}

func kekFromClear(b []byte) (*KEK, error) {
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(b)))
	if err != nil {
		return nil, errors.New("not a Tink keyset") // Tink's error may quote it
	}
	return kekOf(h)
}
