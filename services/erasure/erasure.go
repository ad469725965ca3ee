// Package erasure erases people from what ties the record to them: links,
// originals and stored reports. Entries and leaves stay as they are.
//
// An erasure begins when a request of the register asks for it and a second
// person approves. It is one procedure that can be repeated: whatever belongs to
// a tombstone of the registers goes. So it ends after a kill where it would have
// ended, and is applied again to what a back-up brings back. The package knows
// people by keyed marks and tags only; services makes these, wires it, and
// runs it where the auditor is.
package erasure

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/erased"
	"github.com/tallystick/tallystick/audit/retention"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking"
)

// Store holds links and originals. store.Store is the one.
type Store interface {
	EachTag(ctx context.Context, since time.Time, fn func(tag string) error) error
	SetSwept(ctx context.Context, upTo time.Time) error
	Swept(ctx context.Context) (time.Time, error)
	WithPerson(ctx context.Context, tags []store.Tag, fn func(*store.Person) error) error
	DestroyOriginals(ctx context.Context, list []store.OriginalRow) (uint64, error)
	SaltsOf(ctx context.Context, keys []audit.ChunkKey) (map[audit.ChunkKey][]byte, error)
	SetErased(ctx context.Context, id string) error
	Erased(ctx context.Context) (map[string]bool, error)
}

// Registers keep requests, approvals and tombstones. registers.DB is the one.
type Registers interface {
	Record(ctx context.Context, actor, act, object string, allowed bool, reason string) error
	Request(ctx context.Context, id string) (registers.Request, error)
	RequestErasure(ctx context.Context, e registers.Erasure) (int64, error)
	ErasureOf(ctx context.Context, request string) (registers.Erasure, error)
	OpenErasures(ctx context.Context) ([]registers.Erasure, error)
	DoneErasures(ctx context.Context) ([]registers.Erasure, error)
	BeginErasure(ctx context.Context, e registers.Erasure, at time.Time, through uint16, leaf []byte, answer string) error
	SetErasureAnswer(ctx context.Context, id, answer string) error
	FinishErasure(ctx context.Context, id, answer string) error
	RefuseErasure(ctx context.Context, id string) error
	Tombstones(ctx context.Context) ([]registers.Tombstone, error)
	AddErasureLeaves(ctx context.Context, leaves []registers.ErasureLeaf) error
	ErasureLeavesWaiting(ctx context.Context, limit int) ([]registers.ErasureLeaf, error)
	ErasureLeavesOf(ctx context.Context, chunk string) ([]registers.ErasureLeaf, error)
	ErasureLeavesDue(ctx context.Context, after int64, all bool, limit int) ([]registers.ErasureLeaf, error)
	ErasureLeafAt(ctx context.Context, erasure string) (int64, error)
	SetOriginalsGone(ctx context.Context, ids []int64) error
}

// Deps are what an Eraser needs; all must be set but those that say so.
type Deps struct {
	Store     Store
	Registers Registers
	// Tombstones are those that the mask stage asks.
	Tombstones *masking.Tombstones
	// Holds are asked before an erasure begins.
	Holds retention.Holds
	// Forget is called when links may have gone. Optional.
	Forget func()
	// Sequence gives leaves to what waits for them, where the ledger is in this
	// process. Optional.
	Sequence func(ctx context.Context) error
	// Reports counts, or erases, the stored reports that show one of some
	// pseudonyms. Optional.
	Reports func(ctx context.Context, names map[string]bool, erase bool) (int, error)
	// Rest says until when what the store has besides lasts.
	Rest   func(now time.Time) []erased.Rest
	Logger *slog.Logger
	Now    func() time.Time // time.Now if nil
	// Step is called before each step of an erasure with its name, for tests that
	// end it there. Optional.
	Step func(name string) error
}

// Eraser erases. Its methods are safe for concurrent use.
type Eraser struct {
	deps Deps

	mu    sync.Mutex // one erasure or sweep at a time; guards what follows
	swept time.Time  // when everything was last looked after
	// looked is up to when links were looked through for people whose erasure is
	// done; zero before the first time.
	looked time.Time
	until  time.Time // sweep at each step before: lines may be on their way
	// unlinked are the fresh tags of people who were erased, until a last look
	// then: lines on their way bring originals of days that were linked before.
	unlinked []store.Tag
	// scans are how far links were looked through for erasures that are not done.
	scans map[string]*scan
	// heldBy are the holds, by their numbers, that keep erasures from beginning.
	heldBy map[string]int64
}

// New makes an Eraser and starts nothing.
func New(deps Deps) *Eraser {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Step == nil {
		deps.Step = func(string) error { return nil }
	}
	if deps.Forget == nil {
		deps.Forget = func() {}
	}
	return &Eraser{deps: deps, scans: map[string]*scan{}, heldBy: map[string]int64{}}
}

// Person is a person by keyed values: marks to leave behind, and the tags of
// links that may exist.
type Person struct {
	Identifiers int
	Marks       []string
	Tags        []string
}

// Find counts what there is about a person.
func (e *Eraser) Find(ctx context.Context, p Person) (erased.Found, error) {
	tags := make([]store.Tag, len(p.Tags))
	for i, t := range p.Tags {
		tags[i] = store.Tag{Tag: t, Through: 1<<16 - 1}
	}
	found, _, err := e.find(ctx, tags)
	found.Identifiers = p.Identifiers
	return found, err
}

func (e *Eraser) find(ctx context.Context, tags []store.Tag) (f erased.Found, last uint16, err error) {
	err = e.deps.Store.WithPerson(ctx, tags, func(p *store.Person) error {
		a, err := p.About(ctx)
		f = erased.Found{Links: a.Links, Entries: a.Entries, Findings: a.Findings, Originals: a.Originals}
		if a.Links > 0 {
			f.FirstDay, f.LastDay = dayText(a.First), dayText(a.Last)
		}
		last = a.Last
		if err != nil || a.Links == 0 {
			return err
		}
		n, err := e.reports(ctx, p, false)
		f.Reports = uint64(n)
		return err
	})
	return f, last, err
}

// reports counts or erases the stored reports about people.
func (e *Eraser) reports(ctx context.Context, p *store.Person, erase bool) (int, error) {
	if e.deps.Reports == nil {
		return 0, nil
	}
	names, err := p.Names(ctx)
	if err != nil || len(names) == 0 {
		return 0, err
	}
	return e.deps.Reports(ctx, names, erase)
}

func dayText(day uint16) string { return time.Unix(int64(day)*86400, 0).UTC().Format(time.DateOnly) }

// kinds are the types of request that ask for an erasure, by law.
var kinds = map[string]string{"gdpr": "erasure", "lgpd": "erasure", "ccpa": "delete"}

// Check refuses requests that ask for something else, or whose person nobody
// has verified.
func (e *Eraser) Check(ctx context.Context, request string) error {
	q, err := e.deps.Registers.Request(ctx, request)
	switch {
	case errors.Is(err, registers.ErrNotFound):
		return &text.Hint{Err: fmt.Errorf("there is no request %q in the register", request), Hint: "tallystick requests import FILE.csv adds requests"}
	case err != nil:
		return err
	case kinds[q.Law] != q.Type:
		return &text.Hint{Err: fmt.Errorf("request %q does not ask for an erasure", request), Hint: "its type has to be erasure (gdpr, lgpd) or delete (ccpa)"}
	case q.Verification != "verified":
		return &text.Hint{Err: fmt.Errorf("nobody has verified who made request %q", request), Hint: "verify the person first, then import the request with verification verified"}
	case q.Outcome == "denied":
		return &text.Hint{Err: fmt.Errorf("request %q was denied", request), Hint: "correct the register of requests if that was wrong"}
	}
	return nil
}

// Request records that a person is to be erased, which a second person has to
// approve. It returns the number of the approval.
func (e *Eraser) Request(ctx context.Context, actor, request string, p Person) (int64, error) {
	if err := e.Check(ctx, request); err != nil {
		return 0, err
	}
	found, err := e.Find(ctx, p)
	if err != nil {
		return 0, err
	}
	answer, err := json.Marshal(erased.Answer{Request: request, Found: found})
	if err != nil {
		return 0, err
	}
	n, err := e.deps.Registers.RequestErasure(ctx, registers.Erasure{ID: rand.Text(), Request: request, RequestedBy: actor, Marks: p.Marks, Answer: string(answer)})
	if errors.Is(err, registers.ErrErasureOpen) {
		return 0, &text.Hint{Err: err, Hint: "see /approvals in the console, or tallystick erase --request " + request}
	}
	return n, err
}

// Erase carries the approved erasure of a request out, if it is not done.
func (e *Eraser) Erase(ctx context.Context, request string) (erased.Answer, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	x, err := e.deps.Registers.ErasureOf(ctx, request)
	if err != nil {
		return erased.Answer{}, err
	}
	if err := e.one(ctx, x); err != nil {
		return erased.Answer{}, err
	}
	return e.answer(ctx, request)
}

// one does what an open erasure waits for.
func (e *Eraser) one(ctx context.Context, x registers.Erasure) error {
	switch {
	case !x.Open() || x.Decision == "":
		return nil
	case x.Decision != registers.Approved:
		delete(e.scans, x.ID)
		return e.deps.Registers.RefuseErasure(ctx, x.ID)
	}
	resumed := !x.Begun.IsZero() // by a process that may have held another store
	if !resumed {
		if err := e.begin(ctx, x); err != nil {
			return err
		}
	}
	e.until = e.deps.Now().Add(inFlight)
	if err := e.Load(ctx); err != nil {
		return err
	}
	found, err := e.look(ctx, x)
	if err != nil {
		return err
	}
	var tags []store.Tag
	for tag := range found {
		if t, ok := e.deps.Tombstones.OfTag(tag); ok {
			tags = append(tags, store.Tag{Tag: tag, Through: t.Through})
		}
	}
	if err := e.apply(ctx, job{tags: tags, now: true, restored: resumed, seen: func(p erased.Parts) error { return e.record(ctx, x, p) }}); err != nil {
		return err
	}
	return e.finish(ctx, x)
}

// record takes what is there of a person into the answer.
func (e *Eraser) record(ctx context.Context, x registers.Erasure, now erased.Parts) error {
	a, err := e.answer(ctx, x.Request)
	if err != nil {
		return err
	}
	a.Seen(now)
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return e.deps.Registers.SetErasureAnswer(ctx, x.ID, string(b))
}

// finish records the answer.
func (e *Eraser) finish(ctx context.Context, x registers.Erasure) error {
	if err := e.deps.Step("finish"); err != nil {
		return err
	}
	a, err := e.answer(ctx, x.Request)
	if err != nil {
		return err
	}
	now := e.deps.Now().UTC()
	a.Finish(now, e.deps.Rest(a.Begun))
	b, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := e.deps.Store.SetErased(ctx, x.ID); err != nil {
		return err
	}
	if err := e.deps.Registers.FinishErasure(ctx, x.ID, string(b)); err != nil {
		return err
	}
	delete(e.scans, x.ID)
	e.deps.Logger.Info("a person was erased", "request", x.Request, "erasure", x.ID)
	return nil
}

// Answer says how the newest erasure of a request stands, or
// registers.ErrNotFound.
func (e *Eraser) Answer(ctx context.Context, request string) (erased.Answer, error) {
	return e.answer(ctx, request)
}

func (e *Eraser) answer(ctx context.Context, request string) (erased.Answer, error) {
	x, err := e.deps.Registers.ErasureOf(ctx, request)
	if err != nil {
		return erased.Answer{}, err
	}
	var a erased.Answer
	if err := json.Unmarshal([]byte(x.Answer), &a); err != nil {
		return a, fmt.Errorf("failed to read what was recorded of an erasure: %w", err)
	}
	a.Erasure, a.Approval, a.Request = x.ID, x.Approval, x.Request
	switch {
	case !x.Done.IsZero():
		a.State = erased.StateDone
	case !x.Refused.IsZero() || x.Decision == registers.Denied:
		a.State = erased.StateRefused
	case !x.Begun.IsZero():
		a.State = erased.StateRunning
	case x.Decision == registers.Approved:
		a.State = erased.StateApproved
	default:
		a.State = erased.StateWaiting
	}
	at, err := e.deps.Registers.ErasureLeafAt(ctx, x.ID)
	if err == nil && at >= 0 {
		a.Leaf = &at
	}
	return a, err
}
