package keys

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/internal/text"
)

// LocalKEK returns the key encryption key in the file at path, a Tink keyset
// in clear that only its owner may read, and makes it if it is missing. The
// file belongs outside the data folder, so that a copy of the folder alone
// opens nothing.
func LocalKEK(path string) (*KEK, error) {
	made := false
	b, err := private.Read("key file", path)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = makeKEK(path)
		if made = err == nil; errors.Is(err, fs.ErrExist) {
			b, err = private.Read("key file", path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read the key file: %w", err)
	}
	k, err := kekFromClear(b)
	if err != nil {
		return nil, &text.Hint{
			Err:  fmt.Errorf("failed to read the key file: %s is %w", path, err),
			Hint: "put back the key file from its back-up",
		}
	}
	k.Made = made
	return k, nil
}

// newKEK makes a key-encryption key.
func newKEK() (*KEK, error) {
	p, err := kekParameters()
	if err != nil {
		return nil, err
	}
	h, err := fresh(p)
	if err != nil {
		return nil, err
	}
	return kekOf(h)
}

func makeKEK(path string) ([]byte, error) {
	k, err := newKEK()
	if err != nil {
		return nil, err
	}
	b, err := k.clear()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return b, durable.New(path, b, 0o600)
}

// LocalKEKNote is what a start message says about the key file at path.
func LocalKEKNote(path string) string {
	return "the keys of this data folder are wrapped by the key file " + path +
		": without it nothing sealed can be opened again and no pseudonym made again, by anyone. " +
		"Copy it to a place that is neither this machine nor the back-up of the data folder. " +
		"Use a key management service instead of a file for real data"
}
