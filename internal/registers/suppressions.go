package registers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrBadSuppression says what a suppression needs.
var ErrBadSuppression = errors.New("a suppression needs a control, a reason and an end date that is ahead and within a year")

// Suppression marks findings as known and accepted until a day. They stay
// visible. An empty System, Principal or Resource matches all.
type Suppression struct {
	ID        int64
	Control   string
	System    string
	Principal string // pseudonym
	Resource  string
	Reason    string
	By        string
	At        time.Time
	Until     time.Time
	EndedBy   string // "" unless it was ended by hand
	EndedAt   time.Time
}

// Active reports whether the suppression holds at t.
func (s Suppression) Active(t time.Time) bool { return s.EndedBy == "" && t.Before(s.Until) }

// Matches reports whether a finding with these fields is suppressed by s.
func (s Suppression) Matches(control, system, principal, resource string) bool {
	return s.Control == control && (s.System == "" || s.System == system) &&
		(s.Principal == "" || s.Principal == principal) && (s.Resource == "" || s.Resource == resource)
}

// Suppress adds a suppression and returns its number.
func (d *DB) Suppress(ctx context.Context, s Suppression) (int64, error) {
	now := d.now()
	if s.Control == "" || s.Reason == "" || s.By == "" || !s.Until.After(now) || s.Until.After(now.AddDate(1, 0, 1)) {
		return 0, ErrBadSuppression
	}
	err := d.tx(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) + 1 FROM suppressions`).Scan(&s.ID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO suppressions (id, control, system_key, principal, resource, reason, made_by, made_at, until, ended_by, ended_at)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0)`, s.ID, s.Control, s.System, s.Principal, s.Resource, s.Reason, s.By, millis(now), millis(s.Until))
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("failed to suppress: %w", err)
	}
	return s.ID, nil
}

// EndSuppression ends a suppression before its day, or returns ErrNotFound.
func (d *DB) EndSuppression(ctx context.Context, id int64, by string) error {
	res, err := d.sql.ExecContext(ctx, `UPDATE suppressions SET ended_by = ?, ended_at = ? WHERE id = ? AND ended_by = ''`, by, millis(d.now()), id)
	if err != nil {
		return fmt.Errorf("failed to end the suppression: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return errors.Join(ErrNotFound, err)
	}
	return nil
}

// Suppressions returns all suppressions, newest first.
func (d *DB) Suppressions(ctx context.Context) ([]Suppression, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT id, control, system_key, principal, resource, reason, made_by, made_at, until, ended_by, ended_at
		FROM suppressions ORDER BY id DESC`)
	if err != nil {
		return nil, fmt.Errorf("failed to read the suppressions: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Suppression
	for rows.Next() {
		var s Suppression
		var at, until, ended int64
		if err := rows.Scan(&s.ID, &s.Control, &s.System, &s.Principal, &s.Resource, &s.Reason, &s.By, &at, &until, &s.EndedBy, &ended); err != nil {
			return nil, fmt.Errorf("failed to read the suppressions: %w", err)
		}
		s.At, s.Until, s.EndedAt = fromMillis(at), fromMillis(until), fromMillis(ended)
		out = append(out, s)
	}
	return out, rows.Err()
}
