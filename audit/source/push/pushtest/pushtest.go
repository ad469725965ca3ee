// Package pushtest holds what the tests of all listeners need: certificates of
// an authority of its own, and a sink that takes Runs as the tap does.
package pushtest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// Authority signs certificates for 127.0.0.1.
type Authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	File string // its certificate
}

// NewAuthority makes one in a temporary folder.
func NewAuthority(t testing.TB) *Authority {
	a := &Authority{t: t, dir: t.TempDir()}
	a.File, _, a.cert, a.key = a.issue("ca", true)
	return a
}

// Server is the TLS of a listener; senders have to show a certificate if
// mutual.
func (a *Authority) Server(mutual bool) source.ServerTLS {
	var s source.ServerTLS
	s.CertFile, s.KeyFile, _, _ = a.issue("server", false)
	if mutual {
		s.ClientCAFile = a.File
	}
	return s
}

// Client is the TLS of a sender, with a certificate if shown.
func (a *Authority) Client(shown bool) *tls.Config {
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(a.cert)
	if shown {
		cert, key, _, _ := a.issue("client", false)
		pair, err := tls.LoadX509KeyPair(cert, key)
		a.fail(err)
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

func (a *Authority) issue(name string, ca bool) (certFile, keyFile string, cert *x509.Certificate, key *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	a.fail(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: ca, BasicConstraintsValid: true,
	}
	parent, signer := a.cert, a.key
	if ca {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	a.fail(err)
	cert, err = x509.ParseCertificate(der)
	a.fail(err)
	k, err := x509.MarshalPKCS8PrivateKey(key)
	a.fail(err)
	certFile, keyFile = filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key")
	a.fail(os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	a.fail(os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k}), 0o600))
	return certFile, keyFile, cert, key
}

func (a *Authority) fail(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// Sink takes the Runs of a Reader as the tap does. It is safe for concurrent
// use.
type Sink struct {
	t testing.TB

	mu       sync.Mutex
	lines    []string
	gaps     []source.Gap
	outcomes map[string]int
	held     bool // runs are taken but not acknowledged
	waiting  []*source.Run
	reader   source.Reader
	next     uint64
	log      strings.Builder
}

// NewSink returns an empty Sink.
func NewSink(t testing.TB) *Sink { return &Sink{t: t, outcomes: map[string]int{}} }

// Deps are those that a Reader gets.
func (s *Sink) Deps() source.Deps {
	return source.Deps{
		Name: func(parts ...string) string { return strings.Join(parts, "/") }, Clock: time.Now,
		Logger: slog.New(slog.NewTextHandler(s, nil)),
		Gap:    func(g source.Gap) { s.mu.Lock(); defer s.mu.Unlock(); s.gaps = append(s.gaps, g) },
		Count:  func(o string, n int) { s.mu.Lock(); defer s.mu.Unlock(); s.outcomes[o] += n },
	}
}

// Write takes log lines.
func (s *Sink) Write(b []byte) (int, error) { s.mu.Lock(); defer s.mu.Unlock(); return s.log.Write(b) }

// Log is what was logged.
func (s *Sink) Log() string { s.mu.Lock(); defer s.mu.Unlock(); return s.log.String() }

// Hold keeps Runs from being acknowledged, or acknowledges them again.
func (s *Sink) Hold(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = on
	if !on {
		s.ack()
	}
}

func (s *Sink) ack() {
	for _, r := range s.waiting {
		if err := s.reader.Ack(r); err != nil {
			s.t.Errorf("acknowledging: %v", err)
		}
	}
	s.waiting = nil
}

// Drive takes Runs of r until the test ends, or the returned function stops r
// as the tap does and has taken what was left.
func (s *Sink) Drive(r source.Reader) (stop func()) {
	s.reader = r
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			run, err := r.Next(ctx)
			if ctx.Err() != nil && errors.Is(err, context.Canceled) {
				if st, ok := r.(interface{ Stop() }); ok {
					st.Stop()
				}
				run, err = r.Next(context.Background())
				ctx = context.Background()
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				s.t.Errorf("reading: %v", err)
				return
			}
			s.take(run)
		}
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
		if err := r.Close(); err != nil {
			s.t.Errorf("closing: %v", err)
		}
	})
	s.t.Cleanup(stop)
	return stop
}

func (s *Sink) take(run *source.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if run.First != s.next || run.Next != run.First+uint64(len(run.Lines)) || run.Received.IsZero() {
		s.t.Errorf("run from %d to %d with %d lines, want one from %d", run.First, run.Next, len(run.Lines), s.next)
	}
	s.next = run.Next
	for _, l := range run.Lines {
		text := strings.Clone(l.Text.Reveal(plainaccess.Token{}))
		if l.Cut() {
			text += "[cut]"
		}
		s.lines = append(s.lines, text)
	}
	s.waiting = append(s.waiting, run)
	if !s.held {
		s.ack()
	}
}

// Lines are those that came.
func (s *Sink) Lines() []string { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clone(s.lines) }

// Gaps are those that were told.
func (s *Sink) Gaps() []source.Gap { s.mu.Lock(); defer s.mu.Unlock(); return slices.Clone(s.gaps) }

// Outcome is how often an outcome was counted.
func (s *Sink) Outcome(name string) int { s.mu.Lock(); defer s.mu.Unlock(); return s.outcomes[name] }

// Eventually fails the test unless ok soon.
func (s *Sink) Eventually(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("not in time: %s; %d lines, outcomes %v, gaps %v", what, len(s.Lines()), s.outcomes, s.Gaps())
		}
	}
}
