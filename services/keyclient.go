package services

import "context"

// Rotate implements Operations.
func (c *Client) Rotate(ctx context.Context, r RotateRequest) (*RotateResult, error) {
	return ask[RotateRequest, RotateResult](ctx, c, "/v1/keys/rotate", r, nil)
}

// RequestKeyAct implements Operations.
func (c *Client) RequestKeyAct(ctx context.Context, r KeyActRequest) (*KeyActRequested, error) {
	return ask[KeyActRequest, KeyActRequested](ctx, c, "/v1/keys/request", r, nil)
}

// BackupKeys implements Operations.
func (c *Client) BackupKeys(ctx context.Context, r BackupRequest) (*BackupResult, error) {
	return ask[BackupRequest, BackupResult](ctx, c, "/v1/keys/backup", r, nil)
}

// RewrapKEK implements Operations.
func (c *Client) RewrapKEK(ctx context.Context, r RewrapRequest) (*RewrapResult, error) {
	return ask[RewrapRequest, RewrapResult](ctx, c, "/v1/keys/rewrap", r, nil)
}

// Who implements Operations.
func (c *Client) Who(ctx context.Context, r WhoRequest) (*WhoResult, error) {
	return ask[WhoRequest, WhoResult](ctx, c, "/v1/who", r, nil)
}

// SetKey implements Operations.
func (c *Client) SetKey(ctx context.Context, r SetKeyRequest) error {
	_, err := ask[SetKeyRequest, struct{}](ctx, c, "/v1/keys/set", r, nil)
	return err
}

// WebhookSecret implements Operations.
func (c *Client) WebhookSecret(ctx context.Context) (*WebhookSecretResult, error) {
	return ask[struct{}, WebhookSecretResult](ctx, c, "/v1/keys/webhook-secret", struct{}{}, nil)
}
