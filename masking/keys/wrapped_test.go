package keys_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/keys/kms"
	"github.com/tallystick/tallystick/masking/keys/kms/kmstest"
)

// stillOpens fails the test unless the site key in dir opens under k and is the
// one that was there first.
func stillOpens(t *testing.T, dir string, k *keys.KEK, first *string) {
	t.Helper()
	s, err := keys.Open(dir, k)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Create(keys.RoleSite); err != nil {
		t.Fatal(err)
	}
	site, err := s.SitePRF()
	if err != nil {
		t.Fatal(err)
	}
	if *first == "" {
		*first = site.ID
	}
	if site.ID != *first {
		t.Fatal("the keysets were made anew")
	}
}

// A folder moves from a key file to Vault, on to AWS and Google, and back to
// another file; no keyset changes on the way.
func TestKEKMoves(t *testing.T) {
	server := kmstest.New(t)
	ctx := context.Background()
	dir, file := filepath.Join(t.TempDir(), "keys [old]"), filepath.Join(t.TempDir(), "old.kek")
	service := func(uri string) kms.Service {
		s, err := kms.Open(uri, server.Config)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	var site string
	k, err := keys.LocalKEK(file)
	if err != nil || !k.Made {
		t.Fatalf("made %v, error %v", k.Made, err)
	}
	stillOpens(t, dir, k, &site)
	if _, err := keys.ServiceKEK(ctx, dir, server.Vault, service(server.Vault)); err == nil || !strings.Contains(err.Error(), "a key file wraps") {
		t.Errorf("a service for keys that a file wraps: %v", err)
	}
	for _, uri := range []string{server.Vault, kmstest.AWS, kmstest.Google} {
		if err := k.Rewrap(ctx, dir, uri, service(uri)); err != nil {
			t.Fatal(err)
		}
		if k, err = keys.ServiceKEK(ctx, dir, uri, service(uri)); err != nil || k.Made {
			t.Fatal(err)
		}
		stillOpens(t, dir, k, &site)
		if by, err := keys.WrappedBy(dir); err != nil || by != uri {
			t.Errorf("wrapped by %s, error %v", by, err)
		}
	}
	if _, err := keys.ServiceKEK(ctx, dir, kmstest.AWS, service(kmstest.AWS)); err == nil || !strings.Contains(err.Error(), "wraps the key-encryption key") {
		t.Errorf("another service than the one that wrapped: %v", err)
	}
	server.Refuse(true)
	if err := k.Check(ctx); !errors.Is(err, kms.ErrRefused) {
		t.Errorf("check: %v", err)
	}
	if err := k.Rewrap(ctx, dir, server.Vault, service(server.Vault)); !errors.Is(err, kms.ErrRefused) {
		t.Errorf("rewrap: %v", err)
	}
	server.Refuse(false)
	if err := k.Check(ctx); err != nil {
		t.Error(err)
	}
	back := filepath.Join(t.TempDir(), "new.kek")
	if err := k.Unwrap(dir, back); err != nil {
		t.Fatal(err)
	}
	if k, err = keys.LocalKEK(back); err != nil || k.Made {
		t.Fatal(err)
	}
	stillOpens(t, dir, k, &site)
}

func TestServiceKEK(t *testing.T) {
	server := kmstest.New(t)
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "keys")
	vault, err := kms.Open(server.Vault, server.Config)
	if err != nil {
		t.Fatal(err)
	}
	server.Away(true)
	if _, err := keys.ServiceKEK(ctx, dir, server.Vault, vault); !errors.Is(err, kms.ErrAway) {
		t.Errorf("away: %v", err)
	}
	server.Away(false)
	k, err := keys.ServiceKEK(ctx, dir, server.Vault, vault)
	if err != nil || !k.Made {
		t.Fatal(err)
	}
	var site string
	stillOpens(t, dir, k, &site)
	path := filepath.Join(dir, "kek.json")
	for _, b := range []string{"", "{", `{"service": "` + server.Vault + `", "keyset": {"encryptedKeyset": "AAAA"}}`} {
		if err := os.WriteFile(path, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.ServiceKEK(ctx, dir, server.Vault, vault); err == nil {
			t.Errorf("opened under %q", b)
		}
	}
}
