package registers

import (
	"context"
	"fmt"
	"time"
)

// The states of a notification.
const (
	OutboxWaiting = "waiting"
	OutboxSent    = "sent"
	OutboxFailed  = "failed"
)

// OutboxMessage is a notification to one receiver.
type OutboxMessage struct {
	ID        int64
	Receiver  string
	MessageID string // the same over all tries; receivers count it once
	Group     int64  // number of the alert group
	Body      []byte // JSON, masked
	Created   time.Time
	State     string
	Tries     int
	NextTry   time.Time
	Done      time.Time // when it was sent or given up
	Reason    string    // why the last try failed; no value of a line
}

const outboxColumns = `id, receiver, message_id, group_id, body, created, state, tries, next_try, done, reason`

// Enqueue puts a notification in the outbox, in the transaction of the change
// that it tells of. The same receiver and message id again does nothing.
func (t *AlertTx) Enqueue(m OutboxMessage) error {
	_, err := t.tx.ExecContext(t.ctx, `INSERT INTO outbox (`+outboxColumns+`)
		SELECT COALESCE(MAX(id), 0) + 1, ?, ?, ?, ?, ?, 'waiting', 0, ?, 0, '' FROM outbox WHERE 1 = 1 ON CONFLICT (receiver, message_id) DO NOTHING`,
		m.Receiver, m.MessageID, m.Group, string(m.Body), millis(m.Created), millis(m.Created))
	return err
}

// DueMessages returns waiting notifications of a receiver whose time has come,
// oldest first, at most limit.
func (d *DB) DueMessages(ctx context.Context, receiver string, now time.Time, limit int) ([]OutboxMessage, error) {
	return d.messages(ctx, `WHERE state = 'waiting' AND receiver = ? AND next_try <= ? ORDER BY id LIMIT ?`, receiver, millis(now), limit)
}

// Deliveries returns the newest notifications, newest first, at most limit.
func (d *DB) Deliveries(ctx context.Context, limit int) ([]OutboxMessage, error) {
	return d.messages(ctx, `ORDER BY id DESC LIMIT ?`, limit)
}

func (d *DB) messages(ctx context.Context, where string, args ...any) ([]OutboxMessage, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT `+outboxColumns+` FROM outbox `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("failed to read the outbox: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []OutboxMessage
	for rows.Next() {
		var m OutboxMessage
		var body string
		var created, next, done int64
		if err := rows.Scan(&m.ID, &m.Receiver, &m.MessageID, &m.Group, &body, &created, &m.State, &m.Tries, &next, &done, &m.Reason); err != nil {
			return nil, fmt.Errorf("failed to read the outbox: %w", err)
		}
		m.Body, m.Created, m.NextTry, m.Done = []byte(body), fromMillis(created), fromMillis(next), fromMillis(done)
		out = append(out, m)
	}
	return out, rows.Err()
}

// SettleMessage writes how a try ended: State, Tries, NextTry, Done and Reason.
func (d *DB) SettleMessage(ctx context.Context, m OutboxMessage) error {
	_, err := d.sql.ExecContext(ctx, `UPDATE outbox SET state = ?, tries = ?, next_try = ?, done = ?, reason = ? WHERE id = ? AND state = 'waiting'`,
		m.State, m.Tries, millis(m.NextTry), millis(m.Done), m.Reason, m.ID)
	if err != nil {
		return fmt.Errorf("failed to write to the outbox: %w", err)
	}
	return nil
}

// DisableReceiver keeps notifications to a receiver back until its target
// changes.
func (d *DB) DisableReceiver(ctx context.Context, receiver, target string) error {
	_, err := d.sql.ExecContext(ctx, `INSERT INTO outbox_disabled (receiver, target, at) VALUES (?, ?, ?)
		ON CONFLICT (receiver) DO UPDATE SET target = excluded.target, at = excluded.at`, receiver, target, millis(d.now()))
	if err != nil {
		return fmt.Errorf("failed to disable receiver %s: %w", receiver, err)
	}
	return nil
}

// DisabledReceivers returns since when receivers are disabled, by name.
func (d *DB) DisabledReceivers(ctx context.Context) (map[string]time.Time, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT receiver, at FROM outbox_disabled`)
	if err != nil {
		return nil, fmt.Errorf("failed to read the disabled receivers: %w", err)
	}
	defer func() { _ = rows.Close() }()
	out := map[string]time.Time{}
	for rows.Next() {
		var name string
		var at int64
		if err := rows.Scan(&name, &at); err != nil {
			return nil, fmt.Errorf("failed to read the disabled receivers: %w", err)
		}
		out[name] = fromMillis(at)
	}
	return out, rows.Err()
}

// ReceiverDisabled reports whether a receiver with that target is disabled.
func (d *DB) ReceiverDisabled(ctx context.Context, receiver, target string) (bool, error) {
	var n int
	err := d.sql.QueryRowContext(ctx, `SELECT COUNT(*) FROM outbox_disabled WHERE receiver = ? AND target = ?`, receiver, target).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("failed to read the state of receiver %s: %w", receiver, err)
	}
	return n > 0, nil
}
