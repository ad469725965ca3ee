// Package webhook sends notices as signed webhooks (Standard Webhooks) and has a
// receiver that checks them.
//
// The receiver's address comes from the configuration, so the sender guards the
// network that it runs in: no redirects, no proxy, and each address is checked
// after its name was resolved, when it is dialled. Retries, their schedule and
// the outbox belong to services/alerter.
package webhook

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tallystick/tallystick/audit/alert"
)

// Config is one receiver.
type Config struct {
	Name   string
	URL    string
	Secret string // whsec_ and base64 of 24 to 64 bytes
	// Secrets are asked for each notice in place of Secret, which then is empty:
	// the notice has a signature by each. Optional.
	Secrets func() ([]string, error)
	// AllowPrivate permits loopback and private addresses, and plain HTTP.
	AllowPrivate bool
	// Timeout of a try. Default 20 seconds.
	Timeout time.Duration
}

// Webhook sends to one receiver. It is safe for concurrent use.
type Webhook struct {
	cfg    Config
	client *http.Client
	now    func() time.Time
}

var _ alert.Notifier = (*Webhook)(nil)

// New checks the configuration and returns the sender. It connects to nothing.
func New(cfg Config) (*Webhook, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("failed to set up webhook %q: its url is not an http or https address", cfg.Name)
	}
	if u.Scheme == "http" && !cfg.AllowPrivate {
		return nil, fmt.Errorf("failed to set up webhook %q: plain http needs allow_private: true", cfg.Name)
	}
	if cfg.Secrets == nil {
		only := []string{cfg.Secret}
		cfg.Secrets = func() ([]string, error) { return only, nil }
	}
	if _, err := signatures(&cfg, "", time.Now(), nil); err != nil {
		return nil, fmt.Errorf("failed to set up webhook %q: %w", cfg.Name, err)
	}
	cfg.Timeout = cmp.Or(cfg.Timeout, 20*time.Second)
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: guard(cfg.AllowPrivate)}
	return &Webhook{
		cfg: cfg, now: time.Now,
		client: &http.Client{
			Timeout:       cfg.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Transport: &http.Transport{
				DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true,
				TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, MaxIdleConns: 2, IdleConnTimeout: time.Minute,
				MaxResponseHeaderBytes: 16 << 10,
			},
		},
	}, nil
}

// signer reads a whsec_ secret.
func signer(secret string) (*standardwebhooks.Webhook, error) {
	secret = strings.TrimSpace(secret)
	b, ok := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(b)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return nil, errors.New("the secret is not whsec_ and the base64 of 24 to 64 bytes")
	}
	return standardwebhooks.NewWebhookRaw(key)
}

// signatures are those of a notice by each secret, as one header has them.
func signatures(cfg *Config, id string, at time.Time, body []byte) (string, error) {
	secrets, err := cfg.Secrets()
	if err != nil {
		return "", err
	}
	var list []string
	for _, secret := range secrets {
		sign, err := signer(secret)
		if err != nil {
			return "", err
		}
		s, err := sign.Sign(id, at, body)
		if err != nil {
			return "", err
		}
		list = append(list, s)
	}
	return strings.Join(list, " "), nil
}

// Name is the receiver's name.
func (w *Webhook) Name() string { return w.cfg.Name }

// Target is the receiver's address.
func (w *Webhook) Target() string { return w.cfg.URL }

// Close closes idle connections.
func (w *Webhook) Close() { w.client.CloseIdleConnections() }

// Notify sends one notice. Any 2xx is success; 410 means gone.
func (w *Webhook) Notify(ctx context.Context, id string, body []byte) (retryable bool, err error) {
	at := w.now()
	signature, err := signatures(&w.cfg, id, at, body)
	if err != nil {
		return true, fmt.Errorf("failed to sign: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("failed to make a request of the url")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Tallystick")
	req.Header.Set(standardwebhooks.HeaderWebhookID, id)
	req.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	req.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	res, err := w.client.Do(req)
	if err != nil {
		return !errors.Is(err, errGuard), sendError(err)
	}
	_, _ = io.CopyN(io.Discard, res.Body, 64<<10) // so that the connection can be used again
	_ = res.Body.Close()
	return judge(res, w.now())
}

// sendError drops the address from an error of http.Client: it may hold a token.
func sendError(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("failed to send: %w", err)
}

// judge says what an answer means.
func judge(res *http.Response, now time.Time) (retryable bool, err error) {
	code := res.StatusCode
	switch {
	case code >= 200 && code < 300:
		return false, nil
	case code == http.StatusGone:
		return false, alert.ErrGone
	case code >= 300 && code < 400:
		return true, fmt.Errorf("the receiver answered %d: redirects are not followed", code)
	}
	err = fmt.Errorf("the receiver answered %d", code)
	if wait := retryAfter(res.Header.Get("Retry-After"), now); wait > 0 {
		err = &alert.WaitError{Wait: wait, Err: err}
	}
	return true, err
}

// retryAfter reads seconds or a date (RFC 9110 section 10.2.3), a day at most.
func retryAfter(v string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		d = time.Duration(n) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), 24*time.Hour)
}
