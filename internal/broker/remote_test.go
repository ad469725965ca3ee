package broker_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/broker/brokertest"
	"github.com/tallystick/tallystick/internal/text"
)

// certificate makes a self-signed certificate for 127.0.0.1 and writes it and
// its key as PEM.
func certificate(t *testing.T, dir, name string) (tls.Certificate, string, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile := filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
	for f, b := range map[string][]byte{certFile: certPEM, keyFile: keyPEM} {
		if err := os.WriteFile(f, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return c, certFile, keyFile
}

// TestRemote reaches a broker that wants TLS, a client certificate and a
// password, and has no topic yet.
func TestRemote(t *testing.T) {
	dir := t.TempDir()
	server, serverFile, _ := certificate(t, dir, "server")
	client, clientFile, clientKey := certificate(t, dir, "client")
	pool := x509.NewCertPool()
	pool.AddCert(client.Leaf)
	k, err := kfake.NewCluster(
		kfake.NumBrokers(3), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "tally", "secret"),
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := broker.Config{
		Addresses: k.ListenAddrs(), Partitions: 3,
		TLS:  broker.TLS{Enabled: true, CAFile: serverFile, CertFile: clientFile, KeyFile: clientKey},
		SASL: broker.SASL{Mechanism: "scram-sha-512", User: "tally", PasswordFile: password},
	}
	for _, secret := range []string{password, clientKey} {
		if err := os.Chmod(secret, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, err := broker.Open(t.Context(), cfg, broker.Deps{Log: discard}); text.HintOf(err) != "chmod 600 "+secret {
			t.Errorf("others can read %s: %v", secret, err)
		}
		if err := os.Chmod(secret, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := brokertest.Open(t, cfg)
	produce(t, c, 0, 64)
	s := newSeen()
	consume(t, c, "auditor", s)
	if v := values(s.wait(t, 64)); len(v) != 64 {
		t.Fatalf("%d values, want 64", len(v))
	}
	for p := range 3 { // each partition has another leader
		if err := c.DeleteBelow(context.Background(), broker.Lines, p, 2); err != nil {
			t.Fatal(err)
		}
		if first, _, err := c.Offsets(context.Background(), broker.Lines, p); err != nil || first != 2 {
			t.Fatalf("partition %d begins at %d, error %v", p, first, err)
		}
	}
	for name, change := range map[string]func(*broker.Config){
		"without a client certificate": func(c *broker.Config) { c.TLS.CertFile, c.TLS.KeyFile = "", "" },
		"with another authority":       func(c *broker.Config) { c.TLS.CAFile = clientFile },
		"as another host":              func(c *broker.Config) { c.TLS.ServerName = "kafka.example.org" },
	} {
		bad := cfg
		change(&bad)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if _, err := broker.Open(ctx, bad, broker.Deps{Log: discard}); err == nil {
			t.Errorf("it connected %s", name)
		}
		cancel()
	}
}

// TestBrokerAway stops the broker under a producer and a consumer.
func TestBrokerAway(t *testing.T) {
	dir := t.TempDir()
	start := func(port int) *kfake.Cluster {
		t.Helper()
		k, err := kfake.NewCluster(kfake.Ports(port), kfake.DataDir(dir), kfake.SyncWrites(), kfake.SeedTopics(2, broker.Lines, broker.Findings))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := start(0)
	_, portText, err := net.SplitHostPort(k.ListenAddrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		t.Fatal(err)
	}
	c := brokertest.Open(t, broker.Config{Addresses: k.ListenAddrs()})
	s := newSeen()
	consume(t, c, "auditor", s)
	produce(t, c, 0, 32)
	s.wait(t, 32)
	k.Close()
	done := make(chan error, 1)
	go func() {
		done <- c.Produce(context.Background(), broker.Lines, msg("stream1", "while away"))
	}()
	select {
	case err := <-done:
		t.Fatalf("it ended although the broker is away: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	k = start(port)
	defer k.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	end := time.Now().Add(40 * time.Second)
	for n := 33; ; n++ {
		if values(s.wait(t, n))["while away"] > 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the message did not arrive")
		}
	}
}
