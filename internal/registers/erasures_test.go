package registers_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/internal/registers"
)

// TestErasures walks through an erasure: nothing begins before a second person
// approved, beginning twice is beginning once, and at the end nothing in the
// file ties the request to the marks.
func TestErasures(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "registers.db")
	db, err := registers.Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	const mark = "v1.aaaaaaa.MARKMARKMARKMARKMARK"
	e := registers.Erasure{ID: "R4ND0M", Request: "DSR-7", RequestedBy: "os:ana", Marks: []string{mark}, Answer: "{}"}
	approval, err := db.RequestErasure(ctx, e)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.RequestErasure(ctx, e); !errors.Is(err, registers.ErrErasureOpen) {
		t.Errorf("a second one: %v", err)
	}
	at := time.UnixMilli(1_760_000_000_000).UTC()
	begin := func(want int) {
		t.Helper()
		if err := db.BeginErasure(ctx, e, at, 20371, []byte("leaf"), "found"); err != nil {
			t.Fatal(err)
		}
		if list, err := db.Tombstones(ctx); err != nil || len(list) != want {
			t.Errorf("tombstones %v, %v, want %d", list, err, want)
		}
	}
	begin(0)
	officer := func(name string) registers.User {
		return registers.User{Name: name, Roles: []registers.Role{registers.RoleKeyOfficer}}
	}
	if err := db.DecideApproval(ctx, approval, officer("ana"), true); !errors.Is(err, registers.ErrOwnRequest) {
		t.Errorf("the requester's own account approves: %v", err)
	}
	begin(0)
	if err := db.DecideApproval(ctx, approval, officer("bea"), true); err != nil {
		t.Fatal(err)
	}
	begin(1)
	begin(1)
	list, err := db.Tombstones(ctx)
	if diff := cmp.Diff(list, []registers.Tombstone{{Mark: mark, Day: 20370, Through: 20371}}); diff != "" || err != nil {
		t.Errorf("%v (-got +want):\n%s", err, diff)
	}
	if _, rows, err := db.Select(ctx, "SELECT t.mark FROM tombstones t JOIN erasures e ON t.at = e.begun", nil); err != nil || len(rows) != 0 {
		t.Errorf("the moment of the erasure leads to its tombstones: %v, %v", rows, err)
	}
	leaves, err := db.ErasureLeavesWaiting(ctx, 100)
	if diff := cmp.Diff(leaves, []registers.ErasureLeaf{{ID: 1, Erasure: "R4ND0M", Leaf: []byte("leaf"), At: -1}}); diff != "" || err != nil {
		t.Errorf("%v (-got +want):\n%s", err, diff)
	}
	if err := db.AddErasureLeaves(ctx, []registers.ErasureLeaf{{Chunk: "c1", Leaf: []byte("o1")}, {Chunk: "c1", Leaf: []byte("o1")}, {Chunk: "c2", Leaf: []byte("o2")}}); err != nil {
		t.Fatal(err)
	}
	if err := db.SetErasureLeaf(ctx, 1, 0); err != nil {
		t.Fatal(err)
	}
	if leaves, err = db.ErasureLeavesWaiting(ctx, 100); err != nil || len(leaves) != 2 {
		t.Errorf("%v %v", leaves, err)
	}
	leafTests(t, db)
	if err := db.FinishErasure(ctx, e.ID, "answer"); err != nil {
		t.Fatal(err)
	}
	got, err := db.ErasureOf(ctx, "DSR-7")
	if err != nil || got.Open() || len(got.Marks) > 0 || got.Answer != "answer" || got.DecidedBy != "bea" || !got.Begun.Equal(at) {
		t.Errorf("%+v %v", got, err)
	}
	for _, name := range []string{path, path + "-wal"} {
		if b, err := os.ReadFile(name); err == nil && bytes.Contains(b, []byte(`["`+mark)) {
			t.Errorf("%s still holds the request's marks", filepath.Base(name))
		}
	}
	again := e
	again.ID = "0THER"
	if _, err := db.RequestErasure(ctx, again); err != nil {
		t.Errorf("once more after it was done: %v", err)
	}
	if err := db.RefuseErasure(ctx, again.ID); err != nil {
		t.Fatal(err)
	}
	if list, err := db.OpenErasures(ctx); err != nil || len(list) != 0 {
		t.Errorf("%v %v", list, err)
	}
	if _, err := db.ErasureOf(ctx, "DSR-8"); !errors.Is(err, registers.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if _, err := db.Request(ctx, "DSR-8"); !errors.Is(err, registers.ErrNotFound) {
		t.Errorf("%v", err)
	}
}

// leafTests asks for leaves in the ways of those who need some: 1 is of the act
// and in the ledger, 2 is of chunk c1 and 3 of c2.
func leafTests(t *testing.T, db *registers.DB) {
	t.Helper()
	ctx := t.Context()
	ids := func(list []registers.ErasureLeaf, err error) (out []int64) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
		for _, l := range list {
			out = append(out, l.ID)
		}
		return out
	}
	expect := func(what string, got []int64, want ...int64) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	expect("the first that waits", ids(db.ErasureLeavesWaiting(ctx, 1)), 2)
	expect("of a chunk", ids(db.ErasureLeavesOf(ctx, "c2")), 3)
	expect("due, with none of originals in the ledger", ids(db.ErasureLeavesDue(ctx, 0, true, 9)))
	for id := int64(2); id <= 3; id++ {
		if err := db.SetErasureLeaf(ctx, id, uint64(id)); err != nil {
			t.Fatal(err)
		}
	}
	expect("due, the first", ids(db.ErasureLeavesDue(ctx, 0, false, 1)), 2)
	if err := db.SetOriginalsGone(ctx, []int64{2}); err != nil {
		t.Fatal(err)
	}
	expect("due", ids(db.ErasureLeavesDue(ctx, 0, false, 9)), 3)
	expect("due once more", ids(db.ErasureLeavesDue(ctx, 0, true, 9)), 2, 3)
	expect("due after the first", ids(db.ErasureLeavesDue(ctx, 2, true, 9)), 3)
	for erasure, want := range map[string]int64{"R4ND0M": 0, "nothing": -1} {
		if at, err := db.ErasureLeafAt(ctx, erasure); err != nil || at != want {
			t.Errorf("the leaf of %s is at %d, %v, want %d", erasure, at, err, want)
		}
	}
}
