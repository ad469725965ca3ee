package registers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Schedule says when a report is rendered by itself.
type Schedule struct {
	ID        string
	Kind      string
	Language  string // "" means the definition's
	Formats   []string
	Cron      string // five fields, in Zone
	Zone      string
	Span      string // day, week, month, quarter or year: the last whole one
	CreatedBy string
	Created   time.Time
}

// AddSchedule stores a schedule. The caller has checked it.
func (d *DB) AddSchedule(ctx context.Context, s Schedule) error {
	_, err := d.sql.ExecContext(ctx, `INSERT INTO schedules (id, kind, language, formats, cron, zone, span, created_by, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		s.ID, s.Kind, s.Language, strings.Join(s.Formats, ","), s.Cron, s.Zone, s.Span, s.CreatedBy, millis(d.now()))
	if err != nil {
		return fmt.Errorf("failed to store the schedule: %w", err)
	}
	return nil
}

// RemoveSchedule removes a schedule, or returns ErrNotFound.
func (d *DB) RemoveSchedule(ctx context.Context, id string) error {
	return d.tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM schedules WHERE id = ?`, id)
		if err != nil {
			return fmt.Errorf("failed to remove the schedule: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM schedule_marks WHERE schedule = ?`, id)
		return err
	})
}

// Schedules returns all schedules by id.
func (d *DB) Schedules(ctx context.Context) ([]Schedule, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT id, kind, language, formats, cron, zone, span, created_by, created FROM schedules ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("failed to read the schedules: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Schedule
	for rows.Next() {
		var s Schedule
		var formats string
		var created int64
		if err := rows.Scan(&s.ID, &s.Kind, &s.Language, &formats, &s.Cron, &s.Zone, &s.Span, &s.CreatedBy, &created); err != nil {
			return nil, fmt.Errorf("failed to read the schedules: %w", err)
		}
		s.Formats, s.Created = strings.Split(formats, ","), fromMillis(created)
		out = append(out, s)
	}
	return out, rows.Err()
}

// ScheduleMark returns the time up to which a schedule was served, the zero
// time if it is new.
func (d *DB) ScheduleMark(ctx context.Context, id string) (time.Time, error) {
	var at int64
	err := d.sql.QueryRowContext(ctx, `SELECT at FROM schedule_marks WHERE schedule = ?`, id).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("failed to read a schedule's mark: %w", err)
	}
	return fromMillis(at), nil
}

// MarkSchedule records that a schedule was served up to at.
func (d *DB) MarkSchedule(ctx context.Context, id string, at time.Time) error {
	_, err := d.sql.ExecContext(ctx, `INSERT INTO schedule_marks (schedule, at) VALUES (?, ?) ON CONFLICT (schedule) DO UPDATE SET at = excluded.at`, id, millis(at))
	if err != nil {
		return fmt.Errorf("failed to mark a schedule: %w", err)
	}
	return nil
}
