package masking_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
)

// linking is an engine that writes links and keeps originals.
func linking(t *testing.T) (*masking.Engine, *masking.Linked, *masking.Tombstones) {
	t.Helper()
	return linkingBy(t, nil)
}

func linkingBy(t *testing.T, p *masking.Policy) (*masking.Engine, *masking.Linked, *masking.Tombstones) {
	t.Helper()
	store, err := keys.Open(t.TempDir(), identity{})
	if err == nil {
		err = store.Create(keys.RoleErasure)
	}
	if err != nil {
		t.Fatal(err)
	}
	prf, err := store.ErasurePRF()
	if err != nil {
		t.Fatal(err)
	}
	g, linked, erased := masking.NewEngine(p, dayKeys()), masking.NewLinked(), masking.NewTombstones(prf)
	g.KeepOriginals()
	g.Link(masking.Linking{Keys: dayKeys(), Linked: linked, Erased: erased})
	return g, linked, erased
}

func aboutAna(at time.Time, kind audit.PrincipalKind, principal string) audit.Event {
	return audit.Event{
		Time: at, PrincipalKind: kind, PrincipalDeclared: kind == audit.KindStaff, Principal: plain.New(principal), ClientAddr: plain.New("10.1.2.3"),
		Target: plain.New("/find?who=ana@example.org"), Subjects: []audit.Subject{
			{Kind: "email", Value: plain.New("Ana@example.org ")}, {Kind: "email", Value: plain.New("bob@example.org")},
		},
	}
}

var linkDay = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// TestLinks: one link for each person and day, none for declared staff, and none
// again once it is stored. A person has one tag through the year.
func TestLinks(t *testing.T) {
	g, linked, _ := linking(t)
	links := func(events ...audit.Event) (out []audit.Link, entries []audit.Entry) {
		b := &audit.Batch{Events: events}
		if err := g.Process(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		return b.Links, b.Entries
	}
	first, entries := links(aboutAna(linkDay, audit.KindStaff, "agent14"))
	if len(first) != 2 || first[0].Pseudonym != entries[0].Subjects[0] || first[1].Pseudonym != entries[0].Subjects[1] || first[0].Day != masking.Day(linkDay) {
		t.Fatalf("%+v", first)
	}
	next, _ := links(aboutAna(linkDay.AddDate(0, 0, 1), audit.KindUnknown, "ana"))
	if len(next) != 3 || next[1].Tag != first[0].Tag || next[1].Pseudonym == first[0].Pseudonym || next[0].Tag == next[1].Tag {
		t.Errorf("on the next day: %+v, before %+v", next, first)
	}
	linked.Stored(first)
	if again, _ := links(aboutAna(linkDay.Add(time.Hour), audit.KindStaff, "agent14")); len(again) != 0 {
		t.Errorf("once stored: %+v", again)
	}
	linked.Forget()
	if again, _ := links(aboutAna(linkDay.Add(time.Hour), audit.KindStaff, "agent14")); len(again) != 2 {
		t.Errorf("once forgotten: %+v", again)
	}
}

// TestErased: of a line of before or of the day of the erasure, neither link nor
// original of the person stays, and those of others do; a line of a later day is
// marked.
func TestErased(t *testing.T) {
	g, _, erased := linking(t)
	erased.Set([]masking.Tombstone{{Mark: erased.Person("email", plain.New("ana@example.org")), Day: masking.Day(linkDay), Through: masking.Day(linkDay)}})
	for _, tc := range []struct {
		name      string
		event     audit.Event
		links     int
		originals []string
		marked    []string
	}{
		{"before", aboutAna(linkDay.AddDate(0, 0, -5), audit.KindStaff, "agent14"), 1, []string{"principal_id", "subjects.1", "client_ip"}, nil},
		{"later that day", aboutAna(linkDay.Add(time.Hour), audit.KindStaff, "agent14"), 1, []string{"principal_id", "subjects.1", "client_ip"}, nil},
		{"on the next day", aboutAna(linkDay.AddDate(0, 0, 1), audit.KindStaff, "agent14"), 2, []string{"principal_id", "subjects.0", "subjects.1", "client_ip"}, []string{"subjects"}},
		{"by the person, before", aboutAna(linkDay.AddDate(0, 0, -6), audit.KindSelf, "ana@example.org"), 1, []string{"subjects.1"}, nil},
		{"by the person, after", aboutAna(linkDay.AddDate(0, 0, 2), audit.KindSelf, "ana@example.org"), 2, []string{"principal_id", "subjects.0", "subjects.1", "client_ip"}, []string{"subjects", "principal"}},
	} {
		b := &audit.Batch{Events: []audit.Event{tc.event}}
		if err := g.Process(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		var originals, marked []string
		for _, u := range b.Unsealed {
			originals = append(originals, u.Field)
		}
		for i, k := range b.Entries[0].FoundKinds {
			if k == "erased" {
				marked = append(marked, b.Entries[0].FoundPlaces[i])
			}
		}
		if len(b.Links) != tc.links {
			t.Errorf("%s: %d links, want %d", tc.name, len(b.Links), tc.links)
		}
		if d := cmp.Diff(originals, tc.originals); d != "" {
			t.Errorf("%s: originals (-got +want):\n%s", tc.name, d)
		}
		if d := cmp.Diff(marked, tc.marked); d != "" {
			t.Errorf("%s: marks (-got +want):\n%s", tc.name, d)
		}
	}
	if erased.Person("email", plain.New("ana@example.org")) == erased.Tag("ana@example.org") {
		t.Error("a person and a tag have one mark")
	}
}

// TestErasedRedacted: originals of subjects who were erased are not kept either
// where the principal has no pseudonym.
func TestErasedRedacted(t *testing.T) {
	p, err := masking.ParsePolicy("p.yaml", []byte(`version: 1
vault: {identity: [subjects]}
fields: {schema_version: keep, event_time: keep, source: keep, stream: keep, generation: keep, offset: keep, chunk: keep, version: keep, row: keep, mark: keep,
  principal_id: redact, subjects: pseudonym day}
`))
	if err != nil {
		t.Fatal(err)
	}
	g, _, erased := linkingBy(t, p)
	event := aboutAna(linkDay.AddDate(0, 0, -5), audit.KindSelf, "ana@example.org")
	for _, want := range []struct{ originals, links int }{{2, 2}, {1, 1}} {
		b := &audit.Batch{Events: []audit.Event{event}}
		if err := g.Process(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		if len(b.Unsealed) != want.originals || len(b.Links) != want.links {
			t.Errorf("%d originals and %d links, want %+v", len(b.Unsealed), len(b.Links), want)
		}
		erased.Set([]masking.Tombstone{{Mark: erased.Person("email", plain.New("ana@example.org")), Day: masking.Day(linkDay), Through: masking.Day(linkDay)}})
	}
}

// BenchmarkLinks is the mask stage over lines of known people, with links and a
// thousand tombstones.
func BenchmarkLinks(b *testing.B) {
	for _, tombstones := range []int{0, 1000} {
		b.Run(map[bool]string{true: "tombstones", false: "none erased"}[tombstones > 0], func(b *testing.B) {
			store, err := keys.Open(b.TempDir(), identity{})
			if err == nil {
				err = store.Create(keys.RoleErasure)
			}
			if err != nil {
				b.Fatal(err)
			}
			prf, err := store.ErasurePRF()
			if err != nil {
				b.Fatal(err)
			}
			g, linked, erased := masking.NewEngine(nil, dayKeys()), masking.NewLinked(), masking.NewTombstones(prf)
			g.Link(masking.Linking{Keys: dayKeys(), Linked: linked, Erased: erased})
			list := make([]masking.Tombstone, tombstones)
			for i := range list {
				list[i] = masking.Tombstone{Mark: erased.Tag(time.Duration(i).String()), Day: masking.Day(linkDay), Through: 1}
			}
			erased.Set(list)
			batch := &audit.Batch{Events: []audit.Event{aboutAna(linkDay, audit.KindStaff, "agent14")}}
			if err := g.Process(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			linked.Stored(batch.Links)
			b.ReportAllocs()
			for b.Loop() {
				batch.Links = batch.Links[:0]
				if err := g.Process(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
