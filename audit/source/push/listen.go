package push

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/internal/text"
)

// TLS is the configuration of a listener, nil where it is not protected. A
// renewed certificate takes effect without a restart.
func TLS(c source.ServerTLS) (*tls.Config, error) {
	if !c.On() {
		return nil, nil
	}
	r := &renewed{cert: c.CertFile, key: c.KeyFile}
	if _, err := r.get(nil); err != nil {
		return nil, err
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: r.get}
	if c.ClientCAFile != "" {
		pem, err := os.ReadFile(c.ClientCAFile)
		if err != nil {
			return nil, fmt.Errorf("failed to read the authorities of senders: %w", err)
		}
		t.ClientCAs, t.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !t.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, &text.Hint{Err: fmt.Errorf("%s has no PEM certificate", c.ClientCAFile), Hint: "give the authority's certificate in client_ca_file"}
		}
	}
	return t, nil
}

// renewed is a certificate that is read again when its file has changed.
type renewed struct {
	cert, key string

	mu   sync.Mutex
	at   time.Time // of the file that was read
	pair *tls.Certificate
}

func (r *renewed) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	st, err := os.Stat(r.cert)
	if err == nil && r.pair != nil && st.ModTime().Equal(r.at) {
		return r.pair, nil
	}
	if err == nil {
		var pair tls.Certificate
		if pair, err = private.KeyPair("key_file", r.cert, r.key); err == nil {
			r.pair, r.at = &pair, st.ModTime()
		}
	}
	if r.pair == nil {
		return nil, &text.Hint{Err: fmt.Errorf("failed to read a listener's certificate: %w", err), Hint: cmp.Or(text.HintOf(err), "check cert_file and key_file")}
	}
	return r.pair, nil // half renewed: the old one until both files are there
}

// Bind explains why a listener could not be opened.
func Bind(network, address string, err error) error {
	hint := "check the address"
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "another process, or another source, listens there; choose a free port"
	case errors.Is(err, syscall.EACCES), errors.Is(err, fs.ErrPermission):
		hint = "ports below 1024 need a right: choose a higher one, or give the program CAP_NET_BIND_SERVICE"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "no interface of this machine has that address"
	}
	return &text.Hint{Err: fmt.Errorf("failed to listen on %s %s: %w", network, address, err), Hint: hint}
}

// Listen opens a stream listener that holds at most limit connections: further
// ones are closed at once and counted. The caller adds TLS.
func Listen(address string, limit int, deps source.Deps) (*Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, Bind("TCP", address, err)
	}
	return &Listener{Listener: l, limit: limit, count: deps.Count}, nil
}

// Listener is a net.Listener with a limit.
type Listener struct {
	net.Listener
	limit int
	count func(string, int)

	mu   sync.Mutex
	open int
}

// Open is how many connections are open.
func (l *Listener) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open
}

// Accept waits for a connection within the limit.
func (l *Listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		l.mu.Lock()
		full := l.open >= l.limit
		if !full {
			l.open++
		}
		l.mu.Unlock()
		if !full {
			return &limited{Conn: c, of: l}, nil
		}
		l.count("too_many_connections", 1)
		_ = c.Close()
	}
}

type limited struct {
	net.Conn
	of   *Listener
	once sync.Once
}

func (c *limited) Close() error {
	c.once.Do(func() {
		c.of.mu.Lock()
		c.of.open--
		c.of.mu.Unlock()
	})
	return c.Conn.Close()
}
