package datamap_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/datamap"
)

func TestDeriver(t *testing.T) {
	m := mapOf(t, "GET /Umbrella/{x}/kwik", "topic aurora-orders")
	d := datamap.NewDeriver(m)
	for _, tc := range []struct{ name, path, want string }{
		{"words", "/api/v2/Customers/c17/orders", "GET /api/v2/customers/{id}/orders"},
		{"root", "/", "GET /"},
		{"empty", "", "GET /"},
		{"words of the map", "/umbrella/7/KWIK", "GET /Umbrella/{id}/kwik"},
		{"a name", "/users/alice.meyer@example.com", "GET /users/{id}"},
		{"a name under no noun", "/alice", "GET /{id}"},
		{"long", "/a/b/c/d/e/f/g/h", "GET /{id}/{id}/{id}/{id}/{id}/{id}/{more}"},
		{"bytes", "/users/\xff\x00", "GET /users/{id}"},
		{"version of no API", "/v1234", "GET /{id}"},
		{"long segment", "/" + strings.Repeat("a", 500), "GET /{id}"},
	} {
		if got := d.HTTP("s", "GET", tc.path); got != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, got, tc.want)
		}
	}
	for name, want := range map[string]string{"aurora-orders-raw": "topic aurora-orders-raw", "orders.v2": "topic orders.v2", "alice-inbox": "topic {id}", "": "topic "} {
		if got := d.Kafka("s", "topic", name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestDeriverIsBounded(t *testing.T) {
	d := datamap.NewDeriver(datamap.Empty())
	distinct := map[string]bool{}
	for i := range 5000 {
		distinct[d.HTTP("s", "GET", fmt.Sprintf("/v%d/v%d/v%d", i%17+1, i/17%17+1, i/289+1))] = true
	}
	if len(distinct) != 1001 || !distinct["GET /{other}"] {
		t.Fatalf("%d distinct templates", len(distinct))
	}
	if got := d.HTTP("other system", "GET", "/v1"); got != "GET /v1" {
		t.Fatalf("the bound of one system reaches another: %q", got)
	}
}

// Whatever the path is, a template is made of listed parts alone.
func FuzzDeriver(f *testing.F) {
	f.Add("/users/alice/orders")
	f.Add("topic.name-x_y")
	f.Add("/Ærø/%41/\x00")
	vocabulary := map[string]bool{"{id}": true, "{more}": true, "{other}": true, "": true}
	for w := range strings.FieldsSeq(datamap.CommonWords) {
		vocabulary[w] = true
	}
	for i := 1; i < 100; i++ {
		vocabulary[fmt.Sprint("v", i)] = true
	}
	d := datamap.NewDeriver(datamap.Empty())
	f.Fuzz(func(t *testing.T, path string) {
		for part := range strings.SplitSeq(strings.TrimPrefix(d.HTTP("s", "GET", path), "GET "), "/") {
			if !vocabulary[part] {
				t.Fatalf("template shows %q", part)
			}
		}
		for part := range strings.FieldsFuncSeq(strings.TrimPrefix(d.Kafka("s", "topic", path), "topic "), func(r rune) bool { return strings.ContainsRune("-._", r) }) {
			if !vocabulary[part] && part != "{id}" {
				t.Fatalf("topic template shows %q", part)
			}
		}
	})
}

func TestDraft(t *testing.T) {
	got := datamap.Draft([]datamap.Seen{
		{System: "shop", Template: "GET /v1/customers/{id}", Count: 40},
		{System: "shop", Template: "GET /search", QueryKeys: []string{"page", "email"}, Count: 7},
		{System: "shop", Template: "GET /static/{id}", Count: 100}, {System: "shop", Template: "GET /static/css/app.css", Count: 50},
		{System: "shop", Template: "GET /{id}/{id}/{id}/{id}/{id}/{id}/{more}", Count: 2},
		{System: "shop", Template: "GET /{other}", Count: 2},
		{System: "events", Template: "topic orders", Count: 3}, {System: "events", Template: "topic {id}", Count: 1},
	})
	m, err := datamap.Parse("datamap.yaml", got)
	if err != nil {
		t.Fatalf("%v\n%s", err, got)
	}
	var matches []string
	for _, r := range m.Resources {
		matches = append(matches, r.Match)
	}
	want := []string{"GET /static/*", "GET /v1/customers/{subject:customer_id}", "GET /search?email={subject:email}", "topic orders",
		"GET /{id}/{id}/{id}/{id}/{id}/{id}/*", "topic *"}
	if diff := cmp.Diff(want, matches); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
	if s := string(got); !strings.Contains(s, "DECIDE") || !strings.Contains(s, "seen 150 times") {
		t.Fatal(s)
	}
	if _, err := datamap.Parse("datamap.yaml", datamap.Draft([]datamap.Seen{{System: "a", Template: "GET /", Count: 1}})); err != nil {
		t.Fatal(err)
	}
}

func BenchmarkDeriver(b *testing.B) {
	d := datamap.NewDeriver(datamap.Empty())
	b.ReportAllocs()
	for b.Loop() {
		d.HTTP("s", "GET", "/api/v1/customers/c4711/orders/9")
	}
}

func TestNamesThatClientsChoose(t *testing.T) {
	m, err := datamap.Parse("datamap.yaml", []byte(`
organisation: {name: Aurora, country: DE}
systems:
- {key: shop, name: Shop, country: DE, hosts: [Shop.Aurora.example]}
resources:
- {system: shop, match: "GET /search?mandant={subject:customer_id}"}
`))
	if err != nil {
		t.Fatal(err)
	}
	d := datamap.NewDeriver(m)
	for _, tc := range []struct{ in, want string }{
		{"shop.aurora.example", "Shop.Aurora.example"}, {"SHOP.aurora.example:8443", "Shop.Aurora.example:8443"},
		{"www.alice-meyer.example.com", "www.{id}.example.com"}, {"alice", "{id}"}, {"api.staging.aurora.example", "api.staging.{id}.example"},
		{"a.b.c.d.e.f.g.h", "{id}.{id}.{id}.{id}.{id}.{id}.{more}"}, {"x:alice", ""}, {"", ""}, {strings.Repeat("a", 300), ""},
	} {
		for range 2 { // the second time it is remembered
			if got := d.Host(tc.in); got != tc.want {
				t.Errorf("host %q: got %q, want %q", tc.in, got, tc.want)
			}
		}
	}
	for _, tc := range []struct{ in, want string }{{"page", "page"}, {"Email", "email"}, {"MANDANT", "mandant"}, {"alice", ""}, {"4111111111111111", ""}} {
		if got := d.Key(tc.in); got != tc.want {
			t.Errorf("key %q: got %q, want %q", tc.in, got, tc.want)
		}
	}
}
