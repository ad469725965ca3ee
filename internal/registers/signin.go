package registers

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// SignInLinkLife is how long the link to the first account works.
const SignInLinkLife = 10 * time.Minute

// CreateSignInLink returns the token of a one-time sign-in link, or
// ErrUsersExist. A new link replaces the one before. Whoever prints the token
// prints it to the operator's terminal and never to a log.
func (d *DB) CreateSignInLink(ctx context.Context) (string, error) {
	token, hash := newToken()
	err := d.tx(ctx, func(tx *sql.Tx) error {
		if err := noUsers(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM signin_links`); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO signin_links (token_hash, expires) VALUES (?, ?)`, hash, millis(d.now().Add(SignInLinkLife)))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("failed to make a sign-in link: %w", err)
	}
	return token, nil
}

// SignInLinkValid returns nil if the link still works, else ErrNotFound.
func (d *DB) SignInLinkValid(ctx context.Context, token string) error {
	return d.tx(ctx, func(tx *sql.Tx) error { return d.linkValid(ctx, tx, token) })
}

// FirstUser uses the link up and makes the first account, both or neither.
func (d *DB) FirstUser(ctx context.Context, token, name, password string, roles ...Role) error {
	hash, err := d.checkUser(name, password, roles)
	if err != nil {
		return err
	}
	return d.tx(ctx, func(tx *sql.Tx) error {
		if err := d.linkValid(ctx, tx, token); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM signin_links`); err != nil {
			return err
		}
		return d.insertUser(ctx, tx, name, hash, roles)
	})
}

func (d *DB) linkValid(ctx context.Context, tx *sql.Tx, token string) error {
	if err := noUsers(ctx, tx); err != nil {
		return ErrNotFound
	}
	var expires int64
	err := tx.QueryRowContext(ctx, `SELECT expires FROM signin_links WHERE token_hash = ?`, hashToken(token)).Scan(&expires)
	if errors.Is(err, sql.ErrNoRows) || (err == nil && millis(d.now()) >= expires) {
		return ErrNotFound
	}
	return err
}

func noUsers(ctx context.Context, tx *sql.Tx) error {
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM users`).Scan(&n); err != nil {
		return err
	}
	if n > 0 {
		return ErrUsersExist
	}
	return nil
}

// CreateSession signs a user in for life and returns the session's token.
func (d *DB) CreateSession(ctx context.Context, user string, life time.Duration) (string, error) {
	token, hash := newToken()
	now := d.now()
	err := d.tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires <= ?`, millis(now)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (token_hash, user_name, created, expires) VALUES (?, ?, ?, ?)`,
			hash, user, millis(now), millis(now.Add(life)))
		return err
	})
	if err != nil {
		return "", fmt.Errorf("failed to make a session: %w", err)
	}
	return token, nil
}

// SessionUser returns the user of a session that has not ended, else ErrNotFound.
func (d *DB) SessionUser(ctx context.Context, token string) (User, error) {
	var u User
	var roles string
	var created int64
	err := d.sql.QueryRowContext(ctx, `SELECT u.name, u.roles, u.created FROM sessions s JOIN users u ON u.name = s.user_name
		WHERE s.token_hash = ? AND s.expires > ? AND u.disabled = 0`, hashToken(token), millis(d.now())).Scan(&u.Name, &roles, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return User{}, ErrNotFound
	}
	if err != nil {
		return User{}, fmt.Errorf("failed to read the session: %w", err)
	}
	u.Roles, u.Created = splitRoles(roles), fromMillis(created)
	return u, nil
}

// EndSession signs a session out. An unknown token is no error.
func (d *DB) EndSession(ctx context.Context, token string) error {
	if _, err := d.sql.ExecContext(ctx, `DELETE FROM sessions WHERE token_hash = ?`, hashToken(token)); err != nil {
		return fmt.Errorf("failed to end the session: %w", err)
	}
	return nil
}

func newToken() (token, hash string) {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	token = base64.RawURLEncoding.EncodeToString(b)
	return token, hashToken(token)
}

func hashToken(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}
