package kms_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
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

// TestTokenService: keys.kms.ca_file does not judge the token service, and a
// refusal of that one is not taken for its being away.
func TestTokenService(t *testing.T) {
	s := kmstest.New(t)
	deny := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant","error_description":"canary"}`))
	}))
	defer deny.Close()
	for name, tc := range map[string]struct {
		url  string
		want error
	}{
		"its authority is in ca_file only": {s.URL(), kms.ErrAway},
		"it refuses the account":           {deny.URL, kms.ErrRefused},
		"it is good":                       {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := kmstest.New(t)
			if tc.url != "" {
				s.TokenService(tc.url)
			}
			service, err := kms.Open(kmstest.Google, s.Config)
			if err != nil {
				t.Fatal(err)
			}
			_, err = service.EncryptWithContext(t.Context(), []byte("key"), nil)
			if !errors.Is(err, tc.want) || tc.want == nil && err != nil || err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("error %v, want %v", err, tc.want)
			}
		})
	}
}

// TestStandby: a node of Vault that redirects to the active one is followed once,
// over https only, and is never a refusal. The others' requests go nowhere else.
func TestStandby(t *testing.T) {
	s, active := kmstest.New(t), kmstest.New(t)
	var leaked atomic.Bool
	clear := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked.Store(true) }))
	defer clear.Close()
	for _, tc := range []struct {
		name, uri, to string
		calls         int // of the active one
		want          error
	}{
		{"Vault", s.Vault, active.URL(), 1, nil},
		{"Vault to itself", s.Vault, s.URL(), 0, kms.ErrAway},
		{"Vault to clear HTTP", s.Vault, clear.URL, 0, kms.ErrAway},
		{"AWS", kmstest.AWS, active.URL(), 0, kms.ErrAway},
		{"Google", kmstest.Google, active.URL(), 0, kms.ErrAway},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.Standby(tc.to)
			service, err := kms.Open(tc.uri, s.Config)
			if err != nil {
				t.Fatal(err)
			}
			before := active.Calls()
			_, err = service.EncryptWithContext(t.Context(), []byte("key"), nil)
			if !errors.Is(err, tc.want) || tc.want == nil && err != nil || err != nil && text.HintOf(err) == "" {
				t.Errorf("error %v, want %v", err, tc.want)
			}
			if n := active.Calls() - before; n != tc.calls || leaked.Load() {
				t.Errorf("%d calls of the active one; to clear HTTP: %v", n, leaked.Load())
			}
		})
	}
}

// TestFaults: which answers say that a service can't now.
func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		status int
		body   string
		want   error
	}{
		{400, `{"__type":"ThrottlingException","message":"canary"}`, kms.ErrAway},
		{400, `{"__type":"com.amazonaws.kms#NotFoundException","message":"canary"}`, kms.ErrRefused},
		{412, `{"errors":["canary"]}`, kms.ErrAway},
		{429, `{"error":{"status":"RESOURCE_EXHAUSTED","message":"canary"}}`, kms.ErrAway},
		{473, ``, kms.ErrAway},
		{403, `{"error":{"status":"PERMISSION_DENIED","message":"canary"}}`, kms.ErrRefused},
		{503, `canary`, kms.ErrAway},
	} {
		err := kms.Refusal(tc.status, []byte(tc.body))
		if !errors.Is(err, tc.want) || text.HintOf(err) == "" || strings.Contains(err.Error(), "canary") {
			t.Errorf("%d %s: %v", tc.status, tc.body, err)
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
