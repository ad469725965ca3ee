package services

import (
	"context"
	"errors"
	"time"

	"github.com/tallystick/tallystick/audit/retention"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
)

// Hold is a legal hold. Fields that are not given restrict nothing; times are
// those of lines.
type Hold struct {
	ID        int64     `json:"id,omitempty"`
	Reason    string    `json:"reason"`
	By        string    `json:"by,omitempty"`
	At        time.Time `json:"at,omitzero"`
	Source    string    `json:"source,omitempty"`
	Class     string    `json:"class,omitempty"` // entries, findings, rejections, originals or originals:CLASS
	From      time.Time `json:"from,omitzero"`
	Until     time.Time `json:"until,omitzero"`     // exclusive
	Subjects  []string  `json:"subjects,omitempty"` // pseudonyms
	Request   string    `json:"request,omitempty"`  // id of a privacy request
	LiftedBy  string    `json:"lifted_by,omitempty"`
	LiftedAt  time.Time `json:"lifted_at,omitzero"`
	LiftedFor string    `json:"lifted_for,omitempty"`
}

// HoldList are the holds, newest first.
type HoldList struct {
	Holds []Hold `json:"holds"`
}

// LiftRequest lifts a hold.
type LiftRequest struct {
	ID     int64  `json:"id"`
	Reason string `json:"reason"`
}

// AddHold implements Operations.
func (a *App) AddHold(ctx context.Context, h Hold) (*Hold, error) {
	h.By = actorOf(ctx)
	id, err := a.registers.AddHold(ctx, retention.Hold{
		Reason: h.Reason, By: h.By, Source: h.Source, Class: retention.Class(h.Class), From: h.From, Until: h.Until, Subjects: h.Subjects, Request: h.Request,
	})
	if err != nil {
		return nil, &text.Hint{Err: err, Hint: `for example tallystick hold add --reason "matter 17" --source shop --from 2026-01-01`}
	}
	h.ID = id
	return &h, nil
}

// LiftHold implements Operations.
func (a *App) LiftHold(ctx context.Context, r LiftRequest) error {
	err := a.registers.LiftHold(ctx, r.ID, actorOf(ctx), r.Reason)
	switch {
	case errors.Is(err, registers.ErrNotFound):
		return &text.Hint{Err: errors.New("no hold in force has this number"), Hint: "tallystick hold list"}
	case errors.Is(err, registers.ErrNoLiftReason):
		return &text.Hint{Err: err, Hint: `add --reason "settled"`}
	}
	return err
}

// Holds implements Operations.
func (a *App) Holds(ctx context.Context) (*HoldList, error) {
	list, err := a.registers.Holds(ctx)
	if err != nil {
		return nil, err
	}
	out := &HoldList{Holds: []Hold{}}
	for _, h := range list {
		out.Holds = append(out.Holds, Hold{
			ID: h.ID, Reason: h.Reason, By: h.By, At: h.At, Source: h.Source, Class: string(h.Class), From: h.From, Until: h.Until,
			Subjects: h.Subjects, Request: h.Request, LiftedBy: h.LiftedBy, LiftedAt: h.LiftedAt, LiftedFor: h.LiftedFor,
		})
	}
	return out, nil
}
