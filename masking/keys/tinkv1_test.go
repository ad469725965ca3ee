package keys_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/tallystick/tallystick/masking/keys"
)

// TestOldTinkKeysets opens keysets that github.com/google/tink/go, the module
// before v2, has written: see testdata/tinkv1.
func TestOldTinkKeysets(t *testing.T) {
	b, err := os.ReadFile("testdata/tinkv1.json")
	if err != nil {
		t.Fatal(err)
	}
	opensOld(t, b)
}

// opensOld checks that what testdata/tinkv1 printed opens.
func opensOld(t *testing.T, b []byte) {
	t.Helper()
	var old struct {
		KEK, Line, Ledger, Site    json.RawMessage
		Ciphertext, Signature, Sum []byte
	}
	if err := json.Unmarshal(b, &old); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	for name, b := range map[string][]byte{
		"kek.json": old.KEK, "line.keyset": old.Line, "ledger.keyset": old.Ledger, "site.keyset": old.Site,
	} {
		if err := os.WriteFile(filepath.Join(root, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	kek, err := keys.LocalKEK(filepath.Join(root, "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := keys.Open(root, kek)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := s.LineDecrypt()
	if err != nil {
		t.Fatal(err)
	}
	if pt, err := dec.Decrypt(old.Ciphertext, []byte("context")); err != nil || string(pt) != "line" {
		t.Errorf("an old ciphertext opens as %q, error %v", pt, err)
	}
	signer, err := s.LedgerSigner()
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(signer.Public(), []byte("message"), old.Signature) {
		t.Error("an old signature does not verify")
	}
	site, err := s.SitePRF()
	if err != nil {
		t.Fatal(err)
	}
	if got := site.Sum(nil, []byte("message")); !bytes.Equal(got, old.Sum) {
		t.Error("the PRF gives other bytes than it did")
	}
}
