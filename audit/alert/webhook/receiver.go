package webhook

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/tallystick/tallystick/audit/alert"
)

// maxTickets bounds what a Receiver keeps.
const maxTickets = 1000

// Ticket is what a Receiver made of the notices about one group.
type Ticket struct {
	Group    string    `json:"group"`
	Summary  string    `json:"summary"`
	Severity string    `json:"severity"`
	Control  string    `json:"control"`
	Evidence string    `json:"evidence"`
	Opened   time.Time `json:"opened"`  // when the first notice was delivered
	Updated  time.Time `json:"updated"` // when the last one was
	Notices  int       `json:"notices"`
	Text     string    `json:"text"`
}

// Receiver is a small receiver of webhooks for demo and tests: it checks
// signatures, counts each webhook-id once and keeps tickets in memory. POST
// delivers, GET lists. It is safe for concurrent use.
type Receiver struct {
	verify *standardwebhooks.Webhook
	now    func() time.Time

	mu       sync.Mutex
	seen     map[string]bool
	tickets  []*Ticket // oldest first
	repeated int
	refused  int
}

// NewReceiver returns a receiver for that whsec_ secret.
func NewReceiver(secret string) (*Receiver, error) {
	v, err := signer(secret)
	if err != nil {
		return nil, fmt.Errorf("failed to set up the receiver: %w", err)
	}
	return &Receiver{verify: v, now: time.Now, seen: map[string]bool{}}, nil
}

// ServeHTTP takes deliveries and lists tickets as JSON, newest first.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	switch req.Method {
	case http.MethodPost:
		w.WriteHeader(r.deliver(req))
	case http.MethodGet, http.MethodHead:
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_ = json.NewEncoder(w).Encode(r.Tickets())
	default:
		w.Header().Set("Allow", "GET, HEAD, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (r *Receiver) deliver(req *http.Request) int {
	body, err := io.ReadAll(io.LimitReader(req.Body, alert.MaxBody+1001))
	if err != nil || len(body) > alert.MaxBody+1000 {
		return http.StatusRequestEntityTooLarge
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.verify.Verify(body, req.Header); err != nil {
		r.refused++
		return http.StatusUnauthorized
	}
	id := req.Header.Get(standardwebhooks.HeaderWebhookID)
	if r.seen[id] {
		r.repeated++
		return http.StatusNoContent
	}
	var n alert.Notice
	if err := json.Unmarshal(body, &n); err != nil {
		return http.StatusBadRequest
	}
	r.seen[id] = true
	r.keep(&n)
	return http.StatusNoContent
}

// keep updates the ticket of the notice's group or opens one.
func (r *Receiver) keep(n *alert.Notice) {
	var t *Ticket
	for _, have := range r.tickets {
		if have.Group == n.Data.Group {
			t = have
		}
	}
	now := r.now().UTC()
	if t == nil {
		t = &Ticket{Group: n.Data.Group, Opened: now}
		r.tickets = append(r.tickets, t)
		if len(r.tickets) > maxTickets {
			r.tickets = r.tickets[1:]
		}
	}
	t.Summary, t.Severity, t.Control, t.Evidence, t.Text = n.Data.Summary, n.Data.Severity, n.Data.Control, n.Data.Evidence, n.Data.Text
	t.Updated = now
	t.Notices++
}

// Tickets returns the tickets, newest first.
func (r *Receiver) Tickets() []Ticket {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Ticket, 0, len(r.tickets))
	for i := len(r.tickets) - 1; i >= 0; i-- {
		out = append(out, *r.tickets[i])
	}
	return out
}

// Counts returns how many deliveries came again under a known id and how many
// had no valid signature.
func (r *Receiver) Counts() (repeated, refused int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.repeated, r.refused
}
