package keys

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/daead/aessiv"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/tallystick/tallystick/internal/durable"
	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/internal/text"
)

// Domain holds the keys of one domain of the stand-alone masker. Tokens of two
// domains never match, because their keys are made independently of each other.
type Domain struct {
	// Name is the domain's name.
	Name string
	// Pseudonyms is the key of one-way tokens.
	Pseudonyms *PRF
	// SealID is the key id of reversible tokens.
	SealID string
	// Made says that OpenDomain made the file.
	Made bool

	seal, format []byte
}

// SealKey is the 64-byte AES-SIV key of reversible tokens.
func (d *Domain) SealKey() []byte { return d.seal }

// FormatKey is the AES-256 key of format-preserving encryption: the PRF of the
// pseudonym key over a constant that no pseudonym is made of.
func (d *Domain) FormatKey() []byte { return d.format }

// domainFile is the file of a domain: Tink keysets in clear.
type domainFile struct {
	Domain     string          `json:"domain"`
	Pseudonyms json.RawMessage `json:"pseudonyms"`
	Tokens     json.RawMessage `json:"tokens"`
}

// OpenDomain opens the key file of a domain, which only its owner may read, and
// makes it if it is missing. Unlike the keysets of a Store it is no part of a
// data folder: who has the file can make and open the domain's tokens.
func OpenDomain(path, name string) (*Domain, error) {
	made := false
	b, err := private.Read("key file", path)
	if errors.Is(err, fs.ErrNotExist) {
		b, err = makeDomain(path, name)
		if made = err == nil; errors.Is(err, fs.ErrExist) {
			b, err = private.Read("key file", path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read the key file of domain %s: %w", name, err)
	}
	broken := func(what string) error {
		// Errors of the decoders are left out: they may quote the file.
		return &text.Hint{
			Err:  fmt.Errorf("failed to read the key file of domain %s: %s %s", name, path, what),
			Hint: "put back the key file from its back-up, or name another with --keys",
		}
	}
	var f domainFile
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, broken("is no key file")
	}
	if f.Domain != name {
		return nil, broken("belongs to another domain")
	}
	d := &Domain{Name: name, Made: made}
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(f.Pseudonyms)))
	if err != nil {
		return nil, broken("has no keyset of pseudonyms")
	}
	if d.Pseudonyms, err = prfOf(h); err != nil {
		return nil, err
	}
	if h, err = insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(f.Tokens))); err != nil {
		return nil, broken("has no keyset of tokens")
	}
	e, err := h.Primary()
	if err != nil {
		return nil, err
	}
	k, ok := e.Key().(*aessiv.Key)
	if !ok {
		return nil, broken("has a keyset of tokens that is not AES-SIV")
	}
	d.SealID, d.seal = keyID(e.KeyID()), k.KeyBytes().Data(insecuresecretdataaccess.Token{})
	d.format = d.Pseudonyms.Sum(nil, []byte("\x00tallystick ff1"))
	return d, nil
}

func makeDomain(path, name string) ([]byte, error) {
	f := domainFile{Domain: name}
	p, err := prfParameters()
	if err != nil {
		return nil, err
	}
	if f.Pseudonyms, err = clearKeyset(fresh(p)); err != nil {
		return nil, err
	}
	s, err := aessiv.NewParameters(64, aessiv.VariantNoPrefix)
	if err != nil {
		return nil, err
	}
	if f.Tokens, err = clearKeyset(fresh(s)); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return b, durable.New(path, b, 0o600)
}

func clearKeyset(h *keyset.Handle, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b))
	return b.Bytes(), err
}
