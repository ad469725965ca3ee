package services

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/services/reporter"
)

// keyPrincipals is how commands and configuration call the key of the
// pseudonyms of staff and services that the data map declares.
const keyPrincipals = "principals"

// rotated are the keys that commands and schedules rotate.
var rotated = []string{string(keys.RoleLine), string(keys.RoleTap), string(keys.RoleWebhook), keyPrincipals}

// The kinds of approvals that end in an act on a key.
const (
	approveDestroy = "keys.destroy"
	approveDelay   = "keys.delay"
)

func pseudonymRole(k registers.DayKeyInfo) string {
	return fmt.Sprintf("pseudonyms of %s, %s", k.Domain, k.Period)
}

// Rotate implements Operations.
func (a *App) Rotate(ctx context.Context, r RotateRequest) (*RotateResult, error) {
	kept := a.cfg.Keys.Horizon
	if r.AtOnce {
		if kept = 0; r.Key != string(keys.RoleTap) {
			return nil, &text.Hint{Err: fmt.Errorf("only a tap key is replaced at once, not %q", r.Key), Hint: "rotate it, then tallystick keys disable or destroy the one before"}
		}
	}
	id, err := a.rotate(ctx, actorOf(ctx), r.Key, time.Now(), kept)
	if err != nil {
		return nil, err
	}
	return &RotateResult{Key: id}, nil
}

// rotate makes a new key in place of the one in use, and says its id. What the
// one before signed is believed for kept longer.
func (a *App) rotate(ctx context.Context, actor, key string, now time.Time, kept time.Duration) (id string, err error) {
	if err := a.registers.Record(ctx, actor, "keys.rotate", key+" key", true, ""); err != nil {
		return "", err
	}
	if key == keyPrincipals {
		id, err = a.rotatePrincipals(ctx, now)
	} else {
		id, err = a.keys.Rotate(keys.Role(key), now, kept)
	}
	if err != nil {
		return "", err
	}
	a.log.Info("made a new key in place of the one in use", "of", key, "key", id)
	return id, nil
}

// rotatePrincipals retires the key of the year: tokens of before can be looked
// up until it is destroyed, and controls over time begin anew.
func (a *App) rotatePrincipals(ctx context.Context, now time.Time) (string, error) {
	before, err := a.dayKeys.Year(ctx, masking.DomainPrincipals, now)
	if err != nil {
		return "", err
	}
	if _, err := a.registers.RetireDayKey(ctx, before.ID, now); err != nil {
		return "", err
	}
	a.dayKeys.Forget(before.ID)
	after, err := a.dayKeys.Year(ctx, masking.DomainPrincipals, now)
	if err != nil {
		return "", err
	}
	return after.ID, nil
}

// turnBySchedule rotates the keys whose schedule has fallen due since they were
// made, also while no process ran.
func (a *App) turnBySchedule(ctx context.Context, now time.Time) error {
	for _, r := range a.cfg.Keys.Rotate {
		made, err := a.madeAt(ctx, r.Key)
		if err != nil {
			return err
		}
		if made.IsZero() { // it is made when it is needed first
			continue
		}
		at, err := r.next(made)
		if err != nil {
			return err
		}
		if at.After(now) {
			continue
		}
		if _, err := a.rotate(ctx, keyClock, r.Key, now, a.cfg.Keys.Horizon); err != nil {
			return err
		}
	}
	return nil
}

// next is when a rotation falls due after a time.
func (r *RotationConfig) next(after time.Time) (time.Time, error) {
	s := reporter.Schedule{Cron: r.Cron, Zone: cmp.Or(r.Zone, "UTC")}
	return s.Next(after)
}

// madeAt is when the key in use was made; zero if there is none yet.
func (a *App) madeAt(ctx context.Context, key string) (time.Time, error) {
	switch key {
	case keyPrincipals:
		list, err := a.registers.DayKeys(ctx)
		for _, k := range list {
			if k.Domain == masking.DomainPrincipals && k.Kind == keys.KindYear && k.Retired.IsZero() && k.Period == time.Now().UTC().Format("2006") {
				return k.Created, nil
			}
		}
		return time.Time{}, err
	case string(keys.RoleLine):
		list, err := a.keys.LineKeys()
		if err != nil || len(list) == 0 {
			return time.Time{}, err
		}
		return list[len(list)-1].Created, nil
	}
	list, err := a.keys.List()
	for _, k := range list {
		if string(k.Role) == key && k.Status == "primary" {
			return k.Created, nil
		}
	}
	return time.Time{}, err
}

// SetKey implements Operations.
func (a *App) SetKey(ctx context.Context, r SetKeyRequest) error {
	act := "keys.disable"
	if r.Enabled {
		act = "keys.enable"
	}
	k, err := a.findKey(ctx, r.ID)
	if err != nil {
		return err
	}
	if k.pseudonyms {
		return &text.Hint{Err: fmt.Errorf("%s is not disabled: the next line would have another key made", k.object()), Hint: "tallystick keys rotate " + keyPrincipals + ", or tallystick keys destroy " + r.ID}
	}
	if err := a.registers.Record(ctx, actorOf(ctx), act, k.object(), true, ""); err != nil {
		return err
	}
	return a.keys.SetEnabled(k.role, r.ID, r.Enabled)
}

// found is a key that an act names by its id.
type found struct {
	id         string
	role       keys.Role // of a keyset
	pseudonyms bool
	info       registers.DayKeyInfo // of pseudonyms
	inUse      bool                 // the primary key of a keyset
}

// object is how trail and approvals name the key.
func (f *found) object() string {
	if f.pseudonyms {
		return fmt.Sprintf("key %s: %s", f.id, pseudonymRole(f.info))
	}
	return fmt.Sprintf("key %s: %s", f.id, f.role)
}

func (a *App) findKey(ctx context.Context, id string) (*found, error) {
	info, _, err := a.registers.DayKeyByID(ctx, id)
	if err == nil {
		return &found{id: id, pseudonyms: true, info: info}, nil
	}
	if !errors.Is(err, registers.ErrNotFound) {
		return nil, err
	}
	list, err := a.keys.List()
	if err != nil {
		return nil, err
	}
	for _, k := range list {
		if k.KeyID == id {
			return &found{id: id, role: k.Role, inUse: k.Status == "primary"}, nil
		}
	}
	return nil, &text.Hint{Err: fmt.Errorf("%w with the id %.20q", keys.ErrNoKey, id), Hint: "tallystick keys list shows the ids"}
}

// keyOrder is the payload of an approval.
type keyOrder struct {
	ID    string    `json:"id"`
	Until time.Time `json:"until,omitzero"` // of a delay
}

// RequestKeyAct implements Operations.
func (a *App) RequestKeyAct(ctx context.Context, r KeyActRequest) (*KeyActRequested, error) {
	by, err := a.account(ctx, r.User, r.Password)
	if err != nil {
		return nil, err
	}
	k, err := a.findKey(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	kind, object := approveDestroy, k.object()
	switch {
	case r.Reason == "":
		return nil, &text.Hint{Err: errors.New("the act has no reason"), Hint: "--reason TICKET, which whoever approves will read"}
	case !r.Until.IsZero() && !k.pseudonyms:
		return nil, &text.Hint{Err: errors.New("only the destruction of a pseudonym key is put off"), Hint: "a retired line key stays as long as it is used; keys.horizon sets how long after that"}
	case !r.Until.IsZero() && !r.Until.After(k.info.DestroyAfter):
		return nil, &text.Hint{Err: fmt.Errorf("%s is destroyed on %s, which is later", object, k.info.DestroyAfter.Format(time.DateOnly)), Hint: "give a later day with --until"}
	case !r.Until.IsZero():
		kind, object = approveDelay, fmt.Sprintf("%s, until %s", object, r.Until.UTC().Format(time.DateOnly))
	case k.inUse:
		return nil, &text.Hint{Err: fmt.Errorf("%s: %w", object, keys.ErrPrimary), Hint: "tallystick keys rotate " + string(k.role) + ", where that is possible"}
	case !k.pseudonyms && !slices.Contains([]keys.Role{keys.RoleLine, keys.RoleWebhook}, k.role):
		return nil, &text.Hint{Err: fmt.Errorf("%s is not destroyed one by one", object), Hint: "only keys of pseudonyms, lines and webhooks are"}
	}
	payload, err := json.Marshal(keyOrder{ID: r.ID, Until: r.Until.UTC()})
	if err != nil {
		return nil, err
	}
	if err := a.registers.Record(ctx, by.Name, kind+".request", object, true, r.Reason); err != nil {
		return nil, err
	}
	n, err := a.registers.RequestApproval(ctx, registers.Approval{
		Kind: kind, Object: object, Payload: string(payload), Role: registers.RoleKeyOfficer, RequestedBy: by.Name, Reason: r.Reason,
	})
	if err != nil {
		return nil, err
	}
	return &KeyActRequested{Approval: n, Object: object}, nil
}

// carryOut does what two people decided about keys. What fails keeps nothing
// else from being done.
func (a *App) carryOut(ctx context.Context, now time.Time) error {
	var failed error
	for _, kind := range []string{approveDestroy, approveDelay} {
		granted, err := a.registers.Granted(ctx, kind)
		if err != nil {
			return err
		}
		for _, g := range granted {
			if err := a.carryOutOne(ctx, &g, now); err != nil {
				failed = errors.Join(failed, fmt.Errorf("approval %d: %w", g.ID, err))
			}
		}
	}
	return failed
}

func (a *App) carryOutOne(ctx context.Context, g *registers.Approval, now time.Time) error {
	var o keyOrder
	if err := json.Unmarshal([]byte(g.Payload), &o); err != nil || o.ID == "" { // not ours
		return nil
	}
	k, err := a.findKey(ctx, o.ID)
	if errors.Is(err, keys.ErrNoKey) { // it is done, or the clock was first
		return nil
	}
	if err != nil || k.inUse || g.Kind == approveDelay && !o.Until.After(k.info.DestroyAfter) {
		return err
	}
	why := fmt.Sprintf("approval %d, requested by %s", g.ID, g.RequestedBy)
	if err := a.registers.Record(ctx, g.DecidedBy, g.Kind, g.Object, true, why); err != nil {
		return err
	}
	switch {
	case g.Kind == approveDelay:
		_, err = a.registers.DelayDayKey(ctx, o.ID, o.Until)
	case k.pseudonyms:
		_, err = a.registers.DestroyDayKey(ctx, o.ID, now)
		a.dayKeys.Forget(o.ID)
	default:
		err = a.keys.Destroy(k.role, o.ID)
	}
	if err == nil {
		a.log.Info("did what was approved", "act", g.Kind, "object", g.Object, "approval", g.ID)
	}
	return err
}

// WebhookSecret implements Operations.
func (a *App) WebhookSecret(ctx context.Context) (*WebhookSecretResult, error) {
	if err := a.registers.Record(ctx, actorOf(ctx), "keys.webhook", "webhook key", true, "for a receiver"); err != nil {
		return nil, err
	}
	list, err := a.webhookSecrets()
	if err != nil {
		return nil, err
	}
	return &WebhookSecretResult{Secret: list[0]}, nil
}
