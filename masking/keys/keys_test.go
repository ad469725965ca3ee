package keys_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys"
)

func open(t testing.TB) (*keys.Store, string) {
	t.Helper()
	root := t.TempDir()
	kek, err := keys.LocalKEK(filepath.Join(root, "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "data", "keys")
	s, err := keys.Open(dir, kek)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Ensure(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func TestEnsureKeepsWhatExists(t *testing.T) {
	s, dir := open(t)
	before, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	if len(before) != 7 {
		t.Fatalf("%d keys, want one for each of 7 roles: %v", len(before), before)
	}
	kek, err := keys.LocalKEK(filepath.Join(dir, "..", "..", "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := keys.Open(dir, kek)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Ensure(context.Background()); err != nil {
		t.Fatal(err)
	}
	after, err := again.List()
	if err != nil {
		t.Fatal(err)
	}
	for i := range before {
		if before[i] != after[i] || before[i].Status != "primary" || len(before[i].KeyID) != 7 {
			t.Errorf("key %d was %+v, is %+v", i, before[i], after[i])
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(e.Name(), ".keyset") && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", e.Name(), info.Mode().Perm())
		}
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("temporary file %s was left", e.Name())
		}
	}
}

func TestOpenRefusesAnotherKEK(t *testing.T) {
	_, dir := open(t)
	other, err := keys.LocalKEK(filepath.Join(t.TempDir(), "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open(dir, other); err == nil || text.HintOf(err) == "" {
		t.Fatalf("got %v, want an error with a hint", err)
	}
}

func TestKeysetBelongsToItsRole(t *testing.T) {
	_, dir := open(t)
	b, err := os.ReadFile(filepath.Join(dir, "tap.keyset"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ledger.keyset"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	kek, err := keys.LocalKEK(filepath.Join(dir, "..", "..", "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Open(dir, kek); err == nil {
		t.Fatal("the tap's keyset was accepted as the ledger's")
	}
}

func TestLocalKEKRefusesOpenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kek.json")
	if _, err := keys.LocalKEK(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, err := keys.LocalKEK(path)
	if err == nil || text.HintOf(err) != "chmod 600 "+path {
		t.Fatalf("error %v, hint %q", err, text.HintOf(err))
	}
	if err := os.WriteFile(path, []byte("not a keyset"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.LocalKEK(path); err == nil || strings.Contains(err.Error(), "not a keyset\"") {
		t.Fatalf("got %v", err)
	}
}

func TestLinePublicNeedsTheInstallation(t *testing.T) {
	s, dir := open(t)
	enc, err := keys.LinePublic(dir)
	if err != nil || len(enc.KeyID()) != 7 {
		t.Fatalf("LinePublic: %v", err)
	}
	ct, err := enc.Encrypt([]byte("line"), []byte("context"))
	if err != nil {
		t.Fatal(err)
	}
	dec, err := s.LineDecrypt()
	if err != nil {
		t.Fatal(err)
	}
	if pt, err := dec.Decrypt(ct, []byte("context")); err != nil || string(pt) != "line" {
		t.Fatalf("%q, %v", pt, err)
	}
	// Another installation's line key, however well signed, is refused here.
	_, other := open(t)
	b, err := os.ReadFile(filepath.Join(other, "line.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "line.pub"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.LinePublic(dir); err == nil || text.HintOf(err) == "" {
		t.Fatalf("got %v, want a refusal with a hint", err)
	}
	if _, err := enc.Encrypt([]byte("line"), nil); err == nil {
		t.Fatal("sealing goes on with a key that is no longer vouched for")
	}
}

func TestTapFolder(t *testing.T) {
	// A tap of another host has no line, install, ledger or webhook keyset.
	_, dir := open(t)
	for _, f := range []string{"line.keyset", "install.keyset", "ledger.keyset", "webhook.keyset"} {
		if err := os.Remove(filepath.Join(dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	kek, err := keys.LocalKEK(filepath.Join(dir, "..", "..", "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := keys.Open(dir, kek)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.LineEncrypt(); err != nil {
		t.Error(err)
	}
	if _, err := s.SitePRF(); err != nil {
		t.Error(err)
	}
	if _, err := s.TapSigner(); err != nil {
		t.Error(err)
	}
	if _, err := s.LineDecrypt(); !errors.Is(err, keys.ErrNoKeyset) {
		t.Errorf("LineDecrypt: %v, want ErrNoKeyset", err)
	}
}

func TestEnrolTap(t *testing.T) {
	s, dir := open(t)
	pub, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.TapPublic("edge-1"); !errors.Is(err, keys.ErrNotEnrolled) {
		t.Fatalf("got %v, want not enrolled", err)
	}
	if err := s.EnrolTap("edge-1", pub); err != nil {
		t.Fatal(err)
	}
	if got, err := s.TapPublic("edge-1"); err != nil || len(got) != 1 || !pub.Equal(got[0]) {
		t.Fatalf("%v, %v", got, err)
	}
	if got, err := s.TapPublic(keys.LocalTap); err != nil || len(got) != 1 {
		t.Fatalf("local tap: %v, %v", got, err)
	}
	for _, id := range []string{"", "../line", "Edge", "a/b"} {
		if err := s.EnrolTap(id, pub); err == nil {
			t.Errorf("id %q was enrolled", id)
		}
		if _, err := s.TapPublic(id); !errors.Is(err, keys.ErrNotEnrolled) {
			t.Errorf("id %q: %v", id, err)
		}
	}
	// An enrolment stands for its own id only.
	if err := os.Rename(filepath.Join(dir, "taps", "edge-1.pub"), filepath.Join(dir, "taps", "edge-2.pub")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.TapPublic("edge-2"); !errors.Is(err, keys.ErrNotEnrolled) {
		t.Error("a renamed enrolment was accepted")
	}
}

type noteSigner struct {
	*keys.Signer
	v note.Verifier
}

func (n noteSigner) Name() string    { return n.v.Name() }
func (n noteSigner) KeyHash() uint32 { return n.v.KeyHash() }

func TestLedgerSignsNotes(t *testing.T) {
	s, _ := open(t)
	signer, err := s.LedgerSigner()
	if err != nil {
		t.Fatal(err)
	}
	vkey, err := note.NewEd25519VerifierKey("example.org/ledger", signer.Public())
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(vkey)
	if err != nil {
		t.Fatal(err)
	}
	msg, err := note.Sign(&note.Note{Text: "checkpoint\n"}, noteSigner{signer, v})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(msg, note.VerifierList(v)); err != nil {
		t.Fatal(err)
	}
	if _, err := note.Open(bytes.Replace(msg, []byte("checkpoint"), []byte("Checkpoint"), 1), note.VerifierList(v)); err == nil {
		t.Fatal("a changed note verified")
	}
}

func TestWebhookSecret(t *testing.T) {
	s, _ := open(t)
	a, err := s.WebhookSecrets()
	if err != nil || len(a) != 1 || len(a[0]) != 32 {
		t.Fatalf("%d secrets, %v", len(a), err)
	}
	if b, _ := s.WebhookSecrets(); !bytes.Equal(a[0], b[0]) {
		t.Fatal("the secret changes")
	}
}
