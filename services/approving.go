package services

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
)

// account is whose name and password these are. Acts that take two people are
// done under accounts: an OS user may be anybody who signed in to the machine.
func (a *App) account(ctx context.Context, c Credentials) (registers.User, error) {
	u, err := a.registers.CheckPassword(ctx, c.Name, c.Password)
	if errors.Is(err, registers.ErrSignIn) {
		return u, &text.Hint{Err: err, Hint: "--as takes the name of your account in the console; tallystick user add makes one"}
	}
	return u, err
}

// Decide implements Operations.
func (a *App) Decide(ctx context.Context, r DecideRequest) (*Decided, error) {
	by, err := a.account(ctx, r.Account)
	if err != nil {
		return nil, err
	}
	request, err := a.registers.Approval(ctx, r.ID)
	if errors.Is(err, registers.ErrNotFound) {
		return nil, &text.Hint{Err: fmt.Errorf("there is no request %d", r.ID), Hint: "the console lists them under Approvals"}
	}
	if err != nil {
		return nil, err
	}
	act := "approval.approve"
	if r.Deny {
		act = "approval.deny"
	}
	if err := a.registers.Record(ctx, by.Name, act, fmt.Sprint(r.ID), true, ""); err != nil {
		return nil, err
	}
	err = a.registers.DecideApproval(ctx, r.ID, by, !r.Deny)
	switch {
	case errors.Is(err, registers.ErrOwnRequest):
		return nil, &text.Hint{Err: err, Hint: "ask another " + string(request.Role) + " to decide"}
	case errors.Is(err, registers.ErrWrongRole):
		return nil, &text.Hint{Err: err, Hint: "it takes an account with the role " + string(request.Role)}
	case errors.Is(err, registers.ErrDecided):
		return nil, &text.Hint{Err: err, Hint: "it was " + request.Decision + " by " + request.DecidedBy}
	case err != nil:
		return nil, err
	}
	if !r.Deny {
		if err := a.carryOut(ctx, time.Now()); err != nil {
			return nil, err
		}
	}
	return &Decided{Kind: request.Kind, Object: request.Object}, nil
}
