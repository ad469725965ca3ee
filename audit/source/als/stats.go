package als

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// counters are what an Envoy says of itself. Each request and each connection of
// a TCP proxy makes one entry when it ends.
type counters struct {
	Requests    uint64 `json:"requests"` // since it started
	Active      uint64 `json:"active"`   // requests that have not ended
	Connections uint64 `json:"connections"`
	Open        uint64 `json:"open"`   // connections that have not ended
	Uptime      uint64 `json:"uptime"` // seconds
}

// ended are the accesses that have ended.
func (c *counters) ended() ends {
	return ends{HTTP: int64(c.Requests) - int64(c.Active), TCP: int64(c.Connections) - int64(c.Open)}
}

// after reports whether c can be of the same start of an Envoy as old, later.
func (c *counters) after(old *counters) bool {
	return c.Uptime >= old.Uptime && c.Requests >= old.Requests && c.Connections >= old.Connections
}

const (
	statsFilter  = `downstream_(rq|cx)_(total|active)$|^server\.uptime$`
	statsTimeout = 5 * time.Second
	maxStats     = 16 << 20 // bytes
)

// stats asks Envoys for their counters.
type stats struct {
	client   http.Client
	prefixes []string // see Config
}

func newStats(prefixes []string) *stats {
	return &stats{client: http.Client{Timeout: statsTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 1}}, prefixes: prefixes}
}

// ask reads the counters at an address of Envoy's admin interface, or at one
// that ends in /stats/prometheus.
func (s *stats) ask(ctx context.Context, address string) (counters, error) {
	u, err := url.Parse(address)
	if err != nil {
		return counters{}, fmt.Errorf("failed to read the address: %w", err)
	}
	asText := strings.HasSuffix(u.Path, "/prometheus")
	q := url.Values{"filter": {statsFilter}}
	if !asText {
		u = u.JoinPath("stats")
		q.Set("format", "json")
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return counters{}, err
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return counters{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return counters{}, fmt.Errorf("it answered %s", resp.Status)
	}
	body := io.LimitReader(resp.Body, maxStats)
	if asText {
		return s.prometheus(body)
	}
	return s.json(body)
}

// sums are figures of one answer, from which counters follow.
type sums struct {
	requests, active       uint64 // of connection managers that count
	connections            uint64 // of TCP proxies that count
	onListeners, onManager uint64 // open connections: on all listeners, and on connection managers
	uptime                 uint64 // seconds
	any                    bool
}

// add takes a figure: kind is http, tcp, listener or server.
func (s *sums) add(kind, what string, counts bool, v uint64) {
	switch {
	case kind == "server":
		s.uptime = v
		s.any = true
	case kind == "listener" && what == "cx_active":
		s.onListeners += v
	case kind == "http" && what == "cx_active":
		s.onManager += v
	case !counts:
	case kind == "http" && what == "rq_total":
		s.requests += v
	case kind == "http" && what == "rq_active":
		s.active += v
	case kind == "tcp" && what == "cx_total":
		s.connections += v
	}
}

// counters are the result. Envoy has no count of a TCP proxy's open connections:
// they are those on listeners that no connection manager has. Where something
// else has them too, that errs to the side of fewer ended ones.
func (s *sums) counters() (counters, error) {
	if !s.any {
		return counters{}, errors.New("the answer has no server.uptime: it is not from an Envoy")
	}
	c := counters{Requests: s.requests, Active: s.active, Connections: s.connections, Uptime: s.uptime}
	if c.Connections > 0 {
		c.Open = s.onListeners - min(s.onManager, s.onListeners)
	}
	return c, nil
}

func (s *stats) json(r io.Reader) (counters, error) {
	var doc struct {
		Stats []struct {
			Name  string          `json:"name"`
			Value json.RawMessage `json:"value"`
		} `json:"stats"`
	}
	if err := json.NewDecoder(r).Decode(&doc); err != nil {
		return counters{}, fmt.Errorf("failed to read its statistics: %w", err)
	}
	var sum sums
	for _, x := range doc.Stats {
		var v uint64
		if json.Unmarshal(x.Value, &v) != nil {
			continue
		}
		kind, rest, _ := strings.Cut(x.Name, ".")
		if x.Name == "server.uptime" {
			sum.add("server", "", true, v)
			continue
		}
		prefix, what, ok := cutLast(rest, ".downstream_")
		if !ok || prefix == "admin" || kind == "listener" && (strings.Contains(prefix, ".worker_") || strings.HasPrefix(prefix, "admin.")) {
			continue
		}
		sum.add(kind, what, s.counts(kind, prefix), v)
	}
	return sum.counters()
}

// prometheus reads the text format, where Envoy makes a label of the first part
// of a name and an underscore of each dot in the rest.
func (s *stats) prometheus(r io.Reader) (counters, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(r)
	if err != nil {
		return counters{}, fmt.Errorf("failed to read its statistics: %w", err)
	}
	var sum sums
	for name, f := range families {
		if name == "envoy_server_uptime" && len(f.Metric) > 0 {
			sum.add("server", "", true, value(f.Metric[0]))
			continue
		}
		for kind, label := range map[string]string{"http": "envoy_http_conn_manager_prefix", "tcp": "envoy_tcp_prefix", "listener": "envoy_listener_address"} {
			rest, ok := strings.CutPrefix(name, "envoy_"+kind+"_")
			inner, what, found := cutLast("_"+rest, "_downstream_")
			if !ok || !found || kind == "listener" && inner != "" {
				continue
			}
			for _, m := range f.Metric {
				if prefix := labelOf(m, label) + inner; prefix != "admin" {
					sum.add(kind, what, s.counts(kind, prefix), value(m))
				}
			}
		}
	}
	return sum.counters()
}

// counts reports whether what a connection manager or TCP proxy logs comes here.
func (s *stats) counts(kind, prefix string) bool {
	if s.prefixes == nil {
		return kind == "http"
	}
	plain := strings.NewReplacer(".", "_").Replace
	return slices.ContainsFunc(s.prefixes, func(p string) bool { return plain(p) == plain(prefix) })
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+len(sep):], true
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.Label {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

func value(m *dto.Metric) uint64 {
	for _, v := range []float64{m.GetCounter().GetValue(), m.GetGauge().GetValue(), m.GetUntyped().GetValue()} {
		if v > 0 {
			return uint64(v)
		}
	}
	return 0
}
