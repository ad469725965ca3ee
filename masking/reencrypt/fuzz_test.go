package reencrypt_test

import (
	"bytes"
	"testing"

	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"

	"github.com/tallystick/tallystick/masking/reencrypt"
)

// The decoders take one encoding of each thing: what decodes encodes as it was.

func FuzzCapsule(f *testing.F) {
	s := newScene(f, 1, 1, reencrypt.BindBoth)
	seeds(f, s.capsule.Bytes())
	for _, v := range readVectors(f) {
		f.Add([]byte(v.Capsule))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := reencrypt.ParseCapsule(b)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Bytes(), b) {
			t.Fatalf("%x encodes as %x", b, c.Bytes())
		}
		secret, err := s.delegator.Decapsulate(c)
		if err != nil { // a capsule of E = -V, which nobody makes by chance
			return
		}
		if got, err := secret.Unseal(c, s.ciphertext); err == nil && !bytes.Equal(got, s.plaintext) {
			t.Fatal("unsealed something else")
		}
	})
}

func FuzzKeyFragment(f *testing.F) {
	s := newScene(f, 1, 1, reencrypt.BindDelegator)
	original := s.fragments[0].Bytes()
	seeds(f, original)
	for _, v := range readVectors(f) {
		f.Add([]byte(v.KeyFragments[0]))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		kf, err := reencrypt.ParseKeyFragment(b)
		if err != nil {
			return
		}
		if !bytes.Equal(kf.Bytes(), b) {
			t.Fatalf("%x encodes as %x", b, kf.Bytes())
		}
		if err := kf.Verify(s.parties); err == nil && !bytes.Equal(b, original) {
			t.Fatalf("forged: %x", b)
		}
		if _, err := kf.Transform(s.capsule); err != nil {
			t.Fatal(err)
		}
	})
}

func FuzzCapsuleFragment(f *testing.F) {
	s := newScene(f, 1, 1, reencrypt.BindBoth)
	original := s.transform(f, 1)[0].Bytes()
	seeds(f, original)
	for _, v := range readVectors(f) {
		f.Add([]byte(v.Fragments[0]))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		cf, err := reencrypt.ParseCapsuleFragment(b)
		if err != nil {
			return
		}
		if !bytes.Equal(cf.Bytes(), b) {
			t.Fatalf("%x encodes as %x", b, cf.Bytes())
		}
		if _, err := cf.Verify(s.capsule, s.parties); err == nil && !bytes.Equal(b, original) {
			t.Fatalf("forged: %x", b)
		}
	})
}

// FuzzOpen opens with one true fragment and one that nobody verified, and with
// picks of true ones.
func FuzzOpen(f *testing.F) {
	s := newScene(f, 2, 3, reencrypt.BindBoth)
	frags := s.transform(f, 3)
	truly := s.verify(f, frags)
	for i := range frags {
		f.Add(frags[i].Bytes(), []byte{0, byte(i)})
	}
	f.Add([]byte{0x95}, []byte{1, 2, 0})
	for _, v := range readVectors(f) {
		f.Add([]byte(v.Fragments[0]), []byte{2})
	}
	f.Fuzz(func(t *testing.T, b, picks []byte) {
		var some []*reencrypt.VerifiedFragment
		for _, i := range picks[:min(len(picks), 5)] {
			if i == 255 {
				some = append(some, nil)
				continue
			}
			some = append(some, truly[int(i)%len(truly)])
		}
		if cf, err := reencrypt.ParseCapsuleFragment(b); err == nil {
			some = append(some, cf.Unchecked(s.capsule, s.parties))
		}
		secret, err := s.receiver.Open(some)
		if err != nil {
			return
		}
		if got, err := secret.Unseal(s.capsule, s.ciphertext); err != nil || !bytes.Equal(got, s.plaintext) {
			t.Fatalf("opened with fragments that do not open, error %v", err)
		}
	})
}

func FuzzUnseal(f *testing.F) {
	s := newScene(f, 1, 1, reencrypt.BindBoth)
	secret, err := s.delegator.Decapsulate(s.capsule)
	if err != nil {
		f.Fatal(err)
	}
	seeds(f, s.ciphertext)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := secret.Unseal(s.capsule, b); err == nil && !bytes.Equal(b, s.ciphertext) {
			t.Fatalf("forged: %x", b)
		}
	})
}

// FuzzKeyData reads keys out of keysets.
func FuzzKeyData(f *testing.F) {
	k := generate(f)
	f.Add(append([]byte{1}, k.Bytes()...), true)
	f.Add(append([]byte{1}, k.Public().Bytes()...), false)
	f.Add([]byte{}, true)
	f.Fuzz(func(t *testing.T, b []byte, private bool) {
		d := &tinkpb.KeyData{TypeUrl: reencrypt.PublicKeyType, Value: b}
		if private {
			d.TypeUrl = reencrypt.PrivateKeyType
		}
		pair, pub, err := reencrypt.FromKeyData(d)
		switch {
		case err != nil:
		case private && !bytes.Equal(pair.Bytes(), b[1:]), !private && !bytes.Equal(pub.Bytes(), b[1:]):
			t.Fatalf("%x read as another key", b)
		}
	})
}

func seeds(f *testing.F, b []byte) {
	f.Helper()
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add(append(bytes.Clone(b), 0))
	f.Add([]byte{})
}
