package reencrypt_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/tallystick/tallystick/masking/reencrypt"
)

// hexBytes are bytes as the vectors have them.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// vector is one exchange: everything that passed between the roles, and their keys.
type vector struct {
	Threshold     int        `json:"threshold"`
	Shares        int        `json:"shares"`
	SignDelegator bool       `json:"sign_delegating_key"`
	SignReceiver  bool       `json:"sign_receiving_key"`
	DelegatorKey  hexBytes   `json:"delegating_secret_key"`
	DelegatorPub  hexBytes   `json:"delegating_public_key"`
	ReceiverKey   hexBytes   `json:"receiving_secret_key"`
	ReceiverPub   hexBytes   `json:"receiving_public_key"`
	SignerKey     hexBytes   `json:"signer_secret_key"`
	SignerPub     hexBytes   `json:"verifying_key"`
	Plaintext     hexBytes   `json:"plaintext"`
	Ciphertext    hexBytes   `json:"ciphertext"`
	Capsule       hexBytes   `json:"capsule"`
	CapsuleSimple hexBytes   `json:"capsule_simple,omitempty"`
	KeyFragments  []hexBytes `json:"kfrags"`
	Fragments     []hexBytes `json:"cfrags"`
	Simple        []hexBytes `json:"cfrags_simple,omitempty"`
}

func (v *vector) name() string {
	return fmt.Sprintf("%d of %d, delegator %t, receiver %t, %d bytes", v.Threshold, v.Shares, v.SignDelegator, v.SignReceiver, len(v.Plaintext))
}

func readVectors(t testing.TB) []vector {
	t.Helper()
	b, err := os.ReadFile("testdata/umbral-pre-0.10.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Peer    string   `json:"peer"`
		Vectors []vector `json:"vectors"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	return file.Vectors
}

// TestVectors plays each role on what the peer wrote.
func TestVectors(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.name(), func(t *testing.T) { checkVector(t, &v) })
	}
}

func checkVector(t *testing.T, v *vector) {
	t.Helper()
	delegator, receiver := privateKey(t, v.DelegatorKey), privateKey(t, v.ReceiverKey)
	p := reencrypt.Parties{
		Signer:    publicKey(t, v.SignerPub),
		Delegator: publicKey(t, v.DelegatorPub),
		Receiver:  publicKey(t, v.ReceiverPub),
	}
	if !delegator.Public().Equal(p.Delegator) || !receiver.Public().Equal(p.Receiver) {
		t.Fatal("the public keys are not those of the private keys")
	}
	c, err := reencrypt.ParseCapsule(v.Capsule)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(c.Bytes(), v.Capsule) || v.CapsuleSimple != nil && !bytes.Equal(c.Simple(), v.CapsuleSimple) {
		t.Fatal("the capsule does not encode as it was")
	}
	secret, err := delegator.Decapsulate(c)
	if err != nil {
		t.Fatal(err)
	}
	unseals(t, secret, c, v.Ciphertext, v.Plaintext)
	var ours []*reencrypt.VerifiedFragment
	for i, b := range v.KeyFragments {
		kf := checkKeyFragment(t, v, b, p)
		cf, err := kf.Transform(c)
		if err != nil {
			t.Fatal(err)
		}
		ours = append(ours, verified(t, cf, c, p))
		if i+1 >= v.Threshold {
			secret, err := receiver.Open(ours)
			if err != nil {
				t.Fatalf("with %d of ours: %v", i+1, err)
			}
			unseals(t, secret, c, v.Ciphertext, v.Plaintext)
		}
	}
	var theirs []*reencrypt.VerifiedFragment
	for i, b := range v.Fragments {
		cf, err := reencrypt.ParseCapsuleFragment(b)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(cf.Bytes(), b) || v.Simple != nil && !bytes.Equal(cf.Simple(), v.Simple[i]) {
			t.Fatal("the capsule fragment does not encode as it was")
		}
		theirs = append(theirs, verified(t, cf, c, p))
	}
	secret, err = receiver.Open(theirs[len(theirs)-v.Threshold:])
	if err != nil {
		t.Fatal(err)
	}
	unseals(t, secret, c, v.Ciphertext, v.Plaintext)
}

func checkKeyFragment(t *testing.T, v *vector, b []byte, p reencrypt.Parties) *reencrypt.KeyFragment {
	t.Helper()
	kf, err := reencrypt.ParseKeyFragment(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(kf.Bytes(), b) {
		t.Fatal("the key fragment does not encode as it was")
	}
	if err := kf.Verify(p); err != nil {
		t.Fatal(err)
	}
	if v.SignDelegator != (kf.Binding()&reencrypt.BindDelegator != 0) || v.SignReceiver != (kf.Binding()&reencrypt.BindReceiver != 0) {
		t.Fatalf("bound to %b", kf.Binding())
	}
	return kf
}

func privateKey(t testing.TB, b []byte) *reencrypt.PrivateKey {
	t.Helper()
	k, err := reencrypt.NewPrivateKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func publicKey(t testing.TB, b []byte) *reencrypt.PublicKey {
	t.Helper()
	k, err := reencrypt.NewPublicKey(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func verified(t testing.TB, f *reencrypt.CapsuleFragment, c *reencrypt.Capsule, p reencrypt.Parties) *reencrypt.VerifiedFragment {
	t.Helper()
	v, err := f.Verify(c, p)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func unseals(t testing.TB, s reencrypt.Secret, c *reencrypt.Capsule, ciphertext, want []byte) {
	t.Helper()
	got, err := s.Unseal(c, ciphertext)
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("unsealed %d bytes that are not the plaintext, error %v", len(got), err)
	}
}
