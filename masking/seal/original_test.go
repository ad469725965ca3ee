package seal_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
	"github.com/tallystick/tallystick/masking/reencrypt"
	"github.com/tallystick/tallystick/masking/seal"
)

// vault has one delegator key for every class and month but those of 2025.
type vault struct{ pair *reencrypt.PrivateKey }

func newVault(t testing.TB) vault {
	t.Helper()
	k, err := reencrypt.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return vault{k}
}

func (v vault) Key(_, month string) (*reencrypt.PublicKey, string) {
	if month[:4] == "2025" {
		return nil, ""
	}
	return v.pair.Public(), "abcdefg"
}

func entryAt(n int, at time.Time) *audit.Entry {
	return &audit.Entry{Stream: "AbCdEfGhIjKlMnOp", Offset: uint64(n) * 100, EventTime: at}
}

// open opens an original as the delegator could.
func (v vault) open(t *testing.T, o *audit.Original, capsule []byte) (string, error) {
	t.Helper()
	c, err := reencrypt.ParseCapsule(capsule)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := v.pair.Decapsulate(c)
	if err != nil {
		t.Fatal(err)
	}
	p, err := seal.OpenOriginal(secret, o)
	return p.Reveal(plainaccess.Token{}), err
}

func TestOriginals(t *testing.T) {
	v := newVault(t)
	s := seal.NewOriginals(v, "c1", 1)
	at := time.Date(2026, 11, 30, 23, 59, 59, 0, time.UTC)
	var all []audit.Original
	for n, in := range []struct {
		class, field string
		at           time.Time
	}{
		{"identity", "principal_id", at}, {"identity", "subjects.0", at.Add(-time.Hour)}, {"network", "client_ip", at},
		{"identity", "principal_id", at.Add(time.Second)}, {"identity", "principal_id", at.Add(-time.Minute)},
	} {
		o, err := s.Seal(entryAt(n, in.at), &audit.Unsealed{Class: in.class, Field: in.field, Value: plain.New(fmt.Sprint("value ", n))})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	capsules := map[string]audit.Capsule{}
	for _, c := range s.Capsules() {
		capsules[c.ID] = c
	}
	if len(capsules) != 3 { // identity in November and December, network in November
		t.Fatalf("%d capsules", len(capsules))
	}
	for n, o := range all {
		got, err := v.open(t, &o, capsules[o.Capsule].Bytes)
		if err != nil || got != fmt.Sprint("value ", n) {
			t.Errorf("original %d opens as another, error %v", n, err)
		}
	}
	c := capsules[all[0].Capsule]
	if c.Originals != 3 || !c.First.Equal(at.Add(-time.Hour)) || !c.Last.Equal(at) || c.Month != "2026-11" || c.KeyID != "abcdefg" {
		t.Errorf("capsule of %d originals from %s to %s, month %s", c.Originals, c.First, c.Last, c.Month)
	}
	for name, change := range map[string]func(*audit.Original){
		"entry": func(o *audit.Original) { o.Origin.Offset++ }, "field": func(o *audit.Original) { o.Field = "subjects.0" },
		"class": func(o *audit.Original) { o.Class = "network" }, "month": func(o *audit.Original) { o.Month = "2026-12" },
		"chunk": func(o *audit.Original) { o.Chunk = "c2" }, "version": func(o *audit.Original) { o.Version = 2 },
	} {
		o := all[0]
		change(&o)
		if _, err := v.open(t, &o, c.Bytes); !errors.Is(err, seal.ErrSealed) {
			t.Errorf("it opens as that of another %s: error %v", name, err)
		}
	}
}

func TestOriginalsWithoutKey(t *testing.T) {
	s := seal.NewOriginals(newVault(t), "c1", 1)
	o, err := s.Seal(entryAt(0, time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC)), &audit.Unsealed{Class: "identity", Field: "principal_id", Value: plain.New("x")})
	if !errors.Is(err, seal.ErrNoVaultKey) || o.Class != "identity" || o.Month != "2025-11" || len(o.Sealed) != 0 || len(s.Capsules()) != 0 {
		t.Errorf("class %q, month %q, %d capsules, error %v", o.Class, o.Month, len(s.Capsules()), err)
	}
}

// BenchmarkSealOriginals seals 10,000 originals of one class and month, with
// the encapsulation: the time is that of one original.
func BenchmarkSealOriginals(b *testing.B) {
	v := newVault(b)
	const batch = 10_000
	at := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	entries := make([]audit.Entry, batch)
	for i := range entries {
		entries[i] = *entryAt(i, at.Add(time.Duration(i)*time.Millisecond))
	}
	u := audit.Unsealed{Class: "identity", Field: "principal_id", Value: plain.New("maria.silva17@example.com")}
	b.ReportAllocs()
	for n := 0; n < b.N; {
		s := seal.NewOriginals(v, "lines.v1-0-0-abcdefgh", 1)
		for i := 0; i < batch && n < b.N; i++ {
			if _, err := s.Seal(&entries[i], &u); err != nil {
				b.Fatal(err)
			}
			n++
		}
	}
}
