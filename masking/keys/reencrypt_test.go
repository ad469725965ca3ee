package keys_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/reencrypt"
)

func TestReencryptKeysRotate(t *testing.T) {
	s, dir := open(t)
	made, err := s.CreateReencrypt("contact-2026-11")
	if err != nil {
		t.Fatal(err)
	}
	first, firstID, err := made.Primary()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateReencrypt("contact-2026-11"); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("made over an existing keyset, error %v", err)
	}
	c, secret, err := first.Public().Encapsulate()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := secret.Seal(c, []byte("original"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.RotateReencrypt("contact-2026-11"); err != nil {
		t.Fatal(err)
	}
	read, err := s.Reencrypt("contact-2026-11")
	if err != nil {
		t.Fatal(err)
	}
	second, secondID, err := read.Primary()
	if err != nil {
		t.Fatal(err)
	}
	if secondID == firstID || second.Public().Equal(first.Public()) {
		t.Fatal("rotating kept the primary key")
	}
	old, err := read.Key(firstID)
	if err != nil {
		t.Fatal(err)
	}
	opens(t, old, c, sealed)
	if _, err := read.Key("aaaaaaa"); err == nil {
		t.Error("a key of an unknown id")
	}
	b, err := os.ReadFile(filepath.Join(dir, "reencrypt", "contact-2026-11.keyset"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, first.Bytes()) || bytes.Contains(b, second.Bytes()) {
		t.Error("the keyset's file shows a private key")
	}
}

func opens(t *testing.T, k *reencrypt.PrivateKey, c *reencrypt.Capsule, sealed []byte) {
	t.Helper()
	secret, err := k.Decapsulate(c)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := secret.Unseal(c, sealed); err != nil || string(got) != "original" {
		t.Fatalf("opened %q, error %v", got, err)
	}
}

// TestReencryptKeysRotateAtOnce rotates through two stores: no key pair is lost.
func TestReencryptKeysRotateAtOnce(t *testing.T) {
	s, dir := open(t)
	if _, err := s.RotateReencrypt("a"); !errors.Is(err, keys.ErrNoKeyset) {
		t.Fatalf("rotated nothing, error %v", err)
	}
	if _, err := s.CreateReencrypt("a"); err != nil {
		t.Fatal(err)
	}
	kek, err := keys.LocalKEK(filepath.Join(dir, "..", "..", "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	other, err := keys.Open(dir, kek)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ids := make(chan string, 8)
	for i := range cap(ids) {
		wg.Go(func() {
			k, err := []*keys.Store{s, other}[i%2].RotateReencrypt("a")
			if err != nil {
				t.Error(err)
				return
			}
			if _, id, err := k.Primary(); err == nil {
				ids <- id
			}
		})
	}
	wg.Wait()
	close(ids)
	k, err := s.Reencrypt("a")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for id := range ids {
		if _, err := k.Key(id); err != nil {
			t.Error(err)
		}
		n++
	}
	if n != 8 {
		t.Errorf("%d rotations of 8", n)
	}
}

func TestReencryptKeysAreListed(t *testing.T) {
	s, _ := open(t)
	for _, name := range []string{"b", "a"} {
		if _, err := s.CreateReencrypt(name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.RotateReencrypt("b"); err != nil {
		t.Fatal(err)
	}
	all, err := s.List()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, in := range all {
		if in.Role == "reencrypt/a" || in.Role == "reencrypt/b" {
			got = append(got, string(in.Role)+" "+in.Status)
		}
	}
	want := "reencrypt/a primary,reencrypt/b enabled,reencrypt/b primary"
	if g := strings.Join(got, ","); g != want {
		t.Errorf("got %s, want %s", g, want)
	}
}

func TestReencryptPublic(t *testing.T) {
	s, _ := open(t)
	k, err := s.CreateReencrypt("reader")
	if err != nil {
		t.Fatal(err)
	}
	pair, id, err := k.Primary()
	if err != nil {
		t.Fatal(err)
	}
	b, err := k.Public()
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(b, pair.Bytes()) {
		t.Fatal("the public keyset shows the private key")
	}
	pub, pubID, err := keys.ReadReencryptPublic(b)
	if err != nil || pubID != id || !pub.Equal(pair.Public()) {
		t.Fatalf("read key %s, error %v, want %s", pubID, err, id)
	}
	for name, b := range map[string][]byte{
		"empty":      nil,
		"not JSON":   []byte("key"),
		"no keys":    []byte("{}"),
		"other type": bytes.ReplaceAll(b, []byte("reencrypt.PublicKey"), []byte("reencrypt.OtherKeys")),
	} {
		if _, _, err := keys.ReadReencryptPublic(b); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}

func TestReencryptKeysetsAreBoundToTheirNames(t *testing.T) {
	s, dir := open(t)
	if _, err := s.CreateReencrypt("a"); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "reencrypt")
	if err := os.Rename(filepath.Join(folder, "a.keyset"), filepath.Join(folder, "b.keyset")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reencrypt("b"); err == nil {
		t.Error("a keyset opened under another name")
	}
	if _, err := s.Reencrypt("a"); !errors.Is(err, keys.ErrNoKeyset) {
		t.Errorf("error %v, want %v", err, keys.ErrNoKeyset)
	}
	for _, name := range []string{"", "../line", "A", "a/b"} {
		if _, err := s.Reencrypt(name); err == nil || errors.Is(err, keys.ErrNoKeyset) {
			t.Errorf("name %q: error %v", name, err)
		}
	}
}
