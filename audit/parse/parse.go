// Package parse turns lines into Events, one file per format.
//
// A parser reads bytes that clients can influence: it trusts no delimiter
// inside such bytes, anchors at both ends of the line and says so when a line
// can be read in two ways (integrity ambiguous). Values of an Event are
// substrings of the line; nothing is copied unless it has to be un-escaped. A
// line that does not follow its format becomes a Rejection with a column and
// what was expected there, never with a value. Meaning (operation, outcome,
// client address) is the work of package normalize. The auditor and the
// command parse call it.
package parse

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/audit/source"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/plain"
	"github.com/tallystick/tallystick/masking/plainaccess"
)

// Parser makes an Event of one line. Parse fills b.Events[i], which has to be
// there and empty, from b.Lines[i] or calls b.Reject. It is called for the
// lines of a batch in order, and by several goroutines at once on different
// batches.
type Parser interface {
	Parse(b *audit.Batch, i int)
}

// access is this package's permission to read clear values.
var access plainaccess.Token

// options are what a parser knows about its source.
type options struct {
	loc        *time.Location // for formats that write no zone; never nil
	principals []string       // locators, see source.Config.Principal
	purpose    string         // locator, "" if purposes are not stated
}

// Names are the names of the formats that have one. The families of
// FormatStrings take a server's own format string after the colon too, json a
// mapping file.
func Names() []string {
	return []string{
		"nginx:combined", "nginx:main", "nginx:vhost", "nginx:ingress",
		"apache:common", "apache:combined", "apache:vhost_combined",
		"haproxy:http", "haproxy:https", "haproxy:tcp", "haproxy:clf", "haproxy:json",
		"squid:squid", "squid:common", "squid:combined",
		"envoy:json", "envoy:als", "envoy:default", "envoy:istio",
		"traefik:clf", "traefik:generic", "traefik:json", "caddy:json",
		"kafka:authorizer", "kafka:request", "confluent:audit", "kroxylicious:json",
		"mosquitto:log", "emqx:text", "emqx:json",
	}
}

// FormatStrings are the families that take a format string, each with the
// beginning of one, and json with its mapping file.
func FormatStrings() []string {
	return []string{"nginx:$remote_addr ...", "apache:%h ...", "haproxy:%ci ...", "squid:%>a ...", "envoy:[%START_TIME%] ...", "json:FILE.yaml"}
}

// ByName returns the parser of a format for a source without a configuration:
// its time zone is UTC, its principal the remote user.
func ByName(format string) (Parser, error) {
	return compile(format, options{loc: time.UTC, principals: []string{"remote_user"}})
}

// unknownFormat explains which formats there are.
func unknownFormat(format string) error {
	return &text.Hint{
		Err:  fmt.Errorf("unknown format %q", format),
		Hint: "use one of " + strings.Join(Names(), ", ") + ", or the server's own format string: " + strings.Join(FormatStrings(), ", "),
	}
}

func compile(format string, o options) (Parser, error) {
	family, rest, _ := strings.Cut(format, ":")
	if rest == "" {
		return nil, unknownFormat(format)
	}
	name := formatName(format)
	switch family {
	case "nginx":
		return newNginx(name, rest, o)
	case "apache":
		return newApache(name, rest, o)
	case "haproxy":
		if rest != "json" {
			return newHAProxy(name, rest, o)
		}
	case "squid":
		return newSquid(name, rest, o)
	case "envoy":
		if rest != "json" && rest != "als" {
			return newEnvoyText(name, rest, o)
		}
	case "json":
		return newMapping(name, rest, o)
	}
	switch format {
	case "envoy:json":
		return newEnvoy(o), nil
	case "envoy:als":
		return newEnvoyALS(o), nil
	case "haproxy:json":
		return newHAProxyJSON(o), nil
	case "traefik:clf", "traefik:generic":
		return newTraefikCLF(format, rest, o)
	case "traefik:json":
		return newTraefikJSON(o), nil
	case "caddy:json":
		return newCaddy(o), nil
	case "kafka:authorizer":
		return newKafka(o), nil
	case "kafka:request":
		return newKafkaRequest(o), nil
	case "confluent:audit":
		return newConfluent(o), nil
	case "kroxylicious:json":
		return newKroxylicious(o), nil
	case "mosquitto:log":
		return newMosquitto(o), nil
	case "emqx:text":
		return newEMQXText(o), nil
	case "emqx:json":
		return newEMQXJSON(o), nil
	}
	return nil, unknownFormat(format)
}

// Stage parses the batches of all sources.
type Stage struct {
	parsers map[string]Parser
}

// New compiles the formats of the sources, keyed by source name.
func New(sources map[string]source.Config) (*Stage, error) {
	s := &Stage{parsers: map[string]Parser{}}
	for name, c := range sources {
		loc, err := c.Location()
		if err != nil {
			return nil, fmt.Errorf("failed to read the time zone of source %s: %w", name, err)
		}
		p, err := compile(c.Format, options{loc: loc, principals: c.Locators(), purpose: c.Purpose})
		if err != nil {
			return nil, fmt.Errorf("failed to read the format of source %s: %w", name, err)
		}
		s.parsers[name] = p
	}
	return s, nil
}

// formatName is the name of a format in entries: an operator's own format
// string is too long for that.
func formatName(format string) string {
	for _, n := range Names() {
		if n == format {
			return n
		}
	}
	switch family, _, _ := strings.Cut(format, ":"); family {
	case "nginx", "apache", "haproxy", "squid", "envoy":
		return family + ":custom"
	case "json":
		return "json:mapping"
	}
	return format
}

// Process is the stage. It sizes and clears b.Events: parse comes first. A
// batch of a source that is not configured is rejected line by line.
func (s *Stage) Process(_ context.Context, b *audit.Batch) error {
	size(b)
	p := s.parsers[b.Source]
	if l, ok := p.(*layout); ok {
		work := l.take()
		defer l.scratch.Put(work)
		p = work
	}
	for i := range b.Lines {
		clearEvent(b, i) // one by one, so that it is in the cache when its line is parsed
		if p == nil {
			b.Reject(i, audit.ReasonNoFormat, 0, "a configured source")
			continue
		}
		p.Parse(b, i)
	}
	return nil
}

// reset makes one empty Event per line.
func reset(b *audit.Batch) {
	size(b)
	for i := range b.Events {
		clearEvent(b, i)
	}
}

// size makes room for one Event per line. They hold what they held.
func size(b *audit.Batch) {
	if cap(b.Events) < len(b.Lines) {
		b.Events = append(b.Events[:cap(b.Events)], make([]audit.Event, len(b.Lines)-cap(b.Events))...)
	}
	b.Events = b.Events[:len(b.Lines)]
}

// clearEvent empties an Event and keeps the capacity of its slices.
func clearEvent(b *audit.Batch, i int) {
	// Clearing in place is twice as fast as copying a new Event there.
	e := &b.Events[i]
	forwarded, fields, query, subjects, found := e.Forwarded[:0], e.Fields[:0], e.Query[:0], e.Subjects[:0], e.Found[:0]
	*e = audit.Event{}
	e.Origin, e.Source, e.Received = b.Lines[i].Origin, b.Source, b.Received
	e.Forwarded, e.Fields, e.Query, e.Subjects, e.Found = forwarded, fields, query, subjects, found
}

// begin does what every format needs first: the clear line, if it is one that
// a parser should look at. utf8Only says that the format writes only UTF-8.
func begin(b *audit.Batch, i int, format string, utf8Only bool) (line string, e *audit.Event, ok bool) {
	return beginAfter(b, i, format, utf8Only, 0)
}

// beginAfter is begin for what follows the first skip bytes of a line.
func beginAfter(b *audit.Batch, i int, format string, utf8Only bool, skip int) (line string, e *audit.Event, ok bool) {
	l := &b.Lines[i]
	e = &b.Events[i]
	e.Format, e.ParseStatus, e.Integrity = format, audit.ParseOK, audit.IntegrityOK
	line = l.Text.Reveal(access)[skip:]
	ascii := allASCII(line) // first, so that the line is read from its beginning
	line = strings.TrimSuffix(line, "\r")
	switch {
	case l.Cut():
		b.Reject(i, audit.ReasonTooLong, 0, "a line within the limit of the tap")
		return "", e, false
	case line == "":
		b.Reject(i, audit.ReasonEmpty, 0, "a line with content")
		return "", e, false
	case ascii:
		return line, e, true
	}
	if at := strings.IndexByte(line, 0); at >= 0 {
		b.Reject(i, audit.ReasonNUL, skip+at+1, "a line without NUL bytes")
		return "", e, false
	}
	if utf8Only && !utf8.ValidString(line) {
		b.Reject(i, audit.ReasonEncoding, skip+invalidAt(line)+1, "UTF-8")
		return "", e, false
	}
	return line, e, true
}

// invalidAt is the offset of the first byte that is not UTF-8.
func invalidAt(s string) int {
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return 0
}

// addField adds a named value of the line.
func addField(e *audit.Event, name, value string) {
	if value != "" {
		e.Fields = append(e.Fields, audit.Field{Name: name, Value: plain.New(value)})
	}
}

// splitRequest splits a request line into method, target and version. A line
// that is not a request leaves the method empty and is partial.
func splitRequest(e *audit.Event, s string) {
	if s == "" {
		e.ParseStatus = audit.ParsePartial
		return
	}
	sp := strings.IndexByte(s, ' ')
	if sp <= 0 || !isToken(s[:sp]) {
		e.ParseStatus = audit.ParsePartial
		e.Target = plain.New(s)
		return
	}
	target := s[sp+1:]
	if n := len(target) - len(" HTTP/1.1"); n >= 0 && target[n] == ' ' && (target[n+1:] == "HTTP/1.1" || target[n+1:] == "HTTP/2.0") {
		target = target[:n]
	} else if last := strings.LastIndexByte(target, ' '); last >= 0 && strings.HasPrefix(target[last+1:], "HTTP/") {
		target = target[:last]
	} else if last >= 0 {
		e.ParseStatus = audit.ParsePartial
	}
	e.Method, e.Target = plain.New(s[:sp]), plain.New(target)
}

// isToken reports whether s can be an HTTP method (RFC 9110 section 9.1, and
// in practice letters, dash and underscore of at most 20 bytes).
func isToken(s string) bool {
	if len(s) == 0 || len(s) > 20 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return true
}

// splitForwarded appends the hops of an X-Forwarded-For header.
func splitForwarded(e *audit.Event, s string) {
	for s != "" && len(e.Forwarded) < 32 {
		var hop string
		hop, s, _ = strings.Cut(s, ",")
		if hop = strings.TrimSpace(hop); hop != "" && hop != "-" {
			e.Forwarded = append(e.Forwarded, plain.New(hop))
		}
	}
}

// splitAddr sets the peer from ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT.
func splitAddr(e *audit.Event, s string) {
	host, port := s, ""
	if strings.HasPrefix(s, "[") {
		if end := strings.IndexByte(s, ']'); end > 0 {
			host, port = s[1:end], strings.TrimPrefix(s[end+1:], ":")
		}
	} else if c := strings.IndexByte(s, ':'); c >= 0 && strings.LastIndexByte(s, ':') == c {
		host, port = s[:c], s[c+1:]
	}
	if host == "unix" {
		host = ""
	}
	e.PeerAddr = plain.New(host)
	if n, ok := parseUint(port); ok && n < 1<<16 {
		e.PeerPort = uint16(n)
	}
}

// userOf applies the rule that a user on 401 or 407 was not authenticated.
func userOf(e *audit.Event, how string) {
	switch {
	case e.User.Empty():
		e.Auth, e.UserVerified = "none", false
	case e.Status == 401 || e.Status == 407:
		e.Auth, e.UserVerified = "unverified", false
	default:
		e.Auth, e.UserVerified = how, true
	}
}
