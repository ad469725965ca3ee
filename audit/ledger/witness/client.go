package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/tallystick/tallystick/audit/ledger"
)

// timeout of one request to a witness.
const timeout = 10 * time.Second

// Client asks one witness. It is safe for concurrent use.
type Client struct {
	*ledger.Witness
	url  string
	http *http.Client
	old  atomic.Uint64 // size of the newest checkpoint that the witness has, as far as is known
}

// NewClient returns a client of the witness with that address and public key.
func NewClient(name, address, key string) (*Client, error) {
	w, err := ledger.NewWitness(name, key)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("failed to set up witness %q: its url is not an http or https address", name)
	}
	return &Client{Witness: w, url: strings.TrimRight(address, "/") + "/add-checkpoint", http: &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Contradiction says that the witness has seen another log than this one.
type Contradiction struct {
	Witness string
	Kind    ledger.ProblemKind // LogRolledBack or LogForked
	// Size and Other are the sizes of this log and of the witness's newest
	// checkpoint of it.
	Size, Other uint64
}

func (c *Contradiction) Error() string {
	return fmt.Sprintf("witness %s keeps checkpoint %d, which checkpoint %d does not continue", c.Witness, c.Other, c.Size)
}

// Prover makes consistency proofs. ledger.Reader is one.
type Prover interface {
	ConsistencyProof(cp ledger.Checkpoint, old uint64) ([]ledger.Hash, error)
}

// Cosign asks for the witness's signature on a checkpoint and returns note, the
// checkpoint with its signatures so far, with that one more. The error is a
// Contradiction if the witness keeps a checkpoint that this one does not continue.
func (c *Client) Cosign(ctx context.Context, p Prover, cp ledger.Checkpoint, note []byte) ([]byte, error) {
	old := min(c.old.Load(), cp.Size)
	for try := 0; ; try++ {
		status, body, err := c.ask(ctx, p, cp, old)
		if err != nil {
			return nil, fmt.Errorf("failed to ask witness %q: %w", c.Name, err)
		}
		switch status {
		case http.StatusOK:
			if note, err = c.AddCosignatures(note, body); err != nil {
				return nil, err
			}
			c.old.Store(cp.Size)
			return note, nil
		case http.StatusUnprocessableEntity:
			return nil, &Contradiction{Witness: c.Name, Kind: ledger.LogForked, Size: cp.Size, Other: old}
		case http.StatusConflict:
			size, err := strconv.ParseUint(strings.TrimSpace(string(body)), 10, 63)
			switch {
			case err != nil || try == 2:
				return nil, fmt.Errorf("failed to ask witness %q: it answers 409 without a size that helps", c.Name)
			case size > cp.Size:
				return nil, &Contradiction{Witness: c.Name, Kind: ledger.LogRolledBack, Size: cp.Size, Other: size}
			case size == old:
				return nil, &Contradiction{Witness: c.Name, Kind: ledger.LogForked, Size: cp.Size, Other: size}
			}
			old = size
		default:
			return nil, fmt.Errorf("failed to ask witness %q: it answers %d", c.Name, status)
		}
	}
}

// errAnswer is returned for an answer that is longer than one can be.
var errAnswer = errors.New("its answer is too long")

func (c *Client) ask(ctx context.Context, p Prover, cp ledger.Checkpoint, old uint64) (int, []byte, error) {
	req := Request{Old: old, Checkpoint: cp.Raw}
	if old > 0 && old < cp.Size {
		hs, err := p.ConsistencyProof(cp, old)
		if err != nil {
			return 0, nil, err
		}
		for _, h := range hs {
			req.Proof = append(req.Proof, tlog.Hash(h))
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(req.Marshal()))
	if err != nil {
		return 0, nil, err
	}
	res, err := c.http.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err == nil && len(body) > maxBody {
		err = errAnswer
	}
	return res.StatusCode, body, err
}
