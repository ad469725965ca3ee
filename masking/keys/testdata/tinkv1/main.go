// Command tinkv1 writes keysets with the module that Tink for Go was before
// v2, as JSON on standard output: a KEK in clear and one wrapped keyset for
// each kind of key. Its output is ../tinkv1.json, which a test opens.
package main

import (
	"bytes"
	"encoding/json"
	"log"
	"os"

	"github.com/google/tink/go/aead"
	"github.com/google/tink/go/hybrid"
	"github.com/google/tink/go/insecurecleartextkeyset"
	"github.com/google/tink/go/keyset"
	"github.com/google/tink/go/prf"
	tinkpb "github.com/google/tink/go/proto/tink_go_proto"
	"github.com/google/tink/go/signature"
)

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	out := map[string]json.RawMessage{}
	kek, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(kek, keyset.NewJSONWriter(&b)); err != nil {
		return err
	}
	out["kek"] = bytes.Clone(b.Bytes())
	wrap, err := aead.New(kek)
	if err != nil {
		return err
	}
	for role, t := range map[string]*tinkpb.KeyTemplate{
		"line":   hybrid.DHKEM_X25519_HKDF_SHA256_HKDF_SHA256_AES_256_GCM_Key_Template(),
		"ledger": signature.ED25519KeyWithoutPrefixTemplate(),
		"site":   prf.HMACSHA256PRFKeyTemplate(),
	} {
		h, err := keyset.NewHandle(t)
		if err != nil {
			return err
		}
		b.Reset()
		if err := h.WriteWithAssociatedData(keyset.NewJSONWriter(&b), wrap, []byte("tallystick keyset "+role)); err != nil {
			return err
		}
		out[role] = bytes.Clone(b.Bytes())
		switch role {
		case "site":
			set, err := prf.NewPRFSet(h)
			if err != nil {
				return err
			}
			sum, err := set.ComputePrimaryPRF([]byte("message"), 32)
			if err != nil {
				return err
			}
			out["sum"], _ = json.Marshal(sum)
		case "line":
			pub, err := h.Public()
			if err != nil {
				return err
			}
			enc, err := hybrid.NewHybridEncrypt(pub)
			if err != nil {
				return err
			}
			ct, err := enc.Encrypt([]byte("line"), []byte("context"))
			if err != nil {
				return err
			}
			out["ciphertext"], _ = json.Marshal(ct)
		case "ledger":
			s, err := signature.NewSigner(h)
			if err != nil {
				return err
			}
			sig, err := s.Sign([]byte("message"))
			if err != nil {
				return err
			}
			out["signature"], _ = json.Marshal(sig)
		}
	}
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
