package alerter

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/alert"
	"github.com/tallystick/tallystick/internal/registers"
)

// silenced marks the key of a group of suppressed findings, so that they neither
// wake people nor hide among others.
const silenced = "\x1fsuppressed"

// Handle puts findings in their groups, in one transaction. Findings that were
// handled before change nothing.
func (a *Alerter) Handle(ctx context.Context, fs []audit.Finding) error {
	if len(fs) == 0 {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	sup, err := a.deps.Groups.Suppressions(ctx)
	if err != nil {
		return err
	}
	var fresh int
	err = a.deps.Groups.Alerts(ctx, func(tx *registers.AlertTx) error {
		fresh, err = a.group(tx, fs, sup)
		return err
	})
	a.handled.Add(1)
	if err == nil {
		a.m.findings.Add(float64(fresh))
	}
	return err
}

// loaded is a group with its content.
type loaded struct {
	row     *registers.AlertGroup
	content *alert.Group
}

func (a *Alerter) group(tx *registers.AlertTx, fs []audit.Finding, sup []registers.Suppression) (fresh int, err error) {
	now := a.deps.Now().UTC()
	open := map[[2]string]*loaded{}
	for i := range fs {
		f := &fs[i]
		if known, err := tx.Known(f.ID); err != nil {
			return fresh, err
		} else if known {
			continue
		}
		key := alert.Key(f, a.groupBy(f.Control))
		by := suppressedBy(f, sup, now)
		if by != 0 {
			key += silenced
		}
		g, err := a.openGroup(tx, open, f, key, by, now)
		if err != nil {
			return fresh, err
		}
		if _, err := tx.Claim(f.ID, g.row.ID, now); err != nil {
			return fresh, err
		}
		if err := count(tx, g, f); err != nil {
			return fresh, err
		}
		g.row.Changed = now
		fresh++
	}
	for _, g := range open {
		if g.row.Body, err = json.Marshal(g.content); err != nil {
			return fresh, err
		}
		if err := tx.SaveGroup(g.row); err != nil {
			return fresh, err
		}
	}
	return fresh, nil
}

func (a *Alerter) openGroup(tx *registers.AlertTx, open map[[2]string]*loaded, f *audit.Finding, key string, by int64, now time.Time) (*loaded, error) {
	at := [2]string{f.Control, key}
	if g := open[at]; g != nil {
		return g, nil
	}
	row, err := tx.OpenGroup(f.Control, key)
	if err != nil {
		return nil, err
	}
	g := &loaded{row: row, content: alert.NewGroup(f)}
	if row != nil {
		if err := json.Unmarshal(row.Body, g.content); err != nil {
			return nil, fmt.Errorf("failed to read alert group %d: %w", row.ID, err)
		}
	} else {
		g.row = &registers.AlertGroup{Control: f.Control, Key: key, Open: true, Opened: now, Changed: now, Suppressed: by, Body: []byte("{}")}
		if err := tx.SaveGroup(g.row); err != nil { // for its number
			return nil, err
		}
	}
	open[at] = g
	return g, nil
}

// count adds a finding to its group with the members that are new there.
func count(tx *registers.AlertTx, g *loaded, f *audit.Finding) error {
	var subjects, principals uint64
	for _, s := range f.Subjects {
		fresh, err := tx.AddMember(g.row.ID, "subject", s)
		if err != nil {
			return err
		}
		if fresh {
			subjects++
		}
	}
	if f.Principal != "" {
		fresh, err := tx.AddMember(g.row.ID, "principal", f.Principal)
		if err != nil {
			return err
		}
		if fresh {
			principals++
		}
	}
	g.content.Add(f, subjects, principals)
	return nil
}

func (a *Alerter) groupBy(control string) []string {
	if c := a.deps.Controls.Control(control); c != nil {
		return c.Group
	}
	return nil
}

func suppressedBy(f *audit.Finding, sup []registers.Suppression, now time.Time) int64 {
	for _, s := range sup {
		if s.Active(now) && s.Matches(f.Control, f.System, f.Principal, f.Resource) {
			return s.ID
		}
	}
	return 0
}

// Tick puts due notices in the outbox and ends groups that fell silent. Notices
// are composed outside the transaction, since they read the store; a group that
// changed meanwhile waits for the next tick. It is called by one goroutine at a
// time.
func (a *Alerter) Tick(ctx context.Context) error {
	now := a.deps.Now().UTC()
	open, err := a.openGroups(ctx, now)
	if err != nil {
		return err
	}
	for _, g := range open {
		notify, end := a.cfg.Rules.Due(times(g), now)
		if !notify && !end {
			continue
		}
		if err := a.settle(ctx, g, notify, end, now); err != nil {
			return err
		}
	}
	return nil
}

func times(g *registers.AlertGroup) alert.Times {
	return alert.Times{Opened: g.Opened, Changed: g.Changed, Notified: g.Notified}
}

// openGroups reads the open groups when one may be due; else there are none to
// look at. What is due now is looked at again at the next tick, when it is
// settled or has changed.
func (a *Alerter) openGroups(ctx context.Context, now time.Time) (open []*registers.AlertGroup, err error) {
	handled := a.handled.Load()
	if rest := a.next.Sub(now); handled == a.seen && rest > 0 && rest <= longestRest { // a longer one: the clock was put back
		return nil, nil
	}
	err = a.deps.Groups.Alerts(ctx, func(tx *registers.AlertTx) (err error) {
		open, err = tx.OpenGroups()
		return err
	})
	if err != nil {
		return nil, err
	}
	a.next, a.seen = now.Add(longestRest), handled
	for _, g := range open {
		if at := a.cfg.Rules.Next(times(g)); at.Before(a.next) {
			a.next = at
		}
	}
	return open, nil
}

// settle tells of one group, ends it, or both.
func (a *Alerter) settle(ctx context.Context, g *registers.AlertGroup, notify, end bool, now time.Time) error {
	var content alert.Group
	if err := json.Unmarshal(g.Body, &content); err != nil {
		return fmt.Errorf("failed to read alert group %d: %w", g.ID, err)
	}
	told := notify && content.Told() && g.Suppressed == 0
	var body []byte
	if told {
		n, err := a.composer.Compose(ctx, &content, g.ID, g.Notices+1, now)
		if err != nil {
			return err
		}
		if body, err = n.Body(); err != nil {
			return err
		}
	}
	if !told && !end && !g.Notified.IsZero() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.deps.Groups.Alerts(ctx, func(tx *registers.AlertTx) error {
		row, err := tx.OpenGroup(g.Control, g.Key)
		if err != nil || row == nil || row.ID != g.ID || !bytes.Equal(row.Body, g.Body) {
			return err
		}
		row.Open = !end
		if notify {
			row.Notified = now
		}
		if told {
			row.Notices++
			if err := a.enqueue(tx, row, body, now); err != nil {
				return err
			}
		}
		return tx.SaveGroup(row)
	})
}

func (a *Alerter) enqueue(tx *registers.AlertTx, g *registers.AlertGroup, body []byte, now time.Time) error {
	for _, r := range a.deps.Receivers {
		id := fmt.Sprintf("msg_%d_%d_%d", g.ID, g.Opened.UnixMilli(), g.Notices)
		err := tx.Enqueue(registers.OutboxMessage{Receiver: r.Name(), MessageID: id, Group: g.ID, Body: body, Created: now})
		if err != nil {
			return err
		}
		a.m.notices.Inc()
		select {
		case a.wake[r.Name()] <- struct{}{}:
		default:
		}
	}
	return nil
}
