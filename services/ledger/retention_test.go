package ledger_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	core "github.com/tallystick/tallystick/audit/ledger"
	"github.com/tallystick/tallystick/audit/retention"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
	"github.com/tallystick/tallystick/services/ledger"
)

// holds are legal holds in memory.
type holds []retention.Hold

func (h *holds) ActiveHolds(context.Context) ([]retention.Hold, error) { return *h, nil }

// aging is a record that grows old.
type aging struct {
	t     *testing.T
	store *store.Store
	log   *ledger.Ledger
	dir   string
	now   time.Time
	holds holds
	r     *ledger.Retention
}

// TestRetention lets the classes of two chunks go one after the other: after
// each step the record verifies, and nothing else is gone.
func TestRetention(t *testing.T) {
	const day = 24 * time.Hour
	a := &aging{t: t, store: storetest.Open(t), dir: t.TempDir(), now: time.Now()}
	a.r = &ledger.Retention{Expiring: a.store, Removing: a.store, Holds: &a.holds, Config: retention.Config{
		Entries: 90 * day, Rejections: 30 * day, Originals: map[string]time.Duration{"identity": 60 * day, "default": 40 * day},
	}}
	a.open()
	defer func() { _ = a.log.Close() }()
	put(t, a.store, "c1", 3)
	put(t, a.store, "c2", 3)
	must(t, a.log.Step(t.Context()))
	began := a.now
	rollup := a.count("sum(entries) FROM entries_hourly")
	proof := a.prove()
	for _, tc := range []struct {
		name  string
		days  int
		do    func()
		want  map[string]int // rows left
		salts int            // chunks that have one
		times int            // done again it changes nothing
	}{
		{"nothing is due", 29, nil, map[string]int{"entries_all": 6, "rejections_all": 4, "findings_all": 4, "originals": 8, "capsules": 4}, 2, 1},
		{"rejections", 31, nil, map[string]int{"entries_all": 6, "rejections_all": 0, "findings_all": 4, "originals": 8, "capsules": 4}, 2, 1},
		{"one vault class, of which someone exchanged an original", 41, func() { a.r.Expiring = changed{a.store} },
			map[string]int{"entries_all": 6, "rejections_all": 0, "findings_all": 4, "originals": 8, "capsules": 4}, 2, 1},
		{"one vault class", 41, func() { a.r.Expiring = a.store }, map[string]int{"entries_all": 6, "rejections_all": 0, "findings_all": 4, "originals": 4, "capsules": 4}, 2, 2},
		{"the other one", 61, nil, map[string]int{"entries_all": 6, "rejections_all": 0, "findings_all": 4, "originals": 0, "capsules": 0}, 2, 1},
		{"entries but those held", 91, func() { a.holds = holds{{Source: "source of c1"}} },
			map[string]int{"entries_all": 3, "rejections_all": 0, "findings_all": 4, "originals": 0, "capsules": 0}, 2, 1},
		{"a subject is held, among many", 91, func() { a.holds = holds{{Subjects: append(others(9000), "principal_id é\x00\" 1")}} },
			map[string]int{"entries_all": 3, "rejections_all": 0, "findings_all": 4, "originals": 0, "capsules": 0}, 2, 1},
		{"no hold any more", 91, func() { a.holds = nil }, map[string]int{"entries_all": 0, "rejections_all": 0, "findings_all": 4, "originals": 0, "capsules": 0}, 2, 1},
		{"findings, after which it is killed", 91, func() { a.r.Config.Findings, a.r.Removing = 80*day, killed{a.store} },
			map[string]int{"entries_all": 0, "rejections_all": 0, "findings_all": 0, "originals": 0, "capsules": 0}, 2, 1},
		{"the salts, at the next start", 91, func() { a.r.Removing = a.store; a.open() },
			map[string]int{"entries_all": 0, "rejections_all": 0, "findings_all": 0, "originals": 0, "capsules": 0}, 0, 2},
	} {
		if tc.do != nil {
			tc.do()
		}
		a.now = began.AddDate(0, 0, tc.days)
		for range tc.times {
			must(t, a.log.Expire(t.Context()))
			got := map[string]int{}
			for table := range tc.want {
				got[table] = a.count("count() FROM " + table)
			}
			if diff := cmp.Diff(got, tc.want); diff != "" {
				t.Fatalf("%s: rows left (-got +want)\n%s", tc.name, diff)
			}
			if n := a.count("countIf(salt != '') FROM chunks WHERE state = 'closed'"); n != tc.salts {
				t.Errorf("%s: %d chunks have a salt, want %d", tc.name, n, tc.salts)
			}
			res, err := a.log.Verify(t.Context(), a.store, ledger.VerifyOptions{}, nil)
			must(t, err)
			if diff := cmp.Diff(res.Problems, []core.Problem(nil)); diff != "" {
				t.Fatalf("%s: (-got +want)\n%s", tc.name, diff)
			}
		}
		if tc.name == "one vault class" {
			a.proveOriginal()
		}
	}
	if _, err := proof.Check(a.key()); err != nil {
		t.Errorf("an old proof: %v", err)
	}
	if n := a.count("sum(entries) FROM entries_hourly"); n != rollup || n == 0 {
		t.Errorf("the rollup counts %d entries, before %d", n, rollup)
	}
	res, err := a.store.Select(t.Context(), "SELECT class, toInt64(sum(rows)) FROM expired GROUP BY class ORDER BY class")
	must(t, err)
	if diff := cmp.Diff(res.Rows, [][]any{{"entries", int64(6)}, {"findings", int64(4)}, {"originals:identity", int64(4)}, {"originals:network", int64(4)}, {"rejections", int64(4)}}); diff != "" {
		t.Errorf("expired (-got +want)\n%s", diff)
	}
}

// open opens the log, after its writer before has ended.
func (a *aging) open() {
	if a.log != nil {
		must(a.t, a.log.Close())
	}
	a.log = open(a.t, a.dir, ledger.Deps{Store: a.store, Retention: a.r, Now: func() time.Time { return a.now }})
}

// others are pseudonyms of people of whom there is nothing.
func others(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("v1.aaaaaaa.%022d", i)
	}
	return out
}

// killed is a store whose process ends before salts are destroyed.
type killed struct{ *store.Store }

func (killed) ForgetSalts(context.Context, []audit.ChunkKey) error { return nil }

// slow is a store that is asked what is due, and does not answer.
type slow struct {
	*store.Store
	asked chan struct{}
}

func (s slow) VaultClasses(ctx context.Context) ([]string, error) {
	close(s.asked)
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestLeavesDuringExpiry: no chunk waits for its leaf while a removal goes on.
func TestLeavesDuringExpiry(t *testing.T) {
	s := slow{storetest.Open(t), make(chan struct{})}
	st := newMemory()
	st.set = make(chan struct{}, 1)
	l := open(t, t.TempDir(), ledger.Deps{Store: st, Retention: &ledger.Retention{Expiring: s, Removing: s, Holds: &holds{}}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- l.Run(ctx) }()
	<-s.asked
	st.close("c1")
	l.Nudge(&audit.Chunk{ID: "c1", Version: 1})
	select {
	case <-st.set:
	case <-time.After(10 * time.Second):
		t.Error("no leaf in ten seconds")
	}
	cancel()
	must(t, <-done)
	must(t, l.Close())
}

// changed is a store in which someone exchanged an original.
type changed struct{ *store.Store }

func (c changed) OriginalsOf(ctx context.Context, chunks []string, f func(audit.ChunkKey, uint32, *audit.Original) error) error {
	return c.Store.OriginalsOf(ctx, chunks, func(k audit.ChunkKey, n uint32, o *audit.Original) error {
		if n == 0 {
			o.Sealed = []byte("other")
		}
		return f(k, n, o)
	})
}

func (a *aging) count(sql string) int {
	a.t.Helper()
	res, err := a.store.Select(a.t.Context(), "SELECT toInt64("+firstWord(sql))
	must(a.t, err)
	return int(res.Rows[0][0].(int64))
}

// firstWord closes the parenthesis behind the expression of a statement.
func firstWord(sql string) string {
	for i := range sql {
		if sql[i] == ' ' && sql[i-1] == ')' {
			return sql[:i] + ")" + sql[i:]
		}
	}
	return sql
}

func (a *aging) key() string {
	key, err := core.VerifierKey(a.log.Public(), "example/test")
	must(a.t, err)
	return key
}

// prove makes the proof of an entry of chunk c1.
func (a *aging) prove() *core.Proof {
	origin := audit.Origin{Stream: "s", Offset: 1}
	found, err := a.store.FindEntries(a.t.Context(), []audit.Origin{origin})
	must(a.t, err)
	at := found[origin]
	p, err := core.OpenReader(a.dir).ProveEntry(a.t.Context(), a.store, at.Salt, at.ChunkKey, at.Row, at.Leaf, a.log.Checkpoint())
	must(a.t, err)
	return p
}

// proveOriginal proves an original that stayed where others went.
func (a *aging) proveOriginal() {
	ctx, k := a.t.Context(), audit.ChunkKey{ID: "c1", Version: 1}
	files := core.OpenReader(a.dir)
	gone, err := files.Gone(core.TableOriginals, k)
	must(a.t, err)
	salts, err := a.store.SaltsOf(ctx, []audit.ChunkKey{k})
	must(a.t, err)
	index, _ := a.log.Leaf(k.ID, k.Version)
	set := core.NewRowSet(core.TableOriginals, salts[k], 1000, gone[k])
	var number uint32
	var row []byte
	must(a.t, a.store.EachOriginal(ctx, k.ID, k.Version, func(o *audit.Original) error {
		number, row = o.Row, core.AppendOriginal(nil, o)
		set.Add(number, row)
		return nil
	}))
	p, err := set.Prove(ctx, files, a.log.Checkpoint(), index, uint64(number), row)
	must(a.t, err)
	if _, err := p.Check(a.key()); err != nil || number != 2 {
		a.t.Errorf("original %d: %v", number, err)
	}
}
