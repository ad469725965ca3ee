package datamap_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/datamap"
	"github.com/tallystick/tallystick/masking/plain"
)

const mapHead = "organisation: {name: A, country: DE}\nsystems: [{key: s}, {key: t}]\nresources:\n"

func mapOf(t testing.TB, patterns ...string) *datamap.Map {
	t.Helper()
	var b strings.Builder
	b.WriteString(mapHead)
	for _, p := range patterns {
		fmt.Fprintf(&b, "- {system: s, match: %q}\n", p)
	}
	m, err := datamap.Parse("m", []byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func fields(pairs ...string) []audit.Field {
	var out []audit.Field
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		out = append(out, audit.Field{Name: k, Value: plain.New(v)})
	}
	return out
}

func TestMatchHTTP(t *testing.T) {
	m := mapOf(t, "GET /v1/customers/{subject:customer_id}", "* /v1/customers/{subject:customer_id}", "GET /v1/customers/me",
		"GET /v1/{kind}/{subject:id}/orders/{order}", "GET /search?email={subject:email}", "GET /search?email={subject:email}&page", "GET /search",
		"GET /static/*", "* /*", "GET /a/{x}/c", "GET /a/b/*", "POST /pay/{subject:account}?to={subject:account}")
	for _, tc := range []struct {
		name, method, path string
		query              []audit.Field
		want, subjects     string
	}{
		{"segment", "GET", "/v1/customers/c17", nil, "GET /v1/customers/{subject:customer_id}", "customer_id=c17"},
		{"other method", "PUT", "/v1/customers/c17", nil, "* /v1/customers/{subject:customer_id}", "customer_id=c17"},
		{"literal first", "GET", "/v1/customers/me", nil, "GET /v1/customers/me", ""},
		{"literal of another method", "PUT", "/v1/customers/me", nil, "* /v1/customers/{subject:customer_id}", "customer_id=me"},
		{"slashes", "GET", "//v1/customers//c17/", nil, "GET /v1/customers/{subject:customer_id}", "customer_id=c17"},
		{"deep", "GET", "/v1/suppliers/4/orders/9", nil, "GET /v1/{kind}/{subject:id}/orders/{order}", "id=4"},
		{"query", "GET", "/search", fields("q=x", "email=a@b.example"), "GET /search?email={subject:email}", "email=a@b.example"},
		{"query twice", "GET", "/search", fields("email=a@b.example", "email=c@d.example"), "GET /search?email={subject:email}", "email=a@b.example email=c@d.example"},
		{"more keys win", "GET", "/search", fields("email=a@b.example", "page="), "GET /search?email={subject:email}&page", "email=a@b.example"},
		{"empty value", "GET", "/search", fields("email="), "GET /search", ""},
		{"tail", "GET", "/static/css/x/y.css", nil, "GET /static/*", ""},
		{"tail itself", "GET", "/static", nil, "GET /static/*", ""},
		{"root", "GET", "/", nil, "* /*", ""},
		{"literal tail before placeholder", "GET", "/a/b/c", nil, "GET /a/b/*", ""},
		{"back from a dead end", "GET", "/a/x/c", nil, "GET /a/{x}/c", ""},
		{"path and query", "POST", "/pay/1", fields("to=2"), "POST /pay/{subject:account}?to={subject:account}", "account=1 account=2"},
		{"very deep", "GET", strings.Repeat("/a", 60), nil, "* /*", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out datamap.Match
			m.MatchHTTP(&out, "s", tc.method, tc.path, tc.query)
			got, subjects := render(&out, tc.path, tc.query)
			if got != tc.want || subjects != tc.subjects {
				t.Fatalf("got %q %q, want %q %q", got, subjects, tc.want, tc.subjects)
			}
		})
	}
	var out datamap.Match
	if m.MatchHTTP(&out, "t", "GET", "/search", nil); out.Resource != nil {
		t.Fatal("a pattern of another system fits")
	}
}

func TestMatchKafka(t *testing.T) {
	m := mapOf(t, "topic orders", "topic orders-*", "topic orders-eu-*", "group orders-eu", "cluster *")
	for _, tc := range []struct{ kind, name, want string }{
		{"topic", "orders", "topic orders"}, {"topic", "orders-x", "topic orders-*"}, {"topic", "orders-eu-1", "topic orders-eu-*"},
		{"topic", "order", ""}, {"group", "orders-eu", "group orders-eu"}, {"group", "orders", ""}, {"cluster", "kafka-cluster", "cluster *"},
	} {
		var out datamap.Match
		m.MatchKafka(&out, "s", tc.kind, tc.name)
		if got, _ := render(&out, "", nil); got != tc.want {
			t.Errorf("%s %s: got %q, want %q", tc.kind, tc.name, got, tc.want)
		}
	}
}

// reveal reads the values of query fields, which the package itself can't.
func render(m *datamap.Match, path string, query []audit.Field) (string, string) {
	if m.Resource == nil {
		return "", ""
	}
	var subjects []string
	for _, c := range m.Captures[:m.N] {
		v := ""
		if c.Query >= 0 {
			v = datamap.RevealForTest(query[c.Query].Value)
		} else {
			v = path[c.Start:c.End]
		}
		subjects = append(subjects, c.Kind+"="+v)
	}
	return m.Resource.Match, strings.Join(subjects, " ")
}

// naive tries every pattern and ranks those that fit by the rule of the
// package comment.
func naive(patterns []string, method, path string, keys []string) string {
	type ranked struct {
		pattern string
		rank    []int
	}
	var fit []ranked
	segs := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	for i, p := range patterns {
		pm, rest, _ := strings.Cut(p, " ")
		pp, pq, _ := strings.Cut(rest, "?")
		want := strings.FieldsFunc(pq, func(r rune) bool { return r == '&' })
		ps := strings.FieldsFunc(pp, func(r rune) bool { return r == '/' })
		tail := len(ps) > 0 && ps[len(ps)-1] == "*"
		if tail {
			ps = ps[:len(ps)-1]
		}
		ok := (pm == "*" || pm == method) && (len(ps) == len(segs) || tail && len(ps) < len(segs))
		for _, k := range want {
			ok = ok && slices.Contains(keys, k)
		}
		if !ok {
			continue
		}
		var rank []int
		for j, s := range ps {
			if s[0] == '{' {
				rank = append(rank, 1)
			} else if s == segs[j] {
				rank = append(rank, 0)
			} else {
				ok = false
			}
		}
		if !ok {
			continue
		}
		end := 0
		if tail {
			end = 2
		}
		star := 0
		if pm == "*" {
			star = 1
		}
		fit = append(fit, ranked{p, append(rank, end, star, -len(want), i)})
	}
	if len(fit) == 0 {
		return ""
	}
	return slices.MinFunc(fit, func(a, b ranked) int { return slices.Compare(a.rank, b.rank) }).pattern
}

func TestMatchHTTPAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	words, methods, keys := []string{"a", "b", "c"}, []string{"GET", "PUT"}, []string{"k", "l"}
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	for range 400 {
		var patterns []string
		seen := map[string]bool{}
		for range 1 + r.IntN(25) {
			p, id := pick(append(methods, "*"))+" ", ""
			for range r.IntN(4) {
				p += "/" + pick(append(words, "{x}", "{y}"))
			}
			if r.IntN(4) == 0 {
				p += "/*"
			}
			if strings.HasSuffix(p, " ") {
				p += "/"
			}
			if r.IntN(4) == 0 {
				p += "?" + pick(keys)
			}
			if id = strings.ReplaceAll(p, "{y}", "{x}"); !seen[id] {
				seen[id] = true
				patterns = append(patterns, p)
			}
		}
		m := mapOf(t, patterns...)
		for range 60 {
			path, method, query := "", pick(methods), []string(nil)
			for range r.IntN(5) {
				path += "/" + pick(append(words, "d"))
			}
			for _, k := range keys {
				if r.IntN(3) == 0 {
					query = append(query, k)
				}
			}
			var out datamap.Match
			m.MatchHTTP(&out, "s", method, path, fields(query...))
			got, _ := render(&out, path, nil)
			if want := naive(patterns, method, path, query); got != want {
				t.Fatalf("%s %s %v in %q: got %q, want %q", method, path, query, patterns, got, want)
			}
		}
	}
}

func FuzzMatchHTTP(f *testing.F) {
	m := mapOf(f, "GET /v1/customers/{subject:customer_id}", "GET /a/{x}/{subject:y}/*", "* /search?email={subject:email}")
	f.Add("GET", "/v1/customers/1", "email")
	f.Add("PUT", "//a//b/c/d\x00/\xff", "")
	f.Fuzz(func(t *testing.T, method, path, key string) {
		var out datamap.Match
		query := fields(key + "=v")
		m.MatchHTTP(&out, "s", method, path, query)
		for _, c := range out.Captures[:out.N] {
			if c.Query < 0 && (c.Start >= c.End || c.End > len(path) || strings.Contains(path[c.Start:c.End], "/")) {
				t.Fatalf("capture [%d:%d] of %q", c.Start, c.End, path)
			}
		}
	})
}

func BenchmarkMatchHTTP(b *testing.B) {
	var patterns []string
	for i := range 200 {
		patterns = append(patterns, fmt.Sprintf("GET /v1/things%d/{subject:customer_id}/orders/{x}", i))
	}
	m := mapOf(b, patterns...)
	paths := make([]string, 200)
	for i := range paths {
		paths[i] = fmt.Sprintf("/v1/things%d/c%d/orders/4711", i, i)
	}
	b.ReportAllocs()
	var out datamap.Match
	for i := 0; b.Loop(); i++ {
		m.MatchHTTP(&out, "s", "GET", paths[i%200], nil)
		if out.N != 1 {
			b.Fatal("no match")
		}
	}
}
