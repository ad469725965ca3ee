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
		`SELECT id, wrapped, destroy_after FROM day_keys WHERE domain = ? AND kind = ? AND period = ? AND destroyed = 0 AND retired = 0`,
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
	return d.destroyDayKeys(ctx, now, `destroy_after <= ?`, millis(now))
}

// DestroyDayKey is DestroyDayKeys for one key, whose time has not come. It
// reports whether the key was there.
func (d *DB) DestroyDayKey(ctx context.Context, id string, now time.Time) (bool, error) {
	ids, err := d.destroyDayKeys(ctx, now, `id = ?`, id)
	return len(ids) == 1, err
}

// destroyDayKeys destroys the keys for which a condition of one argument holds.
func (d *DB) destroyDayKeys(ctx context.Context, now time.Time, where string, arg any) ([]string, error) {
	c, err := d.sql.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to destroy day keys: %w", err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.ExecContext(ctx, `PRAGMA secure_delete = ON`); err != nil {
		return nil, fmt.Errorf("failed to destroy day keys: %w", err)
	}
	rows, err := c.QueryContext(ctx,
		`UPDATE day_keys SET wrapped = '', destroyed = ? WHERE destroyed = 0 AND `+where+` RETURNING id`, max(millis(now), 1), arg)
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

// RetireDayKey takes a key out of use: the next line of its period has another
// one made. It reports whether the key was in use.
func (d *DB) RetireDayKey(ctx context.Context, id string, now time.Time) (bool, error) {
	return d.changeDayKey(ctx, `UPDATE day_keys SET retired = ? WHERE id = ? AND destroyed = 0 AND retired = 0`, max(millis(now), 1), id)
}

// DelayDayKey puts the destruction of a key off until a later time. It reports
// whether that changed anything: a destruction is never brought forward so.
func (d *DB) DelayDayKey(ctx context.Context, id string, until time.Time) (bool, error) {
	return d.changeDayKey(ctx, `UPDATE day_keys SET destroy_after = ? WHERE id = ? AND destroyed = 0 AND destroy_after < ?`, millis(until), id, millis(until))
}

func (d *DB) changeDayKey(ctx context.Context, query string, args ...any) (bool, error) {
	r, err := d.sql.ExecContext(ctx, query, args...)
	if err != nil {
		return false, fmt.Errorf("failed to change a day key: %w", err)
	}
	n, err := r.RowsAffected()
	return n == 1, err
}

// DayKeyByID returns a key that still exists, in use or retired, with its bytes
// wrapped; else ErrNotFound.
func (d *DB) DayKeyByID(ctx context.Context, id string) (DayKeyInfo, string, error) {
	var wrapped string
	k, err := scanDayKey(d.sql.QueryRowContext(ctx, `SELECT `+dayKeyColumns+`, wrapped FROM day_keys WHERE id = ? AND destroyed = 0`, id), &wrapped)
	if errors.Is(err, sql.ErrNoRows) {
		return k, "", ErrNotFound
	}
	if err != nil {
		return k, "", fmt.Errorf("failed to read the day keys: %w", err)
	}
	return k, wrapped, nil
}

// DayKeyInfo describes a pseudonym key that exists, without its bytes.
type DayKeyInfo struct {
	ID, Domain, Kind, Period string
	Created, DestroyAfter    time.Time
	Retired                  time.Time // zero while it is in use
}

const dayKeyColumns = `id, domain, kind, period, created, destroy_after, retired`

func scanDayKey(row interface{ Scan(...any) error }, more ...any) (DayKeyInfo, error) {
	var k DayKeyInfo
	var created, after, retired int64
	err := row.Scan(append([]any{&k.ID, &k.Domain, &k.Kind, &k.Period, &created, &after, &retired}, more...)...)
	k.Created, k.DestroyAfter, k.Retired = fromMillis(created), fromMillis(after), fromMillis(retired)
	return k, err
}

// DayKeys are the pseudonym keys that exist, the next to be destroyed first.
func (d *DB) DayKeys(ctx context.Context) ([]DayKeyInfo, error) {
	rows, err := d.sql.QueryContext(ctx,
		`SELECT `+dayKeyColumns+` FROM day_keys WHERE destroyed = 0 ORDER BY destroy_after, domain, period, created`)
	if err != nil {
		return nil, fmt.Errorf("failed to list the day keys: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []DayKeyInfo
	for rows.Next() {
		k, err := scanDayKey(rows)
		if err != nil {
			return nil, fmt.Errorf("failed to list the day keys: %w", err)
		}
		out = append(out, k)
	}
	return out, rows.Err()
}
