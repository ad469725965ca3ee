//go:build integration && linux

package integration_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/audit/source/push/pushtest"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/keys/kms"
)

// moto is a server that plays AWS KMS, and checks signatures and rights.
type moto struct {
	*process
	t            *testing.T
	python       []string // environment
	endpoint, ca string
	Keys         [2]string // ARNs
	User, Writer credentials
}

type credentials struct{ ID, Secret string }

func startMoto(t *testing.T) *moto {
	t.Helper()
	path, err := exec.Command("../scripts/moto.sh").Output()
	if err != nil {
		missing(t, "moto", err)
	}
	a, addr := pushtest.NewAuthority(t), freeAddr(t)
	cert := a.Server(false)
	m := &moto{t: t, python: append(os.Environ(), "PYTHONPATH="+strings.TrimSpace(string(path)), "PYTHONDONTWRITEBYTECODE=1"), endpoint: "https://" + addr, ca: a.File}
	_, port, _ := strings.Cut(addr, ":")
	m.process = launch(t, t.TempDir(), addr, nil, "env", m.python[len(m.python)-2], "python3", "-m", "moto.server", "-H", "127.0.0.1", "-p", port, "-c", cert.CertFile, "-k", cert.KeyFile)
	m.amazon(credentials{"setup", "setup"}, m, "setup")
	return m
}

// amazon asks Amazon's own client.
func (m *moto) amazon(as credentials, out any, args ...string) {
	m.t.Helper()
	cmd := exec.Command("python3", append([]string{"../scripts/moto/account.py", m.endpoint, m.ca}, args...)...)
	cmd.Env = append(m.python, "AWS_ACCESS_KEY_ID="+as.ID, "AWS_SECRET_ACCESS_KEY="+as.Secret)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	b, err := cmd.Output()
	if err != nil {
		m.t.Fatalf("%v: %v\n%s", args, err, errs.String())
	}
	if err := json.Unmarshal(b, out); err != nil {
		m.t.Fatal(err)
	}
}

func (m *moto) open(as credentials, key string) kms.Service {
	m.t.Helper()
	m.t.Setenv("AWS_ACCESS_KEY_ID", as.ID)
	m.t.Setenv("AWS_SECRET_ACCESS_KEY", as.Secret)
	s, err := kms.Open("aws-kms://"+key, kms.Config{Endpoint: m.endpoint, CAFile: m.ca})
	if err != nil {
		m.t.Fatal(err)
	}
	return s
}

// TestAWSKMS wraps the key-encryption key by moto's AWS KMS, which checks the
// signatures with Amazon's own code, and opens what Amazon's client made and the
// other way round.
func TestAWSKMS(t *testing.T) {
	program(t, "python3")
	m := startMoto(t)
	ctx, dir := t.Context(), t.TempDir()
	first := m.open(m.User, m.Keys[0])
	bound := []byte("folder 1")
	context := `{"associatedData": "` + hex.EncodeToString(bound) + `"}`

	ct, err := first.EncryptWithContext(ctx, []byte("secret"), bound)
	if err != nil {
		t.Fatal(err)
	}
	var clear, theirs string
	m.amazon(m.User, &clear, "decrypt", base64.StdEncoding.EncodeToString(ct), context)
	if clear != hex.EncodeToString([]byte("secret")) {
		t.Errorf("Amazon's client decrypts %s", clear)
	}
	m.amazon(m.User, &theirs, "encrypt", m.Keys[0], hex.EncodeToString([]byte("another")), context)
	b, err := base64.StdEncoding.DecodeString(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := first.DecryptWithContext(ctx, b, bound); err != nil || string(got) != "another" {
		t.Errorf("of Amazon's client: %q, %v", got, err)
	}

	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, kms.ErrRefused) || text.HintOf(err) == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err = first.DecryptWithContext(ctx, ct, []byte("folder 2"))
	refused("other associated data", err)
	_, err = first.DecryptWithContext(ctx, []byte("none"), bound)
	refused("no ciphertext", err)
	_, err = m.open(m.User, strings.Replace(m.Keys[0], "key/", "key/00000000-", 1)).EncryptWithContext(ctx, []byte("x"), bound)
	refused("a key that is not there", err)
	_, err = m.open(m.Writer, m.Keys[0]).DecryptWithContext(ctx, ct, bound)
	refused("no right to decrypt", err)
	_, err = m.open(credentials{m.User.ID, "wrong"}, m.Keys[0]).EncryptWithContext(ctx, []byte("x"), bound)
	refused("a wrong secret", err)

	made, err := keys.ServiceKEK(ctx, dir, "aws-kms://"+m.Keys[0], first)
	if err != nil || !made.Made {
		t.Fatalf("making the KEK: %v", err)
	}
	sealed, err := made.Encrypt([]byte("keyset"), nil)
	if err != nil {
		t.Fatal(err)
	}
	opens := func(key string, by kms.Service) *keys.KEK {
		t.Helper()
		k, err := keys.ServiceKEK(ctx, dir, "aws-kms://"+key, by)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := k.Decrypt(sealed, nil); err != nil || string(got) != "keyset" || k.Check(ctx) != nil {
			t.Errorf("opened %q: %v", got, err)
		}
		return k
	}
	k, second := opens(m.Keys[0], first), m.open(m.User, m.Keys[1])
	if err := k.Rewrap(ctx, dir, "aws-kms://"+m.Keys[1], second); err != nil {
		t.Fatal(err)
	}
	k = opens(m.Keys[1], second)
	if _, err := keys.ServiceKEK(ctx, dir, "aws-kms://"+m.Keys[0], first); err == nil || text.HintOf(err) == "" {
		t.Errorf("the earlier key still opens it: %v", err)
	}
	m.end()
	if err := k.Check(ctx); !errors.Is(err, kms.ErrAway) {
		t.Errorf("while it is away: %v", err)
	}
}
