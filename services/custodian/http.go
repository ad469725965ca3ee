package custodian

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/tallystick/tallystick/audit/custody"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/reencrypt"
)

// What a custodian refuses besides what its packages do.
var (
	errUnknown = errors.New("no share of this grant is kept here")
	errRevoked = errors.New("the grant was revoked")
	errSpan    = errors.New("the capsule is of another class, month or key, or has nothing in the grant's span")
	errClock   = errors.New("the time of the read is not that of this custodian: set the clocks")
	errPeer    = errors.New("the connection's key is pinned for no such thing")
)

// reasons are the words of refusals in the trail and in answers. Whatever is
// none of them is a fault of the custodian, and nobody else's business.
var reasons = []struct {
	err  error
	word string
}{
	{errUnknown, "unknown-grant"}, {registers.ErrNotFound, "unknown-grant"}, {errRevoked, "revoked"}, {grant.ErrEnded, "ended"}, {errSpan, "outside-span"}, {errClock, "clock"}, {errPeer, "stranger"},
	{grant.ErrReader, "wrong-reader"}, {ledger.ErrProof, "no-inclusion"}, {registers.ErrSpent, "limit"}, {registers.ErrRate, "rate"},
	{registers.ErrReplayed, "replayed-read"}, {registers.ErrShareSeen, "replayed-grant"}, {grant.ErrApprovals, "approvals"}, {grant.ErrSignature, "signature"},
	{grant.ErrStranger, "stranger"}, {grant.ErrRequester, "requester"}, {grant.ErrConfirmed, "reader-unconfirmed"}, {grant.ErrUnproven, "reader-unproven"},
	{grant.ErrFragments, "fragments"}, {grant.ErrThreshold, "threshold"}, {grant.ErrNotForThis, "not-for-this-custodian"}, {grant.ErrText, "malformed"},
	{keys.ErrVaultKey, "vault-key"}, {reencrypt.ErrSignature, "fragments"}, {reencrypt.ErrCommitment, "fragments"}, {reencrypt.ErrEncoding, "fragments"},
	{reencrypt.ErrCapsule, "capsule"}, {ledger.ErrRow, "no-inclusion"},
}

func refusalOf(err error) *custody.Refusal {
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			return &custody.Refusal{Reason: r.word, Message: err.Error()}
		}
	}
	return nil
}

// maxBody bounds what a client sends: a share has a few hundred bytes a month.
const maxBody = 1 << 20

func (c *Custodian) handler() http.Handler {
	mux := http.NewServeMux()
	handle(c, mux, "POST /v1/shares", "share.keep", func(ctx context.Context, e *grant.Envelope, peer ed25519.PublicKey) (any, string, error) {
		id, err := c.keep(ctx, e, c.peerName(peer))
		return map[string]string{"grant": id}, "grant " + shortID(e.Grant), err
	})
	handle(c, mux, "POST /v1/revocations", "share.revoke", func(ctx context.Context, d *grant.Document, _ ed25519.PublicKey) (any, string, error) {
		r, by, err := c.cfg.Pins.CheckRevocation(d)
		if err != nil {
			return nil, "a revocation", err
		}
		return map[string]string{"grant": r.Grant}, "grant " + shortID(r.Grant), c.deps.Register.DropShare(ctx, r.Grant, "person:"+by, r.Reason)
	})
	handle(c, mux, "POST /v1/grants/{id}/read", "grant.transform", func(ctx context.Context, q *custody.ReadRequest, peer ed25519.PublicKey) (any, string, error) {
		id := ctx.Value(pathID{}).(string)
		b, err := c.transform(ctx, id, q, peer)
		return map[string][]byte{"fragment": b}, "grant " + shortID(id), err
	})
	mux.HandleFunc("GET /v1/trail", c.trail)
	return mux
}

// shortID is an id as the trail shows it, whatever a client sent.
func shortID(s string) string {
	if len(s) != 32 || slices.ContainsFunc([]byte(s), func(b byte) bool { return (b < '0' || b > '9') && (b < 'a' || b > 'f') }) {
		return "unknown"
	}
	return s
}

type pathID struct{}

// handle decodes, acts and answers. A refusal is in the trail before its answer
// leaves; an act that succeeded has put itself there.
func handle[T any](c *Custodian, mux *http.ServeMux, pattern, act string, f func(context.Context, *T, ed25519.PublicKey) (any, string, error)) {
	mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		ctx := context.WithValue(r.Context(), pathID{}, r.PathValue("id"))
		peer := peerKey(r)
		var in T
		d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
		d.DisallowUnknownFields()
		out, object, err := any(nil), "a malformed message", error(grant.ErrText)
		if d.Decode(&in) == nil {
			out, object, err = f(ctx, &in, peer)
		}
		if err == nil {
			answer(w, http.StatusOK, out)
			return
		}
		refusal := refusalOf(err)
		if refusal == nil {
			c.deps.Logger.Error("failed to answer", "act", act, "error", err)
			answer(w, http.StatusServiceUnavailable, &custody.Refusal{Reason: "fault", Message: "the custodian has a fault; its operator's log says more"})
			return
		}
		if err := c.deps.Register.Record(ctx, c.peerName(peer), act, object, false, refusal.Reason); err != nil {
			c.deps.Logger.Error("failed to record a refusal", "error", err)
			answer(w, http.StatusServiceUnavailable, &custody.Refusal{Reason: "fault", Message: "the custodian has a fault; its operator's log says more"})
			return
		}
		c.deps.Logger.Warn("refused", "act", act, "object", object, "reason", refusal.Reason)
		answer(w, http.StatusForbidden, refusal)
	})
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// trail shows the acts after a number to the installation that may see them.
func (c *Custodian) trail(w http.ResponseWriter, r *http.Request) {
	peer := grant.KeyText(peerKey(r))
	if c.cfg.Watcher == "" || peer != c.cfg.Watcher {
		if err := c.deps.Register.Record(r.Context(), c.peerName(peerKey(r)), "trail.read", "trail", false, "stranger"); err != nil {
			c.deps.Logger.Error("failed to record a refusal", "error", err)
		}
		answer(w, http.StatusForbidden, refusalOf(errPeer))
		return
	}
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil {
		after = 0
	}
	acts, err := c.deps.Register.ActsAfter(r.Context(), after, 500)
	if err != nil {
		c.deps.Logger.Error("failed to read the trail", "error", err)
		answer(w, http.StatusServiceUnavailable, &custody.Refusal{Reason: "fault", Message: "the custodian has a fault; its operator's log says more"})
		return
	}
	out := make([]custody.Act, len(acts))
	for i, a := range acts {
		out[i] = custody.Act(a)
	}
	answer(w, http.StatusOK, out)
}

// peerKey is the key at the other end, whose possession the handshake proved.
func peerKey(r *http.Request) ed25519.PublicKey {
	k, _ := r.TLS.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	return k
}

// peerName is the peer as the trail shows it: a pinned name, or the key's ID.
func (c *Custodian) peerName(k ed25519.PublicKey) string {
	if name := c.cfg.Pins.Name(grant.KeyText(k)); name != "" {
		return "person:" + name
	}
	if grant.KeyText(k) == c.cfg.Pins.Officer {
		return "officer"
	}
	return "key:" + grant.ID(grant.KeyText(k))
}
