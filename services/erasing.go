package services

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/erased"
	auditledger "github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/broker"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/pseudonym"
	"github.com/tallystick/tallystick/services/console"
	"github.com/tallystick/tallystick/services/erasure"
	"github.com/tallystick/tallystick/services/ledger"
	"github.com/tallystick/tallystick/services/tap"
)

// erasing is what the process with the auditor has for erasing people.
type erasing struct {
	linked     *masking.Linked
	tombstones *masking.Tombstones
	eraser     *erasure.Eraser
}

// openTombstones makes what the mask stage asks.
func (a *App) openTombstones() error {
	prf, err := a.keys.ErasurePRF()
	if err != nil {
		return err
	}
	a.erasing.linked, a.erasing.tombstones = masking.NewLinked(), masking.NewTombstones(prf)
	return nil
}

// openErasures applies erasures again to what a back-up may have brought back.
// Nothing is served before it returns.
func (a *App) openErasures(ctx context.Context) error {
	if !a.has("auditor") {
		return nil
	}
	a.erasing.eraser = erasure.New(erasure.Deps{
		Store: a.store, Registers: a.registers, Holds: a.registers, Tombstones: a.erasing.tombstones, Forget: a.erasing.linked.Forget, Sequence: a.settle,
		Reports: a.reportsAbout, Rest: a.rest, Logger: a.log, Step: a.opts.erasureStep,
	})
	a.onRun("erasures", a.erasing.eraser.Run)
	if err := a.missedErasures(ctx); err != nil {
		return err
	}
	return a.erasing.eraser.Restore(ctx, !a.opts.Private)
}

// missedErasures tells of erasures that the ledger has and the registers don't:
// these came from a back-up, and nothing knows any more who was erased.
func (a *App) missedErasures(ctx context.Context) error {
	if a.writer == nil {
		return nil
	}
	known, err := a.registers.KnownErasures(ctx)
	if err != nil {
		return err
	}
	missed := slices.DeleteFunc(a.writer.Erasures(), func(id string) bool { return known[id] })
	if len(missed) > 0 {
		a.log.Error("the registers are older than the ledger: they don't know of erasures, which can't be applied again", "erasures", len(missed),
			"hint", "restore the newest registers.db, or repeat the requests for erasure since its time")
	}
	return nil
}

// rest is until when things last that an erasure does not touch.
func (a *App) rest(begun time.Time) []erased.Rest {
	day := begun.UTC().Truncate(24*time.Hour).AddDate(0, 0, 1)
	out := []erased.Rest{
		{What: "day-keys", Until: day.Add(a.cfg.Keys.Horizon)},
		{What: "lines", Until: begun.Add(a.cfg.linesLast())},
		{What: "rejections", Until: day.Add(a.cfg.Retention.Rejections)},
		{What: "backups", Until: begun.Add(a.cfg.Erasure.Backups)},
	}
	if a.spools() { // what waits there reaches Kafka now at the earliest
		out = slices.Insert(out, 2, erased.Rest{What: "spools", Until: time.Now().UTC().Add(a.cfg.linesLast())})
	}
	return out
}

// spools reports whether sealed lines may wait in a spool: of this process, or
// of a tap elsewhere.
func (a *App) spools() bool {
	if len(a.cfg.Kafka.Addresses) > 0 && !a.has("tap") {
		return true
	}
	if a.tap != nil && slices.ContainsFunc(a.tap.Status(), func(s tap.SourceStatus) bool { return s.Spooled > 0 }) {
		return true // of a source that spooled under an earlier configuration
	}
	return slices.ContainsFunc(a.cfg.Sources, func(s source.Config) bool { return s.Full() == source.Spool })
}

// linesLast is how long lines.v1 keeps sealed lines.
func (c *Config) linesLast() time.Duration {
	if len(c.Kafka.Addresses) == 0 {
		return c.Kafka.Keep
	}
	if c.Kafka.Retention == 0 {
		return broker.DefaultConfig().Retention
	}
	return c.Kafka.Retention
}

// Warnings are what a configuration may say and delays erasures.
func (c *Config) Warnings() []string {
	var out []string
	for _, x := range []struct {
		what string
		last time.Duration
	}{
		{"kafka.keep", c.Kafka.Keep}, {"kafka.retention", c.Kafka.Retention}, {"erasure.backups", c.Erasure.Backups}, {"retention.rejections", c.Retention.Rejections},
	} {
		if x.last > c.Keys.Horizon {
			out = append(out, fmt.Sprintf("%s (%s) is longer than keys.horizon (%s): who was erased is gone for good only after it", x.what, x.last, c.Keys.Horizon))
		}
	}
	return out
}

// Identifier is a value by which a person is known: a kind of subject of the
// data map, or user for a principal. It prints as [redacted].
type Identifier struct {
	Kind  string `json:"kind"`
	Value string `json:"value"`
}

// String returns [redacted].
func (Identifier) String() string { return plain.Redacted }

// GoString returns [redacted].
func (Identifier) GoString() string { return plain.Redacted }

// person makes marks and tags of identifiers: tags under every key of links that
// is there, and under that of the next year, which a line may bring.
func (a *App) person(ctx context.Context, ids []Identifier) (erasure.Person, error) {
	p := erasure.Person{Identifiers: len(ids)}
	live, err := a.registers.DayKeys(ctx)
	if err != nil {
		return p, err
	}
	now := time.Now().UTC()
	years := map[int]bool{now.Year(): true, now.Year() + 1: true}
	for _, k := range live {
		if year, err := strconv.Atoi(k.Period); err == nil && k.Domain == masking.DomainLinks {
			years[year] = true
		}
	}
	for _, id := range ids {
		p.Marks = append(p.Marks, a.erasing.tombstones.Person(id.Kind, plain.New(id.Value)))
		for year := range years {
			prf, err := a.linkKeys.Year(ctx, masking.DomainLinks, time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC))
			if err != nil {
				return p, err
			}
			tag := pseudonym.Token(prf, id.Kind, id.Value)
			p.Tags, p.Marks = append(p.Tags, tag), append(p.Marks, a.erasing.tombstones.Tag(tag))
		}
	}
	return p, nil
}

// Erase implements Operations. Who gives identifiers does so under an account
// with the role that the API asks for.
func (a *App) Erase(ctx context.Context, r EraseRequest) (*EraseResult, error) {
	if len(r.Identifiers) > 0 {
		by, err := a.account(ctx, r.User, r.Password)
		if err != nil {
			return nil, err
		}
		if !by.Has(registers.RoleOfficer) {
			return nil, &text.Hint{Err: errors.New("this account may not ask for an erasure"), Hint: "an account with the role officer asks, and one with the role key_officer approves"}
		}
		ctx = withActor(ctx, by.Name)
	}
	answer, err := a.order(ctx, r)
	if err != nil {
		return nil, err
	}
	return &EraseResult{Answer: answer, Lines: answer.Text(a.texts.For(r.Language))}, nil
}

// order does what the actor of ctx asks for, once it is in the trail.
func (a *App) order(ctx context.Context, r EraseRequest) (out erased.Answer, err error) {
	if a.erasing.eraser == nil {
		return out, &text.Hint{Err: errors.New("no auditor runs in this process"), Hint: "run erase where the auditor runs: it alone has the keys"}
	}
	if err := checkIdentifiers(r.Identifiers); err != nil {
		return out, err
	}
	if len(r.Identifiers) == 0 {
		err = a.registers.Record(ctx, actorOf(ctx), "erasure.see", r.Request, true, "")
	} else {
		act := "erasure.request"
		if r.DryRun {
			act = "erasure.find"
		}
		err = a.lookUp(ctx, act, r.Request, fmt.Sprintf("identifiers: %d", len(r.Identifiers)))
	}
	if err != nil {
		return out, err
	}
	return a.erase(ctx, r)
}

func (a *App) erase(ctx context.Context, r EraseRequest) (out erased.Answer, err error) {
	e := a.erasing.eraser
	if len(r.Identifiers) == 0 {
		if err := e.Check(ctx, r.Request); err != nil {
			return out, err
		}
		out, err = e.Erase(ctx, r.Request)
		if errors.Is(err, registers.ErrNotFound) {
			return erased.Answer{Request: r.Request}, nil
		}
		return out, err
	}
	if err := a.checkKinds(ctx, r.Identifiers); err != nil {
		return out, err
	}
	p, err := a.person(ctx, r.Identifiers)
	if err != nil {
		return out, err
	}
	if r.DryRun {
		if err := e.Check(ctx, r.Request); err != nil {
			return out, err
		}
		found, err := e.Find(ctx, p)
		return erased.Answer{Request: r.Request, State: erased.StateFound, Found: found}, err
	}
	if _, err := e.Request(ctx, actorOf(ctx), r.Request, p); err != nil {
		return out, err
	}
	return e.Answer(ctx, r.Request)
}

// consoleErasures lets officers erase by the API; nil where no auditor is.
func (a *App) consoleErasures() console.Erasures {
	if a.erasing.eraser == nil {
		return nil
	}
	return consoleErasures{a}
}

type consoleErasures struct{ a *App }

func (c consoleErasures) Order(ctx context.Context, actor string, o console.ErasureOrder) (erased.Answer, error) {
	r := EraseRequest{Request: o.Request, DryRun: o.DryRun}
	for _, id := range o.Identifiers {
		r.Identifiers = append(r.Identifiers, Identifier(id))
	}
	return c.a.order(withActor(ctx, actor), r)
}

func (c consoleErasures) Answer(ctx context.Context, actor, request string) (erased.Answer, error) {
	if err := c.a.registers.Record(ctx, actor, "erasure.see", request, true, ""); err != nil {
		return erased.Answer{}, err
	}
	return c.a.erasing.eraser.Answer(ctx, request)
}

// mostIdentifiers bounds one request.
const mostIdentifiers = 100

func checkIdentifiers(ids []Identifier) error {
	if len(ids) > mostIdentifiers {
		return &text.Hint{Err: fmt.Errorf("%d identifiers are more than a person has", len(ids)), Hint: fmt.Sprintf("give at most %d, all of one person", mostIdentifiers)}
	}
	for i, id := range ids {
		if id.Kind == "" || len(id.Kind) > 64 || id.Value == "" || len(id.Value) > 4096 {
			return &text.Hint{Err: fmt.Errorf("identifier %d has no kind or no value", i+1), Hint: "write KIND:VALUE, with a kind of subject of the data map, or user for a user name"}
		}
	}
	return nil
}

// checkKinds refuses kinds that neither the data map nor the record has: what
// is given under one would be found nowhere. The error has no kind of theirs,
// where a value may stand by mistake.
func (a *App) checkKinds(ctx context.Context, ids []Identifier) error {
	known := append(a.datamap.SubjectKinds(), masking.KindUser)
	unknown := func() int {
		return slices.IndexFunc(ids, func(id Identifier) bool { return !slices.Contains(known, id.Kind) })
	}
	if unknown() < 0 {
		return nil
	}
	stored, err := a.store.SubjectKinds(ctx)
	if err != nil {
		return err
	}
	known = append(known, stored...)
	slices.Sort(known)
	known = slices.Compact(known)
	if i := unknown(); i >= 0 {
		return &text.Hint{
			Err:  fmt.Errorf("the kind of identifier %d is not known", i+1),
			Hint: "kinds that the data map or the record has: " + strings.Join(known, ", "),
		}
	}
	return nil
}

// erasedRows are the originals of a chunk that were erased, with the hashes that
// their tombstones have.
func (a *App) erasedRows(ctx context.Context, k audit.ChunkKey) (auditledger.Gone, error) {
	list, err := a.registers.ErasureLeavesOf(ctx, k.ID)
	if err != nil {
		return nil, err
	}
	out := auditledger.Gone{}
	for _, x := range list {
		leaf, err := auditledger.ParseLeaf(x.Leaf)
		if err != nil {
			return nil, fmt.Errorf("failed to read a leaf of the registers: %w", err)
		}
		if leaf.Chunk != k.ID || leaf.Version != k.Version {
			continue
		}
		for i, n := range leaf.Rows {
			out[n] = auditledger.Hash(leaf.Hashes[i*len(auditledger.Hash{}):])
		}
	}
	return out, nil
}

// erasuresAtOnce is how many leaves, of up to 64 KiB, the ledger takes at a time.
const erasuresAtOnce = 100

// erasureLeaves are what erasures left to the ledger.
type erasureLeaves struct{ db *registers.DB }

func (l erasureLeaves) ErasuresWithoutLeaf(ctx context.Context) ([]ledger.ErasureLeaf, error) {
	list, err := l.db.ErasureLeavesWaiting(ctx, erasuresAtOnce)
	if err != nil {
		return nil, err
	}
	out := make([]ledger.ErasureLeaf, len(list))
	for i, x := range list {
		leaf, err := auditledger.ParseLeaf(x.Leaf)
		if err != nil {
			return nil, fmt.Errorf("failed to read a leaf of the registers: %w", err)
		}
		out[i] = ledger.ErasureLeaf{ID: x.ID, Leaf: leaf}
	}
	return out, nil
}

func (l erasureLeaves) SetErasureLeaf(ctx context.Context, id int64, index uint64) error {
	return l.db.SetErasureLeaf(ctx, id, index)
}
