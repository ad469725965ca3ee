package masking_test

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking"
	"github.com/tallystick/tallystick/masking/keys"
	"github.com/tallystick/tallystick/masking/plain"
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

func dayKeys() *keys.DayKeys { return keys.NewDayKeys(&register{}, identity{}, 0) }

var at = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)

// maskAll masks events with a policy; nil is the default one.
func maskAll(t testing.TB, g *masking.Engine, events ...audit.Event) []audit.Entry {
	t.Helper()
	b := &audit.Batch{Events: events}
	if err := g.Process(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	return b.Entries
}

// canaries fills every clear value of an event, each with its own canary, and
// returns them. shape makes the canary of a number.
func canaries(e *audit.Event, shape func(n int) string) []string {
	var all []string
	next := func() plain.Text {
		all = append(all, shape(len(all)))
		return plain.New(all[len(all)-1])
	}
	v := reflect.ValueOf(e).Elem()
	text := reflect.TypeFor[plain.Text]()
	for i := range v.NumField() {
		f := v.Field(i)
		switch f.Type() {
		case text:
			f.Set(reflect.ValueOf(next()))
		case reflect.TypeFor[[]plain.Text]():
			f.Set(reflect.ValueOf([]plain.Text{next(), next()}))
		case reflect.TypeFor[[]audit.Field]():
			key := next()
			_ = key
			f.Set(reflect.ValueOf([]audit.Field{{Name: all[len(all)-1], Value: next()}, {Name: "q", Value: next()}}))
		case reflect.TypeFor[[]audit.Subject]():
			f.Set(reflect.ValueOf([]audit.Subject{{Kind: "email", Value: next()}, {Kind: "customer_id", Value: next()}}))
		}
	}
	return all
}

// forms are the ways in which a value could leak.
func forms(s string) []string {
	m, s1, s2 := md5.Sum([]byte(s)), sha1.Sum([]byte(s)), sha256.Sum256([]byte(s))
	out := []string{s, url.QueryEscape(s), url.PathEscape(s), hex.EncodeToString([]byte(s)), strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(s)), "=")}
	for _, h := range [][]byte{m[:], s1[:], s2[:]} {
		out = append(out, hex.EncodeToString(h), base64.StdEncoding.EncodeToString(h), base64.RawURLEncoding.EncodeToString(h), base64.RawURLEncoding.EncodeToString(h[:16]))
	}
	return out
}

// TestDefaultDeny puts canaries into every clear value and looks for them, in
// every form, in every field of the entry.
func TestDefaultDeny(t *testing.T) {
	shapes := map[string]func(n int) string{
		"email":    func(n int) string { return fmt.Sprintf("canary%d@leak.example", n) },
		"name":     func(n int) string { return fmt.Sprintf("Canary%d Leakson Ünal", n) },
		"ipv4":     func(n int) string { return fmt.Sprintf("198.51.%d.77", n) },
		"url":      func(n int) string { return fmt.Sprintf("https://x.example/canary%d?u=leak%d", n, n) },
		"card":     func(n int) string { return fmt.Sprintf("41111111 canary%d 11111111", n) },
		"question": func(n int) string { return fmt.Sprintf("canary%d?leak&more=%d", n, n) },
	}
	for name, shape := range shapes {
		for _, protocol := range []string{"http", "kafka", "tcp"} {
			for _, kind := range []audit.PrincipalKind{audit.KindStaff, audit.KindSelf, audit.KindUnknown, audit.KindAnonymous} {
				t.Run(name+"/"+protocol+"/"+string(kind), func(t *testing.T) {
					e := audit.Event{
						Origin: audit.Origin{Stream: "stream", Offset: 7}, Source: "shop", Format: "nginx:combined", Time: at, Received: at,
						Protocol: protocol, Operation: "GET", PrincipalKind: kind, PrincipalDeclared: kind == audit.KindStaff,
						Resource: "GET /v1/customers/{customer_id}",
					}
					all := canaries(&e, shape)
					if len(all) < 30 {
						t.Fatalf("only %d canaries: the test no longer reaches the event's fields", len(all))
					}
					e.Found = []audit.Found{{Kind: "email", Place: all[0]}, {Kind: "email", Place: "query"}}
					out := maskAll(t, masking.NewEngine(nil, dayKeys()), e)[0]
					data, err := json.Marshal(out)
					if err != nil {
						t.Fatal(err)
					}
					var b strings.Builder
					b.Write(data)
					for _, f := range audit.EntryFields { // also what JSON would escape
						if f.Str != nil {
							b.WriteString("\n" + *f.Str(&out))
						}
						if f.Strs != nil {
							b.WriteString("\n" + strings.Join(*f.Strs(&out), "\n"))
						}
						if f.Map != nil {
							fmt.Fprint(&b, "\n", *f.Map(&out))
						}
					}
					haystack := strings.ToLower(b.String())
					for _, c := range all {
						for _, form := range forms(c) {
							if strings.Contains(haystack, strings.ToLower(form)) {
								t.Errorf("a canary leaks as %q", form)
							}
						}
					}
				})
			}
		}
	}
}

// TestEveryFieldIsNamed holds that the default policy names each field, so that
// nobody adds a field to the entry without deciding how it is masked.
func TestEveryFieldIsNamed(t *testing.T) {
	for _, f := range masking.UnnamedFields(masking.DefaultPolicySource()) {
		t.Errorf("%s has no transform in default.yaml", f)
	}
}

func TestEntry(t *testing.T) {
	p := plain.New
	e := audit.Event{
		Origin: audit.Origin{Stream: "stream", Generation: 1, Offset: 7}, Source: "shop", Format: "envoy:json", Received: at.Add(time.Second),
		ParseStatus: audit.ParseOK, Integrity: audit.IntegrityOK, Time: at, TimeQuality: audit.TimeZoned, Protocol: "http", Method: p("GET"),
		Target: p("/v1/customers/4711?page=2&email=a%40b.de&alice"), Host: p("shop.example.com:8443"), Referer: p("https://www.example.com/home?u=1"),
		UserAgent: p("curl/8.5.0"), Auth: "mtls", PeerAddr: p("10.0.0.9"), PeerPort: 4022, ClientAddr: p("203.0.113.77"), Forwarded: []plain.Text{p("203.0.113.77"), p("unknown")},
		Status: 200, BytesIn: 10, BytesOut: 20, Duration: 12 * time.Millisecond, TLSCipher: p("TLS_AES_256_GCM_SHA384"), SNI: p("shop.example.com"),
		ClientCertVerified: true, Upstream: p("10.4.1.7:8080"), Carries: audit.Carries{TLS: true, Target: true, Outcome: true},
		Operation: "GET", Action: audit.ActionRead, Outcome: audit.OutcomeAllowed, TLS: "1.3",
		Query:     []audit.Field{{Name: "page", Value: p("2")}, {Name: "email", Value: p("a@b.de")}, {Name: "alice"}},
		Principal: p("agent14"), PrincipalKind: audit.KindStaff, PrincipalVerified: true, PrincipalDeclared: true, PrincipalLabel: "Support", PrincipalOrg: "own",
		QueryKeys: []string{"page", "email", "[redacted]"}, HostShown: "shop.example.com:8443", RefererShown: "www.example.com", SNIShown: "shop.example.com",
		ClientCountry: "DE", System: "crm", Resource: "GET /v1/customers/{customer_id}", Dataset: "customers", ResourceMapped: true,
		Subjects: []audit.Subject{{Kind: "customer_id", Value: p("4711")}}, SubjectTypes: []string{"customer"}, Categories: []string{"user.contact"},
		Purpose: "support", PurposeSource: audit.PurposeStated, PurposeDocumented: true, DataUse: "essential.service", LegalBasis: "6(1)(b)",
		ServiceCountry: "DE", DestCountry: "DE", Transfer: audit.TransferNone, Labels: map[string]string{"env": "prod"},
		Found: []audit.Found{{Kind: "email", Place: "query"}, {Kind: "email", Place: "header:x-mail"}},
	}
	g := masking.NewEngine(nil, dayKeys())
	got := maskAll(t, g, e)[0]
	if !strings.HasPrefix(got.PrincipalID, "v1.") || len(got.Subjects) != 1 || !strings.HasPrefix(got.Subjects[0], "v1.") {
		t.Fatalf("tokens: %q, %q", got.PrincipalID, got.Subjects)
	}
	got.PrincipalID, got.Subjects = "", nil
	want := audit.Entry{
		SchemaVersion: audit.SchemaVersion, EventTime: at, IngestTime: at.Add(time.Second), Source: "shop", SourceFormat: "envoy:json", TimeQuality: "zoned",
		Stream: "stream", Generation: 1, Offset: 7, ParseStatus: "ok", Integrity: "ok",
		PrincipalType: "staff", PrincipalAuth: "mtls", PrincipalVerified: true, PrincipalOrg: "own", PrincipalLabel: "Support",
		PeerIP: "10.0.0.0/24", ClientIP: "203.0.113.0/24", ClientPort: 4022, XFFChain: []string{"203.0.113.0/24", "[redacted]"}, ClientCountry: "DE",
		ClientApp: "curl 8", UserAgent: "curl 8", Protocol: "http", Operation: "GET", Action: "read", ResourceType: "endpoint", SystemKey: "crm",
		URLTemplate: "GET /v1/customers/{customer_id}", Dataset: "customers", ResourceDeclared: true, QueryKeys: []string{"page", "email", "[redacted]"},
		SubjectKinds: []string{"customer_id"}, SubjectCategories: []string{"customer"}, SubjectCount: 1, Categories: []string{"user.contact"},
		FoundKinds: []string{"email", "email"}, FoundPlaces: []string{"query", "header:x-mail"},
		Purpose: "support", PurposeSource: "stated", PurposeDocumented: true, DataUse: "essential.service", LegalBasis: "6(1)(b)",
		ServiceCountry: "DE", DestCountry: "DE", TransferKind: "none", TLSVersion: "1.3", TLSCipher: "TLS_AES_256_GCM_SHA384", SNI: "shop.example.com",
		MTLSVerified: true, StatusCode: 200, Outcome: "allowed", BytesIn: 10, BytesOut: 20, DurationUS: 12000, Upstream: "10.4.1.0/24:8080",
		Labels: map[string]string{"env": "prod"}, Method: "GET", Target: "/v1/customers/{customer_id}?page=&email=&[redacted]=",
		Host: "shop.example.com:8443", Referer: "https://www.example.com", Carries: []string{"tls", "target", "outcome"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestPrincipals(t *testing.T) {
	p := plain.New
	event := func(day int, kind audit.PrincipalKind, declared bool, subjects ...audit.Subject) audit.Event {
		return audit.Event{Time: at.AddDate(0, 0, day), Principal: p("Cust-7"), PrincipalKind: kind, PrincipalDeclared: declared, Subjects: subjects}
	}
	out := maskAll(t, masking.NewEngine(nil, dayKeys()),
		event(0, audit.KindStaff, true), event(1, audit.KindStaff, true), // 0 1
		event(0, audit.KindUnknown, false), event(1, audit.KindUnknown, false), // 2 3
		event(0, audit.KindStaff, false), event(0, audit.KindRecipient, true), // 4 5
		event(0, audit.KindSelf, true, audit.Subject{Kind: "customer_id", Value: p("Cust-7")}), // 6
		audit.Event{Time: at, PrincipalKind: audit.KindAnonymous},                              // 7
	)
	id := func(i int) string { return out[i].PrincipalID }
	for _, tc := range []struct {
		name string
		ok   bool
	}{
		{"declared staff keep one token over days", id(0) == id(1) && id(0) != ""},
		{"unknown principals change with the day", id(2) != id(3) && id(2) != ""},
		{"staff and unknown are in different domains", id(0) != id(2)},
		{"undeclared staff is a subject", id(4) == id(2)},
		{"a recipient is a subject", id(5) == id(2)},
		{"self has the token of its subject", id(6) == out[6].Subjects[0] && out[6].PrincipalType == "self"},
		{"anonymous has none", id(7) == ""},
	} {
		if !tc.ok {
			t.Error(tc.name)
		}
	}
}

func TestKafkaEntry(t *testing.T) {
	p := plain.New
	e := audit.Event{
		Time: at, Protocol: "kafka", Method: p("READ"), Operation: "READ", Action: audit.ActionRead, ResourceType: p("Group"), ResourceName: p("alice's group"),
		Resource: "group {id}", PeerAddr: p("alice"), PurposeStated: p("because"), Fields: []audit.Field{{Name: "rule", Value: p("x")}},
	}
	got := maskAll(t, masking.NewEngine(nil, dayKeys()), e)[0]
	for _, s := range []struct{ name, got, want string }{
		{"type", got.ResourceType, "group"}, {"name", got.ResourceName, "{id}"}, {"peer", got.PeerIP, "[redacted]"},
		{"purpose", got.Purpose, "[redacted]"}, {"method", got.Method, ""}, {"target", got.Target, ""},
	} {
		if s.got != s.want {
			t.Errorf("%s: got %q, want %q", s.name, s.got, s.want)
		}
	}
	e.Resource, e.ResourceType = "", p("Alice")
	if got := maskAll(t, masking.NewEngine(nil, dayKeys()), e)[0]; got.ResourceName != "[redacted]" || got.ResourceType != "other" {
		t.Errorf("without a template: %q, %q", got.ResourceName, got.ResourceType)
	}
}

func TestHosts(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"name", "shop.example.com", "shown"}, {"port", "shop.example.com:8443", "shown"},
		{"address", "192.0.2.77:8080", "192.0.2.0/24:8080"}, {"ipv6", "[2001:db8:7::9]:443", "2001:db8:7::/48:443"}, {"bare ipv6", "2001:db8:7::9", "2001:db8:7::/48"},
		{"none", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := maskAll(t, masking.NewEngine(nil, dayKeys()), audit.Event{Time: at, Upstream: plain.New(tc.in), Host: plain.New(tc.in), HostShown: "shown", UpstreamShown: "shown"})[0]
			if got.Upstream != tc.want || got.Host != tc.want {
				t.Errorf("upstream: %q, host: %q, want %q", got.Upstream, got.Host, tc.want)
			}
		})
	}
	got := maskAll(t, masking.NewEngine(nil, dayKeys()), audit.Event{Time: at, Upstream: plain.New("alice's nas"), Host: plain.New("alice's nas")})[0]
	if got.Upstream != "[redacted]" || got.Host != "[redacted]" {
		t.Errorf("no host names: upstream %q, host %q", got.Upstream, got.Host)
	}
}

func TestCiphers(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"}, {"ECDHE-RSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305"},
		{"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"}, {"DES-CBC3-SHA", "DES-CBC3-SHA"},
		{"TLS_RSA_WITH_3DES_EDE_CBC_SHA", "TLS_RSA_WITH_3DES_EDE_CBC_SHA"}, {"", ""},
		{"TLS_ALICE_MEYER", "[redacted]"}, {"KND-77319", "[redacted]"}, {"128-128-128", "128-128-128"}, {strings.Repeat("AES-", 30), "[redacted]"},
	} {
		if got := maskAll(t, masking.NewEngine(nil, dayKeys()), audit.Event{Time: at, TLSCipher: plain.New(tc.in)})[0]; got.TLSCipher != tc.want {
			t.Errorf("%q: got %q, want %q", tc.in, got.TLSCipher, tc.want)
		}
	}
}

func TestReferers(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"as shown", "https://www.alice.example:8443/home?u=1", "https://shown"},
		{"address", "http://203.0.113.9/", "http://203.0.113.0/24"},
		{"data in the query", "https://www.example.com/?e=a@b.de", "https://shown"},
		{"credentials", "https://alice:pw@www.example.com/", "[redacted]"},
		{"other scheme", "javascript:alert(1)", "[redacted]"},
		{"text", "alice", "[redacted]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := maskAll(t, masking.NewEngine(nil, dayKeys()), audit.Event{Time: at, Referer: plain.New(tc.in), RefererShown: "shown"})[0].Referer; got != tc.want {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestRejectedHasNoContent(t *testing.T) {
	out := maskAll(t, masking.NewEngine(nil, dayKeys()), audit.Event{Rejected: true, Time: at, Source: "s", User: plain.New("x")})
	if d := cmp.Diff(audit.Entry{Skip: true}, out[0]); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// A line that is dated over a day ahead of its sealing has the keys of the day
// of sealing, keeps its date and is marked: else a forged date would have a key
// made that lives until then.
func TestDatedAhead(t *testing.T) {
	g := masking.NewEngine(nil, dayKeys())
	event := func(dated, sealed time.Time) audit.Event {
		return audit.Event{
			Time: dated, Received: sealed, TimeQuality: audit.TimeZoned, Session: plain.New("session"),
			Subjects: []audit.Subject{{Kind: "email", Value: plain.New("ana@example.com")}},
		}
	}
	forged := at.AddDate(70, 0, 0)
	events := []audit.Event{event(at, at), event(forged, at), event(at.Add(24*time.Hour), at), event(at, at.AddDate(0, 0, 20))}
	got := maskAll(t, g, events...)
	today, ahead, tomorrow, late := got[0], got[1], got[2], got[3]
	if !ahead.EventTime.Equal(forged) || ahead.TimeQuality != string(audit.TimeAhead) || !events[1].Time.Equal(forged) {
		t.Errorf("dated %v, marked %q", ahead.EventTime, ahead.TimeQuality)
	}
	if ahead.Subjects[0] != today.Subjects[0] || ahead.SessionID != today.SessionID {
		t.Error("a line dated ahead has not the keys of the day of sealing")
	}
	if tomorrow.Subjects[0] == today.Subjects[0] || tomorrow.TimeQuality != string(audit.TimeZoned) {
		t.Error("a line of the next day, as a clock that is off makes it, has not its own day's keys")
	}
	if late.Subjects[0] != today.Subjects[0] || late.TimeQuality != string(audit.TimeZoned) {
		t.Error("a late line has not its own day's keys")
	}
}

func TestKeyStoreFails(t *testing.T) {
	broken := errors.New("register is away")
	g := masking.NewEngine(nil, keys.NewDayKeys(&register{err: broken}, identity{}, 0))
	b := &audit.Batch{Events: []audit.Event{{Time: at, Principal: plain.New("x")}}}
	if err := g.Process(t.Context(), b); !errors.Is(err, broken) {
		t.Fatalf("got %v", err)
	}
}
