package ledger_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	core "github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/services/ledger"
)

var (
	_ core.Source  = (*store.Store)(nil)
	_ ledger.Store = (*store.Store)(nil)
)

// fill gives every field of e a value of its own.
func fill(e *audit.Entry, n int) {
	for i, f := range audit.EntryFields {
		s := fmt.Sprintf("%s é\x00\" %d", f.Name, n)
		switch f.Kind {
		case audit.Word, audit.Text:
			*f.Str(e) = s
		case audit.Words, audit.Texts:
			if n%2 == 0 { // nil in every second entry
				*f.Strs(e) = []string{s, "", s}
			}
		case audit.Bool:
			*f.Bool(e) = (i+n)%2 == 0
		case audit.Uint16:
			*f.U16(e) = uint16(65535 - i - n)
		case audit.Uint32:
			*f.U32(e) = uint32(1<<32 - 1 - i - n)
		case audit.Uint64:
			*f.U64(e) = uint64(1)<<63 + uint64(i+n)
		case audit.Time:
			*f.Time(e) = time.Date(2026, 11, 21, 10, 0, n, 123456789, time.UTC)
		case audit.Map:
			if n%2 == 0 {
				*f.Map(e) = map[string]string{"b": s, "a": ""}
			}
		}
	}
}

// put stores one chunk as the auditor does.
func put(t *testing.T, s *store.Store, id string, n int) {
	t.Helper()
	ctx := context.Background()
	at := time.Date(2026, 11, 21, 10, 0, 0, 123456789, time.UTC)
	c := &audit.Chunk{ID: id, From: int64(id[1]), Until: int64(id[1]) + 1, Version: 1, Opened: time.Now(), Salt: []byte(strings.Repeat("s", 32)), Entries: uint32(n), Rejections: 2, Findings: 2, Capsules: 2, Originals: 4,
		Roots: map[string][]byte{}, RowMarks: map[string][]byte{}, Streams: []audit.StreamRange{{Stream: id, Until: uint64(n)}}}
	tables := map[string]*core.Table{}
	for _, name := range core.Tables {
		tables[name] = core.NewTable(c.Salt)
	}
	b := store.NewEntryBlock()
	for i := range n {
		var e audit.Entry
		fill(&e, i)
		e.Stream, e.Generation, e.Offset, e.Chunk, e.Version, e.Row, e.Source = "s", 0, uint64(i), id, 1, uint32(i), "source of "+id
		tables[core.TableEntries].Add(core.AppendEntry(nil, &e))
		must(t, b.Append(&e))
	}
	var rs []audit.Rejection
	var fs []audit.Finding
	for i := range 2 {
		rs = append(rs, audit.Rejection{
			Origin: audit.Origin{Stream: "s", Offset: uint64(9 - i)}, Source: "shop", Format: "nginx:combined", Received: time.Now().UTC(),
			Reason: audit.ReasonSyntax, Column: 17, Expected: "a status", Length: 70_000, Mark: 7, SealedKey: []byte{0, 1}, Sealed: []byte{2, 0xff},
		})
		fs = append(fs, audit.Finding{
			ID: fmt.Sprintf("F%d", 9-i), Kind: audit.Violation, Control: "AC-01", ControlVersion: 1, Severity: audit.SeverityHigh, Time: at, Until: at,
			Detected: at.Add(time.Microsecond), Source: "shop", System: "crm", Principal: "p", PrincipalKind: audit.KindStaff, PrincipalLabel: "L",
			Resource: "/r", Purpose: "x", Categories: []string{"user.contact"}, EntryID: "s-0-0", Count: 1, Facts: map[string]string{"b": "1", "a": "2"}, Chunk: id,
		})
	}
	core.SortRejections(rs)
	core.SortFindings(fs)
	for i := range 2 {
		tables[core.TableRejections].Add(core.AppendRejection(nil, &rs[i]))
		tables[core.TableFindings].Add(core.AppendFinding(nil, &fs[i]))
	}
	capsules, originals := sealed(c, at)
	for i := range capsules {
		tables[core.TableCapsules].Add(core.AppendCapsule(nil, &capsules[i]))
	}
	for i := range originals {
		tables[core.TableOriginals].Add(core.AppendOriginal(nil, &originals[i]))
	}
	for name, table := range tables {
		c.Roots[name], c.RowMarks[name] = table.Root(), table.Marks()
	}
	must(t, s.OpenChunk(ctx, c))
	must(t, s.InsertEntries(ctx, c, b))
	must(t, s.InsertRejections(ctx, c, rs))
	must(t, s.InsertFindings(ctx, c, fs))
	must(t, s.InsertCapsules(ctx, c, capsules))
	must(t, s.InsertOriginalsBut(ctx, c, originals, nil))
	must(t, s.CloseChunk(ctx, c))
}

// sealed are capsules and originals of two vault classes, by turns.
func sealed(c *audit.Chunk, at time.Time) (capsules []audit.Capsule, originals []audit.Original) {
	for i, class := range []string{"identity", "network"} {
		capsules = append(capsules, audit.Capsule{ID: c.ID + "-" + class, Class: class, Month: "2026-11", Delegator: []byte{2}, KeyID: "k", Bytes: []byte("capsule"),
			First: at, Last: at.Add(time.Second), Originals: 2, Chunk: c.ID, Version: 1})
		for n := range 2 {
			originals = append(originals, audit.Original{Origin: audit.Origin{Stream: "s", Offset: uint64(n)}, Class: class, Month: "2026-11", Field: "principal_id",
				Capsule: c.ID + "-" + class, Sealed: []byte{byte(i), byte(n), 0xff}, Chunk: c.ID, Version: 1})
		}
	}
	originals[1], originals[2] = originals[2], originals[1]
	for i := range originals {
		originals[i].Row = uint32(i)
	}
	return capsules, originals
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestVerifyRealStore stores, sequences and verifies on the real engine, then
// changes rows behind the program's back.
func TestVerifyRealStore(t *testing.T) {
	ctx := context.Background()
	engine := storetest.Engine(t)
	s, err := store.Open(ctx, store.Config{Database: "ledger_test"}, store.Deps{Transport: engine.Transport()})
	must(t, err)
	defer func() { _ = s.Close() }()
	l := open(t, t.TempDir(), ledger.Deps{Store: s})
	defer func() { _ = l.Close() }()
	put(t, s, "c1", 10)
	put(t, s, "c2", 10)
	at := time.Now().UTC()
	for range 2 { // a batch that comes again
		must(t, s.InsertOtherFindings(ctx, "window", []audit.Finding{{ID: "W1", Kind: audit.Violation, Control: "DN-01", Time: at, Until: at, Detected: at, Count: 3}}))
	}
	must(t, l.Step(ctx))
	must(t, l.Step(ctx))
	if size := l.Checkpoint().Size; size != 3 {
		t.Errorf("%d leaves, want one for each chunk and one for the findings that come from none", size)
	}
	verify := func(want ...core.Problem) {
		t.Helper()
		res, err := l.Verify(ctx, s, ledger.VerifyOptions{}, nil)
		must(t, err)
		if diff := cmp.Diff(res.Problems, want); diff != "" || res.Chunks != 3 {
			t.Fatalf("%d chunks (-got +want)\n%s", res.Chunks, diff)
		}
	}
	verify()
	tamper := func(sql string) {
		t.Helper()
		client := http.Client{Transport: engine.Transport()}
		res, err := client.Post("http://engine/?database=ledger_test&mutations_sync=1&async_insert=0", "text/plain", strings.NewReader(sql))
		must(t, err)
		defer func() { _ = res.Body.Close() }()
		if b, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s", sql, b)
		}
	}
	tamper("ALTER TABLE entries_all UPDATE target = replaceOne(target, 'é', 'e') WHERE chunk = 'c1' AND row = 4")
	changed := core.Problem{Kind: core.RowChanged, Chunk: "c1", Version: 1, Table: "entries", Row: 4, EntryID: "s-0-4"}
	verify(changed)
	tamper("ALTER TABLE findings_all DELETE WHERE chunk = 'c2' AND row = 0")
	removed := core.Problem{Kind: core.RowRemoved, Chunk: "c2", Version: 1, Table: "findings"}
	verify(changed, removed)
	tamper("ALTER TABLE rejections_all UPDATE sealed = 'x' WHERE chunk = 'c2' AND row = 1")
	verify(changed, removed, core.Problem{Kind: core.RowChanged, Chunk: "c2", Version: 1, Table: "rejections", Row: 1, EntryID: "s-0-9"})
	tamper("ALTER TABLE rejections_all UPDATE sealed = '\\x02\\xff' WHERE chunk = 'c2' AND row = 1")
	tamper("ALTER TABLE findings_all UPDATE count = 1 WHERE id = 'W1'")
	window := core.Problem{Kind: core.RowChanged, Chunk: "findings-window", Version: 1, Table: "findings", EntryID: "W1"}
	verify(changed, removed, window)
	tamper("INSERT INTO replayed SELECT stream, generation, offset, 'replay-x' FROM rejections_all LIMIT 1")
	verify(changed, removed, window) // nobody sees it yet
	tamper("INSERT INTO superseded VALUES ('replay-x', 1, now())")
	verify(changed, removed, window, core.Problem{Kind: core.ChunkHidden, Chunk: "replay-x", Version: 1},
		core.Problem{Kind: core.RejectionHidden, Chunk: "replay-x", Version: 2, Table: "rejections"})
}
