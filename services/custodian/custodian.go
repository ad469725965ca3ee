// Package custodian keeps one share of each grant and transforms capsules with
// it for the grant's reader: within the grant's span, until its end date and
// within its limits, and never after a revocation.
//
// A custodian sees no original and can open none: it turns capsules that it
// can't open into fragments that only the reader opens, together with those of
// other custodians. It believes the keys in its own configuration file and what
// the ledger committed to, nothing that a client says. Each request and each
// refusal is in its trail before the answer leaves; where the trail can't be
// written nothing is done. What a dishonest custodian could do is said in
// package grant. The command line runs it, one host each; packages of other
// services are not its business.
package custodian

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/custody"
	"github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/reencrypt"
)

// Register keeps shares, counts transforms and has the trail. registers.DB is
// the one; its methods say what is atomic.
type Register interface {
	Record(ctx context.Context, actor, act, object string, allowed bool, reason string) error
	KeepShare(ctx context.Context, s registers.Share, actor, reason string) error
	Share(ctx context.Context, grant string) (registers.Share, error)
	TakeTransform(ctx context.Context, s registers.Share, nonce, capsule, actor string) error
	DropShare(ctx context.Context, grant, actor, reason string) error
	DropEnded(ctx context.Context, now time.Time) (int, error)
	ActsAfter(ctx context.Context, id int64, limit int) ([]registers.Act, error)
}

// Deps are what a custodian needs; all must be set but those that say so.
type Deps struct {
	Keys     *keys.Store // with the roles person and inbox
	KEK      tink.AEAD   // wraps the shares
	Register Register
	Logger   *slog.Logger     // optional
	Now      func() time.Time // time.Now if nil
}

// Custodian is one custodian.
type Custodian struct {
	cfg   *Config
	deps  Deps
	self  ed25519.PublicKey
	inbox tink.HybridDecrypt
	ln    net.Listener
	srv   *http.Server
}

// New opens the listener and starts nothing.
func New(cfg *Config, deps Deps) (*Custodian, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Custodian{cfg: cfg, deps: deps}
	signer, err := deps.Keys.PersonSigner()
	if err != nil {
		return nil, err
	}
	c.self = signer.Public()
	if c.inbox, err = deps.Keys.InboxDecrypt(); err != nil {
		return nil, err
	}
	cert, err := custody.Certificate(signer)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	c.ln = tls.NewListener(ln, custody.ServerTLS(cert))
	c.srv = &http.Server{Handler: c.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		ErrorLog: slog.NewLogLogger(deps.Logger.Handler(), slog.LevelDebug)}
	return c, nil
}

// Addr is where the custodian listens.
func (c *Custodian) Addr() string { return c.ln.Addr().String() }

// Run answers until ctx ends, and deletes shares whose grants have ended.
func (c *Custodian) Run(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { _ = c.srv.Close() })()
	go c.dropEnded(ctx)
	if err := c.srv.Serve(c.ln); err != nil && !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
		return fmt.Errorf("failed to serve: %w", err)
	}
	return nil
}

// Close closes the listener of a custodian that does not run.
func (c *Custodian) Close() error { return c.srv.Close() }

func (c *Custodian) dropEnded(ctx context.Context) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for {
		n, err := c.deps.Register.DropEnded(ctx, c.deps.Now())
		if err != nil && ctx.Err() == nil {
			c.deps.Logger.Error("failed to delete ended shares; trying again in a minute", "error", err)
		} else if n > 0 {
			c.deps.Logger.Info("deleted shares of grants that have ended", "shares", n)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// keep takes a share.
func (c *Custodian) keep(ctx context.Context, e *grant.Envelope, by string) (string, error) {
	share, err := e.Open(c.self, c.inbox)
	if err != nil {
		return "", err
	}
	r, _, err := c.cfg.Pins.CheckShare(share, c.deps.Now())
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(share)
	if err != nil {
		return "", err
	}
	wrapped, err := c.deps.KEK.Encrypt(plain, shareContext(share.ID()))
	if err != nil {
		return "", fmt.Errorf("failed to wrap a share: %w", err)
	}
	return share.ID(), c.deps.Register.KeepShare(ctx, registers.Share{
		Grant: share.ID(), Reader: share.Reader.Fingerprint(), Wrapped: base64.StdEncoding.EncodeToString(wrapped),
		Ends: r.Ends, Transforms: r.Transforms, PerHour: r.PerHour,
	}, by, c.cfg.Pins.Signed(&share.Request))
}

func shareContext(id string) []byte { return []byte("tallystick custodian's share " + id) }

// share opens what is kept of a grant.
func (c *Custodian) share(ctx context.Context, id string) (registers.Share, *grant.Share, error) {
	row, err := c.deps.Register.Share(ctx, id)
	switch {
	case errors.Is(err, registers.ErrNotFound):
		return row, nil, errUnknown
	case err != nil:
		return row, nil, err
	case row.RevokedBy != "":
		return row, nil, errRevoked
	case !c.deps.Now().Before(row.Ends) || row.Wrapped == "":
		return row, nil, grant.ErrEnded
	}
	wrapped, err := base64.StdEncoding.DecodeString(row.Wrapped)
	if err != nil {
		return row, nil, fmt.Errorf("failed to open a share: %w", err)
	}
	plain, err := c.deps.KEK.Decrypt(wrapped, shareContext(id))
	if err != nil {
		return row, nil, errors.New("failed to open a share: the key file does not fit")
	}
	var s grant.Share
	if err := json.Unmarshal(plain, &s); err != nil {
		return row, nil, errors.New("failed to open a share: malformed")
	}
	return row, &s, nil
}

// clockSkew is how far a read's time may be from ours.
const clockSkew = 5 * time.Minute

// transform answers a read: what the grant says, what the ledger proves and
// what was done before decide, in this order.
func (c *Custodian) transform(ctx context.Context, id string, q *custody.ReadRequest, peer ed25519.PublicKey) ([]byte, error) {
	row, share, err := c.share(ctx, id)
	if err != nil {
		return nil, err
	}
	// Pins may have changed since the share was taken.
	r, card, err := c.cfg.Pins.CheckShare(share, c.deps.Now())
	if err != nil {
		return nil, err
	}
	read, err := grant.CheckRead(&q.Read, card)
	if err != nil {
		return nil, err
	}
	if !peer.Equal(card.Sign) {
		return nil, grant.ErrReader
	}
	if d := c.deps.Now().Sub(read.Time).Abs(); d > clockSkew {
		return nil, errClock
	}
	leaf, err := q.Proof.Check(c.cfg.Pins.Ledger)
	if err != nil {
		return nil, err
	}
	capsule, err := ledger.ParseCapsule(q.Proof.Row)
	if err != nil || q.Proof.Table != ledger.TableCapsules || capsule.Chunk != leaf.Chunk || capsule.Version != leaf.Version || capsule.ID != read.Capsule {
		return nil, ledger.ErrProof
	}
	fragment, err := fragmentFor(share, &capsule)
	if err != nil {
		return nil, err
	}
	if capsule.Class != r.Class || capsule.Last.Before(r.From) || !capsule.First.Before(r.Until) {
		return nil, errSpan
	}
	parsed, err := reencrypt.ParseCapsule(capsule.Bytes)
	if err != nil {
		return nil, err
	}
	row.Transforms, row.PerHour = r.Transforms, r.PerHour // as they were signed
	if err := c.deps.Register.TakeTransform(ctx, row, read.Nonce, capsule.ID, readerName(share)); err != nil {
		return nil, err
	}
	out, err := fragment.Transform(parsed)
	if err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// fragmentFor is the share's fragment for the key that a capsule was made for.
func fragmentFor(s *grant.Share, c *audit.Capsule) (*reencrypt.KeyFragment, error) {
	for i := range s.Vault {
		v := &s.Vault[i]
		if v.Month == c.Month && v.Class == c.Class && string(v.Key) == string(c.Delegator) {
			return reencrypt.ParseKeyFragment(s.Fragments[i])
		}
	}
	return nil, errSpan
}

func readerName(s *grant.Share) string { return "reader:" + s.Reader.Fingerprint() }
