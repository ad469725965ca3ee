package keys_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/tallystick/tallystick/internal/registers"
	"github.com/tallystick/tallystick/masking/keys"
)

var _ keys.DayKeyRegister = (*registers.DB)(nil)

func register(t testing.TB) (*registers.DB, tink.AEAD) {
	t.Helper()
	dir := t.TempDir()
	db, err := registers.Open(context.Background(), filepath.Join(dir, "registers.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	kek, err := keys.LocalKEK(filepath.Join(dir, "kek.json"))
	if err != nil {
		t.Fatal(err)
	}
	return db, kek
}

var day = time.Date(2026, 11, 21, 23, 59, 59, 0, time.UTC)

func get(t *testing.T, d *keys.DayKeys, domain string, at time.Time) string {
	t.Helper()
	p, err := d.Day(context.Background(), domain, at)
	if err != nil {
		t.Fatal(err)
	}
	return p.ID + string(p.Sum(nil, []byte("value")))
}

func TestDayKeyIdentity(t *testing.T) {
	reg, kek := register(t)
	d := keys.NewDayKeys(reg, kek, 0)
	a := get(t, d, "own", day)
	for _, tc := range []struct {
		name   string
		domain string
		at     time.Time
		same   bool
	}{
		{"same day, earlier", "own", day.Add(-23 * time.Hour), true},
		{"same day, another zone", "own", day.In(time.FixedZone("", 5*3600)), true},
		{"next day", "own", day.Add(time.Second), false},
		{"another domain", "mailer", day, false},
		{"before 1970", "own", time.Unix(-1, 0), false},
	} {
		if got := get(t, d, tc.domain, tc.at) == a; got != tc.same {
			t.Errorf("%s: same key is %v", tc.name, got)
		}
	}
	if get(t, keys.NewDayKeys(reg, kek, 0), "own", day) != a {
		t.Error("another process gets another key")
	}
	y1, err := d.Year(context.Background(), "own", day)
	if err != nil {
		t.Fatal(err)
	}
	y2, err := d.Year(context.Background(), "own", day.AddDate(0, -10, 0))
	if err != nil || y1 != y2 {
		t.Errorf("one year has two keys, error %v", err)
	}
	y3, err := d.Year(context.Background(), "own", day.AddDate(1, 0, 0))
	if err != nil || y3.ID == y1.ID || a[:7] == y1.ID {
		t.Errorf("years or kinds share a key, error %v", err)
	}
}

func TestDayKeyRace(t *testing.T) {
	reg, kek := register(t)
	for round := range 5 {
		at := day.AddDate(0, 0, round)
		var wg sync.WaitGroup
		got := make([]string, 16)
		shared := [2]*keys.DayKeys{keys.NewDayKeys(reg, kek, 0), keys.NewDayKeys(reg, kek, 0)}
		for i := range got {
			wg.Go(func() {
				p, err := shared[i%2].Day(context.Background(), "own", at)
				if err != nil {
					t.Error(err)
					return
				}
				got[i] = p.ID + string(p.Sum(nil, []byte("value")))
			})
		}
		wg.Wait()
		for _, g := range got {
			if g != got[0] {
				t.Fatal("racing processes got different keys for one day")
			}
		}
	}
}

func TestDayKeyDestruction(t *testing.T) {
	ctx := context.Background()
	reg, kek := register(t)
	now := day.Add(12 * time.Hour)
	clock := func() time.Time { return now }
	a, b := keys.NewDayKeys(reg, kek, 0), keys.NewDayKeys(reg, kek, 0)
	a.SetNow(clock)
	b.SetNow(clock)
	first := get(t, a, "own", day)
	if get(t, b, "own", day) != first {
		t.Fatal("two processes, two keys")
	}
	now = time.Date(2026, 12, 22, 11, 59, 58, 0, time.UTC) // a horizon after its creation less a second
	if n, err := a.DestroyDue(ctx, now); err != nil || n != 0 {
		t.Fatalf("destroyed %d early, error %v", n, err)
	}
	if get(t, a, "own", day) != first {
		t.Fatal("the key went before its time")
	}
	now = now.Add(time.Second)
	if n, err := a.DestroyDue(ctx, now); err != nil || n != 1 {
		t.Fatalf("destroyed %d, error %v", n, err)
	}
	second := get(t, a, "own", day)
	if second[:7] == first[:7] || second[7:] == first[7:] {
		t.Fatal("a destroyed key came back")
	}
	now = now.Add(time.Second)
	if get(t, b, "own", day) != second {
		t.Fatal("the other process still uses the destroyed key")
	}
	// What nobody asks for any more goes from memory too, also where another
	// process destroyed it.
	now = now.AddDate(0, 0, 31)
	if n, err := a.DestroyDue(ctx, now); err != nil || n != 1 {
		t.Fatalf("destroyed %d, error %v", n, err)
	}
	if n, err := b.DestroyDue(ctx, now); err != nil || n != 0 || b.Cached() != 0 {
		t.Errorf("destroyed %d, error %v; %d keys are in memory", n, err, b.Cached())
	}
	second = get(t, b, "own", day)
	// Due, but nobody called DestroyDue: using the day destroys it.
	now = now.AddDate(0, 0, 31)
	third := get(t, b, "own", day)
	if third[:7] == second[:7] {
		t.Fatal("a due key was used")
	}
}

// The horizon of a key begins at the end of its day, or when the key was made
// if that is later; that holds for lines of days ahead too.
func TestDayKeyHorizon(t *testing.T) {
	now := time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC)
	const horizon = 48 * time.Hour
	for _, tc := range []struct {
		name     string
		line     time.Time
		destroy  time.Time
		sameWhen time.Duration // after now, at which the key is the same still
	}{
		{"of today", now, time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), 50 * time.Hour},
		{"late, a year", now.AddDate(-1, 0, 0), now.Add(horizon), 47 * time.Hour},
		{"ahead, a day", now.AddDate(0, 0, 1), time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC), 70 * time.Hour},
	} {
		t.Run(tc.name, func(t *testing.T) {
			reg, kek := register(t)
			at := now
			auditors := [2]*keys.DayKeys{keys.NewDayKeys(reg, kek, horizon), keys.NewDayKeys(reg, kek, horizon)}
			for _, a := range auditors {
				a.SetNow(func() time.Time { return at })
			}
			first := get(t, auditors[0], "own", tc.line)
			if list, err := reg.DayKeys(t.Context()); err != nil || len(list) != 1 || !list[0].DestroyAfter.Equal(tc.destroy) {
				t.Fatalf("%+v, %v; want to be destroyed at %v", list, err, tc.destroy)
			}
			at = now.Add(tc.sameWhen)
			if get(t, auditors[1], "own", tc.line) != first {
				t.Error("the other auditor has another key")
			}
			at = tc.destroy.Add(time.Second)
			if _, err := auditors[0].DestroyDue(t.Context(), at); err != nil {
				t.Fatal(err)
			}
			second := get(t, auditors[1], "own", tc.line)
			if second == first || get(t, auditors[0], "own", tc.line) != second {
				t.Error("after the destruction the auditors have the old key, or two")
			}
		})
	}
}

// A key that one auditor retires is used by none a minute later, and opens what
// it named until it is destroyed.
func TestRetiredYearKey(t *testing.T) {
	ctx := context.Background()
	reg, kek := register(t)
	now := day
	a, b := keys.NewDayKeys(reg, kek, 0), keys.NewDayKeys(reg, kek, 0)
	for _, d := range []*keys.DayKeys{a, b} {
		d.SetNow(func() time.Time { return now })
	}
	year := func(d *keys.DayKeys) *keys.PRF {
		t.Helper()
		p, err := d.Year(ctx, "principals", now)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := year(a)
	if year(b).ID != first.ID {
		t.Fatal("two auditors, two keys")
	}
	if ok, err := reg.RetireDayKey(ctx, first.ID, now); err != nil || !ok {
		t.Fatal(ok, err)
	}
	a.Forget(first.ID)
	second := year(a)
	now = now.Add(61 * time.Second)
	if second.ID == first.ID || year(b).ID != second.ID {
		t.Error("a retired key is in use")
	}
	k, wrapped, err := reg.DayKeyByID(ctx, first.ID)
	if err != nil {
		t.Fatal(err)
	}
	again, err := a.Unwrap(k.Domain, k.Kind, k.Period, k.ID, wrapped)
	if err != nil || string(again.Sum(nil, []byte("v"))) != string(first.Sum(nil, []byte("v"))) {
		t.Errorf("the retired key can't be looked up: %v", err)
	}
	if _, err := a.Unwrap("subjects", k.Kind, k.Period, k.ID, wrapped); err == nil {
		t.Error("a key opens as another domain's")
	}
}

func TestDayKeyWrongKEK(t *testing.T) {
	reg, kek := register(t)
	get(t, keys.NewDayKeys(reg, kek, 0), "own", day)
	_, other := register(t)
	if _, err := keys.NewDayKeys(reg, other, 0).Day(context.Background(), "own", day); err == nil {
		t.Fatal("a key was unwrapped by another KEK")
	}
}

func BenchmarkDayHit(b *testing.B) {
	reg, kek := register(b)
	d := keys.NewDayKeys(reg, kek, 0)
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Day(context.Background(), "own", at); err != nil {
			b.Fatal(err)
		}
	}
}
