package keys_test

import (
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys"
)

// believed reports whether the auditor takes a signature of the local tap.
func believed(t *testing.T, s *keys.Store, msg, sig []byte) bool {
	t.Helper()
	pubs, err := s.TapPublic(keys.LocalTap)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(pubs, func(k ed25519.PublicKey) bool { return ed25519.Verify(k, msg, sig) })
}

// A running tap signs with its new key at once; what it signed before is
// believed for as long as it is kept, in the auditor's process too.
func TestTapRotation(t *testing.T) {
	auditor, dir := open(t)
	tap := reopen(t, dir)
	signer, err := tap.BatchSigner()
	if err != nil {
		t.Fatal(err)
	}
	msg := []byte("batch")
	sign := func() []byte {
		b, err := signer.Sign(msg)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	old := sign()
	id, err := auditor.Rotate(keys.RoleTap, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	now := sign()
	if k, err := tap.TapSigner(); err != nil || k.ID != id {
		t.Errorf("the tap signs with another key than %s, error %v", id, err)
	}
	if slices.Equal(old, now) || !believed(t, auditor, msg, old) || !believed(t, auditor, msg, now) {
		t.Error("after a rotation one of the two signatures is not believed")
	}
	if err := reopen(t, dir).Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !believed(t, auditor, msg, old) {
		t.Error("a restart forgot the key before")
	}
	if _, err := auditor.Rotate(keys.RoleTap, time.Now().Add(-time.Hour), time.Minute); err != nil { // its grace is over
		t.Fatal(err)
	}
	if believed(t, auditor, msg, now) || !believed(t, auditor, msg, sign()) {
		t.Error("a key is believed after its time, or the newest is not")
	}
}

// A rotation that is cut off between its two writes leaves the key in use with
// an end, after which no batch would be believed. The next start heals that.
func TestTapRotationCutOff(t *testing.T) {
	auditor, dir := open(t)
	signer, err := auditor.BatchSigner()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, string(keys.RoleTap)+".keyset")
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := auditor.Rotate(keys.RoleTap, time.Now().Add(-time.Hour), time.Minute); err != nil { // its grace is over
		t.Fatal(err)
	}
	if err := os.WriteFile(file, before, 0o600); err != nil { // as if it had never been written
		t.Fatal(err)
	}
	msg := []byte("batch")
	sig, err := signer.Sign(msg)
	if err != nil {
		t.Fatal(err)
	}
	again := reopen(t, dir)
	if believed(t, again, msg, sig) {
		t.Fatal("the key has no end")
	}
	if err := again.Ensure(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !believed(t, again, msg, sig) {
		t.Error("the key in use is not believed after a start")
	}
}

// A tap key that others may have is believed no more once it is replaced.
func TestTapRotationAtOnce(t *testing.T) {
	s, _ := open(t)
	signer, err := s.BatchSigner()
	if err != nil {
		t.Fatal(err)
	}
	msg := []byte("batch")
	old, err := signer.Sign(msg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Rotate(keys.RoleTap, time.Now(), 0); err != nil {
		t.Fatal(err)
	}
	fresh, err := signer.Sign(msg)
	if err != nil {
		t.Fatal(err)
	}
	if believed(t, s, msg, old) || !believed(t, s, msg, fresh) {
		t.Error("the key before is believed, or the new one is not")
	}
	for _, kept := range []time.Duration{time.Hour, 0} { // the one that was replaced in peace as well
		if _, err := s.Rotate(keys.RoleTap, time.Now(), kept); err != nil {
			t.Fatal(err)
		}
	}
	if believed(t, s, msg, fresh) {
		t.Error("an earlier key is still believed")
	}
}

// A keyset whose file was written twice may be in a file of the same number.
func TestFileOfTheSameNumber(t *testing.T) {
	s, dir := open(t)
	other := reopen(t, dir)
	before, err := other.WebhookSecrets()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "webhook.keyset")
	kept := path + ".kept"
	if err := os.Link(path, kept); err != nil { // so that its number is not given away
		t.Fatal(err)
	}
	if _, err := s.Rotate(keys.RoleWebhook, time.Now(), 0); err != nil {
		t.Fatal(err)
	}
	next, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(kept, next, 0o600)
	}
	if err == nil {
		err = os.Rename(kept, path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if after, err := other.WebhookSecrets(); err != nil || len(after) != len(before)+1 {
		t.Errorf("%d secrets after a rotation, error %v", len(after), err)
	}
}

func TestWebhookRotation(t *testing.T) {
	s, dir := open(t)
	alerter := reopen(t, dir)
	secrets := func() [][]byte {
		list, err := alerter.WebhookSecrets()
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	first := secrets()[0]
	firstID := list(t, s, keys.RoleWebhook)[0].KeyID
	second, err := s.Rotate(keys.RoleWebhook, time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := secrets(); len(got) != 2 || slices.Equal(got[0], first) || !slices.Equal(got[1], first) {
		t.Fatalf("%d secrets, the newest first", len(got))
	}
	if err := s.SetEnabled(keys.RoleWebhook, firstID, false); err != nil {
		t.Fatal(err)
	}
	if got := secrets(); len(got) != 1 || slices.Equal(got[0], first) {
		t.Error("a disabled key signs")
	}
	if err := s.SetEnabled(keys.RoleWebhook, firstID, true); err != nil || len(secrets()) != 2 {
		t.Errorf("an enabled key does not sign, error %v", err)
	}
	for _, f := range []func() error{
		func() error { return s.Destroy(keys.RoleWebhook, second) },
		func() error { return s.SetEnabled(keys.RoleWebhook, second, false) },
	} {
		if err := f(); !errors.Is(err, keys.ErrPrimary) || !strings.Contains(text.HintOf(err), "rotate") {
			t.Errorf("the key in use: %v", err)
		}
	}
	if err := s.Destroy(keys.RoleWebhook, firstID); err != nil || len(secrets()) != 1 {
		t.Errorf("destroy: %v", err)
	}
	if err := s.Destroy(keys.RoleWebhook, firstID); !errors.Is(err, keys.ErrNoKey) {
		t.Errorf("destroy again: %v", err)
	}
}

// A disabled line key opens nothing until it is enabled again.
func TestDisableLineKey(t *testing.T) {
	s, dir := open(t)
	enc, err := keys.LinePublic(dir)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := s.LineDecrypt()
	if err != nil {
		t.Fatal(err)
	}
	first, ct := enc.KeyID(), seal(t, enc, "line")
	if _, err := s.Rotate(keys.RoleLine, time.Now(), 0); err != nil {
		t.Fatal(err)
	}
	if err := s.SetEnabled(keys.RoleLine, first, false); err != nil {
		t.Fatal(err)
	}
	if _, err := dec.Decrypt(ct, []byte("context")); err == nil {
		t.Error("a disabled key opens")
	}
	if err := s.SetEnabled(keys.RoleLine, first, true); err != nil {
		t.Fatal(err)
	}
	opensLine(t, dec, ct, "line")
}

func TestKeysThatStay(t *testing.T) {
	s, _ := open(t)
	for _, r := range []keys.Role{keys.RoleLedger, keys.RoleSite, keys.RoleInstall, keys.RolePerson, "nothing"} {
		before, _ := s.List()
		if id, err := s.Rotate(r, time.Now(), 0); err == nil || id != "" || text.HintOf(err) == "" {
			t.Errorf("%s: %q, %v", r, id, err)
		}
		if after, _ := s.List(); len(after) != len(before) {
			t.Errorf("%s: the keys changed", r)
		}
	}
}

func list(t *testing.T, s *keys.Store, r keys.Role) []keys.Info {
	t.Helper()
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(i keys.Info) bool { return i.Role != r })
}

// reopen opens the folder of open as another process does.
func reopen(t *testing.T, dir string) *keys.Store {
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
