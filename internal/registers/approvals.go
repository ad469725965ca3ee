package registers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// What a decision can be refused for.
var (
	ErrOwnRequest = errors.New("whoever requests does not approve")
	ErrDecided    = errors.New("this request is decided already")
	ErrWrongRole  = errors.New("this request is decided by another role")
)

// The decisions on an approval; a request not decided yet has "".
const (
	Approved = "approved"
	Denied   = "denied"
)

// Approval is a request for an act that needs a second person.
type Approval struct {
	ID          int64
	Kind        string // for example keys.destroy
	Object      string // what it is about; no personal value
	Payload     string // JSON for whoever carries it out; not shown
	Role        Role   // the role that may decide
	RequestedBy string
	RequestedAt time.Time
	Decision    string
	DecidedBy   string
	DecidedAt   time.Time
	Reason      string
}

// RequestApproval asks for a decision and returns the request's number.
func (d *DB) RequestApproval(ctx context.Context, a Approval) (int64, error) {
	if a.Kind == "" || a.Role == "" || a.RequestedBy == "" {
		return 0, errors.New("an approval needs a kind, a role and who requests it")
	}
	if err := d.tx(ctx, func(tx *sql.Tx) error { return d.requestApproval(ctx, tx, &a) }); err != nil {
		return 0, fmt.Errorf("failed to request an approval: %w", err)
	}
	return a.ID, nil
}

func (d *DB) requestApproval(ctx context.Context, tx *sql.Tx, a *Approval) error {
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(id), 0) + 1 FROM approvals`).Scan(&a.ID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO approvals (id, kind, object, payload, role, requested_by, requested_at, decision, decided_by, decided_at, reason)
		VALUES (?, ?, ?, ?, ?, ?, ?, '', '', 0, ?)`, a.ID, a.Kind, a.Object, a.Payload, string(a.Role), a.RequestedBy, millis(d.now()), a.Reason)
	return err
}

// DecideApproval approves or denies a request. A requester never decides on the
// own request, whatever the roles: ErrOwnRequest. Who requested on the command
// line as an OS user is the account of that name.
func (d *DB) DecideApproval(ctx context.Context, id int64, by User, approve bool) error {
	decision := Denied
	if approve {
		decision = Approved
	}
	return d.tx(ctx, func(tx *sql.Tx) error {
		a, err := scanApproval(tx.QueryRowContext(ctx, selectApproval+` WHERE id = ?`, id))
		if err != nil {
			return err
		}
		switch {
		case a.Decision != "":
			return ErrDecided
		case strings.TrimPrefix(a.RequestedBy, "os:") == by.Name:
			return ErrOwnRequest
		case !by.Has(a.Role):
			return ErrWrongRole
		}
		_, err = tx.ExecContext(ctx, `UPDATE approvals SET decision = ?, decided_by = ?, decided_at = ? WHERE id = ? AND decision = ''`,
			decision, by.Name, millis(d.now()), id)
		return err
	})
}

// Approval returns one request, or ErrNotFound.
func (d *DB) Approval(ctx context.Context, id int64) (Approval, error) {
	return scanApproval(d.sql.QueryRowContext(ctx, selectApproval+` WHERE id = ?`, id))
}

// Approvals returns the requests, undecided first, then newest first.
func (d *DB) Approvals(ctx context.Context, limit int) ([]Approval, error) {
	return d.approvals(ctx, ` ORDER BY CASE WHEN decision = '' THEN 0 ELSE 1 END, id DESC LIMIT ?`, limit)
}

func (d *DB) approvals(ctx context.Context, rest string, args ...any) ([]Approval, error) {
	rows, err := d.sql.QueryContext(ctx, selectApproval+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("failed to read the approvals: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []Approval
	for rows.Next() {
		a, err := scanApproval(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, rows.Err()
}

// Granted returns the approved requests of a kind, the oldest first. Whoever
// carries them out tells by their objects which ones are done.
func (d *DB) Granted(ctx context.Context, kind string) ([]Approval, error) {
	return d.approvals(ctx, ` WHERE kind = ? AND decision = ? ORDER BY decided_at, id`, kind, Approved)
}

const selectApproval = `SELECT id, kind, object, payload, role, requested_by, requested_at, decision, decided_by, decided_at, reason FROM approvals`

func scanApproval(row interface{ Scan(...any) error }) (Approval, error) {
	var a Approval
	var role string
	var requested, decided int64
	err := row.Scan(&a.ID, &a.Kind, &a.Object, &a.Payload, &role, &a.RequestedBy, &requested, &a.Decision, &a.DecidedBy, &decided, &a.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		return a, ErrNotFound
	}
	if err != nil {
		return a, fmt.Errorf("failed to read the approvals: %w", err)
	}
	a.Role, a.RequestedAt, a.DecidedAt = Role(role), fromMillis(requested), fromMillis(decided)
	return a, nil
}
