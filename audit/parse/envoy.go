package parse

import (
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// envoyName is the name of the format.
const envoyName = "envoy:json"

// envoy parses the JSON access log of Envoy: json_format and typed_json_format
// with the key names of Istio, of Envoy Gateway and those that people choose.
// A key that it does not know becomes a field of the event. It also takes lines
// as container runtimes wrap them (CRI, Docker json-file).
type envoy struct {
	opt options

	// plans remember what each key means. The map is replaced, never changed;
	// grow serialises that. It holds key names of the operator's format.
	plans atomic.Pointer[map[string]*envoyPlan]
	grow  sync.Mutex
	start envoyPlan // before the first key
}

// envoyPlan is what a key means: a field with a place of its own, or the names
// under which it becomes a Field.
type envoyPlan struct {
	key     string                    // as it stands in the line
	next    atomic.Pointer[envoyPlan] // the key that came after it first: lines repeat
	field   envoyField
	name    string
	header  string // "header:" and the name in lower case
	carries audit.Carries
}

// maxPlans bounds the keys that are remembered.
const maxPlans = 1024

func newEnvoy(o options) *envoy {
	e := &envoy{opt: o}
	plans := map[string]*envoyPlan{}
	e.plans.Store(&plans)
	return e
}

// plan looks up the raw key that comes after another one.
func (p *envoy) plan(after *envoyPlan, key string) *envoyPlan {
	if pl := after.next.Load(); pl != nil && pl.key == key {
		return pl
	}
	plans := *p.plans.Load()
	pl, ok := plans[key]
	if !ok {
		pl = p.learn(key)
	}
	if pl.key != "" {
		after.next.CompareAndSwap(nil, pl)
	}
	return pl
}

// learn makes the plan of a new key, and remembers it as long as there is room.
func (p *envoy) learn(key string) *envoyPlan {
	clean, ok := unescapeJSON(key)
	if !ok {
		clean = key
	}
	clean = strings.Clone(clean)
	pl := &envoyPlan{field: envoyKeys[strings.ToLower(clean)], name: clean, header: "header:" + strings.ToLower(clean)}
	pl.carries = p.carries(pl)
	p.grow.Lock()
	defer p.grow.Unlock()
	plans := *p.plans.Load()
	if known, ok := plans[key]; ok || len(plans) >= maxPlans {
		if ok {
			return known
		}
		return pl
	}
	next := make(map[string]*envoyPlan, len(plans)+1)
	for k, v := range plans {
		next[k] = v
	}
	pl.key = strings.Clone(key)
	next[pl.key] = pl
	p.plans.Store(&next)
	return pl
}

// envoyValues are values that make a field of the event only together.
type envoyValues struct {
	seen              uint64           // bit per envoyField
	names             [numEnvoy]string // key that filled it
	time              time.Time
	timeOK, zoned     bool
	timeAt            int
	path, original    string
	direct            string
	flags, accessType string
	authority         string
}

// Parse implements Parser.
func (p *envoy) Parse(b *audit.Batch, i int) {
	line, e, ok := begin(b, i, envoyName, true)
	if !ok {
		return
	}
	body, offset := jsonBody(line)
	j := jsonScanner{s: body, clean: !hasControl(body)}
	if !j.open() {
		b.Reject(i, audit.ReasonSyntax, offset+1, "a JSON object")
		return
	}
	var g envoyValues
	pl := &p.start
	for first := true; ; first = false {
		key, value, kind, more, ok := j.member(first)
		if !ok {
			b.Reject(i, audit.ReasonSyntax, offset+j.pos+1, "a member of a JSON object")
			return
		}
		if !more {
			break
		}
		pl = p.plan(pl, key)
		if !p.set(e, &g, pl, value, kind, offset+j.pos-len(value)) {
			b.Reject(i, audit.ReasonSyntax, offset+j.pos, "a JSON string")
			return
		}
	}
	if j.space(); j.pos != len(body) {
		b.Reject(i, audit.ReasonSyntax, offset+j.pos+1, "the end of the line")
		return
	}
	if g.seen == 0 {
		b.Reject(i, audit.ReasonSyntax, offset+1, "a key of an Envoy access log, such as start_time or response_code")
		return
	}
	p.finish(b, i, &g)
}

// set handles one member.
func (p *envoy) set(e *audit.Event, g *envoyValues, pl *envoyPlan, value string, kind jsonKind, at int) bool {
	field := pl.field
	if field != eUnknown {
		if bit := uint64(1) << field; g.seen&bit == 0 {
			g.seen |= bit
			g.names[field] = pl.name
		} else if g.names[field] == pl.name {
			// Envoy writes each key once: someone else wrote this line.
			e.Integrity = audit.IntegrityAmbiguous
		} else if field != eIgnored {
			field = eUnknown // a second key for the same: the first counts
		}
	}
	if kind == jsonString {
		var ok bool
		if value, ok = unescapeJSON(value); !ok {
			return false
		}
		if value == "-" {
			value = "" // json_format writes missing values so
		}
	}
	e.Carries.TLS = e.Carries.TLS || pl.carries.TLS
	e.Carries.Purpose = e.Carries.Purpose || pl.carries.Purpose
	e.Carries.Principal = e.Carries.Principal || pl.carries.Principal
	e.Carries.Target = e.Carries.Target || pl.carries.Target
	e.Carries.Outcome = e.Carries.Outcome || pl.carries.Outcome
	switch {
	case field == eTime:
		g.timeAt = at
		g.setTime(value, p.opt.loc)
	case kind == jsonNull || value == "":
	case kind == jsonNested && value[0] == '{' && field == eUnknown:
		p.nested(e, pl.name, value, 0)
	case field == eUnknown:
		addField(e, pl.name, value)
		addField(e, pl.header, value)
	default:
		setEnvoy(e, g, field, value)
	}
	return true
}

// nested makes fields OUTER.INNER of an object's members.
func (p *envoy) nested(e *audit.Event, name, value string, depth int) {
	j := jsonScanner{s: value}
	if !j.open() || depth > 3 {
		return
	}
	for first := true; ; first = false {
		key, v, kind, more, ok := j.member(first)
		if !ok || !more {
			return
		}
		inner := name + "." + key
		switch {
		case kind == jsonNested && v[0] == '{':
			p.nested(e, inner, v, depth+1)
		case kind != jsonNull:
			if v, ok = unescapeJSON(v); ok {
				addField(e, inner, v)
			}
		}
	}
}

// carries says what a key shows, also where a line has null under it.
func (p *envoy) carries(pl *envoyPlan) audit.Carries {
	c := audit.Carries{
		TLS:     pl.field == eTLSVersion,
		Target:  pl.field == ePath || pl.field == eOriginalPath,
		Outcome: pl.field == eStatus,
		Purpose: pl.means(p.opt.purpose),
	}
	for _, l := range p.opt.principals {
		if pl.means(l) || l == "client_san" && pl.field == eCertSAN || l == "client_subject" && pl.field == eCertSubject {
			c.Principal = true
		}
	}
	return c
}

// means reports whether a locator of the configuration means this key.
func (pl *envoyPlan) means(locator string) bool {
	if name, ok := strings.CutPrefix(locator, "field:"); ok {
		return name == pl.name || strings.HasPrefix(name, pl.name) && len(name) > len(pl.name) && name[len(pl.name)] == '.'
	}
	if strings.HasPrefix(locator, "header:") {
		return strings.EqualFold(locator, pl.header)
	}
	return false
}

// finish sets what depends on several keys.
func (p *envoy) finish(b *audit.Batch, i int, g *envoyValues) {
	e := &b.Events[i]
	if !setTime(b, i, g.time, g.timeOK, g.timeAt+1, "a time such as 2006-01-02T15:04:05.000Z under start_time") {
		return
	}
	e.TimeQuality = audit.TimeAssumed
	if g.zoned {
		e.TimeQuality = audit.TimeZoned
	}
	if g.original != "" {
		g.path = g.original // what the client sent, before a rewrite
	}
	e.Target, e.Host = plain.New(g.path), plain.New(g.authority)
	if g.direct != "" {
		// The peer is who connected; the remote address may come from a header.
		remote := e.PeerAddr
		splitAddr(e, g.direct)
		if len(e.Forwarded) == 0 && remote.Reveal(access) != e.PeerAddr.Reveal(access) && !remote.Empty() {
			e.Forwarded = append(e.Forwarded, remote)
		}
	}
	if e.Protocol == "" {
		e.Protocol = "tcp"
		if !e.Method.Empty() || g.seen&(1<<eMethod|1<<ePath) != 0 {
			e.Protocol = "http"
		}
	}
	if e.Protocol == "http" && e.Method.Empty() {
		e.ParseStatus = audit.ParsePartial
	}
	switch t := g.accessType; {
	case t == "", strings.HasSuffix(t, "End"), t == "NotSet", t == "TcpConnectionEnd":
	default: // an intermediate record of an access that is still going on
		e.ParseStatus = audit.ParsePartial
	}
	if hasFlag(g.flags, "UAEX") {
		e.Denied, e.DenyBy = true, "authz"
	} else if hasFlag(g.flags, "RL") {
		e.Denied, e.DenyBy = true, "proxy"
	}
	if g.flags != "" {
		addField(e, "response_flags", g.flags)
	}
	e.Auth = "none"
	if !e.ClientCertSubject.Empty() || !e.ClientCertSAN.Empty() || !e.ClientCertHash.Empty() {
		// Envoy fills the peer certificate operators once the handshake is done.
		e.Auth, e.ClientCertVerified = "mtls", true
	}
}

// hasFlag reports whether flags, separated by commas, hold one.
func hasFlag(flags, flag string) bool {
	for flags != "" {
		var f string
		if f, flags, _ = strings.Cut(flags, ","); f == flag {
			return true
		}
	}
	return false
}

// criPrefix is the length of the prefix that a CRI runtime puts before a line:
// TIME stdout F, and 0 if there is none.
func criPrefix(line string) int {
	line = line[:min(len(line), 50)]
	for _, stream := range []string{" stdout F ", " stderr F "} {
		if at := strings.Index(line, stream); at > 0 && at < 40 {
			return at + len(stream)
		}
	}
	return 0
}

// dockerLine takes the line out of Docker's json-file wrapper.
func dockerLine(line string) (string, bool) {
	j := jsonScanner{s: line}
	j.open()
	_, value, kind, _, ok := j.member(true)
	if !ok || kind != jsonString {
		return "", false
	}
	inner, ok := unescapeJSON(value)
	inner = strings.TrimRight(inner, "\r\n")
	return inner, ok && strings.HasPrefix(inner, "{")
}
