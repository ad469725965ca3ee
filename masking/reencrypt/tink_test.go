package reencrypt_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/tink-crypto/tink-go/v2/core/registry"
	"github.com/tink-crypto/tink-go/v2/keyset"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/tallystick/tallystick/masking/reencrypt"
)

// TestKeyType makes a key by Tink's own template call and takes it apart
// again. Keysets in files are masking/keys' and tested there.
func TestKeyType(t *testing.T) {
	for range 2 {
		if err := reencrypt.Register(); err != nil {
			t.Fatal(err)
		}
	}
	h, err := keyset.NewHandle(reencrypt.Template())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Public(); err != nil {
		t.Fatal(err)
	}
	d, err := registry.NewKeyData(reencrypt.Template())
	if err != nil {
		t.Fatal(err)
	}
	pair, _, err := reencrypt.FromKeyData(d)
	if err != nil || !bytes.Equal(pair.Bytes(), d.Value[1:]) {
		t.Fatalf("read another key, error %v", err)
	}
	m, err := registry.GetKeyManager(reencrypt.PrivateKeyType)
	if err != nil {
		t.Fatal(err)
	}
	half, err := m.(registry.PrivateKeyManager).PublicKeyData(d.Value)
	if err != nil {
		t.Fatal(err)
	}
	_, pub, err := reencrypt.FromKeyData(half)
	if err != nil || !pub.Equal(pair.Public()) {
		t.Fatalf("read another public half, error %v", err)
	}
	if half.KeyMaterialType != tinkpb.KeyData_ASYMMETRIC_PUBLIC || d.KeyMaterialType != tinkpb.KeyData_ASYMMETRIC_PRIVATE {
		t.Error("the halves do not say what they are")
	}
}

func TestUnknownKeyData(t *testing.T) {
	k := generate(t)
	for _, tc := range []struct {
		name, url string
		value     []byte
	}{
		{"later version", reencrypt.PrivateKeyType, append([]byte{2}, k.Bytes()...)},
		{"public as private", reencrypt.PrivateKeyType, append([]byte{1}, k.Public().Bytes()...)},
		{"private as public", reencrypt.PublicKeyType, append([]byte{1}, k.Bytes()...)},
	} {
		if _, _, err := reencrypt.FromKeyData(&tinkpb.KeyData{TypeUrl: tc.url, Value: tc.value}); !errors.Is(err, reencrypt.ErrKeyData) {
			t.Errorf("%s: error %v, want %v", tc.name, err, reencrypt.ErrKeyData)
		}
	}
	bad := reencrypt.Template()
	bad.Value = []byte{9}
	if _, err := keyset.NewHandle(bad); err == nil {
		t.Error("made a key of an unknown version")
	}
}
