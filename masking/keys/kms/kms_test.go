package kms_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys/kms"
	"github.com/tallystick/tallystick/masking/keys/kms/kmstest"
)

func TestServices(t *testing.T) {
	s := kmstest.New(t)
	ctx := context.Background()
	key, bound := bytes.Repeat([]byte("k"), 32), []byte("folder 1")
	for name, uri := range map[string]string{"Vault": s.Vault, "AWS": kmstest.AWS, "Google": kmstest.Google} {
		t.Run(name, func(t *testing.T) {
			service, err := kms.Open(uri, s.Config)
			if err != nil {
				t.Fatal(err)
			}
			ct, err := service.EncryptWithContext(ctx, key, bound)
			if err != nil || bytes.Contains(ct, key) {
				t.Fatalf("encrypt: %v", err)
			}
			if got, err := service.DecryptWithContext(ctx, ct, bound); err != nil || !bytes.Equal(got, key) {
				t.Fatalf("decrypt: %x, error %v", got, err)
			}
			for what, f := range map[string]func() ([]byte, error){
				"other associated data": func() ([]byte, error) { return service.DecryptWithContext(ctx, ct, []byte("folder 2")) },
				"another ciphertext":    func() ([]byte, error) { return service.DecryptWithContext(ctx, append([]byte("x"), ct...), bound) },
				"no permission": func() ([]byte, error) {
					s.Refuse(true)
					defer s.Refuse(false)
					return service.DecryptWithContext(ctx, ct, bound)
				},
			} {
				got, err := f()
				if !errors.Is(err, kms.ErrRefused) || len(got) != 0 || text.HintOf(err) == "" {
					t.Errorf("%s: %d bytes, error %v", what, len(got), err)
				}
			}
			before := s.Calls()
			s.Away(true)
			defer s.Away(false)
			if _, err := service.DecryptWithContext(ctx, ct, bound); !errors.Is(err, kms.ErrAway) || s.Calls() != before+3 {
				t.Errorf("away: %d calls, error %v", s.Calls()-before, err)
			}
		})
	}
}

func TestWrongCredentials(t *testing.T) {
	s := kmstest.New(t)
	t.Setenv("AWS_SECRET_ACCESS_KEY", "another")
	if err := os.WriteFile(s.Config.TokenFile, []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, uri := range []string{s.Vault, kmstest.AWS} {
		service, err := kms.Open(uri, s.Config)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := service.EncryptWithContext(context.Background(), []byte("key"), nil); !errors.Is(err, kms.ErrRefused) {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func TestCheck(t *testing.T) {
	s := kmstest.New(t)
	open := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(open, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	with := func(f func(*kms.Config)) kms.Config { c := s.Config; f(&c); return c }
	for _, tc := range []struct {
		name, uri string
		cfg       kms.Config
		want      string // "" for good
	}{
		{"Vault", "hcvault://vault.example:8200/team/transit/keys/k", s.Config, ""},
		{"AWS", kmstest.AWS, kms.Config{}, ""},
		{"AWS in China", "aws-kms://arn:aws-cn:kms:cn-north-1:111122223333:alias/k", kms.Config{}, ""},
		{"Google", kmstest.Google, kms.Config{}, ""},
		{"another scheme", "azure-kv://vault/keys/k", s.Config, "no key management service that is known"},
		{"Vault without keys", "hcvault://vault.example:8200/transit/k", s.Config, "malformed"},
		{"Vault without host", "hcvault:///transit/keys/k", s.Config, "malformed"},
		{"Vault with a password", "hcvault://a:b@vault.example/transit/keys/k", s.Config, "malformed"},
		{"Vault without token", "hcvault://vault.example:8200/transit/keys/k", kms.Config{}, "token_file"},
		{"a token that others can read", s.Vault, with(func(c *kms.Config) { c.TokenFile = open }), "open to other users"},
		{"AWS without region", "aws-kms://key/1", kms.Config{}, "malformed"},
		{"Google with a version", kmstest.Google + "/cryptoKeyVersions/1", kms.Config{}, "malformed"},
		{"an endpoint in clear", kmstest.AWS, with(func(c *kms.Config) { c.Endpoint = "http://kms.example" }), "https"},
		{"a CA file without certificate", kmstest.AWS, with(func(c *kms.Config) { c.CAFile = c.TokenFile }), "no certificate"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			err := kms.Check(tc.uri, tc.cfg)
			if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
}
