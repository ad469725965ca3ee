package registers

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// Role is what a user may do. Each route and command names the roles it needs.
type Role string

// The roles.
const (
	RoleOfficer       Role = "officer"       // compliance officer or DPO: findings, entries, reports, suppressions
	RoleAuditor       Role = "auditor"       // reads everything, the trail included; changes nothing
	RoleEngineer      Role = "engineer"      // sources, findings, operation
	RoleKeyOfficer    Role = "key_officer"   // decides on keys and erasures
	RoleAdministrator Role = "administrator" // accounts and the trail
)

// Roles are all roles in the order in which they are shown.
var Roles = []Role{RoleOfficer, RoleAuditor, RoleEngineer, RoleKeyOfficer, RoleAdministrator}

// MinPassword is the least length of a password in characters.
const MinPassword = 12

// What an account can be refused for. None of them holds the value given.
var (
	ErrUserExists   = errors.New("a user of this name exists")
	ErrUsersExist   = errors.New("there is an account already")
	ErrBadName      = errors.New("a user name is 2 to 64 lower-case letters, digits, dots, dashes or underscores")
	ErrBadPassword  = fmt.Errorf("a password has at least %d characters", MinPassword)
	ErrBadRole      = errors.New("a user has one or more of the roles officer, auditor, engineer, key_officer, administrator")
	ErrSignIn       = errors.New("name or password is wrong")
	ErrLastAdmin    = errors.New("the last administrator stays an administrator and enabled")
	userNamePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,63}$`)
)

// User is one account.
type User struct {
	Name     string
	Roles    []Role
	Disabled bool
	Created  time.Time
}

// Has reports whether the user has one of the roles.
func (u User) Has(roles ...Role) bool {
	for _, r := range roles {
		if slices.Contains(u.Roles, r) {
			return true
		}
	}
	return false
}

// AddUser makes an account. ErrUserExists, ErrBadName, ErrBadPassword and
// ErrBadRole say what is wrong.
func (d *DB) AddUser(ctx context.Context, name, password string, roles ...Role) error {
	hash, err := d.checkUser(name, password, roles)
	if err != nil {
		return err
	}
	return d.tx(ctx, func(tx *sql.Tx) error { return d.insertUser(ctx, tx, name, hash, roles) })
}

func (d *DB) checkUser(name, password string, roles []Role) (string, error) {
	if !userNamePattern.MatchString(name) {
		return "", ErrBadName
	}
	if err := checkRoles(roles); err != nil {
		return "", err
	}
	return d.passwords.hash(password)
}

func checkRoles(roles []Role) error {
	if len(roles) == 0 || slices.ContainsFunc(roles, func(r Role) bool { return !slices.Contains(Roles, r) }) {
		return ErrBadRole
	}
	return nil
}

func (d *DB) insertUser(ctx context.Context, tx *sql.Tx, name, hash string, roles []Role) error {
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM users WHERE name = ?`, name).Scan(&n); err != nil {
		return fmt.Errorf("failed to read the users: %w", err)
	}
	if n > 0 {
		return ErrUserExists
	}
	now := millis(d.now())
	_, err := tx.ExecContext(ctx, `INSERT INTO users (name, password, roles, disabled, created, changed) VALUES (?, ?, ?, 0, ?, ?)`,
		name, hash, joinRoles(roles), now, now)
	if err != nil {
		return fmt.Errorf("failed to add the user: %w", err)
	}
	return nil
}

// ResetPassword sets a user's password and ends the user's sessions.
func (d *DB) ResetPassword(ctx context.Context, name, password string) error {
	hash, err := d.passwords.hash(password)
	if err != nil {
		return err
	}
	return d.changeUser(ctx, name, `UPDATE users SET password = ?, changed = ? WHERE name = ?`, hash, millis(d.now()), name)
}

// SetDisabled lets a user in or keeps the user out; sessions end at once. The
// last administrator stays.
func (d *DB) SetDisabled(ctx context.Context, name string, disabled bool) error {
	if disabled {
		if err := d.otherAdmin(ctx, name); err != nil {
			return err
		}
	}
	n := 0
	if disabled {
		n = 1
	}
	return d.changeUser(ctx, name, `UPDATE users SET disabled = ?, changed = ? WHERE name = ?`, n, millis(d.now()), name)
}

// SetRoles gives a user other roles; sessions end at once. The last
// administrator stays one.
func (d *DB) SetRoles(ctx context.Context, name string, roles ...Role) error {
	if err := checkRoles(roles); err != nil {
		return err
	}
	if !slices.Contains(roles, RoleAdministrator) {
		if err := d.otherAdmin(ctx, name); err != nil {
			return err
		}
	}
	return d.changeUser(ctx, name, `UPDATE users SET roles = ?, changed = ? WHERE name = ?`, joinRoles(roles), millis(d.now()), name)
}

// otherAdmin returns ErrLastAdmin unless somebody else administers.
func (d *DB) otherAdmin(ctx context.Context, name string) error {
	users, err := d.Users(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(users, func(u User) bool { return u.Name != name && !u.Disabled && u.Has(RoleAdministrator) }) {
		return ErrLastAdmin
	}
	return nil
}

func (d *DB) changeUser(ctx context.Context, name, query string, args ...any) error {
	return d.tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("failed to change the user: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(ErrNotFound, err)
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM sessions WHERE user_name = ?`, name)
		return err
	})
}

// Users returns all users by name.
func (d *DB) Users(ctx context.Context) ([]User, error) {
	rows, err := d.sql.QueryContext(ctx, `SELECT name, roles, disabled, created FROM users ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("failed to read the users: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []User
	for rows.Next() {
		var u User
		var roles string
		var disabled, created int64
		if err := rows.Scan(&u.Name, &roles, &disabled, &created); err != nil {
			return nil, fmt.Errorf("failed to read the users: %w", err)
		}
		u.Roles, u.Disabled, u.Created = splitRoles(roles), disabled == 1, fromMillis(created)
		out = append(out, u)
	}
	return out, rows.Err()
}

// CheckPassword returns the user whose name and password these are, else
// ErrSignIn. It takes the same time whether the user exists or not.
func (d *DB) CheckPassword(ctx context.Context, name, password string) (User, error) {
	u := User{Name: name}
	var hash, roles string
	var disabled, created int64
	err := d.sql.QueryRowContext(ctx, `SELECT password, roles, disabled, created FROM users WHERE name = ?`, name).
		Scan(&hash, &roles, &disabled, &created)
	known := err == nil
	if errors.Is(err, sql.ErrNoRows) {
		hash = d.passwords.absent()
	} else if err != nil {
		return User{}, fmt.Errorf("failed to read the user: %w", err)
	}
	if ok := verifyPassword(hash, password); !ok || !known || disabled == 1 {
		return User{}, ErrSignIn
	}
	u.Roles, u.Created = splitRoles(roles), fromMillis(created)
	return u, nil
}

func joinRoles(roles []Role) string {
	s := make([]string, len(roles))
	for i, r := range roles {
		s[i] = string(r)
	}
	return strings.Join(s, ",")
}

func splitRoles(s string) []Role {
	var out []Role
	for _, r := range strings.Split(s, ",") {
		out = append(out, Role(r))
	}
	return out
}

// PasswordCost is what argon2id spends on a password.
type PasswordCost struct {
	Passes, Memory uint32 // Memory in KiB
	Lanes          uint8
}

// recommendedCost is the second recommended option of RFC 9106 section 4.
var recommendedCost = PasswordCost{Passes: 3, Memory: 64 * 1024, Lanes: 4}

const argonKey = 32

// SetPasswordCost has passwords from now on hashed at another cost than the
// recommended one. It is for tests, which make and check them by the hundred.
func (d *DB) SetPasswordCost(c PasswordCost) { d.passwords = c }

// absent is verified against when there is no such user. No password fits it:
// its key is all zeros.
func (c PasswordCost) absent() string { return c.phc(make([]byte, 16), make([]byte, argonKey)) }

func (c PasswordCost) phc(salt, key []byte) string {
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, c.Memory, c.Passes, c.Lanes, b.EncodeToString(salt), b.EncodeToString(key))
}

func (c PasswordCost) hash(password string) (string, error) {
	if n := len([]rune(password)); n < MinPassword || len(password) > 1024 {
		return "", ErrBadPassword
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt)
	return c.phc(salt, argon2.IDKey([]byte(password), salt, c.Passes, c.Memory, c.Lanes, argonKey)), nil
}

func verifyPassword(hash, password string) bool {
	if len(password) > 1024 {
		return false
	}
	parts := strings.Split(hash, "$") // "", argon2id, v, parameters, salt, key
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false
	}
	var memory, passes uint32
	var lanes uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(want) == 0 || passes == 0 || lanes == 0 {
		return false
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, lanes, uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1
}
