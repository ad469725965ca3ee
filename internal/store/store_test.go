package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
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
