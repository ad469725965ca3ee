package als_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tallystick/tallystick/audit/source/als"
)

// The answers are those of an Envoy 1.40 with one connection manager and one TCP
// proxy, each with an open connection.
func TestCounters(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := map[string]string{"/stats": "testdata/stats.json", "/stats/prometheus": "testdata/stats.prom"}[r.URL.Path]
		b, err := os.ReadFile(name)
		if err != nil {
			http.NotFound(w, r)
		}
		_, _ = w.Write(b)
	}))
	defer server.Close()
	all := als.Counters{Requests: 6, Connections: 4, Open: 1, Uptime: 15}
	for _, c := range []struct {
		name, path string
		prefixes   []string
		want       als.Counters
	}{
		{"admin, HTTP", "", nil, als.Counters{Requests: 6, Uptime: 15}},
		{"admin, named", "/", []string{"shop.web", "db"}, all},
		{"admin, another", "", []string{"other"}, als.Counters{Uptime: 15}},
		{"Prometheus, HTTP", "/stats/prometheus", nil, als.Counters{Requests: 6, Uptime: 15}},
		{"Prometheus, named", "/stats/prometheus", []string{"shop.web", "db"}, all},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := als.Ask(t.Context(), server.URL+c.path, c.prefixes)
			if d := cmp.Diff(got, c.want); d != "" || err != nil {
				t.Errorf("%v (-got +want):\n%s", err, d)
			}
		})
	}
}

func TestCountersOfSomethingElse(t *testing.T) {
	for name, body := range map[string]string{"not JSON": "<html>", "no Envoy": `{"stats":[]}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(body)) }))
		if _, err := als.Ask(t.Context(), server.URL, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
		server.Close()
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := als.Ask(t.Context(), server.URL, nil); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v", err)
	}
}
