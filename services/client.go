package services

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
)

// Ingest implements Operations.
func (c *Client) Ingest(ctx context.Context, r IngestRequest, progress func(Progress)) (*IngestSummary, error) {
	if r.Input == nil {
		return ask[IngestRequest, IngestSummary](ctx, c, "/v1/ingest", r, progress)
	}
	r.Piped = true
	head, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	return post[IngestSummary](ctx, c, "/v1/ingest", io.MultiReader(bytes.NewReader(append(head, '\n')), r.Input), progress)
}

// Replay implements Operations.
func (c *Client) Replay(ctx context.Context, r ReplayRequest, progress func(Progress)) (*ReplaySummary, error) {
	return ask[ReplayRequest, ReplaySummary](ctx, c, "/v1/replay", r, progress)
}

// Query implements Operations.
func (c *Client) Query(ctx context.Context, r QueryRequest) (*QueryResult, error) {
	return ask[QueryRequest, QueryResult](ctx, c, "/v1/query", r, nil)
}

// Render implements Operations.
func (c *Client) Render(ctx context.Context, r RenderRequest) (*Rendered, error) {
	return ask[RenderRequest, Rendered](ctx, c, "/v1/render", r, nil)
}

// Verify implements Operations.
func (c *Client) Verify(ctx context.Context, r VerifyRequest, progress func(Progress)) (*VerifyResult, error) {
	return ask[VerifyRequest, VerifyResult](ctx, c, "/v1/verify", r, progress)
}

// Checkpoint implements Operations.
func (c *Client) Checkpoint(ctx context.Context) (*CheckpointResult, error) {
	return ask[struct{}, CheckpointResult](ctx, c, "/v1/checkpoint", struct{}{}, nil)
}

// Prove implements Operations.
func (c *Client) Prove(ctx context.Context, r ProveRequest) (*ProveResult, error) {
	return ask[ProveRequest, ProveResult](ctx, c, "/v1/prove", r, nil)
}

// Evidence implements Operations.
func (c *Client) Evidence(ctx context.Context, r EvidenceRequest) (*EvidenceResult, error) {
	return ask[EvidenceRequest, EvidenceResult](ctx, c, "/v1/evidence", r, nil)
}

// WatcherKey implements Operations.
func (c *Client) WatcherKey(ctx context.Context) (*WatcherKeyResult, error) {
	return ask[struct{}, WatcherKeyResult](ctx, c, "/v1/watcher-key", struct{}{}, nil)
}

// RegisterGrant implements Operations.
func (c *Client) RegisterGrant(ctx context.Context, r GrantDocument) (*GrantRegistered, error) {
	return ask[GrantDocument, GrantRegistered](ctx, c, "/v1/grants", r, nil)
}

// AddUser implements Operations.
func (c *Client) AddUser(ctx context.Context, r UserRequest) error {
	_, err := ask[UserRequest, struct{}](ctx, c, "/v1/user/add", r, nil)
	return err
}

// ResetPassword implements Operations.
func (c *Client) ResetPassword(ctx context.Context, r UserRequest) error {
	_, err := ask[UserRequest, struct{}](ctx, c, "/v1/user/reset", r, nil)
	return err
}

// ImportRequests implements Operations.
func (c *Client) ImportRequests(ctx context.Context, r ImportRequest) (*ImportResult, error) {
	return ask[ImportRequest, ImportResult](ctx, c, "/v1/import-requests", r, nil)
}

// Erase implements Operations.
func (c *Client) Erase(ctx context.Context, r EraseRequest) (*EraseResult, error) {
	return ask[EraseRequest, EraseResult](ctx, c, "/v1/erase", r, nil)
}

// Decide implements Operations.
func (c *Client) Decide(ctx context.Context, r DecideRequest) error {
	_, err := ask[DecideRequest, struct{}](ctx, c, "/v1/decide", r, nil)
	return err
}

// Keys implements Operations.
func (c *Client) Keys(ctx context.Context) (*KeyList, error) {
	return ask[struct{}, KeyList](ctx, c, "/v1/keys", struct{}{}, nil)
}

// AddHold implements Operations.
func (c *Client) AddHold(ctx context.Context, h Hold) (*Hold, error) {
	return ask[Hold, Hold](ctx, c, "/v1/hold/add", h, nil)
}

// LiftHold implements Operations.
func (c *Client) LiftHold(ctx context.Context, r LiftRequest) error {
	_, err := ask[LiftRequest, struct{}](ctx, c, "/v1/hold/lift", r, nil)
	return err
}

// Holds implements Operations.
func (c *Client) Holds(ctx context.Context) (*HoldList, error) {
	return ask[struct{}, HoldList](ctx, c, "/v1/hold/list", struct{}{}, nil)
}
