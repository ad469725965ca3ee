package services

import (
	"context"
	"errors"
	"time"

	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/keys"
)

// keyClock is the actor of what the clock does with keys, in the trail.
const keyClock = "system:keys"

// runKeyClock carries out within a minute what two people decided, and what a
// schedule asks for; every hour it looks for keys whose time has come.
func (a *App) runKeyClock(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for minute := 0; ; minute++ {
		err := a.carryOut(ctx, time.Now())
		err = errors.Join(err, a.turnBySchedule(ctx, time.Now()))
		if minute%60 == 0 {
			err = errors.Join(err, a.turnKeys(ctx, time.Now()))
		}
		if err != nil && ctx.Err() == nil {
			a.log.Error("failed to rotate or destroy keys whose time has come; trying again", "error", err, "hint", text.HintOf(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// turnKeys destroys what is due and makes a new line key where the one in use
// is old enough.
func (a *App) turnKeys(ctx context.Context, now time.Time) error {
	n, err := a.dayKeys.DestroyDue(ctx, now)
	if err != nil {
		return err
	}
	if n > 0 {
		a.log.Info("destroyed day keys whose time has come", "keys", n)
	}
	lines, err := a.keys.LineKeys()
	if err != nil {
		return err
	}
	rotated := false
	for _, k := range lines {
		due := k.Destroyable(a.cfg.Keys.Horizon)
		switch {
		case k.Retired.IsZero() && a.cfg.Keys.LineRotation > 0 && now.Sub(k.Created) >= a.cfg.Keys.LineRotation:
			rotated = true
		case !due.IsZero() && !due.After(now):
			if err := a.registers.Record(ctx, keyClock, "keys.destroy", "line key "+k.ID, true, "nothing that it sealed is kept"); err != nil {
				return err
			}
		}
	}
	ids, err := a.keys.DestroyLines(now, a.cfg.Keys.Horizon)
	if err != nil {
		return err
	}
	for _, id := range ids {
		a.log.Info("destroyed a retired line key: nothing that it sealed is kept", "key", id)
	}
	if rotated {
		_, err = a.rotate(ctx, keyClock, string(keys.RoleLine), now, a.cfg.Keys.Horizon)
	}
	return err
}

// Keys implements Operations.
func (a *App) Keys(ctx context.Context) (*KeyList, error) {
	if err := a.registers.Record(ctx, actorOf(ctx), "keys.list", "keys", true, ""); err != nil {
		return nil, err
	}
	infos, err := a.keys.List()
	if err != nil {
		return nil, err
	}
	lines, err := a.keys.LineKeys()
	if err != nil {
		return nil, err
	}
	out := &KeyList{}
	disabled := map[string]bool{}
	for _, in := range infos {
		if in.Status == "disabled" {
			disabled[in.KeyID] = true
		}
		if in.Role != keys.RoleLine {
			out.Keys = append(out.Keys, KeyInfo{Role: string(in.Role), ID: in.KeyID, Status: in.Status, Created: in.Created})
		}
	}
	for _, k := range lines {
		i := KeyInfo{Role: string(keys.RoleLine), ID: k.ID, Status: "primary", Created: k.Created, Destroyed: k.Destroyable(a.cfg.Keys.Horizon)}
		if !k.Retired.IsZero() {
			i.Status = "retired"
		}
		if disabled[k.ID] {
			i.Status = "disabled"
		}
		out.Keys = append(out.Keys, i)
	}
	live, err := a.registers.DayKeys(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range live {
		i := KeyInfo{Role: pseudonymRole(k), ID: k.ID, Status: "primary", Created: k.Created, Destroyed: k.DestroyAfter}
		if !k.Retired.IsZero() {
			i.Status = "retired"
		}
		out.Keys = append(out.Keys, i)
	}
	return out, nil
}
