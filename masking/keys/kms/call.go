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

// call posts a JSON body and decodes the JSON answer. It tries again while the
// service is away. prepare adds the credentials to each try.
func call(ctx context.Context, c *http.Client, address string, request, answer any, prepare func(*http.Request, []byte) error) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	wait := 200 * time.Millisecond
	for try := 1; ; try++ {
		err = once(ctx, c, address, body, answer, prepare)
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

func once(ctx context.Context, c *http.Client, address string, body []byte, answer any, prepare func(*http.Request, []byte) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("failed to make the request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if err := prepare(req, body); err != nil {
		return err
	}
	res, err := c.Do(req)
	if err != nil {
		return away(req, err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return away(req, err)
	}
	if res.StatusCode != http.StatusOK {
		return refusal(req, res.StatusCode, b)
	}
	if err := json.Unmarshal(b, answer); err != nil {
		// The decoder's error may quote the answer, which holds a key.
		return away(req, errors.New("its answer is not understood"))
	}
	return nil
}

func away(req *http.Request, err error) error {
	return &text.Hint{
		Err:  fmt.Errorf("%w at %s: %w", ErrAway, req.URL.Host, err),
		Hint: "check the address in keys.kek, the network and the service itself; what runs already goes on for keys.kms.grace",
	}
}

// refusal tells a service that can't now from one that will not.
func refusal(req *http.Request, status int, body []byte) error {
	if status >= 500 || status == http.StatusTooManyRequests {
		return away(req, fmt.Errorf("it answers %d %s", status, http.StatusText(status)))
	}
	what := fmt.Sprintf("%d %s", status, http.StatusText(status))
	if code := errorCode(body); code != "" {
		what += ", " + code
	}
	hint := "check that the key in keys.kek exists, is enabled, and is the one that wrapped this data folder's key"
	if status == http.StatusUnauthorized || status == http.StatusForbidden || strings.Contains(what, "AccessDenied") {
		hint = "check the credentials in keys.kms, and that they may encrypt and decrypt with this key"
	}
	return &text.Hint{Err: fmt.Errorf("%w: %s answers %s", ErrRefused, req.URL.Host, what), Hint: hint}
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
