package registers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// DayKey returns the live pseudonym key of (domain, kind, period), wrapped. An
// empty id says that there is none.
func (d *DB) DayKey(ctx context.Context, domain, kind, period string) (id, wrapped string, destroyAfter time.Time, err error) {
	var after int64
	err = d.sql.QueryRowContext(ctx,
		`SELECT id, wrapped, destroy_after FROM day_keys WHERE domain = ? AND kind = ? AND period = ? AND destroyed = 0`,
		domain, kind, period).Scan(&id, &wrapped, &after)
	if errors.Is(err, sql.ErrNoRows) {
		return "", "", time.Time{}, nil
	}
	if err != nil {
		return "", "", time.Time{}, fmt.Errorf("failed to read the day keys: %w", err)
	}
	return id, wrapped, fromMillis(after), nil
}

// AddDayKey makes a wrapped key live and says so, unless the period has a live
// one or the id was ever used: the table's two unique keys decide.
func (d *DB) AddDayKey(ctx context.Context, domain, kind, period, id, wrapped string, created, destroyAfter time.Time) (bool, error) {
	r, err := d.sql.ExecContext(ctx,
		`INSERT INTO day_keys (id, domain, kind, period, wrapped, created, destroy_after, destroyed)
		 VALUES (?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO NOTHING`,
		id, domain, kind, period, wrapped, millis(created), millis(destroyAfter))
	if err != nil {
		return false, fmt.Errorf("failed to write a day key: %w", err)
	}
	n, err := r.RowsAffected()
	return n == 1, err
}

// DestroyDayKeys removes the wrapped bytes of the keys that are due and
// returns their ids. The old bytes are overwritten in the file (secure_delete)
// and leave the write-ahead log before it returns.
func (d *DB) DestroyDayKeys(ctx context.Context, now time.Time) ([]string, error) {
	c, err := d.sql.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to destroy day keys: %w", err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.ExecContext(ctx, `PRAGMA secure_delete = ON`); err != nil {
		return nil, fmt.Errorf("failed to destroy day keys: %w", err)
	}
	rows, err := c.QueryContext(ctx,
		`UPDATE day_keys SET wrapped = '', destroyed = ? WHERE destroyed = 0 AND destroy_after <= ? RETURNING id`,
		max(millis(now), 1), millis(now))
	if err != nil {
		return nil, fmt.Errorf("failed to destroy day keys: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("failed to destroy day keys: %w", err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil || len(ids) == 0 {
		return nil, err
	}
	if err := rows.Close(); err != nil {
		return nil, fmt.Errorf("failed to destroy day keys: %w", err)
	}
	// A busy reader may hold the log back: then the next destruction, the next
	// automatic checkpoint or closing empties it.
	if _, err := c.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return nil, fmt.Errorf("failed to empty the log of destroyed day keys: %w", err)
	}
	return ids, nil
}

// DayKeyInfo describes a live pseudonym key, without its bytes.
type DayKeyInfo struct {
	ID, Domain, Period    string
	Created, DestroyAfter time.Time
}

// DayKeys are the live pseudonym keys, the next to be destroyed first.
func (d *DB) DayKeys(ctx context.Context) ([]DayKeyInfo, error) {
	rows, err := d.sql.QueryContext(ctx,
		`SELECT id, domain, period, created, destroy_after FROM day_keys WHERE destroyed = 0 ORDER BY destroy_after, domain, period`)
	if err != nil {
		return nil, fmt.Errorf("failed to list the day keys: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []DayKeyInfo
	for rows.Next() {
		var k DayKeyInfo
		var created, after int64
		if err := rows.Scan(&k.ID, &k.Domain, &k.Period, &created, &after); err != nil {
			return nil, fmt.Errorf("failed to list the day keys: %w", err)
		}
		k.Created, k.DestroyAfter = fromMillis(created), fromMillis(after)
		out = append(out, k)
	}
	return out, rows.Err()
}
