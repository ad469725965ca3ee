package datamap

import (
	"sort"
	"strings"

	"github.com/tallystick/tallystick/audit"
)

// Match is what MatchHTTP or MatchKafka found. The caller reuses it.
type Match struct {
	// Resource is nil when nothing that is declared fits.
	Resource *Resource
	// Captures[:N] are the subjects that the pattern names.
	Captures [MaxSubjects]Capture
	N        int
}

// Capture is where a subject stands: path[Start:End], or the value of query
// field Query when that is not negative.
type Capture struct {
	Kind       string
	Start, End int
	Query      int
}

// compiled are the map's indexes.
type compiled struct {
	systems  map[string]*System
	purposes map[string]*Purpose
	orgs     map[string]*Organisation
	http     map[string]*node     // by system
	kafka    map[string]kafkaTree // by system
	literals map[string]int       // principals by name
	prefixes []int                // principals with a final *, in file order
}

// node is a step of a trie over path segments.
type node struct {
	next  map[string]*node
	place *node
	// exact end here, tails take any rest; both best first.
	exact, tails []*Resource
}

// kafkaTree maps a resource type to its names.
type kafkaTree map[string]*kafkaNames

type kafkaNames struct {
	exact    map[string]*Resource
	prefixes []*Resource // longest first
}

func (m *Map) compile() {
	c := &compiled{
		systems: map[string]*System{}, purposes: map[string]*Purpose{}, orgs: map[string]*Organisation{},
		http: map[string]*node{}, kafka: map[string]kafkaTree{}, literals: map[string]int{},
	}
	m.compiled = c
	for i := range m.Systems {
		c.systems[m.Systems[i].Key] = &m.Systems[i]
	}
	for i := range m.Purposes {
		c.purposes[m.Purposes[i].Key] = &m.Purposes[i]
	}
	for i := range m.Organisations {
		c.orgs[m.Organisations[i].Key] = &m.Organisations[i]
	}
	c.orgs[Own], c.orgs[m.Organisation.Key] = &m.Organisation, &m.Organisation
	for i := range m.Resources {
		if r := &m.Resources[i]; r.pattern.kafka {
			c.addKafka(r)
		} else {
			c.addHTTP(r)
		}
	}
	for i := range m.Principals {
		name, prefix := strings.CutSuffix(m.Principals[i].Match, "*")
		if prefix {
			c.prefixes = append(c.prefixes, i)
		} else if _, ok := c.literals[name]; !ok {
			c.literals[name] = i
		}
	}
}

func (c *compiled) addHTTP(r *Resource) {
	if c.http[r.System] == nil {
		c.http[r.System] = &node{}
	}
	n := c.http[r.System]
	for _, s := range r.pattern.segments {
		next := &n.place
		if !s.placeholder {
			if n.next == nil {
				n.next = map[string]*node{}
			}
			if n.next[s.literal] == nil {
				n.next[s.literal] = &node{}
			}
			n = n.next[s.literal]
			continue
		}
		if *next == nil {
			*next = &node{}
		}
		n = *next
	}
	ends := &n.exact
	if r.pattern.tail {
		ends = &n.tails
	}
	*ends = append(*ends, r)
	sort.SliceStable(*ends, func(i, j int) bool { return better((*ends)[i], (*ends)[j]) })
}

// better ranks resources with the same path.
func better(a, b *Resource) bool {
	if x, y := a.pattern.method == "*", b.pattern.method == "*"; x != y {
		return y
	}
	if len(a.pattern.query) != len(b.pattern.query) {
		return len(a.pattern.query) > len(b.pattern.query)
	}
	return a.index < b.index
}

func (c *compiled) addKafka(r *Resource) {
	if c.kafka[r.System] == nil {
		c.kafka[r.System] = kafkaTree{}
	}
	t := c.kafka[r.System]
	if t[r.pattern.method] == nil {
		t[r.pattern.method] = &kafkaNames{exact: map[string]*Resource{}}
	}
	n := t[r.pattern.method]
	if !r.pattern.tail {
		n.exact[r.pattern.name] = r
		return
	}
	n.prefixes = append(n.prefixes, r)
	sort.SliceStable(n.prefixes, func(i, j int) bool { return len(n.prefixes[i].pattern.name) > len(n.prefixes[j].pattern.name) })
}

// walk is the state of one look-up; it stays on the stack.
type walk struct {
	path       string
	method     string
	query      []audit.Field
	start, end [maxSegments]int
	n          int
	more       bool // the path has more than maxSegments segments
}

// MatchHTTP finds the resource of a request. path is decoded and without
// query. It allocates nothing.
func (m *Map) MatchHTTP(out *Match, system, method, path string, query []audit.Field) {
	out.Resource, out.N = nil, 0
	root := m.compiled.http[system]
	if root == nil {
		return
	}
	w := walk{path: path, method: method, query: query}
	w.split()
	r := root.find(&w, 0)
	if r == nil {
		return
	}
	out.Resource = r
	for i, s := range r.pattern.segments {
		if s.kind != "" {
			out.add(Capture{Kind: s.kind, Start: w.start[i], End: w.end[i], Query: -1})
		}
	}
	for _, q := range r.pattern.query {
		if q.kind == "" {
			continue
		}
		for i := range query {
			if query[i].Name == q.key && !query[i].Value.Empty() {
				out.add(Capture{Kind: q.kind, Query: i})
			}
		}
	}
}

func (m *Match) add(c Capture) {
	if m.N < len(m.Captures) {
		m.Captures[m.N] = c
		m.N++
	}
}

// split finds the non-empty segments.
func (w *walk) split() {
	for i := 0; i < len(w.path); {
		if w.path[i] == '/' {
			i++
			continue
		}
		j := strings.IndexByte(w.path[i:], '/')
		if j < 0 {
			j = len(w.path) - i
		}
		if w.n == maxSegments {
			w.more = true
			return
		}
		w.start[w.n], w.end[w.n] = i, i+j
		w.n++
		i += j
	}
}

// find visits each node of the trie at most once.
func (n *node) find(w *walk, depth int) *Resource {
	if depth < w.n {
		if next := n.next[w.path[w.start[depth]:w.end[depth]]]; next != nil {
			if r := next.find(w, depth+1); r != nil {
				return r
			}
		}
		if n.place != nil {
			if r := n.place.find(w, depth+1); r != nil {
				return r
			}
		}
	} else if !w.more {
		if r := w.pick(n.exact); r != nil {
			return r
		}
	}
	return w.pick(n.tails)
}

func (w *walk) pick(from []*Resource) *Resource {
	for _, r := range from {
		if (r.pattern.method == w.method || r.pattern.method == "*") && w.hasKeys(r.pattern.query) {
			return r
		}
	}
	return nil
}

func (w *walk) hasKeys(keys []queryKey) bool {
next:
	for _, k := range keys {
		for i := range w.query {
			if w.query[i].Name == k.key && (k.kind == "" || !w.query[i].Value.Empty()) {
				continue next
			}
		}
		return false
	}
	return true
}

// MatchKafka finds the resource of a Kafka resource: kind is topic, group,
// cluster or transactional.
func (m *Map) MatchKafka(out *Match, system, kind, name string) {
	out.Resource, out.N = nil, 0
	n := m.compiled.kafka[system][kind]
	if n == nil {
		return
	}
	if r := n.exact[name]; r != nil {
		out.Resource = r
		return
	}
	for _, r := range n.prefixes {
		if strings.HasPrefix(name, r.pattern.name) {
			out.Resource = r
			return
		}
	}
}

// Principal returns the first rule that fits the name, or nil.
func (m *Map) Principal(name string) *Principal {
	best, ok := m.compiled.literals[name]
	if !ok {
		best = len(m.Principals)
	}
	for _, i := range m.compiled.prefixes {
		if i > best {
			break
		}
		match := m.Principals[i].Match
		if strings.HasPrefix(name, match[:len(match)-1]) {
			return &m.Principals[i]
		}
	}
	if !ok {
		return nil
	}
	return &m.Principals[best]
}
