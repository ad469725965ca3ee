package reencrypt_test

import (
	"testing"

	"github.com/tallystick/tallystick/masking/reencrypt"
)

// The names after Benchmark are those of the peer's operations in
// testdata/peer/bench.js: scripts/bench-reencrypt.sh puts them side by side.

func BenchmarkEncapsulate(b *testing.B) {
	s := newScene(b, 2, 3, reencrypt.BindBoth)
	text := make([]byte, 64)
	for b.Loop() {
		c, secret, err := s.parties.Delegator.Encapsulate()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := secret.Seal(c, text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEncapsulateFirst reads the key each time, so that it has no table.
func BenchmarkEncapsulateFirst(b *testing.B) {
	s := newScene(b, 2, 3, reencrypt.BindBoth)
	raw, text := s.parties.Delegator.Bytes(), make([]byte, 64)
	for b.Loop() {
		to := publicKey(b, raw)
		c, secret, err := to.Encapsulate()
		if err != nil {
			b.Fatal(err)
		}
		if _, err := secret.Seal(c, text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecapsulate(b *testing.B) {
	s := newScene(b, 2, 3, reencrypt.BindBoth)
	for b.Loop() {
		secret, err := s.delegator.Decapsulate(s.capsule)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := secret.Unseal(s.capsule, s.ciphertext); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGrant(b *testing.B) {
	s := newScene(b, 2, 3, reencrypt.BindBoth)
	for b.Loop() {
		if _, err := s.delegator.Grant(s.parties.Receiver, s.signer, 2, 3, reencrypt.BindBoth); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyKeyFragment(b *testing.B) {
	s := newScene(b, 2, 3, reencrypt.BindBoth)
	raw := s.fragments[0].Bytes()
	for b.Loop() {
		f, err := reencrypt.ParseKeyFragment(raw)
		if err == nil {
			err = f.Verify(s.parties)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyKeyFragmentTwice has a fragment whose two signatures differ,
// as the peer makes them.
func BenchmarkVerifyKeyFragmentTwice(b *testing.B) {
	s := newScene(b, 2, 3, reencrypt.BindReceiver)
	raw := s.fragments[0].Bytes()
	for b.Loop() {
		f, err := reencrypt.ParseKeyFragment(raw)
		if err == nil {
			err = f.Verify(s.parties)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTransform(b *testing.B) {
	s := newScene(b, 2, 3, reencrypt.BindBoth)
	for b.Loop() {
		if _, err := s.fragments[0].Transform(s.capsule); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyCapsuleFragment(b *testing.B) {
	s := newScene(b, 2, 3, reencrypt.BindBoth)
	raw := s.transform(b, 1)[0].Bytes()
	for b.Loop() {
		f, err := reencrypt.ParseCapsuleFragment(raw)
		if err == nil {
			_, err = f.Verify(s.capsule, s.parties)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	s := newScene(b, 2, 3, reencrypt.BindBoth)
	frags := s.verify(b, s.transform(b, 2))
	for b.Loop() {
		secret, err := s.receiver.Open(frags)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := secret.Unseal(s.capsule, s.ciphertext); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParseCapsule(b *testing.B) {
	s := newScene(b, 2, 3, reencrypt.BindBoth)
	raw := s.capsule.Bytes()
	for b.Loop() {
		if _, err := reencrypt.ParseCapsule(raw); err != nil {
			b.Fatal(err)
		}
	}
}
