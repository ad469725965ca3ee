package datamap

import (
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// templateSegments is how much of a path a derived template shows.
	templateSegments = 6
	// templatesPerSystem bounds the distinct derived templates of a system;
	// what comes later is /{other}.
	templatesPerSystem = 1000
	hidden             = "{id}"
	rest               = "{more}"
	other              = "/{other}"
)

// commonWords are the path segments that a derived template may show. None of
// them is a name of a person or place.
const commonWords = `
about access account accounts activities activity add address addresses admin alerts analytics api apis app apps archive article articles
asset assets attachments audit auth authorize avatar avatars balance bank basket batch billing blog bookings bulk bundle
cache calendar callback campaigns cancel card cards cart carts categories category certificates change chat check checkout claim claims
client clients cms collections comment comments companies complaints config configuration confirm confirmation connect consent consents
contact contacts content contracts count create css customer customers dashboard data delete deliveries delivery departments details device
devices diagnoses directory documents docs download downloads edit email emails employee employees error errors event events export exports
faq favicon.ico favorites feed feedback feeds file files find folders font fonts form forms forgot-password gallery generate get graphql group groups
health healthcheck healthz help history home hooks hr icon icons image images img import imports inbox index index.html index.php info init insurance
inventory invites invoice invoices item items job jobs js json key keys lab languages leads legal lib license list live livez loans locale locations
log login logout logs mail mails main manage manifest.json media medical member members memberships merge message messages metadata metrics mobile
modules monitor monitoring my new news newsletter notes notification notifications oauth oauth2 offers open opensearch operations options order orders
organisations organizations overview page pages partners passwords password patient patients payment payments payroll permissions person persons people photo photos
ping plans policies policy portal posts preferences prescriptions prices print privacy private product products profile profiles projects proxy
public purchase purchases query questions queue rates ready readyz receipts records refresh refunds register registration remove report reports
request requests reservations reset reset-password resources rest results returns reviews robots.txt roles root rpc rss rules salaries sales save schedule schedules
scripts search secure security send service services session sessions settings setup shared shipments shipping shop signin signout signup sign-in sign-out sitemap.xml
site sites sms src sso staff start state static stats status store stores stream students styles subscribe subscription subscriptions subscribers summary
support survey surveys sync system tags tasks team teams tenants terms test text theme themes thumbnails ticket tickets token tokens tools top topics tracking
transactions transfer transfers translations trips trust types unsubscribe update updates upload uploads url user userinfo users util v validate vendors verify version versions
video videos view views visits voucher vouchers wallet web webhook webhooks websocket wiki wishlist workers ws
app.css app.js main.css main.js style.css styles.css script.js bundle.js logo.png logo.svg apple-touch-icon.png .well-known openid-configuration security.txt jwks.json openapi.json swagger
consumer consumers producer producers internal external raw clean enriched changelog repartition dlq retry dead letter in out commands state-store
`

// Deriver makes templates for resources that the map does not declare: safe by
// construction, since each part of a template is copied from a closed list and
// none from the line. The list is common words, versions (v1 to v99) and the
// literal words of the map itself; every other segment is {id}. It is safe for
// concurrent use.
type Deriver struct {
	words  map[string]string // lower-case segment to the text to show
	keys   map[string]string // the same for keys of queries
	labels map[string]string // the same for labels of host names
	hosts  map[string]string // the same for whole host names

	shown      sync.Map // host name to what Host says of it
	shownCount atomic.Int64

	mu   sync.RWMutex
	seen map[string]*systemTemplates
}

type systemTemplates struct {
	byKey map[string]string // METHOD and derived path, interned
}

// NewDeriver returns the deriver of a map.
func NewDeriver(m *Map) *Deriver {
	d := &Deriver{words: map[string]string{}, keys: map[string]string{}, labels: map[string]string{}, hosts: map[string]string{},
		seen: map[string]*systemTemplates{}}
	for _, into := range []map[string]string{d.words, d.keys, d.labels} {
		addWords(into, commonWords)
	}
	addWords(d.keys, commonKeys)
	addWords(d.labels, commonLabels)
	for i := range m.Systems {
		for _, h := range m.Systems[i].Hosts {
			d.hosts[strings.ToLower(h)] = h
		}
	}
	for i := 1; i <= 99; i++ {
		v := "v" + itoa(i)
		d.words[v] = v
	}
	for i := range m.Resources {
		for _, s := range m.Resources[i].pattern.segments {
			if s.literal != "" {
				d.words[strings.ToLower(s.literal)] = s.literal
			}
		}
		for _, q := range m.Resources[i].pattern.query {
			d.keys[strings.ToLower(q.key)] = q.key
		}
		if p := m.Resources[i].pattern; p.kafka {
			for _, w := range strings.FieldsFunc(p.name, topicBreak) {
				d.words[strings.ToLower(w)] = w
			}
		}
	}
	return d
}

func itoa(i int) string {
	if i < 10 {
		return string(rune('0' + i))
	}
	return string([]byte{byte('0' + i/10), byte('0' + i%10)})
}

// HTTP is the template of a request: method must come from a closed list. On a
// template that was seen before it does not allocate.
func (d *Deriver) HTTP(system, method, path string) string {
	var buf [256]byte
	b := append(buf[:0], method...)
	b = append(b, ' ')
	n := 0
	for i := 0; i < len(path); {
		if path[i] == '/' {
			i++
			continue
		}
		j := strings.IndexByte(path[i:], '/')
		if j < 0 {
			j = len(path) - i
		}
		b = append(b, '/')
		if n == templateSegments {
			b = append(b, rest...)
			break
		}
		b = append(b, d.word(path[i:i+j])...)
		n++
		i += j
	}
	if n == 0 {
		b = append(b, '/')
	}
	return d.intern(system, method, b)
}

// Kafka is the template of a Kafka resource: kind must come from a closed list.
// A name is shown when each of its words is known.
func (d *Deriver) Kafka(system, kind, name string) string {
	var buf [256]byte
	b := append(buf[:0], kind...)
	b = append(b, ' ')
	start := len(b)
	for i := 0; i < len(name); {
		j := strings.IndexFunc(name[i:], topicBreak)
		if j < 0 {
			j = len(name) - i
		}
		w := d.word(name[i : i+j])
		if w == hidden || len(b) > 128 {
			b = append(b[:start], hidden...)
			break
		}
		b = append(b, w...)
		if i += j; i < len(name) {
			b = append(b, name[i])
			i++
		}
	}
	return d.intern(system, kind, b)
}

func topicBreak(r rune) bool { return r == '-' || r == '.' || r == '_' }

// word returns the listed form of a segment, or {id}.
func (d *Deriver) word(s string) string {
	if len(s) > 40 {
		return hidden
	}
	if w, ok := d.words[s]; ok {
		return w
	}
	var buf [40]byte
	b := buf[:0]
	for i := range len(s) {
		c := s[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		b = append(b, c)
	}
	if w, ok := d.words[string(b)]; ok {
		return w
	}
	return hidden
}

func (d *Deriver) intern(system, method string, template []byte) string {
	d.mu.RLock()
	if s := d.seen[system]; s != nil {
		if known, ok := s.byKey[string(template)]; ok {
			d.mu.RUnlock()
			return known
		}
	}
	d.mu.RUnlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.seen[system]
	if s == nil {
		s = &systemTemplates{byKey: map[string]string{}}
		d.seen[system] = s
	}
	if len(s.byKey) >= templatesPerSystem {
		return method + " " + other
	}
	text := string(template)
	s.byKey[text] = text
	return text
}
