package parse

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/internal/text"
	"github.com/tallystick/tallystick/masking/plain"
)

// escape is how a server makes client bytes harmless in its lines.
type escape uint8

const (
	escapeHex       escape = iota // \xNN, nginx's default: no quote inside a value
	escapeJSON                    // as in a JSON string
	escapeBackslash               // \" \\ \n \xnn: Apache, Squid inside quotes
	escapeHash                    // #NN, HAProxy: no quote inside a value
	escapeQuote                   // only \", Traefik: a backslash stays one
	escapeNone                    // not at all: Envoy's text, Squid's common and combined
)

// layout parses lines of one format string of a server: a literal, then slots
// each with the literal that follows it. It is read-only once compiled, but for
// the pool.
type layout struct {
	name     string // of the format, in entries
	what     string // what servers call the format string, for errors
	sigil    string // before a variable's name, for errors
	protocol string // "" when the line says it
	timeHint string
	head     string // literal before the first slot
	slots    []slot
	escape   escape
	utf8     bool // the server writes only UTF-8
	mtls     bool // a client's certificate is shown only once it is verified
	tail     bool // a datagram limit may cut the end off (HAProxy)
	record   int  // bytes at which the server cuts a line, 0 if it does not
	request  int  // the slot of the request, from which on a cut line counts; -1 if there is none
	loc      *time.Location
	carries  audit.Carries
	quotes   int   // double quotes in the literals
	loose    []int // client-controlled slots whose end a client could imitate
	// fallback reads a line that does not follow the format string but is one
	// of the server's; nil if there are none.
	fallback func(l *layout, b *audit.Batch, i int, line string, offset int) bool
	scratch  sync.Pool // of *scratch
}

// scratch is what parsing a line needs and another line can use again.
type scratch struct {
	spans spans
	// The last $time_local and what it says: lines of one second have the same.
	timeText [localTimeLen]byte
	time     time.Time
}

// slot is a variable of a format string.
type slot struct {
	variable
	name   string // as in the format string
	until  string // the literal after it; "" for the last
	anchor int    // offset in until of the byte to look for first
	quoted bool   // stands between double quotes, which are escaped in values
	width  int    // of a value that is always so wide, else 0
	padded bool   // blanks may stand before the value
	raw    bool   // the server escapes nothing in it
	cookie bool   // NAME=VALUE with a name of the configuration, so that - is none
	run    bool   // a number that ends where its digits do
	also   string // the bytes after the numbers that it also stands for, before the last
	blank  bool   // text without a blank, and a blank after it
	strf   *strftime
}

// piece is a literal or a variable of a format string, as a server's own lexer
// splits it.
type piece struct {
	literal string // when variable is nil
	slot    *slot
}

// maxVars bounds the variables of a format string.
const maxVars = 64

// spans are where the variables of a line begin and end.
type spans [maxVars][2]int32

// percentPieces splits a format in which a percent sign begins a variable and
// two of them are one. variable reads one after its sign and returns the rest.
func percentPieces(s string, variable func(string) ([]piece, string, error)) ([]piece, error) {
	var pieces []piece
	for s != "" {
		literal, rest, ok := strings.Cut(s, "%")
		pieces = append(pieces, piece{literal: literal})
		if !ok {
			break
		}
		if s, ok = strings.CutPrefix(rest, "%"); ok {
			pieces = append(pieces, piece{literal: "%"})
			continue
		}
		p, rest, err := variable(rest)
		if err != nil {
			return nil, err
		}
		pieces, s = append(pieces, p...), rest
	}
	return pieces, nil
}

// assemble makes the slots of the pieces.
func (l *layout) assemble(pieces []piece) error {
	before, k := "", 0
	for ; k < len(pieces) && pieces[k].slot == nil; k++ {
		l.head += pieces[k].literal
	}
	before = l.head
	for k < len(pieces) {
		s := *pieces[k].slot
		for k++; k < len(pieces) && pieces[k].slot == nil; k++ {
			s.until += pieces[k].literal
		}
		if s.until == "" && k < len(pieces) && s.width == 0 {
			return fmt.Errorf("%s: %s%s is followed at once by another variable: put a character between them", l.what, l.sigil, s.name)
		}
		s.anchor = rarest(s.until)
		if s.shape == shapeTimeLocal {
			s.width = localTimeLen
		}
		s.raw = s.raw || l.escape == escapeNone && s.client
		s.quoted = !s.raw && l.escape != escapeNone && l.escape != escapeQuote && strings.HasSuffix(before, `"`) && strings.HasPrefix(s.until, `"`)
		before = s.until
		s.decide()
		if n := len(l.slots) - 1; n >= 0 && s.counter() && l.slots[n].counter() {
			l.slots[n].also += l.slots[n].until
			l.slots[n].until, l.slots[n].anchor = s.until, s.anchor
			continue
		}
		l.slots = append(l.slots, s)
	}
	if len(l.slots) > maxVars {
		return fmt.Errorf("%s: more than %d variables", l.what, maxVars)
	}
	l.request = -1
	l.quotes = strings.Count(l.head, `"`)
	for k := range l.slots {
		l.quotes += strings.Count(l.slots[k].until, `"`)
		if f := l.slots[k].field; l.request < 0 && (f == fRequest || f == fRequestURI || f == fURI) {
			l.request = k
		}
		if v := &l.slots[k]; v.client && !v.quoted && v.until != "" && v.shape == shapeAny {
			l.loose = append(l.loose, k)
		}
	}
	return nil
}

// decide works out how the end of a value is found.
func (v *slot) decide() {
	if v.until == "" || v.width > 0 || v.quoted {
		return
	}
	switch first := v.until[0]; v.shape {
	case shapeNumber, shapeSigned, shapeSeconds:
		v.run = first != '.' && first != '+' && first != '-' && (first < '0' || first > '9')
	case shapeToken, shapeAddr:
		v.blank = first == ' '
	}
}

// counter reports whether the slot is a number that says nothing about an
// access, and one byte follows it. Slots of such numbers in a row become one.
func (v *slot) counter() bool {
	return v.run && v.field == fIgnored && len(v.until) == 1
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

// check refuses a format string without a time and works out what it can show.
func (l *layout) check(o options, hint string) error {
	var fields [numFields]bool
	has := map[string]bool{}
	for i := range l.slots {
		v := &l.slots[i]
		fields[v.field] = true
		has[v.fieldName] = true
		for _, n := range captureNames {
			has[n] = has[n] || v.field == fCaptures // which there are, its configuration says
		}
		if v.field == fTimeStrf && !v.strf.whole() {
			return fmt.Errorf("%s: the time pattern of %s%s has no full date and clock", l.what, l.sigil, v.name)
		}
	}
	if !fields[fTimeLocal] && !fields[fTimeISO] && !fields[fMsec] && !fields[fTimeClock] && !fields[fTimeStrf] && !fields[fEpoch] && !fields[fTimeAny] {
		return &text.Hint{Err: fmt.Errorf("%s: it has no time", l.what), Hint: hint}
	}
	l.loc = o.loc
	l.carries = carriesOf(o, &fields, has)
	return nil
}

// carriesOf says what a format with these fields shows.
func carriesOf(o options, fields *[numFields]bool, has map[string]bool) audit.Carries {
	c := audit.Carries{
		TLS:     fields[fTLSVersion],
		Target:  fields[fRequest] || fields[fRequestURI] || fields[fURI] || fields[fResourceName],
		Outcome: fields[fStatus] || fields[fTermination] || fields[fDenied] || fields[fAllowed],
		Purpose: o.purpose != "" && has[locatorField(o.purpose)],
	}
	for _, p := range o.principals {
		switch p {
		case "remote_user":
			c.Principal = c.Principal || fields[fUser]
		case "client_subject":
			c.Principal = c.Principal || fields[fCertSubject]
		case "client_san":
			c.Principal = c.Principal || fields[fCertSAN]
		default:
			c.Principal = c.Principal || has[locatorField(p)]
		}
	}
	return c
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
func (l *layout) Parse(b *audit.Batch, i int) {
	line, e, ok := begin(b, i, l.name, l.utf8)
	if !ok {
		return
	}
	if line[0] == '<' && l.head == "" { // syslog
		if cut := carrier(line); cut > 0 {
			l.parse(b, i, e, line[cut:], cut)
			return
		}
	}
	l.parse(b, i, e, line, 0)
}

// parse parses a line of which the first offset bytes were taken off.
func (l *layout) parse(b *audit.Batch, i int, e *audit.Event, line string, offset int) bool {
	e.Protocol, e.Carries = l.protocol, l.carries
	work, _ := l.scratch.Get().(*scratch)
	if work == nil {
		work = &scratch{}
	}
	defer l.scratch.Put(work)
	m := layoutMatch{l: l, line: line, sp: &work.spans, budget: 1024}
	if !m.run() {
		if cut := carrier(line); offset == 0 && cut > 0 {
			return l.parse(b, i, e, line[cut:], cut)
		}
		if l.fallback != nil && l.fallback(l, b, i, line, offset) {
			return !e.Rejected
		}
		m.full = len(line)+offset == l.record
		if !l.tail && !m.full || l.request < 0 || !m.cutShort() {
			b.Reject(i, audit.ReasonSyntax, offset+m.far+1, m.expected())
			return false
		}
		e.ParseStatus, e.Integrity = audit.ParseTruncated, audit.IntegrityTruncated
	} else if m.ambiguous() {
		e.Integrity = audit.IntegrityAmbiguous
	}
	return l.fill(b, i, line, work, offset)
}

// fill sets the event from the spans.
func (l *layout) fill(b *audit.Batch, i int, line string, work *scratch, offset int) bool {
	e, sp := &b.Events[i], &work.spans
	escaped := l.hasEscape(line)
	g := values{loc: l.loc, work: work}
	for k := range l.slots {
		v := &l.slots[k]
		if v.field == fIgnored {
			continue
		}
		s := line[sp[k][0]:sp[k][1]]
		if s == "" && v.field != fRequest || s == "-" {
			if v.field == fRequest {
				e.ParseStatus = audit.ParsePartial
			}
			continue
		}
		if escaped && !v.raw && v.field != fCaptures {
			var ok bool
			if s, ok = l.unescape(s); !ok {
				b.Reject(i, audit.ReasonSyntax, offset+int(sp[k][0])+1, "a JSON string for "+l.sigil+v.name)
				return false
			}
		}
		if !g.set(e, v, s) {
			b.Reject(i, audit.ReasonSyntax, offset+int(sp[k][0])+1, v.shape.String()+" for "+l.sigil+v.name)
			return false
		}
		if g.timed && g.timeAt == 0 {
			g.timeAt = offset + int(sp[k][0]) + 1
		}
	}
	if g.flags != "" {
		setFlags(e, g.flags)
	}
	if l.mtls && (!e.ClientCertSubject.Empty() || !e.ClientCertSAN.Empty() || !e.ClientCertHash.Empty()) {
		e.ClientCertVerified = true
	}
	if e.Protocol == "" {
		e.Protocol = "tcp"
		if !e.Method.Empty() || !e.Target.Empty() || strings.HasPrefix(g.version, "HTTP/") {
			e.Protocol = "http"
			if e.Method.Empty() && e.ParseStatus == audit.ParseOK {
				e.ParseStatus = audit.ParsePartial
			}
		}
	}
	g.finish(b, i, l.timeHint)
	return !e.Rejected
}

// hasEscape reports whether anything in the line may be escaped.
func (l *layout) hasEscape(line string) bool {
	switch l.escape {
	case escapeHash:
		return strings.IndexByte(line, '#') >= 0
	case escapeNone:
		return false
	}
	return strings.IndexByte(line, '\\') >= 0
}

func (l *layout) unescape(s string) (string, bool) {
	switch l.escape {
	case escapeJSON:
		return unescapeJSON(s)
	case escapeBackslash:
		return unescapeBackslash(s), true
	case escapeHash:
		return unescapeHash(s), true
	case escapeQuote:
		return strings.ReplaceAll(s, `\"`, `"`), true
	}
	return unescapeHex(s), true
}

// addCaptures makes the fields capture.0, capture.1... of HAProxy's captured
// headers: {a|b}, or quoted ones in a row.
func addCaptures(e *audit.Event, s string) {
	s = strings.TrimSpace(s)
	quoted := strings.HasPrefix(s, `"`)
	if !quoted {
		s = strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	}
	for n := 0; n < len(captureNames); n++ {
		var v string
		more := false
		if quoted {
			if !strings.HasPrefix(s, `"`) {
				return
			}
			v, s, _ = strings.Cut(s[1:], `"`)
			s = strings.TrimPrefix(s, " ")
			more = s != ""
		} else {
			v, s, more = strings.Cut(s, "|")
		}
		if v != "" && v != "-" {
			e.Fields = append(e.Fields, audit.Field{Name: captureNames[n], Value: plain.New(unescapeHash(v))})
		}
		if !more {
			return
		}
	}
}

// captureNames are the fields of captured headers, in the order of their
// declaration.
var captureNames = [...]string{"capture.0", "capture.1", "capture.2", "capture.3", "capture.4", "capture.5", "capture.6", "capture.7",
	"capture.8", "capture.9", "capture.10", "capture.11"}
