package services

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	auditledger "github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
)

var _ Operations = (*App)(nil)

// Query implements Operations.
func (a *App) Query(ctx context.Context, r QueryRequest) (*QueryResult, error) {
	if err := a.registers.Record(ctx, actorOf(ctx), "sql", "store", true, ""); err != nil {
		return nil, err
	}
	res, err := a.store.Select(ctx, r.SQL)
	if err != nil {
		return nil, err
	}
	out := &QueryResult{Rows: make([][]string, len(res.Rows))}
	for _, c := range res.Columns {
		out.Columns = append(out.Columns, c.Name)
	}
	for i, row := range res.Rows {
		out.Rows[i] = make([]string, len(row))
		for j, v := range row {
			out.Rows[i][j] = cell(v)
		}
	}
	return out, nil
}

// cell is a value as text.
func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.999999999Z")
	case []string:
		return strings.Join(v, " ")
	}
	return fmt.Sprint(v)
}

// Checkpoint implements Operations.
func (a *App) Checkpoint(ctx context.Context) (*CheckpointResult, error) {
	if err := a.settle(ctx); err != nil {
		return nil, err
	}
	cp, err := a.ledger.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	signer, err := a.keys.LedgerSigner()
	if err != nil {
		return nil, err
	}
	key, err := auditledger.VerifierKey(signer.Public(), a.ledgerOrigin())
	if err != nil {
		return nil, err
	}
	return &CheckpointResult{Note: string(cp.Raw), Key: key}, nil
}

// AddUser implements Operations.
func (a *App) AddUser(ctx context.Context, r UserRequest) error {
	roles := make([]registers.Role, len(r.Roles))
	for i, role := range r.Roles {
		roles[i] = registers.Role(role)
	}
	if err := a.registers.Record(ctx, actorOf(ctx), "user.add", r.Name, true, strings.Join(r.Roles, ",")); err != nil {
		return err
	}
	return userHint(a.registers.AddUser(ctx, r.Name, r.Password, roles...))
}

// userHint says what to try after an act on an account failed.
func userHint(err error) error {
	for _, h := range []struct {
		err  error
		hint string
	}{
		{registers.ErrUserExists, "tallystick user reset NAME sets a new password"},
		{registers.ErrBadName, "for example tallystick user add ana.silva --role officer"},
		{registers.ErrBadPassword, "choose a longer one; a few unrelated words do well"},
		{registers.ErrBadRole, "for example --role officer --role auditor"},
	} {
		if errors.Is(err, h.err) {
			return &text.Hint{Err: err, Hint: h.hint}
		}
	}
	if errors.Is(err, registers.ErrNotFound) {
		return &text.Hint{Err: errors.New("no account has this name"), Hint: "tallystick user add NAME --role ROLE"}
	}
	return err
}

// ResetPassword implements Operations.
func (a *App) ResetPassword(ctx context.Context, r UserRequest) error {
	if err := a.registers.Record(ctx, actorOf(ctx), "user.reset", r.Name, true, ""); err != nil {
		return err
	}
	return userHint(a.registers.ResetPassword(ctx, r.Name, r.Password))
}

// account is who requests under an account on the command line.
func (a *App) account(ctx context.Context, name, password string) (registers.User, error) {
	u, err := a.registers.CheckPassword(ctx, name, password)
	if errors.Is(err, registers.ErrSignIn) {
		return u, &text.Hint{Err: err, Hint: "--user takes the name of your account in the console; tallystick user add makes one"}
	}
	return u, err
}

// Decide implements Operations. The trail has the attempt under the OS user,
// and the decision under the account.
func (a *App) Decide(ctx context.Context, r DecideRequest) error {
	act := "approval.deny"
	if r.Approve {
		act = "approval.approve"
	}
	if err := a.registers.Record(ctx, actorOf(ctx), act, fmt.Sprint(r.ID), true, "as "+r.User); err != nil {
		return err
	}
	u, err := a.registers.CheckPassword(ctx, r.User, r.Password)
	if err != nil {
		return &text.Hint{Err: fmt.Errorf("failed to sign in as %s: %w", r.User, err), Hint: "give the account's own password; tallystick user reset NAME sets a new one"}
	}
	err = a.registers.DecideApproval(ctx, r.ID, u, r.Approve)
	switch {
	case errors.Is(err, registers.ErrOwnRequest), errors.Is(err, registers.ErrWrongRole):
		return &text.Hint{Err: err, Hint: "ask a second person with that role to run tallystick approve, or to use /approvals of the console"}
	case errors.Is(err, registers.ErrNotFound):
		return &text.Hint{Err: fmt.Errorf("there is no request for approval %d", r.ID), Hint: "the console lists them under /approvals"}
	}
	return err
}

// ImportRequests implements Operations.
func (a *App) ImportRequests(ctx context.Context, r ImportRequest) (*ImportResult, error) {
	if err := a.registers.Record(ctx, actorOf(ctx), "requests.import", "register of requests", true, ""); err != nil {
		return nil, err
	}
	n, err := a.registers.ImportRequests(ctx, bytes.NewReader(r.Data))
	if err != nil {
		return nil, &text.Hint{Err: fmt.Errorf("%s: %w", r.Name, err), Hint: "correct the file; nothing of it was imported"}
	}
	return &ImportResult{Requests: n}, nil
}

// SignInLink makes the link to the first account, "" if there is an account.
func (a *App) SignInLink(ctx context.Context) (string, error) {
	if a.console == nil {
		return "", nil
	}
	token, err := a.registers.CreateSignInLink(ctx)
	if errors.Is(err, registers.ErrUsersExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return a.console.SignInURL(token), nil
}
