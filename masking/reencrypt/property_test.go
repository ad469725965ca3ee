package reencrypt_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/tallystick/tallystick/masking/reencrypt"
)

var bindings = []reencrypt.Binding{0, reencrypt.BindDelegator, reencrypt.BindReceiver, reencrypt.BindBoth}

// TestAnyThresholdOpens tries every subset of the custodians: it opens if and
// only if it has threshold members or more.
func TestAnyThresholdOpens(t *testing.T) {
	for n := 1; n <= 4; n++ {
		for threshold := 1; threshold <= n; threshold++ {
			t.Run(fmt.Sprintf("%d of %d", threshold, n), func(t *testing.T) {
				s := newScene(t, threshold, n, bindings[(n+threshold)%4])
				for _, f := range s.fragments {
					if err := f.Verify(s.parties); err != nil {
						t.Fatal(err)
					}
				}
				all := s.verify(t, s.transform(t, n))
				for set := 1; set < 1<<n; set++ {
					s.checkSubset(t, threshold, all, set)
				}
			})
		}
	}
}

func (s *scene) checkSubset(t *testing.T, threshold int, all []*reencrypt.VerifiedFragment, set int) {
	t.Helper()
	var some []*reencrypt.VerifiedFragment
	for i, f := range all {
		if set>>i&1 == 1 {
			some = append(some, f)
		}
	}
	rand.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	secret, err := s.receiver.Open(some)
	if len(some) < threshold {
		if !errors.Is(err, reencrypt.ErrTooFew) {
			t.Fatalf("%d fragments: error %v, want %v", len(some), err, reencrypt.ErrTooFew)
		}
		return
	}
	if err != nil {
		t.Fatalf("fragments %b: %v", set, err)
	}
	unseals(t, secret, s.capsule, s.ciphertext, s.plaintext)
}

func TestLargeGrant(t *testing.T) {
	s := newScene(t, 10, 16, reencrypt.BindBoth)
	frags := s.verify(t, s.transform(t, 16))
	for range 4 {
		rand.Shuffle(len(frags), func(i, j int) { frags[i], frags[j] = frags[j], frags[i] })
		secret, err := s.receiver.Open(frags[:10])
		if err != nil {
			t.Fatal(err)
		}
		unseals(t, secret, s.capsule, s.ciphertext, s.plaintext)
		if _, err := s.receiver.Open(frags[:9]); !errors.Is(err, reencrypt.ErrTooFew) {
			t.Fatalf("nine of ten: error %v", err)
		}
	}
}

// TestTamperedCapsule flips a bit of every byte, and every bit of some.
func TestTamperedCapsule(t *testing.T) {
	s := newScene(t, 1, 1, reencrypt.BindBoth)
	tamper(t, s.capsule.Bytes(), func(b []byte) error {
		_, err := reencrypt.ParseCapsule(b)
		return err
	})
}

func TestTamperedKeyFragment(t *testing.T) {
	for _, bind := range bindings {
		t.Run(fmt.Sprintf("binding %b", bind), func(t *testing.T) {
			s := newScene(t, 1, 1, bind)
			tamper(t, s.fragments[0].Bytes(), func(b []byte) error {
				f, err := reencrypt.ParseKeyFragment(b)
				if err != nil {
					return err
				}
				return f.Verify(s.parties)
			})
		})
	}
}

func TestTamperedCapsuleFragment(t *testing.T) {
	s := newScene(t, 1, 1, reencrypt.BindBoth)
	tamper(t, s.transform(t, 1)[0].Bytes(), func(b []byte) error {
		f, err := reencrypt.ParseCapsuleFragment(b)
		if err != nil {
			return err
		}
		_, err = f.Verify(s.capsule, s.parties)
		return err
	})
}

func TestTamperedCiphertext(t *testing.T) {
	s := newScene(t, 1, 1, reencrypt.BindBoth)
	secret, err := s.delegator.Decapsulate(s.capsule)
	if err != nil {
		t.Fatal(err)
	}
	tamper(t, s.ciphertext, func(b []byte) error {
		_, err := secret.Unseal(s.capsule, b)
		return err
	})
	other, otherSecret, err := s.delegator.Public().Encapsulate()
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"other capsule": second(secret.Unseal(other, s.ciphertext)),
		"other secret":  second(otherSecret.Unseal(s.capsule, s.ciphertext)),
		"empty":         second(secret.Unseal(s.capsule, nil)),
	} {
		if !errors.Is(err, reencrypt.ErrCiphertext) {
			t.Errorf("%s: error %v, want %v", name, err, reencrypt.ErrCiphertext)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// tamper changes each byte of b in turn and wants each change refused, and b
// itself accepted.
func tamper(t *testing.T, b []byte, accept func([]byte) error) {
	t.Helper()
	if err := accept(b); err != nil {
		t.Fatalf("refused untouched: %v", err)
	}
	for i := range b {
		bad := bytes.Clone(b)
		bad[i] ^= 1 << rand.IntN(8)
		if err := accept(bad); err == nil {
			t.Errorf("byte %d changed from %02x to %02x: accepted", i, b[i], bad[i])
		}
	}
	for _, bad := range [][]byte{append(bytes.Clone(b), 0), b[:len(b)-1], nil} {
		if err := accept(bad); err == nil {
			t.Errorf("%d bytes instead of %d: accepted", len(bad), len(b))
		}
	}
}

// TestWrongKeys puts each wrong key in each place.
func TestWrongKeys(t *testing.T) {
	s, stranger := newScene(t, 2, 3, reencrypt.BindBoth), generate(t)
	cf := s.transform(t, 1)[0]
	with := func(change func(*reencrypt.Parties)) reencrypt.Parties {
		p := s.parties
		change(&p)
		return p
	}
	other := stranger.Public()
	for _, tc := range []struct {
		name string
		p    reencrypt.Parties
		want error
	}{
		{"wrong signer", with(func(p *reencrypt.Parties) { p.Signer = other }), reencrypt.ErrSignature},
		{"wrong delegator", with(func(p *reencrypt.Parties) { p.Delegator = other }), reencrypt.ErrSignature},
		{"wrong receiver", with(func(p *reencrypt.Parties) { p.Receiver = other }), reencrypt.ErrSignature},
		{"no signer", with(func(p *reencrypt.Parties) { p.Signer = nil }), reencrypt.ErrMissing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if err := s.fragments[0].Verify(tc.p); !errors.Is(err, tc.want) {
				t.Errorf("key fragment: error %v, want %v", err, tc.want)
			}
			if _, err := cf.Verify(s.capsule, tc.p); !errors.Is(err, tc.want) {
				t.Errorf("capsule fragment: error %v, want %v", err, tc.want)
			}
		})
	}
	if err := s.fragments[0].Verify(reencrypt.Parties{Signer: s.parties.Signer}); !errors.Is(err, reencrypt.ErrUnknownKey) {
		t.Errorf("bound to unknown keys: error %v", err)
	}
	unbound := newScene(t, 1, 1, 0)
	if err := unbound.fragments[0].Verify(reencrypt.Parties{Signer: unbound.parties.Signer}); err != nil {
		t.Errorf("bound to no key: %v", err)
	}
}

// TestWrongReader gives verified fragments to a reader whom they are not for,
// and to the delegator of another key.
func TestWrongReader(t *testing.T) {
	s, stranger := newScene(t, 2, 3, reencrypt.BindBoth), generate(t)
	frags := s.verify(t, s.transform(t, 2))
	if _, err := stranger.Open(frags); !errors.Is(err, reencrypt.ErrReceiver) {
		t.Errorf("a stranger: error %v", err)
	}
	secret, err := stranger.Decapsulate(s.capsule)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := secret.Unseal(s.capsule, s.ciphertext); !errors.Is(err, reencrypt.ErrCiphertext) {
		t.Errorf("a stranger unseals: error %v", err)
	}
}

// TestFragmentsThatDoNotBelongTogether mixes grants, capsules and repeats.
func TestFragmentsThatDoNotBelongTogether(t *testing.T) {
	s := newScene(t, 2, 3, reencrypt.BindBoth)
	frags := s.verify(t, s.transform(t, 3))
	again := *s
	var err error
	if again.fragments, err = s.delegator.Grant(s.receiver.Public(), s.signer, 2, 3, reencrypt.BindBoth); err != nil {
		t.Fatal(err)
	}
	foreign := again.verify(t, again.transform(t, 1))
	if again.capsule, _, err = s.delegator.Public().Encapsulate(); err != nil {
		t.Fatal(err)
	}
	again.fragments = s.fragments
	mixed := again.verify(t, again.transform(t, 1))
	for _, tc := range []struct {
		name  string
		frags []*reencrypt.VerifiedFragment
		want  error
	}{
		{"none", nil, reencrypt.ErrNoFragments},
		{"the same twice", []*reencrypt.VerifiedFragment{frags[0], frags[0]}, reencrypt.ErrDuplicate},
		{"the same among enough", []*reencrypt.VerifiedFragment{frags[0], frags[1], frags[0]}, reencrypt.ErrDuplicate},
		{"another grant", []*reencrypt.VerifiedFragment{frags[0], foreign[0]}, reencrypt.ErrForeign},
		{"another capsule", []*reencrypt.VerifiedFragment{frags[0], mixed[0]}, reencrypt.ErrMixed},
		{"nil", []*reencrypt.VerifiedFragment{frags[0], nil}, reencrypt.ErrMissing},
		{"zero", []*reencrypt.VerifiedFragment{{}}, reencrypt.ErrMissing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := s.receiver.Open(tc.frags); !errors.Is(err, tc.want) {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
	// A fragment of one capsule is no fragment of another.
	cf := s.transform(t, 1)[0]
	if _, err := cf.Verify(again.capsule, s.parties); !errors.Is(err, reencrypt.ErrProof) {
		t.Errorf("verified for another capsule: error %v", err)
	}
}

func TestThresholds(t *testing.T) {
	k := generate(t)
	for _, tc := range []struct{ t, n int }{{0, 1}, {-1, 3}, {2, 1}, {1, 0}, {1, reencrypt.MaxFragments + 1}} {
		if _, err := k.Grant(k.Public(), k, tc.t, tc.n, 0); !errors.Is(err, reencrypt.ErrThreshold) {
			t.Errorf("%d of %d: error %v", tc.t, tc.n, err)
		}
	}
}

// TestKeysOfOneUse derives keys: equal on both sides, unrelated by info.
func TestKeysOfOneUse(t *testing.T) {
	s := newScene(t, 1, 1, reencrypt.BindBoth)
	c, sent, err := s.parties.Delegator.Encapsulate()
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.delegator.Decapsulate(c)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, info := range []string{"", "contact 2026-11 1", "contact 2026-11 2"} {
		a, err := sent.Key(info)
		if err != nil {
			t.Fatal(err)
		}
		b, err := got.Key(info)
		if err != nil || !bytes.Equal(a, b) || len(a) != reencrypt.KeySize {
			t.Fatalf("the sides derive different keys for %q, error %v", info, err)
		}
		seen[string(a)] = true
	}
	if len(seen) != 3 {
		t.Error("different info, the same key")
	}
}

// TestLongLivedKey uses one key from several goroutines until and after it has
// its table.
func TestLongLivedKey(t *testing.T) {
	k := generate(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				c, sent, err := k.Public().Encapsulate()
				if err != nil {
					t.Error(err)
					return
				}
				got, err := k.Decapsulate(c)
				if err != nil {
					t.Error(err)
					return
				}
				a, errA := sent.Key("x")
				b, errB := got.Key("x")
				if errA != nil || errB != nil || !bytes.Equal(a, b) {
					t.Errorf("the sides derive different keys, errors %v, %v", errA, errB)
				}
			}
		})
	}
	wg.Wait()
	if !k.Public().HasTable() {
		t.Error("a key of 80 uses has no table")
	}
}

// TestSecretsPrintAsNothing looks for the secret in every form of printing.
func TestSecretsPrintAsNothing(t *testing.T) {
	s := newScene(t, 1, 1, reencrypt.BindBoth)
	_, secret, err := s.delegator.Public().Encapsulate()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{s.delegator, secret, s.fragments[0]} {
		var b strings.Builder
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%d", "%q"} {
			fmt.Fprintf(&b, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
		slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
		holder := fmt.Sprintf("%v %+v", struct{ v any }{v}, struct{ s reencrypt.Secret }{secret})
		if len(holder) > 120 { // addresses, not bytes
			t.Errorf("%T inside a struct prints\n%s", v, holder)
		}
		want := strings.Repeat("reencrypt: secret\n", 7)
		if got := b.String(); !strings.HasPrefix(got, want) || strings.Count(got, "reencrypt: secret") != 9 {
			t.Errorf("%T prints\n%s", v, got)
		}
	}
}
