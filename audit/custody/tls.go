package custody

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/tallystick/tallystick/masking/grant"
)

// Both ends of a connection show a certificate that they signed themselves:
// what counts is its Ed25519 key, which the other end has pinned. There is no
// authority that could vouch for a stranger.

// tlsSigner is a signer as package tls wants it.
type tlsSigner struct{ grant.Signer }

var _ crypto.Signer = tlsSigner{}

func (s tlsSigner) Public() crypto.PublicKey { return s.Signer.Public() }

func (s tlsSigner) Sign(_ io.Reader, msg []byte, o crypto.SignerOpts) ([]byte, error) {
	if o.HashFunc() != 0 {
		return nil, errors.New("an Ed25519 key signs no hash")
	}
	return s.Signer.Sign(msg)
}

// Certificate is a certificate of the signer's key.
func Certificate(s grant.Signer) (tls.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "tallystick"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, s.Public(), tlsSigner{s})
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("failed to make a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: tlsSigner{s}}, nil
}

// ServerTLS asks every client for a certificate; who the key belongs to is
// decided for each request.
func ServerTLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAnyClientCert,
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			_, err := keyOf(raw)
			return err
		}}
}

// clientTLS accepts one server only: the one with the pinned key.
func clientTLS(cert tls.Certificate, server ed25519.PublicKey) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13,
		InsecureSkipVerify: true, // no authority: VerifyPeerCertificate compares the key
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			k, err := keyOf(raw)
			if err != nil {
				return err
			}
			if !k.Equal(server) {
				return errors.New("the custodian has another key than the one pinned here")
			}
			return nil
		}}
}

func keyOf(raw [][]byte) (ed25519.PublicKey, error) {
	if len(raw) == 0 {
		return nil, errors.New("no certificate")
	}
	c, err := x509.ParseCertificate(raw[0])
	if err != nil {
		return nil, errors.New("a malformed certificate")
	}
	k, ok := c.PublicKey.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("a certificate of another kind of key than Ed25519")
	}
	return k, nil
}
