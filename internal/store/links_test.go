package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
)

// TestPerson: what the record has about a person is found through the links,
// and not any more once they are unlinked; others stay as they were.
func TestPerson(t *testing.T) {
	s := storetest.Open(t)
	ctx := t.Context()
	c := &audit.Chunk{ID: "lines.v1-0-0-aaaaaaaa", Version: 1, Salt: make([]byte, 32)}
	names := []string{"v1.day1.ana", "v1.day2.ana", "v1.day1.bob", "v1.day3.ana"}
	links := []audit.Link{{Tag: "ana", Day: 20000, Pseudonym: names[0]}, {Tag: "ana", Day: 20001, Pseudonym: names[1]}, {Tag: "bob", Day: 20000, Pseudonym: names[2]},
		{Tag: "ana", Day: 20040, Pseudonym: names[3]}}
	for _, some := range [][]audit.Link{links[:2], links, links[:1]} { // a chunk that is redone, and another one
		if err := s.InsertLinks(ctx, some); err != nil {
			t.Fatal(err)
		}
	}
	es := storetest.Entries(4, 0)
	b := store.NewEntryBlock()
	var originals []audit.Original
	for i := range es {
		e := &es[i]
		e.Chunk, e.PrincipalID, e.Subjects = c.ID, "v1.year.staff", []string{names[2], names[i%3]}
		if i == 3 { // Ana about herself, and about Bob
			e.PrincipalID, e.Subjects = names[0], []string{names[0], names[2]}
		}
		if err := b.Append(e); err != nil {
			t.Fatal(err)
		}
		for _, f := range []string{"subjects.0", "subjects.1", "target", "principal_id", "client_ip"} {
			originals = append(originals, audit.Original{Origin: audit.Origin{Stream: e.Stream, Generation: e.Generation, Offset: e.Offset}, Class: "identity", Month: "2026-11",
				Field: f, Capsule: "c", Sealed: fmt.Append(nil, "sealed ", i, f), Chunk: c.ID, Version: 1, Row: uint32(len(originals))})
		}
	}
	if err := s.InsertEntries(ctx, c, b); err != nil {
		t.Fatal(err)
	}
	if err := s.InsertOriginalsBut(ctx, c, originals, nil); err != nil {
		t.Fatal(err)
	}
	ana := []store.Tag{{Tag: "ana", Through: 20001}, {Tag: "nobody", Through: 20001}}
	var rows []store.OriginalRow
	var fresh []store.Tag
	err := s.WithPerson(ctx, ana, func(p *store.Person) error {
		about, err := p.About(ctx)
		if want := (store.About{Links: 2, First: 20000, Last: 20001, Entries: 3, Originals: 2 + 2 + 4}); about != want {
			t.Errorf("%+v, want %+v", about, want)
		}
		if err != nil {
			return err
		}
		if err := p.Originals(ctx, func(o *audit.Original) error {
			if o.Origin.Offset == es[3].Offset && o.Field == "subjects.1" {
				t.Error("Bob's original is taken for Ana's")
			}
			rows = append(rows, store.OriginalRow{ChunkKey: c.Key(), Row: o.Row})
			return nil
		}); err != nil {
			return err
		}
		fresh, err = p.Unlink(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.WithPerson(ctx, fresh, func(p *store.Person) error {
		about, err := p.About(ctx)
		if about.Links != 2 || len(fresh) != 2 {
			t.Errorf("by the fresh tags %v: %+v", fresh, about)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for i, want := range []uint64{8, 0} {
		if n, err := s.DestroyOriginals(ctx, rows); err != nil || n != want {
			t.Errorf("round %d: %d originals destroyed, %v", i, n, err)
		}
	}
	if err := s.WithPerson(ctx, ana, func(p *store.Person) error {
		about, err := p.About(ctx)
		if about != (store.About{}) {
			t.Errorf("after unlinking: %+v", about)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for sql, want := range map[string]uint64{
		"SELECT count() FROM subject_links FINAL":                   4,
		"SELECT count() FROM subject_links WHERE tag = 'ana'":       1, // the later day
		"SELECT count() FROM subject_links WHERE tag = 'bob'":       1,
		"SELECT uniqExact(tag) FROM subject_links":                  4, // each day its own
		"SELECT countIf(length(tag) = 22) FROM subject_links FINAL": 2,
		"SELECT count() FROM originals":                             20,
		"SELECT countIf(sealed = '') FROM originals":                8,
		"SELECT count() FROM erasing":                               0,
		"SELECT count() FROM system.parts WHERE database = currentDatabase() AND NOT active AND table = 'subject_links'": 0,
	} {
		if n := scalar(t, s, sql); n != want {
			t.Errorf("%s: %v, want %d", sql, n, want)
		}
	}
	res, err := s.Select(ctx, "SELECT command FROM system.mutations WHERE database = currentDatabase()")
	if err != nil || len(res.Rows) == 0 {
		t.Fatal(err, res)
	}
	for _, r := range res.Rows {
		if strings.Contains(fmt.Sprint(r), "ana") {
			t.Error("a mutation names a tag: ", r)
		}
	}
	if kinds, err := s.SubjectKinds(ctx); err != nil || fmt.Sprint(kinds) != "[customer_id]" {
		t.Errorf("kinds %v, %v", kinds, err)
	}
	var tags []string
	if err := s.EachTag(ctx, time.Time{}, func(tag string) error { tags = append(tags, tag); return nil }); err != nil || len(tags) != 4 {
		t.Error(tags, err)
	}
}

// TestPersonInGroups: the originals of a person who is in many chunks come in
// groups, each once and in order.
func TestPersonInGroups(t *testing.T) {
	s := storetest.Open(t)
	ctx := t.Context()
	const chunks, name = 250, "v1.day1.ana"
	if err := s.InsertLinks(ctx, []audit.Link{{Tag: "ana", Day: 20000, Pseudonym: name}}); err != nil {
		t.Fatal(err)
	}
	es := storetest.Entries(chunks, 0)
	b := store.NewEntryBlock()
	var originals []audit.Original
	for i := range es {
		e := &es[i]
		e.Chunk, e.PrincipalID, e.Subjects = fmt.Sprintf("c%03d", i), "v1.year.staff", []string{name}
		if err := b.Append(e); err != nil {
			t.Fatal(err)
		}
		for row, field := range []string{"target", "principal_id", "subjects.0"} {
			originals = append(originals, audit.Original{Origin: audit.Origin{Stream: e.Stream, Generation: e.Generation, Offset: e.Offset}, Class: "identity", Month: "2026-11",
				Field: field, Capsule: "c", Sealed: []byte("sealed"), Chunk: e.Chunk, Version: 1, Row: uint32(row)})
		}
	}
	c := &audit.Chunk{ID: "all", Version: 1, Salt: make([]byte, 32)}
	if err := s.InsertEntries(ctx, c, b); err != nil {
		t.Fatal(err)
	}
	if err := s.InsertOriginalsBut(ctx, c, originals, nil); err != nil {
		t.Fatal(err)
	}
	err := s.WithPerson(ctx, []store.Tag{{Tag: "ana", Through: 20000}}, func(p *store.Person) error {
		groups, err := p.Chunks(ctx)
		if err != nil || len(groups) != 2 || len(groups[0]) != 200 || len(groups[1]) != 50 {
			t.Errorf("%d groups, %v", len(groups), err)
		}
		var got []string
		err = p.Originals(ctx, func(o *audit.Original) error {
			got = append(got, fmt.Sprint(o.Chunk, o.Row))
			return nil
		})
		var want []string
		for i := range chunks {
			want = append(want, fmt.Sprintf("c%03d0", i), fmt.Sprintf("c%03d2", i))
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("(-got +want):\n%s", diff)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTagsSince: tags come by the time at which their links were written, and the
// store remembers up to when they were looked through.
func TestTagsSince(t *testing.T) {
	now := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	s := storetest.OpenWith(t, func(d *store.Deps) { d.Now = func() time.Time { return now } })
	ctx := t.Context()
	for _, tag := range []string{"ana", "bob"} {
		if err := s.InsertLinks(ctx, []audit.Link{{Tag: tag, Day: 20000, Pseudonym: "v1.day1." + tag}}); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
	}
	for since, want := range map[time.Time]string{{}: "[ana bob]", now.Add(-time.Hour): "[bob]", now: "[]", time.Unix(-5, 0): "[ana bob]"} {
		var tags []string
		if err := s.EachTag(ctx, since, func(tag string) error { tags = append(tags, tag); return nil }); err != nil {
			t.Fatal(err)
		}
		if slices.Sort(tags); fmt.Sprint(tags) != want {
			t.Errorf("since %s: %v, want %s", since, tags, want)
		}
	}
	if at, err := s.Swept(ctx); err != nil || !at.IsZero() {
		t.Errorf("swept up to %s before the first time, %v", at, err)
	}
	for _, at := range []time.Time{now.Add(time.Minute), now} {
		if err := s.SetSwept(ctx, at); err != nil {
			t.Fatal(err)
		}
	}
	if at, err := s.Swept(ctx); err != nil || !at.Equal(now.Add(time.Minute)) {
		t.Errorf("swept up to %s, %v", at, err)
	}
}

// TestWithSubjects: pseudonyms are found in the chunks that are asked about, as
// subject or as principal, and others of the same CRC-32 are not.
func TestWithSubjects(t *testing.T) {
	s := storetest.Open(t)
	ctx := t.Context()
	es := storetest.Entries(4, 0)
	b := store.NewEntryBlock()
	for i, who := range []struct{ chunk, principal, subject string }{{"c1", "staff", "ana"}, {"c2", "ana", "buckeroo"}, {"c3", "staff", "ana"}, {"c2", "bob", "ana"}} {
		es[i].Chunk, es[i].PrincipalID, es[i].Subjects = who.chunk, who.principal, []string{who.subject, "somebody"}
		if err := b.Append(&es[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.InsertEntries(ctx, &audit.Chunk{ID: "all", Version: 1, Salt: make([]byte, 32)}, b); err != nil {
		t.Fatal(err)
	}
	got, err := s.WithSubjects(ctx, []string{"c1", "c2", "c4"}, []string{"ana", "bob", "plumless", "nobody"})
	if err != nil {
		t.Fatal(err)
	}
	for _, names := range got {
		slices.Sort(names)
	}
	if diff := cmp.Diff(got, map[string][]string{"c1": {"ana"}, "c2": {"ana", "bob"}}); diff != "" {
		t.Errorf("(-got +want):\n%s", diff)
	}
	if got, err = s.WithSubjects(ctx, nil, []string{"ana"}); err != nil || len(got) != 0 {
		t.Errorf("of no chunk: %v, %v", got, err)
	}
}
