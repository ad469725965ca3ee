package seal

import (
	"encoding/base64"
	"encoding/binary"

	"github.com/tallystick/tallystick/masking/keys"
)

// StreamName names a stream by what makes it up (for a file: host, path
// without rotation suffix, first complete line): 16 characters of base64url
// that a guess can't confirm without the site fingerprint key.
func StreamName(site *keys.PRF, parts ...string) string {
	b := []byte("tallystick stream v1")
	for _, p := range parts {
		b = binary.AppendUvarint(b, uint64(len(p)))
		b = append(b, p...)
	}
	return base64.RawURLEncoding.EncodeToString(site.Sum(nil, b)[:12])
}
