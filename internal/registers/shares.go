package registers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// What a custodian refuses because of what it did before.
var (
	ErrShareSeen = errors.New("a share of this grant was taken before")
	ErrSpent     = errors.New("the grant's transforms are used up")
	ErrRate      = errors.New("too many transforms in an hour")
	ErrReplayed  = errors.New("this read was answered before")
)

// Share is a custodian's share of a grant.
type Share struct {
	Grant      string
	Reader     string // fingerprint
	Wrapped    string // "" when it was deleted
	Ends       time.Time
	Transforms int
	PerHour    int
	RevokedBy  string
}

// KeepShare keeps a share and writes the act to the trail, both or neither.
func (d *DB) KeepShare(ctx context.Context, s Share, actor, reason string) error {
	return d.keepShare(ctx, s, actor, "share.keep", reason)
}

func (d *DB) keepShare(ctx context.Context, s Share, actor, act, reason string) error {
	return d.tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO shares (grant_id, reader, wrapped, ends, transforms, per_hour, revoked_by) VALUES (?, ?, ?, ?, ?, ?, '') ON CONFLICT DO NOTHING`,
			s.Grant, s.Reader, s.Wrapped, millis(s.Ends), s.Transforms, s.PerHour)
		if err != nil {
			return fmt.Errorf("failed to keep a share: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, ErrShareSeen)
		}
		return d.record(ctx, tx, actor, act, "grant "+s.Grant, true, reason)
	})
}

// Share returns the share of a grant, or ErrNotFound.
func (d *DB) Share(ctx context.Context, grant string) (Share, error) {
	s := Share{Grant: grant}
	var ends int64
	err := d.sql.QueryRowContext(ctx, `SELECT reader, wrapped, ends, transforms, per_hour, revoked_by FROM shares WHERE grant_id = ?`, grant).
		Scan(&s.Reader, &s.Wrapped, &ends, &s.Transforms, &s.PerHour, &s.RevokedBy)
	if errors.Is(err, sql.ErrNoRows) {
		return s, ErrNotFound
	}
	if err != nil {
		return s, fmt.Errorf("failed to read a share: %w", err)
	}
	s.Ends = fromMillis(ends)
	return s, nil
}

// TakeTransform counts one transform of a grant against its limits and writes it
// to the trail, both or neither, before it happens.
func (d *DB) TakeTransform(ctx context.Context, s Share, nonce, capsule, actor string) error {
	now := d.now()
	return d.tx(ctx, func(tx *sql.Tx) error {
		var wrapped string
		if err := tx.QueryRowContext(ctx, `SELECT wrapped FROM shares WHERE grant_id = ?`, s.Grant).Scan(&wrapped); err != nil || wrapped == "" {
			return errors.Join(err, ErrNotFound) // it was deleted meanwhile
		}
		var all, lately, same int
		err := tx.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN at > ? THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN nonce = ? THEN 1 ELSE 0 END), 0)
			FROM transforms WHERE grant_id = ?`, millis(now.Add(-time.Hour)), nonce, s.Grant).Scan(&all, &lately, &same)
		switch {
		case err != nil:
			return fmt.Errorf("failed to count transforms: %w", err)
		case same > 0:
			return ErrReplayed
		case all >= s.Transforms:
			return ErrSpent
		case lately >= s.PerHour:
			return ErrRate
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO transforms (grant_id, nonce, capsule, at) VALUES (?, ?, ?, ?)`, s.Grant, nonce, capsule, millis(now)); err != nil {
			return fmt.Errorf("failed to count a transform: %w", err)
		}
		return d.record(ctx, tx, actor, "grant.transform", "grant "+s.Grant+" capsule "+capsule, true, "")
	})
}

// DropShare deletes what a custodian keeps of a grant and writes it to the trail,
// both or neither. A grant that is not known yet is refused from then on.
func (d *DB) DropShare(ctx context.Context, grant, actor, reason string) error {
	err := d.tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO shares (grant_id, reader, wrapped, ends, transforms, per_hour, revoked_by) VALUES (?, '', '', 0, 0, 0, ?)
			ON CONFLICT (grant_id) DO UPDATE SET wrapped = '', revoked_by = excluded.revoked_by`, grant, actor)
		if err != nil {
			return fmt.Errorf("failed to delete a share: %w", err)
		}
		return d.record(ctx, tx, actor, "share.revoke", "grant "+grant, true, reason)
	})
	if err != nil {
		return err
	}
	return d.wipe(ctx)
}

// Grant writes to the key officer's trail that a grant is made, once: a request
// that was granted before is ErrShareSeen.
func (d *DB) Grant(ctx context.Context, grant, reason string) error {
	return d.keepShare(ctx, Share{Grant: grant}, "officer", "grant.make", reason)
}

// DropEnded deletes the shares whose time has passed and says how many.
func (d *DB) DropEnded(ctx context.Context, now time.Time) (int, error) {
	res, err := d.sql.ExecContext(ctx, `UPDATE shares SET wrapped = '' WHERE wrapped != '' AND ends <= ?`, millis(now))
	if err != nil {
		return 0, fmt.Errorf("failed to delete ended shares: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 {
		return 0, err
	}
	return int(n), d.wipe(ctx)
}

// wipe writes deleted content over, in the file and in its log: secure_delete is
// on for every connection.
func (d *DB) wipe(ctx context.Context) error {
	if _, err := d.sql.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		return fmt.Errorf("failed to write deleted content over: %w", err)
	}
	return nil
}
