package kms

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/oauth2"
	googleauth "golang.org/x/oauth2/google"

	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/internal/text"
)

// google is a key of Google Cloud KMS: the methods encrypt and decrypt of its
// REST interface, with the checksums that its data integrity guidelines ask for
// (cloud.google.com/kms/docs/reference/rest).
type google struct {
	client  *http.Client
	address string // of the key, without the method
	file    string // of credentials

	mu     sync.Mutex
	tokens oauth2.TokenSource // nil until the first call; guarded by mu
}

var googleKey = regexp.MustCompile(`^projects/[^/:?#]+/locations/[^/:?#]+/keyRings/[^/:?#]+/cryptoKeys/[^/:?#]+$`)

const googleScope = "https://www.googleapis.com/auth/cloudkms"

func newGoogle(uri string, c Config, client *http.Client) (Service, error) {
	name := strings.TrimPrefix(uri, googleScheme)
	if !googleKey.MatchString(name) {
		return nil, &text.Hint{
			Err:  errors.New("the name of the Google Cloud key is malformed"),
			Hint: "write gcp-kms://projects/PROJECT/locations/LOCATION/keyRings/RING/cryptoKeys/KEY",
		}
	}
	if c.CredentialsFile != "" {
		if _, err := private.Read("keys.kms.credentials_file", c.CredentialsFile); err != nil {
			return nil, err
		}
	}
	at := c.Endpoint
	if at == "" {
		at = "https://cloudkms.googleapis.com"
	}
	return &google{client: client, address: strings.TrimSuffix(at, "/") + "/v1/" + name, file: c.CredentialsFile}, nil
}

// googleData are the fields of requests and answers; bytes are base64, and
// checksums are decimal text.
type googleData struct {
	Plaintext     []byte `json:"plaintext,omitempty"`
	PlaintextSum  int64  `json:"plaintextCrc32c,omitempty,string"`
	Ciphertext    []byte `json:"ciphertext,omitempty"`
	CiphertextSum int64  `json:"ciphertextCrc32c,omitempty,string"`
	Associated    []byte `json:"additionalAuthenticatedData,omitempty"`
	AssociatedSum int64  `json:"additionalAuthenticatedDataCrc32c,omitempty,string"`
	PlaintextOK   bool   `json:"verifiedPlaintextCrc32c,omitempty"`
	AssociatedOK  bool   `json:"verifiedAdditionalAuthenticatedDataCrc32c,omitempty"`
}

func checksum(b []byte) int64 { return int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))) }

func (g *google) ask(ctx context.Context, method string, r googleData) (googleData, error) {
	r.PlaintextSum, r.CiphertextSum, r.AssociatedSum = checksum(r.Plaintext), checksum(r.Ciphertext), checksum(r.Associated)
	var out googleData
	c := caller{client: g.client, prepare: func(req *http.Request, _ []byte) error {
		source, err := g.source(ctx)
		if err != nil {
			return err
		}
		t, err := source.Token()
		if err != nil {
			return noToken(err)
		}
		t.SetAuthHeader(req)
		return nil
	}}
	err := c.call(ctx, g.address+":"+method, r, &out)
	if err == nil && (checksum(out.Plaintext) != out.PlaintextSum || checksum(out.Ciphertext) != out.CiphertextSum) {
		err = fmt.Errorf("%w: its answer was changed on the way", ErrAway)
	}
	return out, err
}

// noToken is the error for one of the token service's library, which may quote
// the answer.
func noToken(err error) error {
	kind := ErrAway
	var r *oauth2.RetrieveError
	if errors.As(err, &r) && r.Response != nil && r.Response.StatusCode/100 == 4 && !passes(r.Response.StatusCode, "") {
		kind = ErrRefused
	}
	return &text.Hint{
		Err:  fmt.Errorf("%w: no access token for Google Cloud", kind),
		Hint: "check keys.kms.credentials_file, or gcloud auth application-default print-access-token; the system's authorities judge the token service, not keys.kms.ca_file",
	}
}

// source finds the credentials once; it renews tokens by itself.
func (g *google) source(ctx context.Context) (oauth2.TokenSource, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.tokens != nil {
		return g.tokens, nil
	}
	// The source outlives this call.
	client, err := newClient("")
	if err != nil {
		return nil, err
	}
	ctx = context.WithValue(context.WithoutCancel(ctx), oauth2.HTTPClient, client)
	var c *googleauth.Credentials
	if g.file == "" {
		c, err = googleauth.FindDefaultCredentials(ctx, googleScope)
	} else {
		var b []byte
		if b, err = private.Read("keys.kms.credentials_file", g.file); err != nil {
			return nil, err
		}
		c, err = googleauth.CredentialsFromJSONWithType(ctx, b, googleauth.ServiceAccount, googleScope)
	}
	if err != nil {
		return nil, &text.Hint{
			Err:  errors.New("failed to find Google Cloud credentials"),
			Hint: "name the key file of a service account in keys.kms.credentials_file, or set up application default credentials",
		}
	}
	g.tokens = c.TokenSource
	return g.tokens, nil
}

// EncryptWithContext implements Service.
func (g *google) EncryptWithContext(ctx context.Context, plaintext, associated []byte) ([]byte, error) {
	r, err := g.ask(ctx, "encrypt", googleData{Plaintext: plaintext, Associated: associated})
	if err == nil && (!r.PlaintextOK || len(associated) > 0 && !r.AssociatedOK) {
		err = fmt.Errorf("%w: the request was changed on the way", ErrAway)
	}
	return r.Ciphertext, err
}

// DecryptWithContext implements Service.
func (g *google) DecryptWithContext(ctx context.Context, ciphertext, associated []byte) ([]byte, error) {
	r, err := g.ask(ctx, "decrypt", googleData{Ciphertext: ciphertext, Associated: associated})
	return r.Plaintext, err
}
