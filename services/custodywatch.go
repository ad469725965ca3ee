package services

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/control"
	"github.com/tallystick/tallystick/audit/custody"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/masking/grant"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/services/ledger"
)

// custodyPoll is how often custodians' trails are read.
const custodyPoll = 15 * time.Second

// custodians are what an installation knows of its custodians.
type custodians struct {
	pins   *grant.Pins // nil: nothing can be registered
	judge  *control.Stage
	trails []trail
}

// trail is the trail of one custodian.
type trail struct {
	name   string
	client interface {
		Trail(ctx context.Context, after int64) ([]custody.Act, error)
	}
}

func (a *App) openCustody(context.Context) error {
	a.custody.judge = control.NewStage(a.controls, nil)
	var err error
	if path := a.cfg.Vault.Pins; path != "" {
		if a.custody.pins, err = grant.ReadPins(path); err != nil {
			return err
		}
	}
	if len(a.cfg.Vault.Custodians) == 0 || !a.has("alerter") {
		return nil
	}
	watcher, err := a.watcher()
	if err != nil {
		return err
	}
	for _, path := range a.cfg.Vault.Custodians {
		card, err := custody.ReadCard(path)
		if err != nil {
			return err
		}
		c, err := card.Client(watcher)
		if err != nil {
			return err
		}
		a.custody.trails = append(a.custody.trails, trail{card.Name, c})
	}
	a.onRun("custodians' watch", a.watchCustodians)
	return nil
}

// watcher is the key with which this installation reads custodians' trails.
func (a *App) watcher() (*keys.Signer, error) {
	if err := a.keys.Create(keys.RolePerson); err != nil {
		return nil, err
	}
	return a.keys.PersonSigner()
}

// watchCustodians copies the trails of the custodians into the own one, gives
// them to the ledger and lets EX-04 judge them.
func (a *App) watchCustodians(ctx context.Context) error {
	tick := time.NewTicker(custodyPoll)
	defer tick.Stop()
	for {
		for _, t := range a.custody.trails {
			if err := a.readTrail(ctx, t); err != nil && ctx.Err() == nil {
				a.log.Warn("failed to read a custodian's trail; trying again", "custodian", t.name, "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// readTrail takes over what is new in a custodian's trail. Findings come first:
// an act that is kept has been judged.
func (a *App) readTrail(ctx context.Context, t trail) error {
	for {
		last, err := a.registers.LastCustodyAct(ctx, t.name)
		if err != nil {
			return err
		}
		read, err := t.client.Trail(ctx, last)
		if err != nil || len(read) == 0 {
			return err
		}
		acts := make([]registers.Act, len(read))
		for i := range acts {
			acts[i] = registers.Act(read[i])
			if acts[i].ID <= last {
				return errors.New("the trail is not in order")
			}
			last = acts[i].ID
		}
		fs, err := a.judge(ctx, t.name, acts)
		if err != nil {
			return err
		}
		if err := a.alerter.Raise(ctx, fs...); err != nil {
			return err
		}
		if err := a.registers.KeepCustodyActs(ctx, t.name, acts); err != nil {
			return err
		}
	}
}

// judge evaluates the controls over acts. What it returns for the same acts is
// the same, however often it is asked.
func (a *App) judge(ctx context.Context, name string, acts []registers.Act) ([]audit.Finding, error) {
	b := &audit.Batch{}
	for _, act := range acts {
		e := audit.Entry{
			SchemaVersion: audit.SchemaVersion, EventTime: act.At.UTC(), IngestTime: time.Now().UTC(), Source: "custody", SourceFormat: "custody",
			Stream: "custody-" + name, Offset: uint64(act.ID), ParseStatus: string(audit.ParseOK), Integrity: string(audit.IntegrityOK),
			PrincipalID: act.Actor, PrincipalType: string(audit.KindStaff), PrincipalVerified: true, PrincipalLabel: act.Actor,
			Protocol: "custody", Operation: act.Act, SystemKey: name, URLTemplate: act.Act, ResourceDeclared: true, Outcome: string(audit.OutcomeAllowed),
		}
		if !act.Allowed {
			e.Outcome, e.DenyBy = string(audit.OutcomeDenied), act.Reason
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(act.Object, "grant "), " ")
		switch _, err := a.registers.GrantDocument(ctx, id, kindRequest); {
		case err == nil:
			e.PurposeDocumented = true
		case !errors.Is(err, registers.ErrNotFound):
			return nil, err
		}
		b.Events, b.Entries = append(b.Events, audit.Event{}), append(b.Entries, e)
	}
	if err := a.custody.judge.Process(ctx, b); err != nil {
		return nil, err
	}
	var out []audit.Finding
	for _, f := range b.Findings {
		if f.Control == "EX-04" {
			out = append(out, f)
		}
	}
	return out, nil
}

// custodyArtefacts are the batches of custodians' acts that have no leaf yet.
type custodyArtefacts struct {
	runArtefacts
	db *registers.DB
}

const custodyPrefix = "custody/"

func (c custodyArtefacts) ArtefactsWithoutLeaf(ctx context.Context) ([]ledger.Artefact, error) {
	out, err := c.runArtefacts.ArtefactsWithoutLeaf(ctx)
	if err != nil {
		return nil, err
	}
	batches, err := c.db.UnledgeredCustody(ctx)
	for _, b := range batches {
		a := ledger.Artefact{Name: custodyPrefix + b.Custodian + "/" + strconv.FormatInt(b.Last, 10)}
		if _, err := hex.Decode(a.Digest[:], []byte(b.SHA256)); err != nil {
			return nil, fmt.Errorf("failed to read the digest of a custodian's acts: %w", err)
		}
		out = append(out, a)
	}
	return out, err
}

func (c custodyArtefacts) SetArtefactLeaf(ctx context.Context, name string, index uint64) error {
	rest, ok := strings.CutPrefix(name, custodyPrefix)
	if !ok {
		return c.runArtefacts.SetArtefactLeaf(ctx, name, index)
	}
	name, number, _ := strings.Cut(rest, "/")
	last, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return fmt.Errorf("failed to record the leaf of a custodian's acts: %w", err)
	}
	return c.db.LedgerCustody(ctx, name, last)
}
