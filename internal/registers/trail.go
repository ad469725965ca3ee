package registers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Act is one operator's act in the trail. Object and Reason hold no personal
// value; the caller sees to that.
type Act struct {
	ID      int64
	At      time.Time
	Actor   string // user name, os:NAME or system:PART
	Act     string // for example report.render
	Object  string
	Allowed bool
	Reason  string
}

// Record writes an act to the trail, durably, before the act happens. If it
// returns an error the act must not happen.
func (d *DB) Record(ctx context.Context, actor, act, object string, allowed bool, reason string) error {
	return d.record(ctx, d.sql, actor, act, object, allowed, reason)
}

// ErrLimit says that as many acts of a kind were done as may be within a time.
var ErrLimit = errors.New("this is the limit")

// RecordAtMost appends an act as allowed if fewer than most acts of its kind were
// allowed in the time before, else as refused, and says which. Callers that come
// at the same moment are counted one by one.
func (d *DB) RecordAtMost(ctx context.Context, actor, act, object, reason string, most int, per time.Duration) (allowed bool, err error) {
	now := d.now()
	var n int
	err = d.sql.QueryRowContext(ctx,
		`INSERT INTO trail (id, at, actor, act, object, allowed, reason)
		 SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM trail), ?, ?, ?, ?,
		  CASE WHEN (SELECT COUNT(*) FROM trail WHERE act = ? AND allowed = 1 AND at > ?) < ? THEN 1 ELSE 0 END, ? RETURNING allowed`,
		millis(now), actor, act, object, act, millis(now.Add(-per)), most, reason).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("failed to write the trail, so %s was not done: %w", act, err)
	}
	return n == 1, nil
}

// executor is the database or a transaction.
type executor interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (d *DB) record(ctx context.Context, on executor, actor, act, object string, allowed bool, reason string) error {
	n := 0
	if allowed {
		n = 1
	}
	_, err := on.ExecContext(ctx,
		`INSERT INTO trail (id, at, actor, act, object, allowed, reason) SELECT COALESCE(MAX(id), 0) + 1, ?, ?, ?, ?, ?, ? FROM trail`,
		millis(d.now()), actor, act, object, n, reason)
	if err != nil {
		return fmt.Errorf("failed to write the trail, so %s was not done: %w", act, err)
	}
	return nil
}

// Acts returns the newest acts, newest first, at most limit.
func (d *DB) Acts(ctx context.Context, limit int) ([]Act, error) {
	return d.acts(ctx, `ORDER BY id DESC LIMIT ?`, limit)
}

func (d *DB) acts(ctx context.Context, rest string, args ...any) ([]Act, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT id, at, actor, act, object, allowed, reason FROM trail `+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("failed to read the trail: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Act
	for rows.Next() {
		var a Act
		var at, allowed int64
		if err := rows.Scan(&a.ID, &at, &a.Actor, &a.Act, &a.Object, &allowed, &a.Reason); err != nil {
			return nil, fmt.Errorf("failed to read the trail: %w", err)
		}
		a.At, a.Allowed = fromMillis(at), allowed == 1
		out = append(out, a)
	}
	return out, rows.Err()
}

// ActsAfter returns the acts after number id, oldest first, at most limit.
func (d *DB) ActsAfter(ctx context.Context, id int64, limit int) ([]Act, error) {
	return d.acts(ctx, `WHERE id > ? ORDER BY id LIMIT ?`, id, limit)
}
