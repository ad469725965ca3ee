// Package console is the web console and the JSON API: server-rendered pages
// over what the store, the ledger and the registers hold.
//
// Every route stands in one table with the roles that it needs; router,
// navigation and OpenAPI come from it. Acts are written to the trail before
// they happen and do not happen if they cannot be written. The console shows
// Entries and Findings, which hold no clear value; it never decrypts. It reads
// through the small interfaces of deps.go. Package services is its only caller.
package console

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/templates"
)

// Config is the section console of tallystick.yaml.
type Config struct {
	// Listen is the address of the listener. Default 127.0.0.1:8080. Another
	// interface than loopback needs PublicURL.
	Listen string `yaml:"listen"`
	// PublicURL is how people reach the console, for example
	// https://audit.example.org. Requests under another host name are refused.
	// Default: the listener's own address.
	PublicURL string `yaml:"public_url,omitempty"`
	// TLSCertFile and TLSKeyFile are PEM files; both or neither. The key's has mode
	// 0600.
	TLSCertFile string `yaml:"tls_cert_file,omitempty"`
	TLSKeyFile  string `yaml:"tls_key_file,omitempty"`
	// SessionTTL is how long a sign-in lasts. Default 12h.
	SessionTTL time.Duration `yaml:"session_ttl,omitempty"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{Listen: "127.0.0.1:8080", SessionTTL: 12 * time.Hour}
}

// Validate reports the first fault, with the field's name.
func (c *Config) Validate() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("console.listen: %q is not HOST:PORT", c.Listen)
	}
	if (c.TLSCertFile == "") != (c.TLSKeyFile == "") {
		return errors.New("console: tls_cert_file and tls_key_file go together")
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return fmt.Errorf("console.public_url: %q is not a URL such as https://audit.example.org", c.PublicURL)
		}
	}
	if ip := net.ParseIP(host); c.PublicURL == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("console.public_url: missing; it is needed when console.listen is not a loopback address")
	}
	if c.SessionTTL < time.Minute {
		return errors.New("console.session_ttl: less than a minute")
	}
	return nil
}

// Console is the web console.
type Console struct {
	cfg       Config
	deps      Deps
	listener  net.Listener
	tls       *tls.Config // nil without TLS
	hosts     map[string]bool
	secure    bool // cookies are Secure: people reach the console by https
	routes    []route
	pages     map[string]*template.Template
	assets    map[string]asset
	printers  map[string]*text.Printer
	openapi   []byte
	limiter   *limiter
	hashing   chan struct{} // bounds how many passwords are hashed at once
	arriving  chan struct{} // bounds how many documents are received at once
	documents chan struct{} // bounds how many documents are worked on at once
	pulse     *pulse
	engine    *gin.Engine
}

// New binds the listener and builds the pages. It starts no goroutine.
func New(cfg Config, deps Deps) (*Console, error) {
	def := DefaultConfig()
	if cfg.Listen == "" {
		cfg.Listen = def.Listen
	}
	if cfg.SessionTTL == 0 {
		cfg.SessionTTL = def.SessionTTL
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.Store == nil || deps.Registers == nil || deps.Text == nil || deps.Log == nil {
		return nil, errors.New("the console needs a store, registers, texts and a logger")
	}
	deps.fill()
	s := &Console{
		cfg: cfg, deps: deps, limiter: newLimiter(deps.Now), hashing: make(chan struct{}, 2), arriving: make(chan struct{}, documentsArriving), documents: make(chan struct{}, documentsAtOnce),
		printers: map[string]*text.Printer{}, pulse: &pulse{},
	}
	for _, lang := range text.Languages {
		s.printers[lang] = deps.Text.For(lang)
	}
	var err error
	if s.pages, s.assets, err = loadPages(templates.Console); err != nil {
		return nil, err
	}
	s.routes = s.table()
	if s.openapi, err = openAPI(s.routes, s.printers[text.Languages[0]]); err != nil {
		return nil, err
	}
	if err := s.listen(); err != nil {
		return nil, err
	}
	if s.engine, err = s.router(); err != nil {
		_ = s.listener.Close()
		return nil, err
	}
	return s, nil
}

func (s *Console) listen() error {
	if s.cfg.TLSCertFile != "" {
		cert, err := private.KeyPair("console.tls_key_file", s.cfg.TLSCertFile, s.cfg.TLSKeyFile)
		if err != nil {
			return fmt.Errorf("failed to read the console's certificate: %w", err)
		}
		s.tls = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	}
	ln, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return &text.Hint{Err: fmt.Errorf("failed to open the console's address: %w", err), Hint: "set console.listen to a free address, for example 127.0.0.1:8081"}
	}
	s.listener = ln
	s.secure = s.tls != nil || strings.HasPrefix(s.cfg.PublicURL, "https://")
	s.hosts = allowedHosts(ln.Addr().String(), s.cfg.PublicURL)
	return nil
}

// allowedHosts are the Host headers that the console answers to. Any other one
// is a page of a stranger whose name was pointed at this address.
func allowedHosts(addr, publicURL string) map[string]bool {
	hosts := map[string]bool{}
	host, port, _ := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); ip != nil && (ip.IsLoopback() || ip.IsUnspecified()) {
		for _, h := range []string{"127.0.0.1", "localhost", "::1"} {
			hosts[net.JoinHostPort(h, port)] = true
		}
	}
	if u, err := url.Parse(publicURL); err == nil && u.Host != "" {
		hosts[strings.ToLower(u.Host)] = true
	}
	return hosts
}

// Handler answers all requests of the console.
func (s *Console) Handler() http.Handler { return s.engine }

// Addr is the bound address, HOST:PORT.
func (s *Console) Addr() string { return s.listener.Addr().String() }

// URL is how people reach the console, without a final slash.
func (s *Console) URL() string {
	if s.cfg.PublicURL != "" {
		return strings.TrimRight(s.cfg.PublicURL, "/")
	}
	if s.tls != nil {
		return "https://" + s.Addr()
	}
	return "http://" + s.Addr()
}

// SignInURL is the one-time link for a token of registers.CreateSignInLink, on
// the loopback address. It goes to the operator's terminal and never to a log.
func (s *Console) SignInURL(token string) string {
	scheme := "http"
	if s.tls != nil {
		scheme = "https"
	}
	host, port, _ := net.SplitHostPort(s.Addr())
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port) + "/welcome?token=" + token
}

func loopbackName(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

// Run serves until ctx ends, then lets running requests finish for ten seconds.
func (s *Console) Run(ctx context.Context) error {
	srv := &http.Server{
		Handler: s.engine, TLSConfig: s.tls, MaxHeaderBytes: 32 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 2 * time.Minute, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	failed := make(chan error, 1)
	go func() {
		if s.tls != nil {
			failed <- srv.ServeTLS(s.listener, "", "")
		} else {
			failed <- srv.Serve(s.listener)
		}
	}()
	select {
	case err := <-failed:
		return fmt.Errorf("the console stopped: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := srv.Shutdown(grace); err != nil {
		return fmt.Errorf("failed to stop the console: %w", srv.Close())
	}
	return nil
}

// Close gives the listener back when Run was never called.
func (s *Console) Close() error { return s.listener.Close() }

// emptyFS is the documentation of a console that was given none.
type emptyFS struct{}

func (emptyFS) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}
