package reencrypt_test

import (
	"testing"

	"github.com/tallystick/tallystick/masking/reencrypt"
)

// scene is one grant and one sealed text.
type scene struct {
	delegator, receiver, signer *reencrypt.PrivateKey
	parties                     reencrypt.Parties
	fragments                   []*reencrypt.KeyFragment
	capsule                     *reencrypt.Capsule
	plaintext, ciphertext       []byte
}

func newScene(t testing.TB, threshold, n int, bind reencrypt.Binding) *scene {
	t.Helper()
	s := &scene{delegator: generate(t), receiver: generate(t), signer: generate(t), plaintext: []byte("anna@example.org")}
	s.parties = reencrypt.Parties{Signer: s.signer.Public(), Delegator: s.delegator.Public(), Receiver: s.receiver.Public()}
	var err error
	if s.fragments, err = s.delegator.Grant(s.receiver.Public(), s.signer, threshold, n, bind); err != nil {
		t.Fatal(err)
	}
	var secret reencrypt.Secret
	if s.capsule, secret, err = s.delegator.Public().Encapsulate(); err != nil {
		t.Fatal(err)
	}
	if s.ciphertext, err = secret.Seal(s.capsule, s.plaintext); err != nil {
		t.Fatal(err)
	}
	return s
}

// transform lets the first n custodians work.
func (s *scene) transform(t testing.TB, n int) []*reencrypt.CapsuleFragment {
	t.Helper()
	out := make([]*reencrypt.CapsuleFragment, n)
	for i := range out {
		f, err := s.fragments[i].Transform(s.capsule)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = f
	}
	return out
}

func (s *scene) verify(t testing.TB, fragments []*reencrypt.CapsuleFragment) []*reencrypt.VerifiedFragment {
	t.Helper()
	out := make([]*reencrypt.VerifiedFragment, len(fragments))
	for i, f := range fragments {
		out[i] = verified(t, f, s.capsule, s.parties)
	}
	return out
}

func generate(t testing.TB) *reencrypt.PrivateKey {
	t.Helper()
	k, err := reencrypt.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}
