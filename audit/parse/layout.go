package parse

import (
	"strings"
	"sync"
	"time"

	"github.com/tallystick/tallystick/audit"
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
	told     []int // slots that say something about an access
	escape   escape
	utf8     bool // the server writes only UTF-8
	mtls     bool // a client's certificate is shown only once it is verified
	tail     bool // a datagram limit may cut the end off (HAProxy)
	record   int  // bytes at which the server cuts a line, 0 if it does not
	request  int  // the slot of the request, from which on a cut line counts; -1 if there is none
	loc      *time.Location
	carries  audit.Carries
	quotes   int   // double quotes in the literals
	bare     []int // slots whose values may have a quote where quotes are written as hex
	loose    []int // client-controlled slots whose end a client could imitate
	// fallback reads a line that does not follow the format string but is one
	// of the server's; nil if there are none.
	fallback func(l *layout, b *audit.Batch, i int, line string, offset int) bool
	scratch  sync.Pool // of *scratch
}

// scratch is what parsing a line needs and another line can use again. It is
// the Parser of one batch.
type scratch struct {
	l     *layout
	spans spans
	// The last $time_local and what it says: lines of one second have the same.
	timeText [localTimeLen]byte
	time     time.Time
}

// slot is a variable of a format string.
type slot struct {
	variable
	name   string  // as in the format string
	until  string  // the literal after it; "" for the last
	after  literal // the same
	ends   ending
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

// ending is how straight finds the end of a value.
type ending uint8

const (
	endsOther  ending = iota // as end finds it
	endsWide                 // it is as wide as it always is
	endsDigits               // with its digits
	endsBlank                // at the first blank
	endsQuote                // at the first quote
	endsPort                 // at the last colon before the first blank: the port's digits follow
	endsSign                 // at the first place of the rarest byte of until, as find does
)

// maxVars bounds the variables of a format string.
const maxVars = 64

// spans are where the variables of a line begin and end.
type spans [maxVars][2]int32

// Parse implements Parser.
func (l *layout) Parse(b *audit.Batch, i int) {
	work := l.take()
	work.Parse(b, i)
	l.scratch.Put(work)
}

func (l *layout) take() *scratch {
	if work, ok := l.scratch.Get().(*scratch); ok {
		return work
	}
	return &scratch{l: l}
}

// Parse implements Parser for one goroutine.
func (w *scratch) Parse(b *audit.Batch, i int) {
	line, e, ok := begin(b, i, w.l.name, w.l.utf8)
	if !ok {
		return
	}
	if line[0] == '<' && w.l.head == "" { // syslog
		if cut := carrier(line); cut > 0 {
			w.parse(b, i, e, line[cut:], cut)
			return
		}
	}
	w.parse(b, i, e, line, 0)
}

// parse parses a line of which the first offset bytes were taken off.
func (w *scratch) parse(b *audit.Batch, i int, e *audit.Event, line string, offset int) bool {
	l := w.l
	e.Protocol, e.Carries = l.protocol, l.carries
	m := layoutMatch{l: l, line: line, sp: &w.spans, budget: 1024}
	if !m.run() {
		if cut := carrier(line); offset == 0 && cut > 0 {
			return w.parse(b, i, e, line[cut:], cut)
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
	return l.fill(b, i, line, w, offset)
}

// fill sets the event from the spans.
func (l *layout) fill(b *audit.Batch, i int, line string, work *scratch, offset int) bool {
	e, sp := &b.Events[i], &work.spans
	escaped := l.hasEscape(line)
	g := values{loc: l.loc, work: work}
	for _, k := range l.told {
		v := &l.slots[k]
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
