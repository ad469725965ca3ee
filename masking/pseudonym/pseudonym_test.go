package pseudonym_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/pseudonym"
)

// register is a day key register in memory; an identity AEAD wraps its keys.
type register struct {
	mu   sync.Mutex
	live map[string][2]string
	err  error
}

func (r *register) DayKey(_ context.Context, domain, kind, period string) (string, string, time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.live[domain+kind+period]
	return k[0], k[1], time.Now().Add(time.Hour), r.err
}

func (r *register) AddDayKey(_ context.Context, domain, kind, period, id, wrapped string, _, _ time.Time) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.live == nil {
		r.live = map[string][2]string{}
	}
	if r.live[domain+kind+period][0] != "" {
		return false, r.err
	}
	r.live[domain+kind+period] = [2]string{id, wrapped}
	return true, r.err
}

func (r *register) DestroyDayKeys(context.Context, time.Time) ([]string, error) { return nil, nil }

type identity struct{}

func (identity) Encrypt(p, _ []byte) ([]byte, error) { return p, nil }
func (identity) Decrypt(c, _ []byte) ([]byte, error) { return c, nil }

var day = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

func maker(size int) *pseudonym.Maker {
	return pseudonym.New(keys.NewDayKeys(&register{}, identity{}, 0), size)
}

func must(t testing.TB) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func TestToken(t *testing.T) {
	k := keys.NewDayKeys(&register{}, identity{}, 0)
	prf, err := k.Day(t.Context(), "d", day)
	if err != nil {
		t.Fatal(err)
	}
	got := pseudonym.Token(prf, "email", " Alice@Example.com ")
	// The definition, written out again.
	sum := prf.Sum(nil, []byte("email\x00alice@example.com"))
	want := "v1." + prf.ID + "." + base64.RawURLEncoding.EncodeToString(sum[:16])
	if got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	if len(sum) != sha256.Size || hmac.Equal(sum[:16], make([]byte, 16)) {
		t.Fatal("the PRF gave no digest")
	}
}

func TestTokensDifferByDayDomainKindAndValue(t *testing.T) {
	m := maker(100)
	b := m.Begin(t.Context())
	is := must(t)
	base := is(b.Day("subjects", "email", "a@b.de", day))
	for name, other := range map[string]string{
		"next day":     is(b.Day("subjects", "email", "a@b.de", day.AddDate(0, 0, 1))),
		"other domain": is(b.Day("recipients", "email", "a@b.de", day)),
		"other kind":   is(b.Day("subjects", "user", "a@b.de", day)),
		"other value":  is(b.Day("subjects", "email", "c@b.de", day)),
		"year":         is(b.Year("subjects", "email", "a@b.de", day)),
	} {
		if other == base || !strings.HasPrefix(other, "v1.") {
			t.Errorf("%s: %s", name, other)
		}
	}
	if again := is(b.Day("subjects", "email", "A@B.de", day.Add(13*time.Hour))); again != base {
		t.Errorf("the same value on the same day: %s, %s", base, again)
	}
	if is(b.Year("p", "principal", "x", day)) != is(b.Year("p", "principal", "x", day.AddDate(0, -6, 0))) {
		t.Error("a year's token changed within the year")
	}
	if is(b.Day("subjects", "email", "", day)) != "" || is(b.Year("subjects", "email", "", day)) != "" {
		t.Error("an absent value has a token")
	}
}

// TestConcatenation holds that kind and value cannot run into each other.
func TestConcatenation(t *testing.T) {
	m := maker(100)
	b := m.Begin(t.Context())
	is := must(t)
	if is(b.Day("d", "a", "bc", day)) == is(b.Day("d", "ab", "c", day)) {
		t.Fatal("kind and value are not separated")
	}
}

func TestNormalise(t *testing.T) {
	for _, tc := range []struct{ name, kind, in, want string }{
		{"email", "email", " Alice@Example.COM", "alice@example.com"},
		{"email unicode", "email", "JU\u0308RGEN@x.de", "jürgen@x.de"},
		{"card", "card", "4111 1111-1111 1111", "4111111111111111"},
		{"phone", "phone", "+49 (431) 123", "49431123"},
		{"no digits", "card", "n/a", "n/a"},
		{"id keeps its case", "customer_id", " De-77 ", "De-77"},
		{"full width", "customer_id", "ＡＢ１２", "AB12"},
		{"already normal", "customer_id", "4711", "4711"},
		{"iban", "iban", "GB82 WEST 1234 5698 7654 32", "gb82west12345698765432"},
		{"cnpj", "cnpj", "12.ABC.345/01DE-35", "12abc34501de35"},
		{"cpf", "cpf", "529.982.247-25", "52998224725"},
		{"ipv6", "ipv6", "2001:DB8:0:0:0:0:0:7", "2001:db8::7"},
		{"mapped ipv4", "ipv4", "::ffff:192.0.2.7", "192.0.2.7"},
		{"no address", "ipv4", "HOST", "HOST"},
		{"empty", "email", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := pseudonym.Normalise(tc.kind, tc.in)
			if got != tc.want {
				t.Errorf("got %q", got)
			}
			if again := pseudonym.Normalise(tc.kind, got); again != got {
				t.Errorf("normalised twice: %q", again)
			}
		})
	}
}

// TestCacheForgets makes many more values than the cache holds: tokens stay the
// same although entries go.
func TestCacheForgets(t *testing.T) {
	m := maker(64)
	b := m.Begin(t.Context())
	is := must(t)
	first := make([]string, 500)
	for round := range 2 {
		for i := range first {
			tok := is(b.Day("d", "id", fmt.Sprint("value", i), day))
			if round == 0 {
				first[i] = tok
			} else if first[i] != tok {
				t.Fatalf("value %d changed its token", i)
			}
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	m := maker(1000)
	var wg sync.WaitGroup
	got := make([]string, 4)
	for g := range got {
		wg.Add(1)
		go func() {
			defer wg.Done()
			b := m.Begin(context.Background())
			for i := range 300 {
				s, err := b.Day("d", "id", fmt.Sprint(i%50), day)
				if err != nil {
					t.Error(err)
					return
				}
				if i%50 == 7 {
					got[g] = s
				}
			}
		}()
	}
	wg.Wait()
	for _, g := range got[1:] {
		if g != got[0] {
			t.Fatalf("tokens differ between goroutines: %v", got)
		}
	}
}

func TestKeyStoreFails(t *testing.T) {
	broken := errors.New("register is away")
	m := pseudonym.New(keys.NewDayKeys(&register{err: broken}, identity{}, 0), 10)
	b := m.Begin(t.Context())
	if _, err := b.Day("d", "id", "1", day); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
	if _, err := b.Year("d", "id", "1", day); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
}

// FuzzNormalise holds that normalising twice changes nothing more.
func FuzzNormalise(f *testing.F) {
	f.Add("email", "İ@x.de")
	f.Add("card", " 4111 ")
	f.Fuzz(func(t *testing.T, kind, value string) {
		once := pseudonym.Normalise(kind, value)
		if twice := pseudonym.Normalise(kind, once); twice != once {
			t.Fatalf("%q, then %q", once, twice)
		}
	})
}

func BenchmarkDay(b *testing.B) {
	for _, tc := range []struct {
		name   string
		values int
	}{{"remembered", 100}, {"new", 1 << 20}} {
		b.Run(tc.name, func(b *testing.B) {
			m := maker(1 << 16)
			batch := m.Begin(context.Background())
			values := make([]string, tc.values)
			for i := range values {
				values[i] = fmt.Sprint("customer-", i)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := batch.Day("subjects", "customer_id", values[i%len(values)], day); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
