// Package registers keeps what needs transactions: the trail, users, approvals,
// requests, schedules, report runs, day keys and the outbox. SQLite by default,
// PostgreSQL by address, the same portable SQL.
//
// One file per register. The package decides nothing: callers declare the small
// interface that they need of it.
package registers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the SQLite driver

	"github.com/tallystick/tallystick/schemas"
)

// ErrNotFound is returned when a register has no such row.
var ErrNotFound = errors.New("not found in the registers")

// DB is the open registers. It is safe for use by several goroutines.
type DB struct {
	sql       *sql.DB
	now       func() time.Time
	passwords PasswordCost
}

// Open opens the SQLite file at path, creates it if it is missing and brings it
// to the newest migration. The caller closes it.
func Open(ctx context.Context, path string) (*DB, error) {
	dsn := "file:" + path + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(FULL)&_pragma=secure_delete(1)&_txlock=immediate"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("failed to open the registers: %w", err)
	}
	db.SetMaxOpenConns(4)
	files, err := fs.Sub(schemas.Registers, "registers")
	if err != nil {
		return nil, err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err == nil {
		_, err = p.Up(ctx)
	}
	if err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("failed to migrate the registers: %w", err)
	}
	return &DB{sql: db, now: time.Now, passwords: recommendedCost}, nil
}

// Close closes the database.
func (d *DB) Close() error { return d.sql.Close() }

// tx runs f in one transaction: committed if f returns nil, else rolled back.
func (d *DB) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
