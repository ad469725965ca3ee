package parse

import (
	"fmt"
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/plain"
)

// The log_format strings of the named nginx formats. combined is built into
// nginx, main is in the configuration of the official packages and ingress is
// upstreaminfo of ingress-nginx.
const (
	nginxCombined = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"`
	nginxMain     = nginxCombined + ` "$http_x_forwarded_for"`
	nginxVhost    = `$host ` + nginxCombined
	nginxIngress  = nginxCombined + ` $request_length $request_time [$proxy_upstream_name] [$proxy_alternative_upstream_name]` +
		` $upstream_addr $upstream_response_length $upstream_response_time $upstream_status $req_id`
)

// nginx parses lines of one log_format: a literal, then variables each with
// the literal that follows it.
type nginx struct {
	name    string
	head    string // literal before the first variable
	vars    []nginxVar
	json    bool // escape=json; otherwise escape=default
	carries audit.Carries
	loose   []int // client-controlled variables whose end a client could imitate
}

// nginxVar is a variable of a log_format.
type nginxVar struct {
	variable
	name   string // as in the log_format, without the dollar sign
	until  string // the literal after it; "" for the last
	anchor int    // offset in until of the byte to look for first
	quoted bool   // stands between double quotes, which are escaped in values
}

// maxVars bounds the variables of a log_format.
const maxVars = 64

// spans are where the variables of a line begin and end.
type spans [maxVars][2]int32

// newNginx compiles a named format or a log_format string.
func newNginx(name, format string, o options) (*nginx, error) {
	switch format {
	case "combined":
		format = nginxCombined
	case "main":
		format = nginxMain
	case "vhost":
		format = nginxVhost
	case "ingress":
		format = nginxIngress
	}
	if !strings.Contains(format, "$") {
		return nil, unknownFormat("nginx:" + format)
	}
	f, escape, err := logFormat(format)
	if err != nil {
		return nil, err
	}
	n := &nginx{name: name, json: escape == "json"}
	if err := n.compile(f); err != nil {
		return nil, err
	}
	return n, n.check(o)
}

// logFormat takes the string out of a log_format directive as it stands in
// nginx.conf. A string without the directive is taken as it is; escape=json
// may stand before it.
func logFormat(s string) (format, escape string, err error) {
	escape = "default"
	s = strings.TrimSpace(s)
	directive := false
	if rest, ok := strings.CutPrefix(s, "log_format "); ok {
		_, s, _ = strings.Cut(strings.TrimSpace(rest), " ")
		directive = true
	}
	if rest, ok := strings.CutPrefix(strings.TrimSpace(s), "escape="); ok {
		escape, s, _ = strings.Cut(rest, " ")
	}
	if escape != "default" && escape != "json" {
		return "", "", &text.Hint{
			Err:  fmt.Errorf("log_format with escape=%s: its lines can be forged by any client", escape),
			Hint: "use escape=json or escape=default in nginx.conf",
		}
	}
	if s = strings.TrimSpace(s); !directive && !strings.HasPrefix(s, "'") {
		return s, escape, nil
	}
	var b strings.Builder
	for s = strings.TrimSuffix(s, ";"); strings.TrimSpace(s) != ""; {
		s = strings.TrimSpace(s)
		q := s[0]
		end := -1
		if q == '\'' || q == '"' {
			end = strings.IndexByte(s[1:], q)
		}
		if end < 0 {
			return "", "", fmt.Errorf("log_format: a quoted string is missing its end")
		}
		b.WriteString(s[1 : 1+end])
		s = s[end+2:]
	}
	return b.String(), escape, nil
}

// compile splits a log_format string into literals and variables.
func (n *nginx) compile(s string) error {
	at := strings.IndexByte(s, '$')
	n.head, s = s[:at], s[at:]
	before := n.head
	for s != "" {
		name, rest, err := variableName(s[1:])
		if err != nil {
			return err
		}
		lit := rest
		if d := strings.IndexByte(rest, '$'); d >= 0 {
			lit = rest[:d]
		}
		if lit == "" && rest != "" {
			return fmt.Errorf("log_format: $%s is followed at once by another variable: put a character between them", name)
		}
		n.vars = append(n.vars, nginxVar{
			variable: nginxVariable(name), name: name, until: lit, anchor: rarest(lit),
			quoted: strings.HasSuffix(before, `"`) && strings.HasPrefix(lit, `"`),
		})
		before, s = lit, rest[len(lit):]
	}
	if len(n.vars) > maxVars {
		return fmt.Errorf("log_format: more than %d variables", maxVars)
	}
	for k := range n.vars {
		if v := &n.vars[k]; v.client && !v.quoted && v.until != "" {
			n.loose = append(n.loose, k)
		}
	}
	return nil
}

// rarest is the offset of the byte of a literal that a line has least often: no
// space, and rather a sign than a letter or digit.
func rarest(lit string) int {
	best, score := 0, 0
	for i := 0; i < len(lit); i++ {
		n := 2
		switch c := lit[i]; {
		case c == ' ':
			n = 1
		case strings.IndexByte(`[]"{}|<>`, c) >= 0:
			n = 3
		}
		if n > score {
			best, score = i, n
		}
	}
	return best
}

// variableName reads the name after a dollar sign, also in braces.
func variableName(s string) (name, rest string, err error) {
	if in, ok := strings.CutPrefix(s, "{"); ok {
		name, rest, ok = strings.Cut(in, "}")
		if !ok {
			return "", "", fmt.Errorf("log_format: ${ without }")
		}
		return name, rest, nil
	}
	end := strings.IndexFunc(s, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
	if end < 0 {
		end = len(s)
	}
	if end == 0 {
		return "", "", fmt.Errorf("log_format: a dollar sign without a variable")
	}
	return s[:end], s[end:], nil
}

// check refuses a format that cannot become entries and works out what it can
// show.
func (n *nginx) check(o options) error {
	has := map[string]bool{}
	var fields [numFields]bool
	for _, v := range n.vars {
		fields[v.field] = true
		has[v.fieldName] = true
	}
	if !fields[fTimeLocal] && !fields[fTimeISO] && !fields[fMsec] {
		return &text.Hint{Err: fmt.Errorf("log_format: it has no time"), Hint: "add $time_iso8601 to the log_format"}
	}
	n.carries = audit.Carries{
		TLS:     fields[fTLSVersion],
		Target:  fields[fRequest] || fields[fRequestURI] || fields[fURI],
		Outcome: fields[fStatus],
		Purpose: o.purpose != "" && has[locatorField(o.purpose)],
	}
	for _, p := range o.principals {
		switch p {
		case "remote_user":
			n.carries.Principal = n.carries.Principal || fields[fUser]
		case "client_subject":
			n.carries.Principal = n.carries.Principal || fields[fCertSubject]
		case "client_san": // nginx has no variable for it
		default:
			n.carries.Principal = n.carries.Principal || has[locatorField(p)]
		}
	}
	return nil
}

// locatorField is the name that an Event's field has for a locator of the
// configuration: field:NAME or header:NAME.
func locatorField(locator string) string {
	if h, ok := strings.CutPrefix(locator, "header:"); ok {
		return "header:" + strings.ToLower(h)
	}
	return strings.TrimPrefix(locator, "field:")
}

// Parse implements Parser.
func (n *nginx) Parse(b *audit.Batch, i int) {
	// escape=default leaves only ASCII; escape=json copies the client's bytes.
	line, e, ok := begin(b, i, n.name, !n.json)
	if !ok {
		return
	}
	e.Protocol, e.Carries = "http", n.carries
	var sp spans
	m := nginxMatch{n: n, line: line, sp: &sp, budget: 1024}
	if !m.run() {
		b.Reject(i, audit.ReasonSyntax, m.far+1, m.expected())
		return
	}
	if m.ambiguous() {
		e.Integrity = audit.IntegrityAmbiguous
	}
	n.fill(b, i, line, &sp)
}

// nginxValues are values that make a field of the event only together.
type nginxValues struct {
	uri, args, serverName, realip string
	time                          time.Time
	timeOK, timed                 bool
	timeAt                        int
}

// fill sets the event from the spans.
func (n *nginx) fill(b *audit.Batch, i int, line string, sp *spans) {
	e := &b.Events[i]
	escaped := strings.IndexByte(line, '\\') >= 0
	var g nginxValues
	for k := range n.vars {
		v := &n.vars[k]
		if v.field == fIgnored {
			continue
		}
		s := line[sp[k][0]:sp[k][1]]
		if s == "" && v.field != fRequest || s == "-" {
			continue
		}
		if escaped {
			if n.json {
				var ok bool
				if s, ok = unescapeJSON(s); !ok {
					b.Reject(i, audit.ReasonSyntax, int(sp[k][0])+1, "a JSON string for $"+v.name)
					return
				}
			} else {
				s = unescapeHex(s)
			}
		}
		if !g.set(e, v, s) {
			b.Reject(i, audit.ReasonSyntax, int(sp[k][0])+1, v.shape.String()+" for $"+v.name)
			return
		}
		if g.timed && g.timeAt == 0 {
			g.timeAt = int(sp[k][0]) + 1
		}
	}
	g.finish(b, i)
}

// finish sets what depends on several variables.
func (g *nginxValues) finish(b *audit.Batch, i int) {
	e := &b.Events[i]
	if !setTime(b, i, g.time, g.timeOK, g.timeAt, "a time such as 02/Jan/2006:15:04:05 -0700") {
		return
	}
	e.TimeQuality = audit.TimeZoned
	if e.Target.Empty() && g.uri != "" {
		if g.args != "" {
			g.uri += "?" + g.args
		}
		e.Target = plain.New(g.uri)
	}
	if e.Host.Empty() {
		e.Host = plain.New(g.serverName)
	}
	if g.realip != "" {
		// The realip module put the client into $remote_addr.
		if client := e.PeerAddr.Reveal(access); client != g.realip {
			e.Forwarded = append(e.Forwarded[:0], plain.New(client))
			e.PeerAddr, e.PeerPort = plain.New(g.realip), 0
		}
	}
	how := "basic"
	if e.User.Empty() && e.ClientCertVerified {
		how = "mtls"
	}
	userOf(e, how)
	if e.User.Empty() && e.ClientCertVerified {
		e.Auth = "mtls"
	}
}
