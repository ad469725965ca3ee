package kms_test

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/masking/keys/kms"
	"github.com/tallystick/tallystick/masking/keys/kms/kmstest"
)

// TestForms holds requests and answers to the references, byte by byte:
// developer.hashicorp.com/vault/api-docs/secret/transit,
// docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html and API_Decrypt.html,
// cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/encrypt
// and decrypt. Numbers of 64 bits are text in Google's JSON; 3808858755 is the
// check value of CRC-32C, that of "123456789".
func TestForms(t *testing.T) {
	const abc, digits = "YWJj", "MTIzNDU2Nzg5" // in base64
	google := "/v1/projects/p/locations/global/keyRings/r/cryptoKeys/k"
	arn := strings.TrimPrefix(kmstest.AWS, "aws-kms://")
	for _, tc := range []struct {
		name, uri, path, target, request, answer string
		decrypt                                  bool
		want                                     string
	}{
		{"Vault encrypt", "", "/v1/transit/encrypt/tallystick", "", `{"plaintext":"` + abc + `","associated_data":"` + digits + `"}`,
			`{"request_id":"a","lease_id":"","renewable":false,"lease_duration":0,"data":{"ciphertext":"vault:v1:XjsPWPjqPrBi1N2Ms2s1QM798YyFWnO4TR4lsFA=","key_version":1},"wrap_info":null,"warnings":null,"auth":null}`,
			false, "vault:v1:XjsPWPjqPrBi1N2Ms2s1QM798YyFWnO4TR4lsFA="},
		{"Vault decrypt", "", "/v1/transit/decrypt/tallystick", "", `{"ciphertext":"vault:v1:abc","associated_data":"` + digits + `"}`,
			`{"data":{"plaintext":"` + abc + `"},"warnings":null}`, true, "abc"},
		{"AWS encrypt", kmstest.AWS, "/", "TrentService.Encrypt", `{"KeyId":"` + arn + `","Plaintext":"` + abc + `","EncryptionContext":{"associatedData":"313233343536373839"}}`,
			`{"CiphertextBlob":"AQIDBA==","EncryptionAlgorithm":"SYMMETRIC_DEFAULT","KeyId":"` + arn + `"}`, false, "\x01\x02\x03\x04"},
		{"AWS decrypt", kmstest.AWS, "/", "TrentService.Decrypt", `{"KeyId":"` + arn + `","CiphertextBlob":"dmF1bHQ6djE6YWJj","EncryptionContext":{"associatedData":"313233343536373839"}}`,
			`{"KeyId":"` + arn + `","Plaintext":"` + abc + `","EncryptionAlgorithm":"SYMMETRIC_DEFAULT","KeyMaterialId":"0b"}`, true, "abc"},
		{"Google encrypt", kmstest.Google, google + ":encrypt", "",
			`{"plaintext":"` + abc + `","plaintextCrc32c":"910901175","additionalAuthenticatedData":"` + digits + `","additionalAuthenticatedDataCrc32c":"3808858755"}`,
			`{"name":"projects/p/locations/global/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1","ciphertext":"` + digits +
				`","ciphertextCrc32c":"3808858755","verifiedPlaintextCrc32c":true,"verifiedAdditionalAuthenticatedDataCrc32c":true,"protectionLevel":"SOFTWARE"}`, false, "123456789"},
		{"Google decrypt", kmstest.Google, google + ":decrypt", "",
			`{"ciphertext":"dmF1bHQ6djE6YWJj","ciphertextCrc32c":"2770010690","additionalAuthenticatedData":"` + digits + `","additionalAuthenticatedDataCrc32c":"3808858755"}`,
			`{"plaintext":"` + abc + `","plaintextCrc32c":"910901175","usedPrimary":true,"protectionLevel":"SOFTWARE"}`, true, "abc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := kmstest.New(t)
			var path, target, request string
			server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				path, target, request = r.URL.Path, r.Header.Get("X-Amz-Target"), string(b)
				_, _ = io.WriteString(w, tc.answer)
			}))
			defer server.Close()
			cfg := s.Config
			cfg.Endpoint, cfg.CAFile = server.URL, filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(cfg.CAFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
				t.Fatal(err)
			}
			uri := tc.uri
			if uri == "" {
				uri = "hcvault://" + strings.TrimPrefix(server.URL, "https://") + "/transit/keys/tallystick"
			}
			service, err := kms.Open(uri, cfg)
			if err != nil {
				t.Fatal(err)
			}
			call, in := service.EncryptWithContext, "abc"
			if tc.decrypt {
				call, in = service.DecryptWithContext, "vault:v1:abc"
			}
			got, err := call(t.Context(), []byte(in), []byte("123456789"))
			if err != nil || string(got) != tc.want {
				t.Errorf("answer: %q, %v", got, err)
			}
			if d := cmp.Diff([]string{tc.path, tc.target, tc.request}, []string{path, target, request}); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}
