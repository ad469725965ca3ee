// Package kmstest is a key management service for tests: one HTTPS server on
// loopback that speaks the two calls of Vault's transit engine, AWS KMS and
// Google Cloud KMS as their references document them, and one for Google's
// tokens in clear HTTP, because no configured authority judges that.
//
// It checks what the real services check (token, signature, bearer token,
// checksums, associated data) and keeps its key in memory. Only tests import it.
package kmstest

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/tallystick/tallystick/masking/keys/kms"
)

// The names of the keys that a Server has.
const (
	AWS    = "aws-kms://arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	Google = "gcp-kms://projects/p/locations/global/keyRings/r/cryptoKeys/k"

	awsID, awsSecret = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	vaultToken       = "hvs.for-tests"
	googleToken      = "ya29.for-tests"
)

// Server is a running service.
type Server struct {
	// Vault is the URI of its Vault key.
	Vault string
	// Config reaches it with good credentials.
	Config kms.Config

	t     testing.TB
	http  *httptest.Server
	token *httptest.Server // of Google
	aead  cipher.AEAD
	away  atomic.Bool
	shut  atomic.Bool
	moved atomic.Value // string
	calls atomic.Int64
}

// New starts a service that ends with the test. AWS credentials are in the
// environment of the test from then on.
func New(t testing.TB) *Server {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		t.Fatal(err)
	}
	s.http = httptest.NewTLSServer(s)
	t.Cleanup(s.http.Close)
	s.token = httptest.NewServer(http.HandlerFunc(s.tokens))
	t.Cleanup(s.token.Close)
	s.Vault = "hcvault://" + strings.TrimPrefix(s.http.URL, "https://") + "/transit/keys/tallystick"
	t.Setenv("AWS_ACCESS_KEY_ID", awsID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", awsSecret)
	dir := t.TempDir()
	s.Config = kms.Config{
		TokenFile: filepath.Join(dir, "token"), CAFile: filepath.Join(dir, "ca.pem"), CredentialsFile: filepath.Join(dir, "account.json"),
		Endpoint: s.http.URL,
	}
	for path, b := range map[string][]byte{
		s.Config.TokenFile:       []byte(vaultToken + "\n"),
		s.Config.CAFile:          pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw}),
		s.Config.CredentialsFile: s.account(s.token.URL),
	} {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// TokenService writes the credentials file anew, with another address of Google's
// token service.
func (s *Server) TokenService(url string) {
	s.t.Helper()
	if err := os.WriteFile(s.Config.CredentialsFile, s.account(url), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// URL is the https address of the service.
func (s *Server) URL() string { return s.http.URL }

// Standby makes the service answer every call with a redirect to another
// address, as a node of Vault that stands by does; "" ends that.
func (s *Server) Standby(to string) { s.moved.Store(to) }

// account is the key file of a service account of Google Cloud.
func (s *Server) account(tokens string) []byte {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		s.t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		s.t.Fatal(err)
	}
	b, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "tallystick@p.iam.gserviceaccount.com", "private_key_id": "1",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), "token_uri": tokens + "/token",
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// Away makes the service answer nothing but 503, or serve again.
func (s *Server) Away(away bool) { s.away.Store(away) }

// Refuse makes the service refuse everybody, or serve again.
func (s *Server) Refuse(refuse bool) { s.shut.Store(refuse) }

// Calls is how many calls came.
func (s *Server) Calls() int { return int(s.calls.Load()) }

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.calls.Add(1)
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	switch {
	case err != nil || r.Method != http.MethodPost:
		w.WriteHeader(http.StatusBadRequest)
	case s.away.Load():
		w.WriteHeader(http.StatusServiceUnavailable)
	case s.moved.Load() != nil && s.moved.Load() != "":
		http.Redirect(w, r, s.moved.Load().(string)+r.URL.Path, http.StatusTemporaryRedirect)
	case r.URL.Path == "/token":
		s.tokens(w, r)
	case strings.HasPrefix(r.URL.Path, "/v1/transit/"):
		s.vault(w, r, body)
	case r.Header.Get("X-Amz-Target") != "":
		s.amazon(w, r, body)
	default:
		s.google(w, r, body)
	}
}

func (s *Server) tokens(w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{"access_token": googleToken, "token_type": "Bearer", "expires_in": 3600})
}

func answer(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

func refuse(w http.ResponseWriter, status int, v any) {
	w.WriteHeader(status)
	answer(w, v)
}

func (s *Server) seal(plaintext, associated []byte) []byte {
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce)
	return s.aead.Seal(nonce, nonce, plaintext, associated)
}

func (s *Server) open(ciphertext, associated []byte) ([]byte, bool) {
	n := s.aead.NonceSize()
	if len(ciphertext) < n {
		return nil, false
	}
	b, err := s.aead.Open(nil, ciphertext[:n], ciphertext[n:], associated)
	return b, err == nil
}

func (s *Server) vault(w http.ResponseWriter, r *http.Request, body []byte) {
	var q struct {
		Plaintext      []byte `json:"plaintext"`
		Ciphertext     string `json:"ciphertext"`
		AssociatedData []byte `json:"associated_data"`
	}
	fault := func(status int, what string) { refuse(w, status, map[string][]string{"errors": {what}}) }
	if r.Header.Get("X-Vault-Token") != vaultToken || s.shut.Load() {
		fault(http.StatusForbidden, "permission denied")
		return
	}
	if json.Unmarshal(body, &q) != nil {
		fault(http.StatusBadRequest, "malformed")
		return
	}
	data := map[string]any{"key_version": 1}
	switch r.URL.Path {
	case "/v1/transit/encrypt/tallystick":
		data["ciphertext"] = "vault:v1:" + base64.StdEncoding.EncodeToString(s.seal(q.Plaintext, q.AssociatedData))
	case "/v1/transit/decrypt/tallystick":
		enc, ours := strings.CutPrefix(q.Ciphertext, "vault:v1:")
		ct, err := base64.StdEncoding.DecodeString(enc)
		b, ok := s.open(ct, q.AssociatedData)
		if !ours || err != nil || !ok {
			fault(http.StatusBadRequest, "cipher: message authentication failed")
			return
		}
		data["plaintext"] = b
	default:
		fault(http.StatusNotFound, "no handler for route")
		return
	}
	answer(w, map[string]any{"request_id": "1", "data": data})
}

func (s *Server) amazon(w http.ResponseWriter, r *http.Request, body []byte) {
	fault := func(what string) { refuse(w, http.StatusBadRequest, map[string]string{"__type": what}) }
	if !s.signed(r, body) {
		fault("InvalidSignatureException")
		return
	}
	if s.shut.Load() {
		fault("AccessDeniedException")
		return
	}
	var q struct {
		KeyID             string `json:"KeyId"`
		Plaintext         []byte
		CiphertextBlob    []byte
		EncryptionContext map[string]string
	}
	if json.Unmarshal(body, &q) != nil || "aws-kms://"+q.KeyID != AWS {
		fault("NotFoundException")
		return
	}
	associated, err := hex.DecodeString(q.EncryptionContext["associatedData"])
	if err != nil {
		fault("ValidationException")
		return
	}
	switch r.Header.Get("X-Amz-Target") {
	case "TrentService.Encrypt":
		answer(w, map[string]any{"KeyId": q.KeyID, "CiphertextBlob": s.seal(q.Plaintext, associated)})
	case "TrentService.Decrypt":
		b, ok := s.open(q.CiphertextBlob, associated)
		if !ok {
			fault("com.amazonaws.kms#InvalidCiphertextException")
			return
		}
		answer(w, map[string]any{"KeyId": q.KeyID, "Plaintext": b})
	default:
		fault("UnknownOperationException")
	}
}

// signed checks the signature of AWS (version 4) by making it again.
func (s *Server) signed(r *http.Request, body []byte) bool {
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(at).Abs() > 5*time.Minute {
		return false
	}
	again, err := http.NewRequest(r.Method, "https://"+r.Host+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return false
	}
	for _, h := range []string{"Content-Type", "X-Amz-Target"} {
		again.Header.Set(h, r.Header.Get(h))
	}
	sum := sha256.Sum256(body)
	err = v4.NewSigner().SignHTTP(context.Background(), aws.Credentials{AccessKeyID: awsID, SecretAccessKey: awsSecret}, again, hex.EncodeToString(sum[:]), "kms", "eu-central-1", at)
	return err == nil && again.Header.Get("Authorization") == r.Header.Get("Authorization")
}

func (s *Server) google(w http.ResponseWriter, r *http.Request, body []byte) {
	fault := func(status int, what string) {
		refuse(w, status, map[string]any{"error": map[string]any{"code": status, "status": what}})
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+googleToken:
		fault(http.StatusUnauthorized, "UNAUTHENTICATED")
		return
	case s.shut.Load():
		fault(http.StatusForbidden, "PERMISSION_DENIED")
		return
	}
	var q struct {
		Plaintext, Ciphertext         []byte
		AdditionalAuthenticatedData   []byte
		PlaintextCrc32c               string
		CiphertextCrc32c              string
		AdditionalAuthenticatedDataCr string `json:"additionalAuthenticatedDataCrc32c"`
	}
	sum := func(b []byte) string {
		return strconv.FormatInt(int64(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli))), 10)
	}
	if json.Unmarshal(body, &q) != nil || q.AdditionalAuthenticatedDataCr != sum(q.AdditionalAuthenticatedData) && len(q.AdditionalAuthenticatedData)+len(q.AdditionalAuthenticatedDataCr) > 0 {
		fault(http.StatusBadRequest, "INVALID_ARGUMENT")
		return
	}
	name := "/v1/" + strings.TrimPrefix(Google, "gcp-kms://")
	switch {
	case r.URL.Path == name+":encrypt" && q.PlaintextCrc32c == sum(q.Plaintext):
		ct := s.seal(q.Plaintext, q.AdditionalAuthenticatedData)
		answer(w, map[string]any{
			"name": Google, "ciphertext": ct, "ciphertextCrc32c": sum(ct), "verifiedPlaintextCrc32c": true, "verifiedAdditionalAuthenticatedDataCrc32c": true,
		})
	case r.URL.Path == name+":decrypt" && q.CiphertextCrc32c == sum(q.Ciphertext):
		b, ok := s.open(q.Ciphertext, q.AdditionalAuthenticatedData)
		if !ok {
			fault(http.StatusBadRequest, "INVALID_ARGUMENT")
			return
		}
		answer(w, map[string]any{"plaintext": b, "plaintextCrc32c": sum(b)})
	default:
		fault(http.StatusNotFound, "NOT_FOUND")
	}
}
