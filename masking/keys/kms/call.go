package kms

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tallystick/tallystick/internal/text"
)

const (
	callTimeout = 10 * time.Second // of one try
	tries       = 3
	maxAnswer   = 1 << 20 // bytes
)

// caller posts requests to one service.
type caller struct {
	client *http.Client
	// prepare adds the credentials to each try.
	prepare func(*http.Request, []byte) error
	// moves follows one redirect of each try, to another https address.
	moves bool
}

// call posts a JSON body and decodes the JSON answer. It tries again while the
// service is away.
func (c *caller) call(ctx context.Context, address string, request, answer any) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	wait := 200 * time.Millisecond
	for try := 1; ; try++ {
		err = c.once(ctx, address, body, answer)
		if err == nil || !errors.Is(err, ErrAway) || try == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
			wait *= 4
		}
	}
}

func (c *caller) once(ctx context.Context, address string, body []byte, answer any) error {
	req, status, b, err := c.post(ctx, address, body)
	var moved *movedError
	if errors.As(err, &moved) {
		if c.moves && moved.to != "" {
			req, status, b, err = c.post(ctx, moved.to, body)
		}
		if errors.As(err, &moved) {
			return away(req, moved)
		}
	}
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return refusal(req, status, b)
	}
	if err := json.Unmarshal(b, answer); err != nil {
		// The decoder's error may quote the answer, which holds a key.
		return away(req, errors.New("its answer is not understood"))
	}
	return nil
}

// movedError says that a service sends its callers elsewhere. It is away: another
// node of it would answer.
type movedError struct{ to string } // an https address, or ""

func (e *movedError) Error() string {
	if e.to == "" {
		return "it redirects to no https address"
	}
	return "it redirects"
}

// post sends one request. The error is a *movedError for a redirect.
func (c *caller) post(ctx context.Context, address string, body []byte) (*http.Request, int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, 0, nil, fmt.Errorf("failed to make the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if err := c.prepare(req, body); err != nil {
		return req, 0, nil, err
	}
	res, err := c.client.Do(req)
	if err != nil {
		return req, 0, nil, away(req, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode/100 == 3 {
		moved := &movedError{}
		if to, err := res.Location(); err == nil && to.Scheme == "https" && to.Host != "" && to.User == nil {
			moved.to = to.String()
		}
		return req, 0, nil, moved
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return req, 0, nil, away(req, err)
	}
	return req, res.StatusCode, b, nil
}

func away(req *http.Request, err error) error {
	return &text.Hint{
		Err:  fmt.Errorf("%w at %s: %w", ErrAway, req.URL.Host, err),
		Hint: "check the address in keys.kek, the network and the service itself; what runs already goes on for keys.kms.grace",
	}
}

// refusal tells a service that can't now from one that will not.
func refusal(req *http.Request, status int, body []byte) error {
	what := fmt.Sprintf("%d %s", status, http.StatusText(status))
	code := errorCode(body)
	if code != "" {
		what += ", " + code
	}
	if passes(status, code) {
		return away(req, fmt.Errorf("it answers %s", what))
	}
	hint := "check that the key in keys.kek exists, is enabled, and is the one that wrapped this data folder's key"
	if status == http.StatusUnauthorized || status == http.StatusForbidden || strings.Contains(what, "AccessDenied") {
		hint = "check the credentials in keys.kms, and that they may encrypt and decrypt with this key"
	}
	return &text.Hint{Err: fmt.Errorf("%w: %s answers %s", ErrRefused, req.URL.Host, what), Hint: hint}
}

// passes reports whether a fault passes by itself: of the service, or of too many
// calls, which AWS says with status 400; and of a node of Vault that stands by
// for another one (472, 473) or has not caught up with it (412).
func passes(status int, code string) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusPreconditionFailed, http.StatusTooManyRequests, 472, 473:
		return true
	case http.StatusBadRequest:
		return code == "ThrottlingException"
	}
	return status >= 500
}

// errorCode is the fixed word for a fault in an answer of AWS or Google. Their
// texts, and Vault's, are left out.
func errorCode(body []byte) string {
	var e struct {
		Type  string `json:"__type"`
		Error struct {
			Status string `json:"status"`
		} `json:"error"`
	}
	_ = json.Unmarshal(body, &e)
	code := e.Type[strings.LastIndexByte(e.Type, '#')+1:]
	if code == "" {
		code = e.Error.Status
	}
	if len(code) > 60 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return code
}
