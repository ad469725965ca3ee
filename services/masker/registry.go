package masker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/tallystick/tallystick/internal/private"
	"github.com/tallystick/tallystick/masking/avro"
)

// Bounds of what a registry answers.
const (
	maxAnswer     = 4 << 20
	maxSchemas    = 10_000 // kept
	maxReferences = 100    // of one schema, those of references included
	askTimeout    = 10 * time.Second
)

// registry gets schemas by their ids and keeps them: what is under an id never
// changes. It is safe for concurrent use.
type registry struct {
	cfg      Registry
	password string
	client   *http.Client
	log      *slog.Logger
	wait     time.Duration // after a failure; grows

	mu    sync.Mutex
	known map[uint32]*avro.Schema // guarded by mu
}

func newRegistry(cfg Registry, log *slog.Logger) (*registry, error) {
	r := &registry{cfg: cfg, log: log, wait: time.Second, known: map[uint32]*avro.Schema{}}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute, MaxIdleConns: 4}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("failed to read the registry's authorities: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("registry.ca_file: %s has no PEM certificate", cfg.CAFile)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	if cfg.PasswordFile != "" {
		var err error
		if r.password, err = private.FirstLine("registry.password_file", cfg.PasswordFile); err != nil {
			return nil, err
		}
	}
	r.client = &http.Client{Transport: transport, Timeout: askTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }} // the password stays here
	return r, nil
}

// schema is the schema of an id. It waits while the registry is away; an id that
// the registry does not have is a *badRecord.
func (r *registry) schema(ctx context.Context, id uint32) (*avro.Schema, error) {
	r.mu.Lock()
	s := r.known[id]
	r.mu.Unlock()
	if s != nil {
		return s, nil
	}
	for wait := r.wait; ; wait = min(2*wait, 30*time.Second) {
		s, err := r.ask(ctx, id)
		if err == nil {
			r.mu.Lock()
			if len(r.known) >= maxSchemas {
				clear(r.known)
			}
			r.known[id] = s
			r.mu.Unlock()
			return s, nil
		}
		if ctx.Err() != nil || isBad(err) {
			return nil, err
		}
		r.log.Warn("the schema registry did not answer and is asked again", "url", r.cfg.URL, "schema", id, "error", err, "hint", "see that it runs at registry.url and that the user may read schemas; records wait")
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// registered is how a registry answers.
type registered struct {
	Schema     string `json:"schema"`
	Type       string `json:"schemaType"` // "" is Avro
	References []struct {
		Subject string `json:"subject"`
		Version int    `json:"version"`
	} `json:"references"`
}

func (r *registry) ask(ctx context.Context, id uint32) (*avro.Schema, error) {
	var answer registered
	if err := r.get(ctx, fmt.Sprintf("/schemas/ids/%d", id), &answer); err != nil {
		return nil, err
	}
	if answer.Type != "" && answer.Type != "AVRO" {
		return nil, bad("schema %d is not Avro", id)
	}
	seen := map[string]bool{}
	named, err := r.references(ctx, &answer, seen)
	if err != nil {
		return nil, err
	}
	s, err := avro.Parse([]byte(answer.Schema), named...)
	if err != nil {
		return nil, bad("schema %d: %v", id, err)
	}
	return s, nil
}

// references gets what a schema refers to, what comes first first.
func (r *registry) references(ctx context.Context, a *registered, seen map[string]bool) (named [][]byte, err error) {
	for _, ref := range a.References {
		path := fmt.Sprintf("/subjects/%s/versions/%d", url.PathEscape(ref.Subject), ref.Version)
		if seen[path] {
			continue
		}
		if seen[path] = true; len(seen) > maxReferences {
			return nil, bad("its schema has more than %d references", maxReferences)
		}
		var inner registered
		if err := r.get(ctx, path, &inner); err != nil {
			return nil, err
		}
		before, err := r.references(ctx, &inner, seen)
		if err != nil {
			return nil, err
		}
		named = append(append(named, before...), []byte(inner.Schema))
	}
	return named, nil
}

func (r *registry) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.cfg.URL+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/vnd.schemaregistry.v1+json, application/json")
	if r.cfg.User != "" {
		req.SetBasicAuth(r.cfg.User, r.password)
	}
	res, err := r.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return err
	case res.StatusCode == http.StatusNotFound && lacks(b):
		return bad("the schema registry does not have its schema")
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("it answered with status %d", res.StatusCode)
	case len(b) > maxAnswer:
		return errors.New("its answer is larger than 4 MiB")
	}
	if err := json.Unmarshal(b, into); err != nil {
		return errors.New("its answer is no schema")
	}
	return nil
}

// lacks reports whether an answer with status 404 is a schema registry's, about
// a schema, a subject or a version: error_code 40401 to 40403. Whatever else
// stands at the address says 404 about everything.
func lacks(answer []byte) bool {
	var e struct {
		Code int `json:"error_code"`
	}
	return json.Unmarshal(answer, &e) == nil && e.Code/100 == http.StatusNotFound
}
