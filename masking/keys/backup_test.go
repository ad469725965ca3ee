package keys_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/masking/keys"
)

const passphrase = "correct horse battery"

// installation is a folder of keys that has been in use.
func installation(t *testing.T) (s *keys.Store, dir string, kek *keys.KEK) {
	t.Helper()
	s, dir = open(t)
	if _, err := s.RotateLine(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateReencrypt("vault-user-2026-11"); err != nil {
		t.Fatal(err)
	}
	pub, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.EnrolTap("edge-1", pub); err != nil {
		t.Fatal(err)
	}
	if kek, err = keys.LocalKEK(filepath.Join(dir, "..", "..", "kek.json")); err != nil {
		t.Fatal(err)
	}
	return s, dir, kek
}

func TestBackupAndRestore(t *testing.T) {
	s, dir, kek := installation(t)
	enc, err := keys.LinePublic(dir)
	if err != nil {
		t.Fatal(err)
	}
	sealed := seal(t, enc, "before the loss")
	now := time.Now().UTC()
	stays := keys.PseudonymKey{Domain: "principals", Kind: keys.KindYear, Period: "2026", ID: "aaaaaaa", Wrapped: "x", DestroyAfter: now.AddDate(0, 2, 0)}
	due := stays
	due.ID, due.DestroyAfter = "bbbbbbb", now.AddDate(0, 0, 10)
	for name, phrase := range map[string]string{"KEK": "", "passphrase": passphrase} {
		t.Run(name, func(t *testing.T) {
			data, err := s.Backup("0123456789abcdef", kek, phrase, []keys.PseudonymKey{stays, due}, now)
			if err != nil {
				t.Fatal(err)
			}
			b, err := keys.ReadBackup(data)
			if err != nil {
				t.Fatal(err)
			}
			with := kek
			if phrase != "" {
				if with, err = b.OpenPassphrase(phrase); err != nil {
					t.Fatal(err)
				}
			} else if err := b.OpenKEK(kek); err != nil {
				t.Fatal(err)
			}
			to := filepath.Join(t.TempDir(), "keys")
			got, err := b.Restore(to, with, now.AddDate(0, 0, 20), 30*24*time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(got.Pseudonyms, []keys.PseudonymKey{stays}); d != "" {
				t.Errorf("pseudonym keys (-got +want):\n%s", d)
			}
			if got.Keysets < 7 || len(got.LineKeys) != 2 || len(got.Gone) != 0 {
				t.Errorf("%+v", got)
			}
			again, err := keys.Open(to, with)
			if err != nil {
				t.Fatal(err)
			}
			before, _ := s.List()
			after, _ := again.List()
			id := func(i keys.Info) string { return string(i.Role) + i.KeyID + i.Status }
			if d := cmp.Diff(ids(after, id), ids(before, id)); d != "" {
				t.Errorf("keys (-restored +before):\n%s", d)
			}
			dec, err := again.LineDecrypt()
			if err != nil {
				t.Fatal(err)
			}
			opensLine(t, dec, sealed, "before the loss")
			if pubs, err := again.TapPublic("edge-1"); err != nil || len(pubs) != 1 {
				t.Errorf("the enrolment of a tap: %v", err)
			}
		})
	}
}

func ids(list []keys.Info, f func(keys.Info) string) []string {
	set := map[string]bool{}
	for _, i := range list {
		set[f(i)] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// A retired line key whose time has come since the back-up does not come back.
func TestRestoreHonoursTime(t *testing.T) {
	s, _, kek := installation(t)
	data, err := s.Backup("0123456789abcdef", kek, "", nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	b, err := keys.ReadBackup(data)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.OpenKEK(kek); err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "keys")
	got, err := b.Restore(to, kek, time.Now().AddDate(0, 0, 31), 30*24*time.Hour)
	if err != nil || len(got.Gone) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	again, err := keys.Open(to, kek)
	if err != nil {
		t.Fatal(err)
	}
	if k := lineKeys(t, again); len(k) != 1 || k[0].ID == got.Gone[0] {
		t.Errorf("%+v", k)
	}
}

func TestBackupRefuses(t *testing.T) {
	s, dir, kek := installation(t)
	data, err := s.Backup("0123456789abcdef", kek, passphrase, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	plain, err := s.Backup("0123456789abcdef", kek, "", nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	clear, err := kek.Encrypt(nil, nil)
	if err != nil || bytes.Contains(data, clear) {
		t.Fatal(err)
	}
	if _, err := s.Backup("x", kek, "short", nil, time.Now()); err == nil {
		t.Error("a short passphrase was taken")
	}
	read := func(b []byte) *keys.Backup {
		t.Helper()
		out, err := keys.ReadBackup(b)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if _, err := read(data).OpenPassphrase(passphrase + "!"); err == nil {
		t.Error("another passphrase opens")
	}
	_, other := register(t)
	if err := read(plain).OpenKEK(other.(*keys.KEK)); err == nil {
		t.Error("another KEK opens")
	}
	changed := read(plain)
	changed.Installation = "fedcba9876543210"
	if err := changed.OpenKEK(kek); err == nil {
		t.Error("a back-up of another installation opens")
	}
	b := read(plain)
	if err := b.OpenKEK(kek); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Restore(dir, kek, time.Now(), time.Hour); err == nil || !strings.Contains(err.Error(), "exists") {
		t.Errorf("over keys that exist: %v", err)
	}
	for _, in := range []string{"", "{}", "[]", `{"tallystick_key_backup": 1}`, `{"tallystick_key_backup": 2, "content": "AAAA"}`, string(plain) + "x"} {
		if _, err := keys.ReadBackup([]byte(in)); err == nil {
			t.Errorf("%q was read", in)
		}
	}
}

func FuzzReadBackup(f *testing.F) {
	f.Add([]byte(`{"tallystick_key_backup":1,"installation":"0123456789abcdef","made":"2026-11-21T00:00:00Z","content":"AAAA"}`))
	f.Add([]byte(`{"tallystick_key_backup":1,"salt":"AAAA","kek":{"service":"aws-kms://","keyset":{}},"content":"AAAA"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := keys.ReadBackup(data)
		if err != nil {
			return
		}
		if _, err := json.Marshal(b); err != nil {
			t.Errorf("what was read can't be written: %v", err)
		}
	})
}
