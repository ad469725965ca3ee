package keys_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/masking/keys"
)

func TestDomain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "a.keys")
	a, err := keys.OpenDomain(path, "a")
	if err != nil || !a.Made {
		t.Fatal(a, err)
	}
	again, err := keys.OpenDomain(path, "a")
	if err != nil || again.Made {
		t.Fatal(again, err)
	}
	if !bytes.Equal(a.SealKey(), again.SealKey()) || !bytes.Equal(a.FormatKey(), again.FormatKey()) || a.SealID != again.SealID ||
		!bytes.Equal(a.Pseudonyms.Sum(nil, []byte("x")), again.Pseudonyms.Sum(nil, []byte("x"))) {
		t.Error("the file has other keys when it is opened again")
	}
	if len(a.SealKey()) != 64 || len(a.FormatKey()) != 32 {
		t.Errorf("keys of %d and %d bytes", len(a.SealKey()), len(a.FormatKey()))
	}
	b, err := keys.OpenDomain(filepath.Join(t.TempDir(), "b.keys"), "b")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(a.SealKey(), b.SealKey()) || bytes.Equal(a.FormatKey(), b.FormatKey()) {
		t.Error("two domains share keys")
	}
}

func TestDomainFaults(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.keys")
	if _, err := keys.OpenDomain(path, "a"); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, domain, content, want string }{
		{"another domain", "b", string(good), "another domain"},
		{"not JSON", "a", "hello", "no key file"},
		{"no keysets", "a", `{"domain":"a"}`, "no keyset of pseudonyms"},
		{"half", "a", strings.Replace(string(good), `"tokens"`, `"other"`, 1), "no keyset of tokens"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := filepath.Join(t.TempDir(), "k")
			if err := os.WriteFile(p, []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := keys.OpenDomain(p, tc.domain); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.OpenDomain(path, "a"); err == nil || !strings.Contains(err.Error(), "open to other users") {
		t.Errorf("readable by others: %v", err)
	}
}
