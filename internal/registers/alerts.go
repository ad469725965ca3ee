package registers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// AlertGroup is a group of findings that people hear of together.
type AlertGroup struct {
	ID         int64
	Control    string
	Key        string // what the control groups by
	Open       bool
	Opened     time.Time
	Changed    time.Time // when the newest finding came
	Notified   time.Time // zero: people were not told yet
	Notices    int
	Suppressed int64  // number of the suppression that silences it, or 0
	Body       []byte // JSON, made by the caller
}

// Burst is a time span for which a windowed control made a finding.
type Burst struct {
	Control, Key, FindingID string
	From, Until             time.Time
}

// AlertTx is one transaction over groups and outbox.
type AlertTx struct {
	ctx context.Context
	tx  *sql.Tx
}

// Alerts runs f in one transaction: all of it happens or nothing.
func (d *DB) Alerts(ctx context.Context, f func(*AlertTx) error) error {
	if err := d.tx(ctx, func(tx *sql.Tx) error { return f(&AlertTx{ctx: ctx, tx: tx}) }); err != nil {
		return fmt.Errorf("failed to keep alerts in the registers: %w", err)
	}
	return nil
}

// Claim notes that a finding was handled and belongs to a group. It returns
// false when it was noted before.
func (t *AlertTx) Claim(findingID string, group int64, at time.Time) (bool, error) {
	return t.changed(`INSERT INTO alert_findings (id, group_id, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, findingID, group, millis(at))
}

// Known reports whether a finding was handled.
func (t *AlertTx) Known(findingID string) (bool, error) {
	var n int
	err := t.tx.QueryRowContext(t.ctx, `SELECT COUNT(*) FROM alert_findings WHERE id = ?`, findingID).Scan(&n)
	return n > 0, err
}

// AddMember notes a distinct member of a group and returns false when it was
// noted before.
func (t *AlertTx) AddMember(group int64, kind, member string) (bool, error) {
	return t.changed(`INSERT INTO alert_members (group_id, kind, member) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, group, kind, member)
}

func (t *AlertTx) changed(query string, args ...any) (bool, error) {
	res, err := t.tx.ExecContext(t.ctx, query, args...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

const groupColumns = `id, control, group_key, open, opened, changed, notified, notices, suppressed, body`

// OpenGroup returns the open group of a control and key, or nil.
func (t *AlertTx) OpenGroup(control, key string) (*AlertGroup, error) {
	gs, err := t.groups(`SELECT `+groupColumns+` FROM alert_groups WHERE open = 1 AND control = ? AND group_key = ? ORDER BY id LIMIT 1`, control, key)
	if err != nil || len(gs) == 0 {
		return nil, err
	}
	return gs[0], nil
}

// OpenGroups returns all open groups, oldest first.
func (t *AlertTx) OpenGroups() ([]*AlertGroup, error) {
	return t.groups(`SELECT ` + groupColumns + ` FROM alert_groups WHERE open = 1 ORDER BY id`)
}

func (t *AlertTx) groups(query string, args ...any) ([]*AlertGroup, error) {
	rows, err := t.tx.QueryContext(t.ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return scanGroups(rows)
}

func scanGroups(rows *sql.Rows) ([]*AlertGroup, error) {
	defer func() { _ = rows.Close() }()
	var out []*AlertGroup
	for rows.Next() {
		var g AlertGroup
		var open, opened, changed, notified int64
		var body string
		if err := rows.Scan(&g.ID, &g.Control, &g.Key, &open, &opened, &changed, &notified, &g.Notices, &g.Suppressed, &body); err != nil {
			return nil, err
		}
		g.Open, g.Opened, g.Changed, g.Notified, g.Body = open == 1, fromMillis(opened), fromMillis(changed), fromMillis(notified), []byte(body)
		out = append(out, &g)
	}
	return out, rows.Err()
}

// SaveGroup writes a group. A group without a number gets the next one.
func (t *AlertTx) SaveGroup(g *AlertGroup) error {
	open := 0
	if g.Open {
		open = 1
	}
	if g.ID == 0 {
		if err := t.tx.QueryRowContext(t.ctx, `SELECT COALESCE(MAX(id), 0) + 1 FROM alert_groups`).Scan(&g.ID); err != nil {
			return err
		}
		_, err := t.tx.ExecContext(t.ctx, `INSERT INTO alert_groups (`+groupColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			g.ID, g.Control, g.Key, open, millis(g.Opened), millis(g.Changed), millis(g.Notified), g.Notices, g.Suppressed, string(g.Body))
		return err
	}
	_, err := t.tx.ExecContext(t.ctx, `UPDATE alert_groups SET open = ?, changed = ?, notified = ?, notices = ?, suppressed = ?, body = ? WHERE id = ?`,
		open, millis(g.Changed), millis(g.Notified), g.Notices, g.Suppressed, string(g.Body), g.ID)
	if err == nil && !g.Open {
		_, err = t.tx.ExecContext(t.ctx, `DELETE FROM alert_members WHERE group_id = ?`, g.ID)
	}
	return err
}

// NearBurst reports whether a burst of the same control and key is noted that
// touches b.
func (t *AlertTx) NearBurst(b Burst) (bool, error) {
	var n int
	err := t.tx.QueryRowContext(t.ctx, `SELECT COUNT(*) FROM alert_bursts WHERE control = ? AND burst_key = ? AND from_ns <= ? AND until_ns >= ?`,
		b.Control, b.Key, b.Until.UnixNano(), b.From.UnixNano()).Scan(&n)
	return n > 0, err
}

// ClaimBurst notes a burst and returns false when NearBurst holds.
func (t *AlertTx) ClaimBurst(b Burst) (bool, error) {
	if near, err := t.NearBurst(b); err != nil || near {
		return false, err
	}
	return t.changed(`INSERT INTO alert_bursts (control, burst_key, from_ns, until_ns, finding_id) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		b.Control, b.Key, b.From.UnixNano(), b.Until.UnixNano(), b.FindingID)
}

// SetProgress records up to when a windowed control has looked.
func (t *AlertTx) SetProgress(control string, at time.Time) error {
	_, err := t.tx.ExecContext(t.ctx, `INSERT INTO alert_progress (control, at) VALUES (?, ?) ON CONFLICT (control) DO UPDATE SET at = excluded.at`, control, millis(at))
	return err
}

// Progress returns up to when a windowed control has looked, or the zero time.
func (d *DB) Progress(ctx context.Context, control string) (time.Time, error) {
	var at int64
	err := d.sql.QueryRowContext(ctx, `SELECT at FROM alert_progress WHERE control = ?`, control).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("failed to read the progress of control %s: %w", control, err)
	}
	return fromMillis(at), nil
}

// AlertGroups returns the newest groups, newest first, at most limit.
func (d *DB) AlertGroups(ctx context.Context, limit int) ([]*AlertGroup, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT `+groupColumns+` FROM alert_groups ORDER BY id DESC LIMIT ?`, limit)
	if err == nil {
		var gs []*AlertGroup
		if gs, err = scanGroups(rows); err == nil {
			return gs, nil
		}
	}
	return nil, fmt.Errorf("failed to read the alert groups: %w", err)
}

// PruneAlerts forgets what ended before a time: handled findings, bursts, closed
// groups, finished deliveries.
func (d *DB) PruneAlerts(ctx context.Context, before time.Time) error {
	err := d.tx(ctx, func(tx *sql.Tx) error {
		for _, q := range []string{
			`DELETE FROM alert_findings WHERE at < ?`,
			`DELETE FROM alert_groups WHERE open = 0 AND changed < ?`,
			`DELETE FROM outbox WHERE state <> 'waiting' AND done < ?`,
		} {
			if _, err := tx.ExecContext(ctx, q, millis(before)); err != nil {
				return err
			}
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM alert_bursts WHERE until_ns < ?`, before.UnixNano())
		return err
	})
	if err != nil {
		return fmt.Errorf("failed to prune alerts: %w", err)
	}
	return nil
}
