package parse

import (
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// kafkaName is the name of the format.
const kafkaName = "kafka:authorizer"

// The literals of an authorizer message. StandardAuthorizer (KRaft) writes
// "operation", AclAuthorizer and SimpleAclAuthorizer wrote "Operation".
const (
	kafkaPrincipal = "Principal = "
	kafkaHost      = " from host = "
	kafkaListener  = " via listener "
	kafkaResource  = " on resource = "
	kafkaRequest   = " for request = "
	kafkaCount     = " with resourceRefCount = "
	kafkaRule      = " based on rule "
	kafkaLogger    = " (kafka.authorizer.logger)"
)

// kafka parses kafka-authorizer.log of Kafka 0.x to 4.x.
//
// Principals and names of groups and transactions are free text that clients
// choose, also with line ends in them. So the beginning of a message is read
// from the left, its end from the right, and a line is ambiguous when a
// literal of the message stands in it twice, or when a line before it in the
// batch was left open: the lines after that may be a part of its name.
type kafka struct{ opt options }

func newKafka(o options) *kafka { return &kafka{opt: o} }

// Parse implements Parser.
func (k *kafka) Parse(b *audit.Batch, i int) {
	line, e, ok := begin(b, i, kafkaName, true)
	if !ok {
		return
	}
	e.Protocol = "kafka"
	e.Carries = audit.Carries{Principal: true, Target: true, Outcome: true}
	line, offset := kafkaCarrier(line)
	inOpen := i > 0 && b.Events[i-1].Format == kafkaName && b.Events[i-1].ParseStatus == audit.ParsePartial
	h, ok := k.header(line)
	msg := strings.Index(line, kafkaPrincipal)
	if !ok || msg < h.end || msg < 0 || strings.Contains(line[h.end:msg], " is ") {
		// A continuation, a stack trace, or another message of the logger. It
		// closes an open record when it ends as a record does.
		if inOpen && !strings.HasSuffix(line, kafkaLogger) {
			e.ParseStatus = audit.ParsePartial
		}
		column := offset + 1
		if ok {
			column = offset + h.end + 1
		}
		b.Reject(i, audit.ReasonSyntax, column, "a time and an authorizer message that begins with Principal")
		return
	}
	m := kafkaMessage{line: line, needsLogger: h.bracketed}
	if !m.read(msg + len(kafkaPrincipal)) {
		b.Reject(i, audit.ReasonSyntax, offset+m.at+1, m.expected)
		return
	}
	if !setTime(b, i, h.time, h.timeOK, offset+h.timeAt+1, "a time such as 2006-01-02 15:04:05,000") {
		return
	}
	e.TimeQuality = audit.TimeAssumed
	if h.zoned {
		e.TimeQuality = audit.TimeZoned
	}
	m.fill(e)
	if h.level == "TRACE" {
		// Kafka logs checks that only filter a listing at TRACE: nothing was
		// asked for by name, and a denial is no refused access.
		addField(e, "check", "filter")
	}
	if m.open || inOpen && !m.closes {
		e.ParseStatus = audit.ParsePartial
	}
	if m.open || inOpen || m.repeated {
		e.Integrity = audit.IntegrityAmbiguous
	}
}

// kafkaMessage is what stands in an authorizer message.
type kafkaMessage struct {
	line        string
	needsLogger bool // the layout writes the logger's name at the end

	principalType, principal  string
	allowed                   bool
	operation, host, listener string
	resourceType, pattern     string
	resource                  string
	request, rule             string
	open                      bool // the end of the record is missing
	closes                    bool // more than one record ends here
	repeated                  bool // a literal stands in the line twice

	at       int // where reading failed
	expected string
}

// read reads the message whose principal begins at pos.
func (m *kafkaMessage) read(pos int) bool {
	end := m.tail()
	s := m.line[:end]
	m.principalType, pos = m.until(s, pos, ":", "a principal such as User:name")
	if m.expected != "" {
		return false
	}
	verdict, op := kafkaVerdict(s[pos:])
	if verdict < 0 {
		m.fail(pos, "is Allowed or is Denied, and an operation")
		return false
	}
	m.principal = s[pos : pos+verdict]
	m.allowed = strings.HasPrefix(s[pos+verdict:], " is Allowed")
	if again, _ := kafkaVerdict(s[pos+op:]); again >= 0 {
		m.repeated = true
	}
	pos += op
	if m.operation, pos = m.until(s, pos, kafkaHost, "an operation and from host"); m.expected != "" {
		return false
	}
	if m.host, pos = m.until(s, pos, kafkaResource, "a host and on resource"); m.expected != "" {
		return false
	}
	m.host, m.listener, _ = strings.Cut(m.host, kafkaListener)
	if strings.IndexByte(m.host, ' ') >= 0 || strings.IndexByte(m.operation, ' ') >= 0 {
		m.repeated = true
	}
	m.repeated = m.repeated || strings.Contains(s[pos:], kafkaResource) || find(s, kafkaRequest, kafkaRequestQ, pos) >= 0 || find(s, kafkaLogger, kafkaLoggerZ, pos) >= 0
	if m.resourceType, pos = m.until(s, pos, ":", "a resource such as Topic:LITERAL:name"); m.expected != "" {
		return false
	}
	m.resource = s[pos:]
	for _, p := range [...]string{"LITERAL", "PREFIXED", "MATCH", "ANY"} {
		if rest, ok := strings.CutPrefix(m.resource, p+":"); ok {
			m.pattern, m.resource = p, rest
			break
		}
	}
	return true
}

// tail reads the end of the message from the right and returns where the
// resource ends.
func (m *kafkaMessage) tail() int {
	s := m.line
	if strings.HasSuffix(s, "]") { // a layout that ends with the thread
		if at := strings.LastIndex(s, kafkaLogger+" ["); at >= 0 {
			s = s[:at+len(kafkaLogger)]
		}
	}
	if cut, ok := strings.CutSuffix(s, kafkaLogger); ok {
		s = cut
		if find(s, kafkaLogger, kafkaLoggerZ, 0) >= 0 {
			m.closes, m.repeated = true, true
		}
	} else if m.needsLogger {
		m.open = true
	}
	end := len(s)
	if at := lastRequest(s); at >= 0 {
		rest := s[at+len(kafkaRequest):]
		if req, count, ok := strings.Cut(rest, kafkaCount); ok && strings.IndexByte(req, ' ') < 0 {
			m.request, end = req, at
			_, m.rule, _ = strings.Cut(count, kafkaRule)
			return end
		}
	}
	return end
}

// Where the rarest byte of a literal stands in it.
const (
	kafkaRequestQ = 7  // q
	kafkaLoggerZ  = 15 // z
)

// lastRequest is where the last kafkaRequest begins in s, -1 if there is none.
func lastRequest(s string) int {
	at := -1
	for {
		next := find(s, kafkaRequest, kafkaRequestQ, at+1)
		if next < 0 {
			return at
		}
		at = next
	}
}

// until reads up to a literal and returns what was before it and the position
// after it.
func (m *kafkaMessage) until(s string, pos int, literal, expected string) (string, int) {
	if pos > len(s) {
		m.fail(len(s), expected)
		return "", pos
	}
	j := strings.Index(s[pos:], literal)
	if j < 0 {
		m.fail(pos, expected)
		return "", pos
	}
	return s[pos : pos+j], pos + j + len(literal)
}

func (m *kafkaMessage) fail(at int, expected string) { m.at, m.expected = at, expected }

// kafkaVerdict finds " is Allowed operation = " or its variants: where it
// begins and where the operation does, -1 if there is none.
func kafkaVerdict(s string) (begin, operation int) {
	for from := 0; ; {
		j := strings.Index(s[from:], " is ")
		if j < 0 {
			return -1, 0
		}
		begin = from + j
		rest := s[begin+len(" is "):]
		for _, word := range [...]string{"Allowed ", "Denied "} {
			r, ok := strings.CutPrefix(rest, word)
			if !ok {
				continue
			}
			for _, op := range [...]string{"operation = ", "Operation = "} {
				if strings.HasPrefix(r, op) {
					return begin, begin + len(" is ") + len(word) + len(op)
				}
			}
		}
		from = begin + 1
	}
}

// fill sets the event.
func (m *kafkaMessage) fill(e *audit.Event) {
	e.Method = plain.New(m.operation)
	e.PeerAddr = plain.New(m.host)
	e.ResourceType, e.ResourceName = plain.New(m.resourceType), plain.New(m.resource)
	e.Denied = !m.allowed
	if e.Denied {
		e.DenyBy = "authz"
	}
	switch {
	case m.principal == "ANONYMOUS" || m.principal == "":
		e.Auth = "none"
	default:
		e.User, e.UserVerified = plain.New(m.principal), true
		if e.Auth = "sasl"; strings.Contains(m.principal, "CN=") {
			e.Auth = "mtls"
		}
	}
	addField(e, "principal_type", m.principalType)
	addField(e, "pattern", m.pattern)
	addField(e, "listener", m.listener)
	addField(e, "request", m.request)
	rule, _, _ := strings.Cut(m.rule, "(")
	addField(e, "rule", rule)
}
