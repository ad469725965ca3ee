package services

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/grant"
)

// The kinds of documents in the register of grants.
const (
	kindReader  = "reader"
	kindRequest = "request"
)

// RegisterGrant implements Operations.
func (a *App) RegisterGrant(ctx context.Context, r GrantDocument) (*GrantRegistered, error) {
	kind, id, said, err := a.checkGrantDocument(ctx, r.Document)
	if err != nil {
		if rerr := a.registers.Record(ctx, actorOf(ctx), "grant.register", "a document", false, "not valid"); rerr != nil {
			return nil, rerr
		}
		return nil, err
	}
	if err := a.registers.KeepGrantDocument(ctx, id, kind, string(r.Document), actorOf(ctx), said); err != nil {
		return nil, err
	}
	return &GrantRegistered{Kind: kind, ID: id}, nil
}

// checkGrantDocument checks a reader's card that was confirmed, or a request
// with its approvals, against the pinned keys.
func (a *App) checkGrantDocument(ctx context.Context, doc []byte) (kind, id, said string, err error) {
	p := a.custody.pins
	if p == nil {
		return "", "", "", &text.Hint{Err: errors.New("there are no pinned keys to check a grant against"), Hint: "set vault.pins in tallystick.yaml"}
	}
	if r, err := grant.ParseReader(doc); err == nil && len(r.Proof) > 0 {
		_, by, err := p.CheckReader(r)
		return kindReader, r.Fingerprint(), "confirm " + by, err
	}
	d, err := grant.ParseDocument(doc)
	if err != nil {
		return "", "", "", err
	}
	r, _, err := p.CheckRequest(d)
	if err != nil {
		return "", "", "", err
	}
	card, err := a.registers.GrantDocument(ctx, r.Reader, kindReader)
	if err != nil {
		return "", "", "", &text.Hint{Err: errors.New("the request names a reader who is not registered here"), Hint: "tallystick reencrypt register READER first"}
	}
	reader, err := grant.ParseReader([]byte(card))
	if err != nil {
		return "", "", "", err
	}
	if _, _, err := p.CheckApproved(d, reader, time.Now()); err != nil {
		return "", "", "", err
	}
	return kindRequest, grant.ID(d.Text), p.Signed(d) + ", ticket " + r.Ticket, nil
}

// WatcherKey implements Operations.
func (a *App) WatcherKey(context.Context) (*WatcherKeyResult, error) {
	s, err := a.watcher()
	if err != nil {
		return nil, err
	}
	return &WatcherKeyResult{Key: grant.KeyText(s.Public())}, nil
}

// GrantDocument is a reader's card or a request, signed.
type GrantDocument struct {
	Document json.RawMessage `json:"document"`
}

// GrantRegistered says what was registered.
type GrantRegistered struct {
	Kind string `json:"kind"` // reader or request
	ID   string `json:"id"`
}

// WatcherKeyResult is the public key that custodians let read their trails.
type WatcherKeyResult struct {
	Key string `json:"key"`
}
