package store_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
)

// randomEntry fills every field by its kind.
func randomEntry(r *rand.Rand, e *audit.Entry) {
	*e = audit.Entry{}
	text := func() string {
		b := make([]byte, r.IntN(40))
		for i := range b {
			b[i] = byte(r.IntN(256))
		}
		if r.IntN(200) == 0 {
			return strings.Repeat(string(b), 300)
		}
		return string(b)
	}
	list := func(f func() string) []string {
		var l []string
		for range r.IntN(4) {
			l = append(l, f())
		}
		return l
	}
	word := func() string { return fmt.Sprint("w", r.IntN(300)) }
	for _, f := range audit.EntryFields {
		switch f.Kind {
		case audit.Word:
			*f.Str(e) = word()
		case audit.Text:
			*f.Str(e) = text()
		case audit.Words:
			*f.Strs(e) = list(word)
		case audit.Texts:
			*f.Strs(e) = list(text)
		case audit.Bool:
			*f.Bool(e) = r.IntN(2) == 1
		case audit.Uint16:
			*f.U16(e) = uint16(r.Uint32())
		case audit.Uint32:
			*f.U32(e) = r.Uint32()
		case audit.Uint64:
			*f.U64(e) = r.Uint64()
		case audit.Time:
			*f.Time(e) = time.Date(2026, 11, 1+r.IntN(20), 0, 0, 0, r.IntN(1e9), time.UTC)
		case audit.Map:
			if n := r.IntN(3); n > 0 {
				m := map[string]string{}
				for range n {
					m[word()] = text()
				}
				*f.Map(e) = m
			}
		}
	}
}

func newChunk(id string) *audit.Chunk {
	return &audit.Chunk{
		ID: id, Version: 1, Partition: 3, From: 100, Until: 200, Opened: time.Date(2026, 11, 21, 10, 0, 0, 7, time.UTC),
		Versions: audit.Versions{Parser: "1.0", Policy: "abc", DataMap: "def", Controls: "123", Country: "2.3", Keys: "k1,k2"},
		Salt:     []byte(strings.Repeat("\x00\xff", 16)),
		Streams: []audit.StreamRange{
			{Stream: "s1", Generation: 0, From: 0, Until: 1000, Tap: "tap", Boot: "b1", Sequence: 4, Head: []byte("head-1\x00")},
			{Stream: "s2", Generation: 1, From: 50, Until: 60, Tap: "tap", Boot: "b1", Sequence: 1, Head: []byte("head-2")},
		},
		Entries: 7, Rejections: 2, Findings: 1,
		Roots:    map[string][]byte{"entries": {1, 2, 0}, "findings": {3}},
		RowMarks: map[string][]byte{"entries": {9, 8, 7}},
	}
}

// fill makes a block of n random entries that belong to c.
func fill(t testing.TB, c *audit.Chunk, seed uint64, n int) (*store.EntryBlock, []audit.Entry) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	b, es := store.NewEntryBlock(), make([]audit.Entry, n)
	for i := range es {
		randomEntry(r, &es[i])
		es[i].Chunk, es[i].Version, es[i].Row = c.ID, c.Version, uint32(i)
		if err := b.Append(&es[i]); err != nil {
			t.Fatal(err)
		}
	}
	return b, es
}

func entriesOf(t testing.TB, s *store.Store, c *audit.Chunk) []audit.Entry {
	t.Helper()
	var got []audit.Entry
	err := s.EachEntry(context.Background(), c.ID, c.Version, func(e *audit.Entry) error {
		got = append(got, *e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestEntriesRoundTrip(t *testing.T) {
	s := storetest.Open(t)
	for i, n := range []int{1, 0, 3000} {
		c := newChunk(fmt.Sprint("lines.v1-0-", i, "-aaaa"))
		b, want := fill(t, c, uint64(i), n)
		if err := s.InsertEntries(context.Background(), c, b); err != nil {
			t.Fatal(err)
		}
		got := entriesOf(t, s, c)
		if len(got) == 0 && n == 0 {
			continue
		}
		if d := cmp.Diff(got, want); d != "" {
			t.Fatalf("%d rows (-got +want):\n%.3000s", n, d)
		}
	}
}

// scalar is the first value of a query.
func scalar(t testing.TB, s *store.Store, sql string) any {
	t.Helper()
	res, err := s.Select(context.Background(), sql)
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Rows) != 1 {
		t.Fatalf("%s: %d rows", sql, len(res.Rows))
	}
	return res.Rows[0][0]
}

func TestInsertCountsOnceByToken(t *testing.T) { insertCountsOnce(t, storetest.Open(t)) }

func insertCountsOnce(t *testing.T, s *store.Store) {
	ctx := context.Background()
	c := newChunk("lines.v1-3-100-aaaa")
	b, _ := fill(t, c, 1, 2000)
	other, _ := fill(t, c, 2, 500) // other rows under a used token are dropped
	fs := []audit.Finding{{ID: "f1", Kind: audit.Gap, Control: "GP-01", Time: c.Opened, Until: c.Opened, Detected: c.Opened, Count: 1}}
	rs := []audit.Rejection{{Origin: audit.Origin{Stream: "s1", Offset: 5}, Source: "shop", Received: time.Now(), Reason: audit.ReasonSyntax}}
	hours := []store.Completeness{{Source: "shop", Hour: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), Missing: 2}}
	for range 2 { // the second time changes nothing
		if err := s.OpenChunk(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		for _, err := range []error{
			s.InsertEntries(ctx, c, b), s.InsertRejections(ctx, c, rs),
			s.InsertFindings(ctx, c, fs), s.InsertCompleteness(ctx, c, hours), s.CloseChunk(ctx, c), s.SetLeaf(ctx, c.ID, 1, 0),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if i == 1 {
			if err := s.InsertEntries(ctx, c, other); err != nil {
				t.Fatal(err)
			}
		}
	}
	for sql, want := range map[string]any{
		"SELECT count() FROM entries":                         uint64(2000),
		"SELECT sum(entries) FROM entries_hourly":             uint64(2000),
		"SELECT count() FROM chunks":                          uint64(2),
		"SELECT count() FROM stream_ranges":                   uint64(2),
		"SELECT count() FROM findings":                        uint64(1),
		"SELECT count() FROM rejections":                      uint64(1),
		"SELECT count() FROM leaves":                          uint64(1),
		"SELECT sum(received) FROM completeness":              uint64(2001),
		"SELECT sum(missing)+sum(rejected) FROM completeness": uint64(3),
		"SELECT count() FROM entries WHERE event_id != concat(stream, '-', toString(generation), '-', toString(offset))": uint64(0),
	} {
		if got := scalar(t, s, sql); got != want {
			t.Errorf("%s: got %v, want %v", sql, got, want)
		}
	}
	e, r, f, err := s.Stored(ctx, c)
	if err != nil || e != 2000 || r != 1 || f != 1 {
		t.Errorf("stored %d, %d, %d, %v", e, r, f, err)
	}
}

func TestChunkLife(t *testing.T) { chunkLife(t, storetest.Open(t)) }

func chunkLife(t *testing.T, s *store.Store) {
	ctx := context.Background()
	next, open, err := s.Position(ctx, 3)
	if err != nil || next != 0 || open != nil {
		t.Fatalf("an empty store: %d, %v, %v", next, open, err)
	}
	a, b := newChunk("lines.v1-3-100-aaaa"), newChunk("lines.v1-3-200-bbbb")
	b.From, b.Until, b.Roots, b.RowMarks = 200, 260, nil, nil
	b.Streams = []audit.StreamRange{
		{Stream: "s1", From: 1000, Until: 1500, Tap: "tap", Boot: "b2", Sequence: 0, Head: []byte("head-3")},
		{Stream: "s1", From: 9000, Until: 9500, Tap: "tap", Boot: "b2", Sequence: 5, Head: []byte("head-4")},
	}
	step := func(f func(context.Context, *audit.Chunk) error, c *audit.Chunk) {
		t.Helper()
		if err := f(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	step(s.OpenChunk, a)
	next, open, err = s.Position(ctx, 3)
	if err != nil || next != 0 {
		t.Fatal(next, err)
	}
	announced := *a
	announced.RowMarks = nil // they come with the closed chunk
	if d := cmp.Diff(open, &announced); d != "" {
		t.Fatalf("open chunk (-got +want):\n%s", d)
	}
	step(s.CloseChunk, a)
	step(s.OpenChunk, b)
	if next, open, err = s.Position(ctx, 3); err != nil || next != 200 || open == nil || open.ID != b.ID {
		t.Fatal(next, open, err)
	}
	ranges, err := s.StreamRanges(ctx, "s1")
	if d := cmp.Diff(ranges, a.Streams[:1]); err != nil || d != "" {
		t.Fatalf("ranges (-got +want), %v:\n%s", err, d)
	}
	step(s.CloseChunk, b)
	if next, open, err = s.Position(ctx, 3); err != nil || next != 260 || open != nil {
		t.Fatal(next, open, err)
	}
	if next, _, err = s.Position(ctx, 4); err != nil || next != 0 {
		t.Fatal("another partition:", next, err)
	}
	ranges, err = s.StreamRanges(ctx, "s1")
	want := []audit.StreamRange{b.Streams[0], b.Streams[1]}
	want[0].From = 0
	if d := cmp.Diff(ranges, want); err != nil || d != "" {
		t.Fatalf("ranges (-got +want), %v:\n%s", err, d)
	}
	heads, err := s.Heads(ctx, "s1")
	newest := b.Streams[1]
	head := audit.StreamRange{Stream: "s1", Tap: newest.Tap, Boot: newest.Boot, Sequence: newest.Sequence, Head: newest.Head}
	if err != nil || len(heads) == 0 || !cmp.Equal(heads[len(heads)-1], head) {
		t.Fatalf("got heads %+v, %v, want %+v last", heads, err, head)
	}
	waiting, err := s.ClosedWithoutLeaf(ctx, time.Time{}, 10)
	if d := cmp.Diff(waiting, leafed(a, b)); err != nil || d != "" {
		t.Fatalf("without leaf (-got +want), %v:\n%s", err, d)
	}
	if waiting, err = s.ClosedWithoutLeaf(ctx, time.Now().Add(-time.Hour), 10); err != nil || len(waiting) != 2 {
		t.Fatalf("without leaf in the last hour: %d, %v", len(waiting), err)
	}
	strange := *b
	strange.ID = "strange"
	among, err := s.ClosedAmong(ctx, []*audit.Chunk{b, &strange, a})
	if d := cmp.Diff(among, leafed(b, a)); err != nil || d != "" {
		t.Fatalf("closed among (-got +want), %v:\n%s", err, d)
	}
	since, err := s.ClosedSince(ctx, 3, 200)
	if d := cmp.Diff(since, []*audit.Chunk{b}); err != nil || d != "" {
		t.Fatalf("closed since (-got +want), %v:\n%s", err, d)
	}
	if err := s.SetLeaf(ctx, b.ID, 1, 0); err != nil {
		t.Fatal(err)
	}
	if waiting, err = s.ClosedWithoutLeaf(ctx, time.Time{}, 1); err != nil || len(waiting) != 1 || waiting[0].ID != a.ID {
		t.Fatal(waiting, err)
	}
	if waiting, err = s.ClosedWithoutLeaf(ctx, time.Now().Add(time.Hour), 10); err != nil || len(waiting) != 0 {
		t.Fatal(waiting, err)
	}
	got := map[audit.ChunkKey]int{}
	err = s.EachState(ctx, func(c audit.ChunkState) error {
		if !bytes.Equal(c.Salt, a.Salt) || !c.Opened.Equal(a.Opened) {
			t.Errorf("state %+v", c)
		}
		got[c.ChunkKey]++
		return nil
	})
	if d := cmp.Diff(got, map[audit.ChunkKey]int{a.Key(): 2, b.Key(): 2}); err != nil || d != "" {
		t.Fatal(d, err)
	}
}

// leafed are chunks with what a leaf is made of.
func leafed(chunks ...*audit.Chunk) (out []*audit.Chunk) {
	for _, c := range chunks {
		out = append(out, &audit.Chunk{
			ID: c.ID, Version: c.Version, Partition: c.Partition, From: c.From, Salt: []byte{}, Entries: c.Entries, Rejections: c.Rejections,
			Findings: c.Findings, Capsules: c.Capsules, Originals: c.Originals, Roots: c.Roots, RowMarks: c.RowMarks,
		})
	}
	return out
}

func TestSupersededVersionsAreHidden(t *testing.T) { supersededAreHidden(t, storetest.Open(t)) }

func supersededAreHidden(t *testing.T, s *store.Store) {
	ctx := context.Background()
	for v := uint16(1); v <= 2; v++ {
		c := newChunk("lines.v1-3-100-aaaa")
		c.Version = v
		b, _ := fill(t, c, 1, 100)
		f := []audit.Finding{{ID: "f1", Kind: audit.Violation, Time: c.Opened, Until: c.Opened, Detected: c.Opened, ControlVersion: v}}
		for _, err := range []error{s.InsertEntries(ctx, c, b), s.InsertFindings(ctx, c, f), s.CloseChunk(ctx, c)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if n := scalar(t, s, "SELECT sum(version) FROM entries"); n != uint64(100) {
		t.Fatalf("%v, want version 1 of 100 entries only", n)
	}
	for range 2 {
		if err := s.Supersede(ctx, "lines.v1-3-100-aaaa", 1); err != nil {
			t.Fatal(err)
		}
	}
	for sql, want := range map[string]any{
		"SELECT count() FROM entries":               uint64(100),
		"SELECT uniqExact(version) FROM entries":    uint64(1),
		"SELECT any(control_version) FROM findings": uint16(2),
		"SELECT count() FROM entries_all":           uint64(200),
	} {
		if got := scalar(t, s, sql); got != want {
			t.Errorf("%s: got %v, want %v", sql, got, want)
		}
	}
}

func TestRejectionsAndFindingsRoundTrip(t *testing.T) {
	s := storetest.Open(t)
	ctx := context.Background()
	c := newChunk("lines.v1-3-100-aaaa")
	now := time.Now().UTC()
	rs := []audit.Rejection{
		{Origin: audit.Origin{Stream: "s2", Generation: 1, Offset: 50}, Source: "shop", Format: "nginx:combined", Received: now, Hour: now.Truncate(time.Hour),
			Reason: audit.ReasonSyntax, Column: 7, Expected: "a quote", Length: 300, Mark: 77, SealedKey: []byte{0, 1}, Sealed: []byte("\x00sealed")},
		{Origin: audit.Origin{Stream: "s1", Offset: 3}, Source: "shop", Received: now, Hour: now.Truncate(time.Hour), Reason: audit.ReasonNUL, SealedKey: []byte{}, Sealed: []byte{}},
	}
	fs := []audit.Finding{
		{ID: "f2", Kind: audit.Violation, Control: "AC-01", ControlVersion: 3, Severity: audit.SeverityHigh, Time: now, Until: now, Detected: now,
			Source: "shop", System: "crm", Principal: "v1.k.x", PrincipalKind: audit.KindStaff, PrincipalLabel: "Support", Resource: "GET /x", Purpose: "p",
			Categories: []string{"user.contact"}, Subjects: []string{"v1.k.y"}, EntryID: "s1-0-3", Count: 1, Facts: map[string]string{"country": "US", "a": "b"}, Chunk: c.ID},
		{ID: "f1", Kind: audit.Gap, Control: "GP-02", Time: now, Until: now, Detected: now, Count: 4, Chunk: c.ID},
	}
	if err := s.InsertRejections(ctx, c, rs); err != nil {
		t.Fatal(err)
	}
	if err := s.InsertFindings(ctx, c, fs); err != nil {
		t.Fatal(err)
	}
	var gotR []audit.Rejection
	err := s.EachRejection(ctx, c.ID, 1, func(r *audit.Rejection) error { gotR = append(gotR, *r); return nil })
	if d := cmp.Diff(gotR, rs); err != nil || d != "" {
		t.Errorf("rejections (-got +want), %v:\n%s", err, d)
	}
	var gotF []audit.Finding
	err = s.EachFinding(ctx, c.ID, 1, func(f *audit.Finding) error { gotF = append(gotF, *f); return nil })
	if d := cmp.Diff(gotF, fs); err != nil || d != "" {
		t.Errorf("findings (-got +want), %v:\n%s", err, d)
	}
	if ids, err := s.GapIDs(ctx); err != nil || cmp.Diff(ids, []string{"f1"}) != "" {
		t.Errorf("gap ids %v, %v", ids, err)
	}
	// Raised again later, outside a chunk: the first stays the one that shows.
	again := fs[1]
	again.Detected, again.Count = now.Add(time.Hour), 9
	if err := s.InsertOtherFindings(ctx, "window-1", []audit.Finding{again}); err != nil {
		t.Fatal(err)
	}
	if n := scalar(t, s, "SELECT sum(count) FROM findings"); n != uint64(5) {
		t.Errorf("got %v", n)
	}
	b := store.NewEntryBlock()
	e := audit.Entry{EventTime: now, IngestTime: now, Stream: "s1", Offset: 9, Mark: 5, Chunk: c.ID, Version: 1}
	if err := b.Append(&e); err != nil {
		t.Fatal(err)
	}
	if err := s.InsertEntries(ctx, c, b); err != nil {
		t.Fatal(err)
	}
	marks, err := s.Marks(ctx, "s1", 0, 3, 10, "")
	if d := cmp.Diff(marks, []store.Mark{{Offset: 3}, {Offset: 9, Mark: 5}}); err != nil || d != "" {
		t.Errorf("marks (-got +want), %v:\n%s", err, d)
	}
	if marks, err = s.Marks(ctx, "s1", 0, 3, 10, c.ID); err != nil || len(marks) != 0 {
		t.Errorf("marks without the chunk's own rows: %v, %v", marks, err)
	}
}

// TestManyReadersAtOnce makes the driver open connections under raw reads.
func TestManyReadersAtOnce(t *testing.T) {
	s := storetest.Open(t)
	var wg sync.WaitGroup
	for range 24 {
		wg.Go(func() {
			if _, _, err := s.Position(context.Background(), 3); err != nil {
				t.Error(err)
			}
			if _, err := s.Select(context.Background(), "SELECT count() FROM entries"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestClosedWithoutLeafOfAnyAge finds chunks that closed on days far apart, in
// the order of their closing, and only those after a time.
func TestClosedWithoutLeafOfAnyAge(t *testing.T) {
	ctx := context.Background()
	now := time.Date(2026, 1, 1, 23, 59, 59, 0, time.UTC)
	s, err := store.Open(ctx, store.Config{Database: "closed_without_leaf"}, store.Deps{Transport: storetest.Engine(t).Transport(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	start := now
	ids := func(since time.Time, limit int) string {
		t.Helper()
		cs, err := s.ClosedWithoutLeaf(ctx, since, limit)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for _, c := range cs {
			out = append(out, c.ID)
		}
		return strings.Join(out, " ")
	}
	if got := ids(time.Time{}, 10); got != "" {
		t.Errorf("an empty store has %q", got)
	}
	for i, days := range []int{0, 0, 1, 4, 40} {
		now = start.AddDate(0, 0, days).Add(time.Duration(i) * time.Second)
		c := newChunk(fmt.Sprint("c", i))
		c.From = int64(1000 - i)
		if err := s.CloseChunk(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetLeaf(ctx, "c2", 1, 7); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		since time.Time
		limit int
		want  string
	}{
		{time.Time{}, 10, "c0 c1 c3 c4"}, {time.Time{}, 3, "c0 c1 c3"}, {time.Time{}, 1, "c0"},
		{start.AddDate(0, 0, 1), 10, "c3 c4"}, {start.Add(time.Second), 10, "c1 c3 c4"}, {now.Add(time.Second), 10, ""},
	} {
		if got := ids(tc.since, tc.limit); got != tc.want {
			t.Errorf("since %v, at most %d: %q, want %q", tc.since, tc.limit, got, tc.want)
		}
	}
}

// TestRowsOfQuotesNames reads chunks whose names whoever tampers could choose.
func TestRowsOfQuotesNames(t *testing.T) {
	ctx, s := context.Background(), storetest.Open(t)
	names := []string{`a'b`, `a\`, `') OR 1 = 1 --`, "a\x00b", "plain", ""}
	for _, name := range names {
		c := newChunk(name)
		b, _ := fill(t, c, 1, 3)
		if err := s.InsertEntries(ctx, c, b); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		rows := map[uint32]bool{}
		err := s.EntriesOf(ctx, []string{name}, func(k audit.ChunkKey, row uint32, e *audit.Entry) error {
			if k.ID != name || e.Row != row {
				t.Errorf("%q: a row of %q", name, k.ID)
			}
			rows[row] = true
			return nil
		})
		if err != nil || len(rows) != 3 {
			t.Errorf("%q: %d rows, %v", name, len(rows), err)
		}
	}
}
