package kms

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/internal/text"
)

// vault is a key of Vault's transit secrets engine, which OpenBao has too
// (developer.hashicorp.com/vault/api-docs/secret/transit). A node that stands by
// may redirect to the active one, whose address is followed once, as Vault's own
// client does (developer.hashicorp.com/vault/docs/concepts/ha).
type vault struct {
	client               *http.Client
	encrypt, decrypt     string // addresses
	tokenFile, namespace string
}

func newVault(uri string, c Config, client *http.Client) (Service, error) {
	malformed := &text.Hint{Err: errors.New("the address of Vault's key is malformed"), Hint: "write hcvault://HOST:8200/transit/keys/NAME"}
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return nil, malformed
	}
	parts := strings.Split(strings.TrimPrefix(u.Path, "/"), "/")
	n := len(parts)
	if n < 3 || parts[n-2] != "keys" || parts[n-1] == "" || parts[0] == "" {
		return nil, malformed
	}
	if c.TokenFile == "" {
		return nil, &text.Hint{Err: errors.New("hcvault:// needs keys.kms.token_file"), Hint: "put Vault's token into a file of mode 0600 and name it in keys.kms.token_file"}
	}
	if _, err := private.Read("keys.kms.token_file", c.TokenFile); err != nil {
		return nil, err
	}
	at := func(verb string) string {
		parts[n-2] = verb
		return (&url.URL{Scheme: "https", Host: u.Host, Path: "/v1/" + strings.Join(parts, "/")}).String()
	}
	return &vault{client: client, encrypt: at("encrypt"), decrypt: at("decrypt"), tokenFile: c.TokenFile, namespace: c.Namespace}, nil
}

// vaultData are the fields of requests and answers; bytes are base64.
type vaultData struct {
	Plaintext      []byte `json:"plaintext,omitempty"`
	Ciphertext     string `json:"ciphertext,omitempty"`
	AssociatedData []byte `json:"associated_data,omitempty"`
}

func (v *vault) ask(ctx context.Context, address string, r vaultData) (vaultData, error) {
	var a struct {
		Data vaultData `json:"data"`
	}
	c := caller{client: v.client, moves: true, prepare: func(req *http.Request, _ []byte) error {
		token, err := private.Read("keys.kms.token_file", v.tokenFile)
		if err != nil {
			return err
		}
		req.Header.Set("X-Vault-Token", strings.TrimSpace(string(token)))
		req.Header.Set("X-Vault-Request", "true")
		if v.namespace != "" {
			req.Header.Set("X-Vault-Namespace", v.namespace)
		}
		return nil
	}}
	err := c.call(ctx, address, r, &a)
	return a.Data, err
}

// EncryptWithContext implements Service.
func (v *vault) EncryptWithContext(ctx context.Context, plaintext, associated []byte) ([]byte, error) {
	a, err := v.ask(ctx, v.encrypt, vaultData{Plaintext: plaintext, AssociatedData: associated})
	return []byte(a.Ciphertext), err
}

// DecryptWithContext implements Service.
func (v *vault) DecryptWithContext(ctx context.Context, ciphertext, associated []byte) ([]byte, error) {
	a, err := v.ask(ctx, v.decrypt, vaultData{Ciphertext: string(ciphertext), AssociatedData: associated})
	return a.Plaintext, err
}
