package keys

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/hybrid/hpke"
	"github.com/tink-crypto/tink-go/v2/key"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
	"github.com/tink-crypto/tink-go/v2/signature/ed25519"
)

// parameters are the algorithms of a role: HPKE of RFC 9180 with X25519,
// HKDF-SHA256 and AES-256-GCM; Ed25519 with raw signatures; HMAC-SHA-256.
func parameters(r Role) (key.Parameters, error) {
	switch r {
	case RoleLine, RoleInbox:
		return hpke.NewParameters(hpke.ParametersOpts{
			KEMID:   hpke.DHKEM_X25519_HKDF_SHA256,
			KDFID:   hpke.HKDFSHA256,
			AEADID:  hpke.AES256GCM,
			Variant: hpke.VariantTink,
		})
	case RoleInstall, RoleTap, RoleLedger, RolePerson:
		p, err := ed25519.NewParameters(ed25519.VariantNoPrefix)
		return &p, err
	case RoleSite, RoleWebhook, RoleErasure:
		return prfParameters()
	}
	return nil, fmt.Errorf("unknown role %s", r)
}

func prfParameters() (key.Parameters, error) {
	return hmacprf.NewParameters(32, hmacprf.SHA256)
}

func kekParameters() (key.Parameters, error) {
	return aesgcm.NewParameters(aesgcm.ParametersOpts{
		KeySizeInBytes: 32, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantTink,
	})
}

// parseKeyID is the inverse of keyID.
func parseKeyID(s string) (uint32, error) {
	b, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(s))
	if err != nil || len(b) != 4 {
		return 0, fmt.Errorf("%q is not a key id", s)
	}
	return binary.BigEndian.Uint32(b), nil
}

// keyID is the text of a Tink key id: 7 characters of a-z and 2-7.
func keyID(id uint32) string {
	b := binary.BigEndian.AppendUint32(nil, id)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b))
}
