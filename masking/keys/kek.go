package keys

import (
	"bytes"
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

// LocalKEK returns the key encryption key in the file at path, a Tink keyset
// in clear that only its owner may read, and makes it if it is missing. The
// file belongs outside the data folder, so that a copy of the folder alone
// opens nothing.
func LocalKEK(path string) (tink.AEAD, error) {
	b, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		if b, err = makeKEK(path); errors.Is(err, fs.ErrExist) {
			b, err = readPrivate(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read the key file: %w", err)
	}
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(b)))
	if err != nil {
		// Tink's error is left out: it may quote the file.
		return nil, &text.Hint{
			Err:  fmt.Errorf("failed to read the key file: %s is not a Tink keyset", path),
			Hint: "put back the key file from its back-up",
		}
	}
	a, err := aead.New(h)
	if err != nil {
		return nil, fmt.Errorf("failed to use the key file %s: %w", path, err)
	}
	return a, nil
}

func makeKEK(path string) ([]byte, error) {
	p, err := kekParameters()
	if err != nil {
		return nil, err
	}
	h, err := fresh(p)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return b.Bytes(), durable.New(path, b.Bytes(), 0o600)
}

// LocalKEKNote is what a start message says about the key file at path.
func LocalKEKNote(path string) string {
	return "the keys of this data folder are wrapped by the key file " + path +
		": without it nothing sealed can be opened again and no pseudonym made again, by anyone. " +
		"Copy it to a place that is neither this machine nor the back-up of the data folder. " +
		"Use a key management service instead of a file for real data"
}
