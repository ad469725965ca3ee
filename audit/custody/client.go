package custody

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tallystick/tallystick/masking/grant"
)

// Client asks one custodian.
type Client struct {
	base string
	http *http.Client
}

// NewClient returns a client of the custodian at HOST:PORT that has a key. It
// shows the certificate of signer.
func NewClient(address string, server ed25519.PublicKey, signer grant.Signer) (*Client, error) {
	cert, err := Certificate(signer)
	if err != nil {
		return nil, err
	}
	return &Client{base: "https://" + address, http: &http.Client{Timeout: 30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: clientTLS(cert, server), DisableKeepAlives: true}}}, nil
}

// Keep hands a share over.
func (c *Client) Keep(ctx context.Context, e *grant.Envelope) error {
	return c.post(ctx, "/v1/shares", e, nil)
}

// Revoke hands a revocation over.
func (c *Client) Revoke(ctx context.Context, d *grant.Document) error {
	return c.post(ctx, "/v1/revocations", d, nil)
}

// Read asks for a capsule to be transformed. What comes back is not verified.
func (c *Client) Read(ctx context.Context, id string, q *ReadRequest) ([]byte, error) {
	var out struct {
		Fragment []byte `json:"fragment"`
	}
	err := c.post(ctx, "/v1/grants/"+id+"/read", q, &out)
	return out.Fragment, err
}

// Trail returns acts after a number, oldest first.
func (c *Client) Trail(ctx context.Context, after int64) ([]Act, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/v1/trail?after="+strconv.FormatInt(after, 10), nil)
	if err != nil {
		return nil, err
	}
	var out []Act
	return out, c.do(req, &out)
}

func (c *Client) post(ctx context.Context, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path, bytes.NewReader(b))
	if err != nil {
		return err
	}
	return c.do(req, out)
}

func (c *Client) do(req *http.Request, out any) error {
	resp, err := c.http.Do(req)
	if err != nil {
		var about *url.Error // which would repeat the address
		if errors.As(err, &about) {
			err = about.Err
		}
		return fmt.Errorf("failed to reach the custodian: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return fmt.Errorf("failed to read the custodian's answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		var r Refusal
		if json.Unmarshal(b, &r) != nil || r.Reason == "" {
			return fmt.Errorf("failed to read the custodian's answer: status %d", resp.StatusCode)
		}
		return &r
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("failed to read the custodian's answer: %w", err)
	}
	return nil
}
