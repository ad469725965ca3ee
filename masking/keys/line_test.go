package keys_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/masking/keys"
)

// A rotation reaches taps and auditor while they run; what was sealed before
// opens until the key is destroyed, and then never again.
func TestLineRotation(t *testing.T) {
	s, dir := open(t)
	enc, err := keys.LinePublic(dir)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := s.LineDecrypt()
	if err != nil {
		t.Fatal(err)
	}
	first := enc.KeyID()
	old := seal(t, enc, "before")
	now := time.Now().UTC()
	second, err := s.RotateLine(now)
	if err != nil {
		t.Fatal(err)
	}
	if enc.KeyID() != second || first == second {
		t.Fatalf("the tap seals with %s, after %s was made in place of %s", enc.KeyID(), second, first)
	}
	fresh := seal(t, enc, "after")
	opensLine(t, dec, old, "before")
	opensLine(t, dec, fresh, "after")

	kept := 24 * time.Hour
	have := lineKeys(t, s)
	if have[0].ID != first || !have[0].Retired.Equal(now) || have[0].Used.IsZero() || !have[1].Retired.IsZero() {
		t.Fatalf("%+v", have)
	}
	if ids, err := s.DestroyLines(now.Add(kept), kept); err != nil || len(ids) != 0 {
		t.Fatalf("destroyed %v, %v, although the key was used after it was retired", ids, err)
	}
	ids, err := s.DestroyLines(have[0].Destroyable(kept), kept)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(ids, []string{first}); d != "" {
		t.Fatalf("destroyed (-got +want):\n%s", d)
	}
	if _, err := dec.Decrypt(old, []byte("context")); err == nil || errors.Is(err, keys.ErrUnavailable) {
		t.Fatalf("a destroyed key: %v", err)
	}
	opensLine(t, dec, fresh, "after")
	if ids, err := s.DestroyLines(now.Add(1000*kept), kept); err != nil || len(ids) != 0 {
		t.Fatalf("destroyed %v, %v, the key in use", ids, err)
	}
}

// Another process on the same folder follows, and so does the next start.
func TestLineRotationElsewhere(t *testing.T) {
	s, dir := open(t)
	other := again(t, dir)
	dec, err := other.LineDecrypt()
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.RotateLine(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	enc, err := keys.LinePublic(dir)
	if err != nil {
		t.Fatal(err)
	}
	opensLine(t, dec, seal(t, enc, "line"), "line")
	if k := lineKeys(t, again(t, dir)); len(k) != 2 || k[1].ID != id {
		t.Fatalf("%+v", k)
	}
}

// A rotation that ended before the public half was published is finished by
// the next start; lost times make keys older, never younger.
func TestLineRotationCutShort(t *testing.T) {
	s, dir := open(t)
	pub, err := os.ReadFile(filepath.Join(dir, "line.pub"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := s.RotateLine(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "line.pub"), pub, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "line.times")); err != nil {
		t.Fatal(err)
	}
	s = again(t, dir)
	if err := s.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	enc, err := keys.LinePublic(dir)
	if err != nil || enc.KeyID() != id {
		t.Fatalf("published %s, want %s: %v", enc.KeyID(), id, err)
	}
	if k := lineKeys(t, s); len(k) != 2 || k[0].Retired.IsZero() == k[1].Retired.IsZero() {
		t.Fatalf("%+v", k)
	}
}

// A folder that can't be read is a fault of the machine, not of the batch.
func TestLineKeysUnavailable(t *testing.T) {
	s, dir := open(t)
	enc, err := keys.LinePublic(dir)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := s.LineDecrypt()
	if err != nil {
		t.Fatal(err)
	}
	ct := seal(t, enc, "line")
	if _, err := s.RotateLine(time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "line.times"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = dec.Decrypt(ct, []byte("context"))
	if !errors.Is(err, keys.ErrUnavailable) || strings.Contains(err.Error(), "line\"") {
		t.Fatalf("got %v", err)
	}
}

func again(t *testing.T, dir string) *keys.Store {
	t.Helper()
	kek, err := keys.LocalKEK(filepath.Join(dir, "..", "..", "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := keys.Open(dir, kek)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func lineKeys(t *testing.T, s *keys.Store) []keys.LineKey {
	t.Helper()
	k, err := s.LineKeys()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seal(t *testing.T, enc *keys.LineEncrypt, s string) []byte {
	t.Helper()
	b, err := enc.Encrypt([]byte(s), []byte("context"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func opensLine(t *testing.T, dec interface {
	Decrypt(ciphertext, contextInfo []byte) ([]byte, error)
}, ct []byte, want string,
) {
	t.Helper()
	if b, err := dec.Decrypt(ct, []byte("context")); err != nil || string(b) != want {
		t.Fatalf("opened %q, %v; want %q", b, err, want)
	}
}
