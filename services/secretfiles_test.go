package services_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/services"
)

// Each file of a secret that the configuration can name is refused by config
// check if others can read it.
func TestSecretFiles(t *testing.T) {
	t.Parallel()
	const kafkaOf = "addresses: ['127.0.0.1:9092'], sasl: {mechanism: plain, user: u, password_file: secret}"
	const tls = "tls: {cert_file: cert, key_file: secret}"
	const shop = "sources:\n- name: shop\n  format: nginx:combined\n  "
	const policy = "masking: {policies: [{name: p, file: p.yaml}]}\n"
	for _, tc := range []struct{ field, yaml string }{
		{"kafka.sasl.password_file", "kafka: {" + kafkaOf + "}"},
		{"kafka.tls.key_file", "kafka: {addresses: ['127.0.0.1:9092'], tls: {enabled: true, cert_file: cert, key_file: secret}}"},
		{"clickhouse.password_file", "clickhouse: {address: 'https://127.0.0.1:8443', user: u, password_file: secret}"},
		{"clickhouse.reader.password_file", "clickhouse: {address: 'https://127.0.0.1:8443', user: w, reader: {user: u, password_file: secret}}"},
		{"console.tls_key_file", "console: {listen: '127.0.0.1:8081', tls_cert_file: cert, tls_key_file: secret}"},
		{"alerts.webhooks[0].secret_file", "alerts: {webhooks: [{name: a, url: 'https://a.example', secret_file: secret}]}"},
		{"keys.kms.token_file", "keys: {kek: 'hcvault://127.0.0.1:8200/transit/keys/k', kms: {token_file: secret}}"},
		{"keys.kms.credentials_file", "keys: {kek: 'gcp-kms://projects/p/locations/l/keyRings/r/cryptoKeys/k', kms: {credentials_file: secret}}"},
		{"sources[0].kafka.sasl.password_file", shop + "kafka: {topic: t, " + kafkaOf + "}"},
		{"sources[0].http.token_file", shop + "http: {listen: '127.0.0.1:0', token_file: secret}"},
		{"sources[0].http.tls.key_file", shop + "http: {listen: '127.0.0.1:0', token_file: token, " + tls + "}"},
		{"sources[0].syslog.tls.key_file", shop + "syslog: {tcp: '127.0.0.1:0', " + tls + "}"},
		{"masker.streams[0].registry.password_file", policy + "masker: {streams: [{name: a, from: a, to: b, policy: p, value: {format: json}, registry: {url: 'https://r.example', user: u, password_file: secret}}]}"},
		{"masker.streams[0].kafka.sasl.password_file", policy + "masker: {streams: [{name: a, from: a, to: b, policy: p, value: {format: json}, kafka: {" + kafkaOf + "}}]}"},
	} {
		t.Run(tc.field, func(t *testing.T) {
			dir := t.TempDir()
			secret, file := filepath.Join(dir, "secret"), filepath.Join(dir, "tallystick.yaml")
			for path, content := range map[string]string{secret: "x", file: tc.yaml} {
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			c, err := services.LoadConfig(file)
			if err != nil {
				t.Fatal(err)
			}
			says := func() bool {
				err := services.Check(c)
				return err != nil && strings.Contains(err.Error(), tc.field+" "+secret+" is open to other users") && text.HintOf(err) == "chmod 600 "+secret
			}
			if says() {
				t.Error("refused with mode 0600")
			}
			if err := os.Chmod(secret, 0o640); err != nil {
				t.Fatal(err)
			}
			if !says() {
				t.Errorf("with mode 0640: %v", services.Check(c))
			}
		})
	}
}
