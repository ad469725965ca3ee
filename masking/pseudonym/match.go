package pseudonym

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// access is this package's permission to read clear values: to compare them.
var access plainaccess.Token

// KeyOf is the id of the key that a token names.
func KeyOf(token string) (string, error) {
	version, rest, _ := strings.Cut(token, ".")
	id, digest, ok := strings.Cut(rest, ".")
	b, err := base64.RawURLEncoding.DecodeString(digest)
	if !ok || version != Version || id == "" || err != nil || len(b) != 16 {
		return "", errors.New("this is not a pseudonym")
	}
	return id, nil
}

// Is reports whether a token stands for a value.
func Is(token string, prf *keys.PRF, kind string, value plain.Text) bool {
	return subtle.ConstantTimeCompare([]byte(token), []byte(Token(prf, kind, value.Reveal(access)))) == 1
}
