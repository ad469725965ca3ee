package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/store"
	"github.com/tallystick/tallystick/internal/store/storetest"
)

// quarterKeys and quarterCounts are written by hand, from entries.
const (
	quarterKeys = `source, source_format, system_key, outcome, deny_by, principal_type, principal_auth, tls_version,
 purpose, purpose_source, recipient, dest_country, transfer_kind, categories, carries`
	quarterCounts = `count(), countIf(purpose_documented), countIf(special_category), countIf(special_category AND purpose_documented), countIf(subject_count > 0),
 countIf(principal_id != ''), countIf(principal_id != '' AND principal_verified), countIf(principal_id != '' AND mtls_verified), countIf(mtls_verified),
 countIf(parse_status != 'ok'), countIf(integrity != 'ok'), sum(e.bytes_out)`
	quarterSums = `sum(entries), sum(documented), sum(special), sum(special_documented), sum(with_subjects), sum(named), sum(verified), sum(named_mtls), sum(mtls),
 sum(partial), sum(doubtful), sum(bytes_out)`
)

// rollupsEqual holds every count of the rollups to plain SQL over entries.
func rollupsEqual(t *testing.T, s *store.Store, when string) {
	t.Helper()
	rolled := "SELECT quarter, " + quarterKeys + ", " + quarterSums + " FROM entries_quarterly GROUP BY quarter, " + quarterKeys + " HAVING sum(entries) != 0"
	counted := "SELECT toStartOfFifteenMinutes(event_time) AS quarter, " + quarterKeys + ", " + quarterCounts + " FROM entries AS e GROUP BY quarter, " + quarterKeys
	hours := "SELECT hour, source, outcome, sum(entries), sum(denied), sum(undocumented) FROM entries_hourly GROUP BY hour, source, outcome HAVING sum(entries) != 0"
	ofHours := `SELECT toStartOfHour(event_time) AS hour, source, outcome, count(), countIf(outcome = 'denied'), countIf(notEmpty(categories) AND NOT purpose_documented)
 FROM entries GROUP BY hour, source, outcome`
	received := "SELECT source, hour, sum(received), sum(rejected) FROM completeness GROUP BY source, hour HAVING sum(received) != 0"
	lines := "SELECT source, toStartOfHour(event_time) AS hour, count(), 0 FROM entries GROUP BY source, hour"
	for _, pair := range [][2]string{{rolled, counted}, {hours, ofHours}, {received, lines}} {
		for _, p := range [][2]string{pair, {pair[1], pair[0]}} {
			if n := scalar(t, s, "SELECT count() FROM (("+p[0]+") EXCEPT ("+p[1]+"))"); n != uint64(0) {
				t.Errorf("%s: %v rows are in one only of\n%s\n%s", when, n, p[0], p[1])
			}
		}
	}
}

// varied are entries of a chunk that differ in all that rollups count by.
func varied(t *testing.T, c *audit.Chunk, seed uint64, n int) *store.EntryBlock {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 5))
	pick := func(l ...string) string { return l[r.IntN(len(l))] }
	b := store.NewEntryBlock()
	for i, e := range storetest.Entries(n, seed*100_000) {
		e.EventTime = time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC).Add(time.Duration(r.IntN(4*3600)) * time.Second)
		e.Source, e.SourceFormat, e.Outcome = pick("shop", "edge"), pick("nginx:combined", "envoy:json"), pick("allowed", "denied", "error")
		e.TLSVersion, e.PrincipalAuth, e.Purpose, e.PurposeSource = pick("", "1.3"), pick("basic", "mtls"), pick("support", ""), pick("stated", "none")
		e.Recipient, e.DestCountry, e.TransferKind, e.DenyBy = pick("", "mailer"), pick("DE", "US"), pick("none", "third"), pick("", "proxy")
		e.PurposeDocumented, e.SpecialCategory, e.MTLSVerified, e.PrincipalVerified = r.IntN(2) == 0, r.IntN(5) == 0, r.IntN(2) == 0, r.IntN(3) > 0
		e.ParseStatus, e.Integrity, e.Carries = pick("ok", "partial"), pick("ok", "ambiguous"), [][]string{nil, {"tls"}, {"tls", "purpose"}}[r.IntN(3)]
		if r.IntN(3) == 0 {
			e.Categories, e.Subjects, e.SubjectCount, e.PrincipalID = nil, nil, 0, ""
		}
		e.Chunk, e.Version, e.Row = c.ID, c.Version, uint32(i)
		if err := b.Append(&e); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestRollups(t *testing.T) { rollupsAreExact(t, storetest.Open(t)) }

// rollupsAreExact holds rollups to entries while chunks are inserted twice,
// re-processed and given up, and after they are counted anew.
func rollupsAreExact(t *testing.T, s *store.Store) {
	ctx := context.Background()
	must := func(errs ...error) {
		t.Helper()
		for _, err := range errs {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	at := func(id string, version uint16) *audit.Chunk {
		c := newChunk(id)
		c.Version, c.Streams, c.Salt = version, nil, []byte(fmt.Sprintf("salt of %s-%d-------", id, version))
		return c
	}
	a, b := "lines.v1-3-100-aaaa", "lines.v1-3-200-bbbb"
	for i, id := range []string{a, b} {
		for range 2 {
			must(s.InsertEntries(ctx, at(id, 1), varied(t, at(id, 1), uint64(i+1), 300)))
		}
		must(s.CloseChunk(ctx, at(id, 1)))
	}
	rollupsEqual(t, s, "each chunk sent twice")
	next := func(id string, seed uint64) {
		c := at(id, 2)
		must(s.InsertEntries(ctx, c, varied(t, c, seed, 250)), s.TakeOff(ctx, c))
	}
	next(a, 3)
	rollupsEqual(t, s, "a version that is not seen yet")
	must(s.CloseChunk(ctx, at(a, 2)), s.Supersede(ctx, a, 1))
	rollupsEqual(t, s, "a version later")
	next(b, 4)
	must(s.Discard(ctx, b, 2))
	rollupsEqual(t, s, "an attempt was given up")
	next(b, 5)
	must(s.CloseChunk(ctx, at(b, 2)))
	rollupsEqual(t, s, "complete and not seen yet")

	countAnew(t, s)
	rollupsEqual(t, s, "counted anew")
	must(s.Supersede(ctx, b, 1))
	rollupsEqual(t, s, "and seen")
}

// countAnew does what the migrations do to a record that has counts per hour
// only.
func countAnew(t *testing.T, s *store.Store) {
	t.Helper()
	exec := func(sql string) {
		t.Helper()
		if err := s.Exec(t.Context(), sql); err != nil {
			t.Fatalf("%s: %v", sql, err)
		}
	}
	const old = `source, system_key, outcome, tls_version, principal_type, transfer_kind`
	for _, m := range store.Migrations() {
		switch m.Version() {
		case 13:
			exec("CREATE TABLE entries_hourly_all ENGINE = Memory AS SELECT toStartOfHour(event_time) AS hour, " + old + `, count() AS entries, countIf(subject_count > 0) AS with_subjects,
				countIf(special_category) AS special, sum(e.bytes_out) AS bytes_out, '' AS chunk, toUInt16(0) AS version FROM entries AS e GROUP BY hour, ` + old)
			for range 2 { // as after an interruption
				s.Apply(t, m)
			}
		case 14:
			s.Apply(t, m)
		case 15: // completeness_all counted entries as well
			exec("INSERT INTO completeness_all SELECT source, toStartOfHour(quarter) AS hour, sum(entries), 0, 0, chunk, version FROM entries_quarterly_all GROUP BY source, hour, chunk, version")
			for range 2 {
				s.Apply(t, m)
			}
		}
	}
}

// TestExpiredHoursStay: what went by its age before the counts per quarter were
// there is in them by the hour.
func TestExpiredHoursStay(t *testing.T) {
	s := storetest.Open(t)
	c := newChunk("lines.v1-3-100-aaaa")
	if err := s.InsertEntries(t.Context(), c, varied(t, c, 1, 100)); err != nil {
		t.Fatal(err)
	}
	countAnew(t, s)
	before := scalar(t, s, "SELECT sum(entries) FROM entries_hourly")
	if err := s.Exec(t.Context(), "TRUNCATE TABLE entries_all"); err != nil {
		t.Fatal(err)
	}
	if err := s.Exec(t.Context(), "CREATE TABLE entries_hourly_all ENGINE = Memory AS SELECT *, '' AS chunk, toUInt16(0) AS version FROM entries_hourly"); err != nil {
		t.Fatal(err)
	}
	for _, m := range store.Migrations() {
		if m.Version() == 13 {
			s.Apply(t, m)
		}
	}
	if after := scalar(t, s, "SELECT sum(entries) FROM entries_hourly"); after != before || after != uint64(100) {
		t.Errorf("%v entries are counted by the hour, %v before", after, before)
	}
}
