// Package kms asks a key management service to encrypt and decrypt a key
// encryption key: Vault's transit engine (hcvault://), AWS KMS (aws-kms://) and
// Google Cloud KMS (gcp-kms://).
//
// It speaks the two calls that are needed of each over HTTPS, in the same way
// as Tink's integration modules, so that what either wrapped the other opens.
// It keeps nothing and decides nothing: masking/keys wraps by it, and services
// opens it.
package kms

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/internal/text"
)

// The defaults of Config.
const (
	DefaultCheck = 5 * time.Minute
	DefaultGrace = 24 * time.Hour
)

// Config says how a key management service is reached, and how long a process
// goes on without it.
type Config struct {
	// TokenFile holds the token for Vault, mode 0600. It is read at each call, so
	// that an agent may renew it. Required with hcvault://.
	TokenFile string `yaml:"token_file,omitempty"`
	// Namespace is Vault's, where it has namespaces. Optional.
	Namespace string `yaml:"namespace,omitempty"`
	// CredentialsFile is the key of a service account for gcp-kms://, mode 0600.
	// Default: Google's application default credentials. AWS credentials come
	// from the places that its own tools look in.
	CredentialsFile string `yaml:"credentials_file,omitempty"`
	// CAFile holds the authorities that sign the service's certificate, PEM.
	// Default: the system's, which judge the token service of Google always.
	CAFile string `yaml:"ca_file,omitempty"`
	// Endpoint is another https address of the service of AWS or Google, such as
	// a private one. Optional.
	Endpoint string `yaml:"endpoint,omitempty"`
	// Check is how often a running process asks whether the service still
	// unwraps the key-encryption key. Default 5m.
	Check time.Duration `yaml:"check,omitempty"`
	// Grace is how long a running process goes on after the last good answer,
	// with the keys that it holds in memory; then it stops. Default 24h.
	Grace time.Duration `yaml:"grace,omitempty"`
}

// The two ways in which a call fails.
var (
	// ErrAway says that the service did not answer, or that it can't now.
	ErrAway = errors.New("the key management service does not answer")
	// ErrRefused says that the service answered with a refusal.
	ErrRefused = errors.New("the key management service refuses")
)

// Service encrypts and decrypts with one key of a key management service. Its
// errors wrap ErrAway or ErrRefused, with a hint.
type Service interface{ tink.AEADWithContext }

const (
	vaultScheme  = "hcvault://"
	awsScheme    = "aws-kms://"
	googleScheme = "gcp-kms://"
)

// Is reports whether uri names a key of a service, and not a file.
func Is(uri string) bool { return strings.Contains(uri, "://") }

// Check refuses a URI or a configuration that can't work, without a call.
func Check(uri string, c Config) error {
	_, err := open(uri, c)
	return err
}

// Open returns the service of the key that uri names. It makes no call.
func Open(uri string, c Config) (Service, error) {
	s, err := open(uri, c)
	if err != nil {
		return nil, fmt.Errorf("failed to use the key management service: %w", err)
	}
	return s, nil
}

func open(uri string, c Config) (Service, error) {
	if c.Endpoint != "" {
		if u, err := url.Parse(c.Endpoint); err != nil || u.Scheme != "https" || u.Host == "" {
			return nil, &text.Hint{Err: errors.New("the endpoint is not an https address"), Hint: "write endpoint: https://kms.internal.example"}
		}
	}
	client, err := newClient(c.CAFile)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(uri, vaultScheme):
		return newVault(uri, c, client)
	case strings.HasPrefix(uri, awsScheme):
		return newAWS(uri, c, client)
	case strings.HasPrefix(uri, googleScheme):
		return newGoogle(uri, c, client)
	}
	return nil, &text.Hint{
		Err:  fmt.Errorf("%q names no key management service that is known", uri),
		Hint: "write hcvault://HOST:8200/transit/keys/NAME, aws-kms://arn:aws:kms:..., gcp-kms://projects/..., or the path of a key file",
	}
}

// newClient is an HTTP client that follows no redirect by itself: its requests
// carry credentials.
func newClient(caFile string) (*http.Client, error) {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile)
		if err != nil {
			return nil, fmt.Errorf("failed to read ca_file: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file %s holds no certificate", caFile)
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{Transport: t, Timeout: callTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}
