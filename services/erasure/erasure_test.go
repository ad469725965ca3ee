package erasure_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/erased"
	"github.com/tallystick/tallystick/audit/retention"
	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/services/erasure"
)

// identity wraps nothing.
type identity struct{}

func (identity) Encrypt(b, _ []byte) ([]byte, error) { return b, nil }
func (identity) Decrypt(b, _ []byte) ([]byte, error) { return b, nil }

const (
	tag       = "tag of ana"
	pseudonym = "v1.day.ana"
)

// scene is an eraser with a real store and real registers.
type scene struct {
	t          *testing.T
	store      *store.Store
	db         *registers.DB
	tombstones *masking.Tombstones
	eraser     *erasure.Eraser
	now        time.Time
	looks      []time.Time        // for tags, since when
	step       func(string) error // before each step of an erasure
}

// counted counts how often the store is looked through.
type counted struct {
	*store.Store
	scene *scene
}

func (c counted) EachTag(ctx context.Context, since time.Time, fn func(string) error) error {
	c.scene.looks = append(c.scene.looks, since)
	return c.Store.EachTag(ctx, since, fn)
}

func newScene(t *testing.T) *scene {
	t.Helper()
	db, err := registers.Open(t.Context(), filepath.Join(t.TempDir(), "registers.db"))
	must(t, err)
	t.Cleanup(func() { _ = db.Close() })
	folder, err := keys.Open(t.TempDir(), identity{})
	must(t, err)
	must(t, folder.Create(keys.RoleErasure))
	prf, err := folder.ErasurePRF()
	must(t, err)
	s := &scene{t: t, store: storetest.Open(t), db: db, tombstones: masking.NewTombstones(prf), now: time.Now(), step: func(string) error { return nil }}
	s.restart()
	return s
}

// restart stands for a new process on the scene's store and registers.
func (s *scene) restart() {
	s.eraser = erasure.New(erasure.Deps{
		Store: counted{s.store, s}, Registers: s.db, Holds: s.db, Tombstones: s.tombstones, Sequence: s.sequence, Logger: slog.New(slog.DiscardHandler),
		Rest: func(time.Time) []erased.Rest { return nil }, Now: func() time.Time { return s.now },
		Step: func(name string) error { return s.step(name) },
	})
}

// sequence stands in for the ledger.
func (s *scene) sequence(ctx context.Context) error {
	list, err := s.db.ErasureLeavesWaiting(ctx, 100)
	for _, l := range list {
		must(s.t, s.db.SetErasureLeaf(ctx, l.ID, uint64(l.ID)))
	}
	return err
}

// approved asks for Ana's erasure under a request, and has it approved.
func (s *scene) approved(request string, p erasure.Person) {
	s.t.Helper()
	const header = "id,law,type,received,manner,verification,acknowledged,extended,responded,outcome,denial_reason\n"
	_, err := s.db.ImportRequests(s.t.Context(), strings.NewReader(header+request+",gdpr,erasure,2026-11-01,email,verified,,,,open,\n"))
	must(s.t, err)
	n, err := s.eraser.Request(s.t.Context(), "os:ana", request, p)
	must(s.t, err)
	must(s.t, s.db.DecideApproval(s.t.Context(), n, registers.User{Name: "bea", Roles: []registers.Role{registers.RoleKeyOfficer}}, true))
}

// chunk stores a line of Ana's with an original.
func (s *scene) chunk(id string, offset uint64) {
	s.t.Helper()
	must(s.t, s.store.CloseChunk(s.t.Context(), s.open(id, 1, offset)))
}

// open is chunk without its end.
func (s *scene) open(id string, version uint16, offset uint64) *audit.Chunk {
	s.t.Helper()
	ctx := s.t.Context()
	es := storetest.Entries(1, offset)
	e := &es[0]
	e.Chunk, e.Version, e.Row, e.PrincipalID, e.Subjects = id, version, 0, "v1.year.staff", []string{pseudonym}
	c := &audit.Chunk{ID: id, Version: version, From: int64(offset), Until: int64(offset) + 1, Opened: s.now, Salt: make([]byte, 32), Entries: 1, Originals: 1}
	b := store.NewEntryBlock()
	must(s.t, b.Append(e))
	must(s.t, s.store.OpenChunk(ctx, c))
	must(s.t, s.store.InsertEntries(ctx, c, b))
	must(s.t, s.store.InsertOriginalsBut(ctx, c, []audit.Original{{
		Origin: audit.Origin{Stream: e.Stream, Generation: e.Generation, Offset: e.Offset}, Class: "identity", Month: "2026-11", Field: "subjects.0", Capsule: "c",
		Sealed: []byte("sealed"), Chunk: id, Version: version,
	}}, nil))
	return c
}

func (s *scene) left() any {
	s.t.Helper()
	res, err := s.store.Select(s.t.Context(), "SELECT toInt64(countIf(sealed != '')) FROM originals")
	must(s.t, err)
	return res.Rows[0][0]
}

// TestOnTheirWay: lines that an auditor masked before an erasure bring originals
// after it, of a day whose link is in the store before. They go too.
func TestOnTheirWay(t *testing.T) {
	s := newScene(t)
	must(t, s.store.InsertLinks(t.Context(), []audit.Link{{Tag: tag, Day: masking.Day(s.now), Pseudonym: pseudonym}}))
	s.chunk("c1", 0)
	must(t, s.eraser.Restore(t.Context(), true))
	s.approved("DSR-1", erasure.Person{Identifiers: 1, Tags: []string{tag}, Marks: []string{s.tombstones.Tag(tag)}})
	a, err := s.eraser.Erase(t.Context(), "DSR-1")
	must(t, err)
	if a.State != erased.StateDone || a.Found.Originals != 1 || s.left() != int64(0) {
		t.Fatalf("%+v, %v originals left", a, s.left())
	}
	s.chunk("c2", 1000)
	s.now = s.now.Add(time.Hour)
	must(t, s.eraser.Turn(t.Context()))
	if n := s.left(); n != int64(0) {
		t.Errorf("%v originals that were on their way are left", n)
	}
}

// TestCounted: what the answer says was destroyed is what went, also what came
// after the last look, and once however often the erasure is interrupted.
func TestCounted(t *testing.T) {
	s := newScene(t)
	must(t, s.store.InsertLinks(t.Context(), []audit.Link{{Tag: tag, Day: masking.Day(s.now), Pseudonym: pseudonym}}))
	s.chunk("c1", 0)
	must(t, s.eraser.Restore(t.Context(), true))
	s.approved("DSR-1", erasure.Person{Identifiers: 1, Tags: []string{tag}, Marks: []string{s.tombstones.Tag(tag)}})
	killed, came := errors.New("killed here"), false
	var at string
	s.step = func(step string) error {
		if step == "originals" && !came {
			came = true
			s.chunk("c2", 1000)
		}
		if step == at {
			return killed
		}
		return nil
	}
	for _, step := range []string{"destroy", "reports", "links", "finish"} {
		at = step
		if _, err := s.eraser.Erase(t.Context(), "DSR-1"); !errors.Is(err, killed) {
			t.Fatalf("at %s: %v", at, err)
		}
		at = ""
		must(t, s.eraser.Restore(t.Context(), true)) // as the next start does
	}
	a, err := s.eraser.Erase(t.Context(), "DSR-1")
	must(t, err)
	if a.State != erased.StateDone || a.Left != nil {
		t.Errorf("%+v", a)
	}
	if diff := cmp.Diff(a.Destroyed, &erased.Parts{Links: 1, Originals: 2}); diff != "" || a.Found.Originals != 1 {
		t.Errorf("found %+v, destroyed (-got +want):\n%s", a.Found, diff)
	}
}

// TestNewLinks: links are read once for an erasure, and then those that are new,
// also in the next process; all of them only where the store does not know of an
// erasure, as one from a back-up does not.
func TestNewLinks(t *testing.T) {
	s := newScene(t)
	link := audit.Link{Tag: tag, Day: masking.Day(s.now), Pseudonym: pseudonym}
	must(t, s.store.InsertLinks(t.Context(), []audit.Link{link}))
	must(t, s.eraser.Restore(t.Context(), true))
	s.approved("DSR-1", erasure.Person{Identifiers: 1, Tags: []string{tag}, Marks: []string{s.tombstones.Tag(tag)}})
	reads := func(what string, act func() error, all int) {
		t.Helper()
		s.looks = nil
		must(t, act())
		n := 0
		for _, since := range s.looks {
			if since.IsZero() {
				n++
			}
		}
		if n != all || len(s.looks) == 0 {
			t.Errorf("%s: all links were read %d times, want %d; looks since %v", what, n, all, s.looks)
		}
		res, err := s.store.Select(t.Context(), "SELECT toInt64(count()) FROM subject_links FINAL WHERE tag = '"+tag+"'")
		must(t, err)
		if res.Rows[0][0] != int64(0) {
			t.Errorf("%s: %v links are left", what, res.Rows[0][0])
		}
	}
	turn := func() error { return s.eraser.Turn(t.Context()) }
	start := func() error {
		s.restart()
		return s.eraser.Restore(t.Context(), true)
	}
	reads("the erasure", turn, 1)
	must(t, s.store.InsertLinks(t.Context(), []audit.Link{link})) // an auditor masked the line before
	reads("on their way", turn, 0)
	must(t, s.store.InsertLinks(t.Context(), []audit.Link{link}))
	reads("the next start", start, 0)
	s.store = storetest.Open(t)
	must(t, s.store.InsertLinks(t.Context(), []audit.Link{link}))
	reads("a store from a back-up", start, 1)
	s.now = s.now.Add(25 * time.Hour)
	reads("the next day", turn, 0)
}

// TestOpenVersion: an erasure waits for a version of a chunk that is not closed,
// and no longer once a replay that was interrupted is dropped. What is closed goes
// before.
func TestOpenVersion(t *testing.T) {
	s := newScene(t)
	must(t, s.store.InsertLinks(t.Context(), []audit.Link{{Tag: tag, Day: masking.Day(s.now), Pseudonym: pseudonym}}))
	s.chunk("c1", 0)
	s.open("c1", 2, 0)
	must(t, s.eraser.Restore(t.Context(), true))
	s.approved("DSR-1", erasure.Person{Identifiers: 1, Tags: []string{tag}, Marks: []string{s.tombstones.Tag(tag)}})
	if err := s.eraser.Turn(t.Context()); err == nil {
		t.Error("an erasure is done although a version is being written")
	}
	if a, err := s.eraser.Answer(t.Context(), "DSR-1"); err != nil || a.State != erased.StateRunning || a.Destroyed.Originals != 1 || a.Left.Originals != 1 || a.Left.Links != 1 {
		t.Errorf("while it waits: %+v, %v", a, err)
	}
	must(t, s.store.Discard(t.Context(), "c1", 2))
	must(t, s.eraser.Turn(t.Context()))
	if a, err := s.eraser.Answer(t.Context(), "DSR-1"); err != nil || a.State != erased.StateDone || s.left() != int64(0) {
		t.Errorf("afterwards: %+v, %v, %v originals left", a, err, s.left())
	}
}

// TestHeld: an erasure that a hold keeps from beginning is not in the trail as
// begun, and is looked for once only until the hold is lifted.
func TestHeld(t *testing.T) {
	s := newScene(t)
	must(t, s.eraser.Restore(t.Context(), true))
	hold, err := s.db.AddHold(t.Context(), retention.Hold{Reason: "matter 17", By: "os:ana"})
	must(t, err)
	s.approved("DSR-1", erasure.Person{Identifiers: 1, Tags: []string{tag}, Marks: []string{s.tombstones.Tag(tag)}})
	for range 3 {
		must(t, s.eraser.Turn(t.Context()))
	}
	begun := func() (n int) {
		acts, err := s.db.Acts(t.Context(), 100)
		must(t, err)
		for _, a := range acts {
			if a.Act == "erasure.begin" {
				n++
			}
		}
		return n
	}
	if n := begun(); n != 0 || len(s.looks) != 1 {
		t.Errorf("while it is held the trail says %d times that it began, and the store was looked through %d times", n, len(s.looks))
	}
	must(t, s.db.LiftHold(t.Context(), hold, "os:ana", "settled"))
	must(t, s.eraser.Turn(t.Context()))
	if a, err := s.eraser.Answer(t.Context(), "DSR-1"); err != nil || a.State != erased.StateDone || begun() != 1 {
		t.Errorf("once it is lifted: %+v, %v", a, err)
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
