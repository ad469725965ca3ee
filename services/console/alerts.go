package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/tallystick/tallystick/audit/alert"
	"github.com/tallystick/tallystick/internal/registers"
)

// alertView is one group that people hear of together.
type alertView struct {
	Group    *registers.AlertGroup
	Content  *alert.Group
	Sentence string
	Told     bool       // people are told of groups like this
	Newest   []delivery // one of each receiver
	Older    []delivery
}

// delivery is one notice to one receiver.
type delivery struct {
	registers.OutboxMessage
	Shown string // delivered, waiting, retrying, failed or disabled
}

type alertsView struct {
	Rows     []alertView
	Disabled map[string]time.Time
	Counts   map[string]uint64
}

const alertRows = 200

func (s *Console) alertsPage(r *request) error {
	ctx := r.Request.Context()
	groups, err := s.deps.Registers.AlertGroups(ctx, alertRows)
	if err != nil {
		return err
	}
	messages, err := s.deps.Registers.Deliveries(ctx, 4*alertRows)
	if err != nil {
		return err
	}
	v := alertsView{Counts: map[string]uint64{}}
	if v.Disabled, err = s.deps.Registers.DisabledReceivers(ctx); err != nil {
		return err
	}
	by := map[int64][]delivery{}
	for _, m := range messages {
		d := delivery{m, deliveryState(m, v.Disabled)}
		v.Counts[d.Shown]++
		by[m.Group] = append(by[m.Group], d)
	}
	for _, g := range groups {
		x := alertView{Group: g, Content: &alert.Group{}}
		seen := map[string]bool{}
		for _, d := range by[g.ID] {
			if seen[d.Receiver] {
				x.Older = append(x.Older, d)
			} else {
				x.Newest, seen[d.Receiver] = append(x.Newest, d), true
			}
		}
		if err := json.Unmarshal(g.Body, x.Content); err != nil {
			return fmt.Errorf("failed to read alert group %d: %w", g.ID, err)
		}
		x.Sentence, x.Told = s.sentence(x.Content, r.p), x.Content.Told()
		v.Rows = append(v.Rows, x)
	}
	r.renderLive(http.StatusOK, "alerts", "console.nav.alerts", v, true)
	return nil
}

// deliveryState says in one word where a notice is. A receiver that said it is
// gone gets nothing more.
func deliveryState(m registers.OutboxMessage, disabled map[string]time.Time) string {
	_, gone := disabled[m.Receiver]
	switch {
	case m.State == registers.OutboxSent:
		return "delivered"
	case m.State == registers.OutboxFailed:
		return "failed"
	case gone:
		return "disabled"
	case m.Tries > 0:
		return "retrying"
	}
	return "waiting"
}
