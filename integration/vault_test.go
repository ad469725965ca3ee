//go:build integration && linux

package integration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit/source/push/pushtest"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/keys/kms"
)

// vault is a running Vault of two nodes, one of which stands by, with a transit
// engine and two keys in it.
type vault struct {
	*process
	t                   *testing.T
	addr, standby, root string
	client              *http.Client
	cfg                 kms.Config
}

func startVault(t *testing.T) *vault {
	t.Helper()
	path, err := exec.Command("../scripts/vault.sh").Output()
	if err != nil {
		missing(t, "Vault", err)
	}
	a := pushtest.NewAuthority(t)
	cert := a.Server(false)
	out := &transcript{}
	v := &vault{t: t, addr: freeAddr(t), standby: freeAddr(t)}
	v.client = &http.Client{Transport: &http.Transport{TLSClientConfig: a.Client(false)}, Timeout: 10 * time.Second}
	v.process = launch(t, t.TempDir(), v.addr, out, strings.TrimSpace(string(path)), v.addr, v.standby, cert.CertFile, cert.KeyFile)
	v.root, _, _ = strings.Cut(out.String(), "\n")
	v.cfg = kms.Config{TokenFile: filepath.Join(t.TempDir(), "token"), CAFile: a.File}
	v.ask("sys/mounts/transit", map[string]any{"type": "transit"})
	v.ask("transit/keys/tallystick", nil)
	v.ask("transit/keys/other", nil)
	v.ask("sys/policies/acl/tallystick", map[string]any{"policy": `path "transit/encrypt/tallystick" { capabilities = ["update"] }
path "transit/decrypt/tallystick" { capabilities = ["update"] }
path "transit/encrypt/other" { capabilities = ["update"] }`})
	var made struct {
		Auth struct {
			Token string `json:"client_token"`
		} `json:"auth"`
	}
	if err := json.Unmarshal(v.ask("auth/token/create", map[string]any{"policies": []string{"tallystick"}}), &made); err != nil {
		t.Fatal(err)
	}
	v.token(made.Auth.Token)
	return v
}

// token is what tallystick shows from now on.
func (v *vault) token(token string) {
	v.t.Helper()
	if err := os.WriteFile(v.cfg.TokenFile, []byte(token+"\n"), 0o600); err != nil {
		v.t.Fatal(err)
	}
}

// ask does something as root.
func (v *vault) ask(path string, body map[string]any) []byte {
	v.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		v.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, "https://"+v.addr+"/v1/"+path, bytes.NewReader(b))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", v.root)
	res, err := v.client.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var out bytes.Buffer
	if _, err := out.ReadFrom(res.Body); err != nil || res.StatusCode >= 300 {
		v.t.Fatalf("%s: %s: %s %v", path, res.Status, out.String(), err)
	}
	return out.Bytes()
}

func (v *vault) uri(key string) string { return "hcvault://" + v.addr + "/transit/keys/" + key }

func (v *vault) open(key string) kms.Service {
	v.t.Helper()
	s, err := kms.Open(v.uri(key), v.cfg)
	if err != nil {
		v.t.Fatal(err)
	}
	return s
}

// TestVault wraps the key-encryption key by the transit engine of Vault, also
// after its key was rotated, and tells its refusals from its being away.
func TestVault(t *testing.T) {
	t.Parallel()
	v := startVault(t)
	ctx, dir := t.Context(), t.TempDir()
	service := v.open("tallystick")
	bound := []byte("folder 1")
	first, err := service.EncryptWithContext(ctx, []byte("secret"), bound)
	if err != nil || !bytes.HasPrefix(first, []byte("vault:v1:")) {
		t.Fatalf("%s: %v", first, err)
	}
	made, err := keys.ServiceKEK(ctx, dir, v.uri("tallystick"), service)
	if err != nil || !made.Made {
		t.Fatalf("making the KEK: %v", err)
	}
	sealed, err := made.Encrypt([]byte("keyset"), nil)
	if err != nil {
		t.Fatal(err)
	}
	opens := func() *keys.KEK {
		t.Helper()
		k, err := keys.ServiceKEK(ctx, dir, v.uri("tallystick"), service)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Decrypt(sealed, nil); err != nil || string(got) != "keyset" || k.Check(ctx) != nil {
			t.Errorf("opened %q: %v", got, err)
		}
		return k
	}

	plain := *v.client
	plain.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := plain.Post("https://"+v.standby+"/v1/transit/decrypt/tallystick", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	if _ = res.Body.Close(); res.StatusCode != http.StatusTemporaryRedirect {
		t.Fatalf("the node that stands by answers %s, and no redirect", res.Status)
	}
	redirected, err := kms.Open("hcvault://"+v.standby+"/transit/keys/tallystick", v.cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := redirected.DecryptWithContext(ctx, first, bound); err != nil || string(got) != "secret" {
		t.Errorf("by the node that stands by: %q, %v", got, err)
	}

	v.ask("transit/keys/tallystick/rotate", nil)
	k := opens()
	if got, err := service.DecryptWithContext(ctx, first, bound); err != nil || string(got) != "secret" {
		t.Errorf("after a rotation: %q, %v", got, err)
	}
	if err := k.Rewrap(ctx, dir, v.uri("tallystick"), service); err != nil {
		t.Fatal(err)
	}
	v.ask("transit/keys/tallystick/config", map[string]any{"min_decryption_version": 2})
	k = opens() // the newest version wraps it

	refused := func(what string, call func(context.Context, []byte, []byte) ([]byte, error), b, associated []byte) {
		t.Helper()
		if got, err := call(ctx, b, associated); !errors.Is(err, kms.ErrRefused) || text.HintOf(err) == "" || len(got) > 0 {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	second, err := service.EncryptWithContext(ctx, []byte("secret"), bound)
	if err != nil {
		t.Fatal(err)
	}
	refused("a version that is no more", service.DecryptWithContext, first, bound)
	refused("other associated data", service.DecryptWithContext, second, []byte("folder 2"))
	refused("no ciphertext", service.DecryptWithContext, []byte("none"), bound)
	refused("another key's", v.open("other").DecryptWithContext, second, bound)
	refused("a key that is not there", v.open("none").EncryptWithContext, []byte("x"), bound)
	v.token("hvs.wrong")
	refused("a wrong token", service.EncryptWithContext, []byte("x"), bound)
	v.token(v.root) // the file is read at each call
	k = opens()
	v.ask("sys/seal", nil)
	if err := k.Check(ctx); !errors.Is(err, kms.ErrAway) {
		t.Errorf("sealed: %v", err)
	}
	v.end()
	if err := k.Check(ctx); !errors.Is(err, kms.ErrAway) {
		t.Errorf("while it is away: %v", err)
	}
}
