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
	// Due, but nobody called DestroyDue: using the day destroys it.
	now = now.AddDate(0, 0, 31)
	third := get(t, b, "own", day)
	if third[:7] == second[:7] {
		t.Fatal("a due key was used")
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
