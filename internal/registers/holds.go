package registers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/tallystick/tallystick/audit/retention"
)

var _ retention.Holds = (*DB)(nil)

// ErrNoLiftReason says what lifting a hold needs.
var ErrNoLiftReason = errors.New("lifting a hold needs a reason of up to 500 characters and who lifts it")

// AddHold writes a hold and, before it, the act in the trail, in one
// transaction. It returns the hold's number.
func (d *DB) AddHold(ctx context.Context, h retention.Hold) (int64, error) {
	if err := h.Validate(); err != nil {
		return 0, err
	}
	err := d.tx(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) + 1 FROM holds`).Scan(&h.ID); err != nil {
			return err
		}
		if err := d.record(ctx, tx, h.By, "hold.add", holdName(h.ID), true, h.Reason); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO holds (id, reason, made_by, made_at, source, class, from_ms, until_ms, subjects, request, lifted_by, lifted_at, lifted_for)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, '')`, h.ID, h.Reason, h.By, millis(d.now()), h.Source, string(h.Class),
			millis(h.From), millis(h.Until), strings.Join(h.Subjects, " "), h.Request)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("failed to hold: %w", err)
	}
	return h.ID, nil
}

// LiftHold ends a hold, or returns ErrNotFound if there is none in force. The
// act is in the trail first.
func (d *DB) LiftHold(ctx context.Context, id int64, by, reason string) error {
	if by == "" || reason == "" || utf8.RuneCountInString(reason) > 500 {
		return ErrNoLiftReason
	}
	return d.tx(ctx, func(tx *sql.Tx) error {
		if err := d.record(ctx, tx, by, "hold.lift", holdName(id), true, reason); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE holds SET lifted_by = ?, lifted_at = ?, lifted_for = ? WHERE id = ? AND lifted_by = ''`, by, millis(d.now()), reason, id)
		if err != nil {
			return fmt.Errorf("failed to lift the hold: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		return nil
	})
}

func holdName(id int64) string { return fmt.Sprintf("hold %d", id) }

// ActiveHolds returns the holds in force, oldest first.
func (d *DB) ActiveHolds(ctx context.Context) ([]retention.Hold, error) {
	return d.holds(ctx, `WHERE lifted_by = '' ORDER BY id`)
}

// Holds returns all holds, newest first.
func (d *DB) Holds(ctx context.Context) ([]retention.Hold, error) {
	return d.holds(ctx, `ORDER BY id DESC`)
}

func (d *DB) holds(ctx context.Context, rest string) ([]retention.Hold, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT id, reason, made_by, made_at, source, class, from_ms, until_ms, subjects, request, lifted_by, lifted_at, lifted_for FROM holds `+rest)
	if err != nil {
		return nil, fmt.Errorf("failed to read the holds: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []retention.Hold
	for rows.Next() {
		var h retention.Hold
		var at, from, until, lifted int64
		var subjects string
		if err := rows.Scan(&h.ID, &h.Reason, &h.By, &at, &h.Source, &h.Class, &from, &until, &subjects, &h.Request, &h.LiftedBy, &lifted, &h.LiftedFor); err != nil {
			return nil, fmt.Errorf("failed to read the holds: %w", err)
		}
		h.At, h.From, h.Until, h.LiftedAt = fromMillis(at), fromMillis(from), fromMillis(until), fromMillis(lifted)
		h.Subjects = strings.Fields(subjects)
		out = append(out, h)
	}
	return out, rows.Err()
}
