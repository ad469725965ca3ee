package parse

import (
	"strings"
	"time"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// mosquittoName is the name of the format.
const mosquittoName = "mosquitto:log"

// mosquitto parses the log of Mosquitto 2: connections, publications, what the
// broker delivers ("Sending PUBLISH to", the real read), subscriptions and
// denials; log_type all or at least notice, subscribe and debug.
//
// Client ids, user names and topics are free text without control characters,
// and the line that the log type subscribe writes begins with a client id. So a
// line is ambiguous when the free text in it could make it such a line.
type mosquitto struct {
	opt     options
	carries audit.Carries
}

// newMosquitto makes the parser. A user stands only in the line of a
// connection, so the lines show a principal when the client id is one.
func newMosquitto(o options) *mosquitto {
	m := &mosquitto{opt: o, carries: audit.Carries{Target: true, Outcome: true}}
	for _, l := range o.principals {
		m.carries.Principal = m.carries.Principal || l == "field:client_id"
	}
	return m
}

// mqttLine is what a line says.
type mqttLine struct {
	method, client, user, topic, peer string
	denied, ambiguous                 bool
}

// Parse implements Parser.
func (m *mosquitto) Parse(b *audit.Batch, i int) {
	line, e, ok := begin(b, i, mosquittoName, true)
	if !ok {
		return
	}
	e.Protocol = "mqtt"
	e.Carries = m.carries
	offset := 0
	t, zoned, n, ok := m.time(line)
	if !ok {
		if cut := carrier(line); cut > 0 {
			offset = cut
			t, zoned, n, ok = m.time(line[cut:])
		}
	}
	if n == 0 {
		b.Reject(i, audit.ReasonSyntax, offset+1, "a time: seconds since 1970 or 2006-01-02T15:04:05, and a colon")
		return
	}
	msg := line[offset+n:]
	var l mqttLine
	switch known := l.read(b, i, msg); {
	case known && l.method == "":
		b.Reject(i, audit.ReasonNotAccess, offset+n+1, "a connection, a publication, a subscription or a denial")
		return
	case !known:
		b.Reject(i, audit.ReasonSyntax, offset+n+1, "a message of Mosquitto")
		return
	}
	if !setTime(b, i, t, ok, offset+1, "a time after 2000") {
		return
	}
	if e.TimeQuality = audit.TimeAssumed; zoned {
		e.TimeQuality = audit.TimeZoned
	}
	l.fill(e)
}

// time reads the beginning of a line up to the colon and blank after the time.
func (m *mosquitto) time(line string) (t time.Time, zoned bool, n int, ok bool) {
	end := strings.Index(line, ": ")
	if end < 0 || end > 40 {
		return time.Time{}, false, 0, false
	}
	if sec, isInt := parseUint(line[:end]); isInt && end <= 10 {
		return time.Unix(int64(sec), 0).UTC(), true, end + 2, true
	}
	t, length, zoned, ok := isoTime(line[:end], m.opt.loc)
	if !ok || length != end {
		return time.Time{}, false, 0, false
	}
	return t, zoned, end + 2, true
}

// mosquittoQuiet are the beginnings of messages that tell of no access, or of
// one that another line tells better.
var mosquittoQuiet = []string{"mosquitto version ", "Config loaded from ", "Opening ", "New connection from ", "No will message specified", "Will message specified",
	"Sending CONNACK to ", "Received SUBSCRIBE from ", "Sending SUBACK to ", "Received UNSUBSCRIBE from ", "Sending UNSUBACK to ", "Sending PUBACK to ",
	"Received PUBACK from ", "Sending PUBREC to ", "Received PUBREC from ", "Sending PUBREL to ", "Received PUBREL from ", "Sending PUBCOMP to ",
	"Received PUBCOMP from ", "Received PINGREQ from ", "Sending PINGRESP to ", "Received DISCONNECT from ", "Sending DISCONNECT to ", "Client ", "Socket error on client ",
	"Bad socket read/write on client ", "Bad client ", "Outgoing messages are being dropped for client ", "Warning: ", "Error: ", "Error ", "Notice: ", "Info: ", "Saving in-memory database", "Loading plugin", "Bridge ", "Reloading config", "OpenSSL Error", "Starting in ", "Using default config",
	"Connecting bridge ", "Plugin ", "Log: ", "Persistent ", "Websockets", "Port ", "Expiring "}

// read reads a message. True without a method is a message that tells of no
// access.
func (l *mqttLine) read(b *audit.Batch, i int, msg string) bool {
	switch {
	case strings.HasPrefix(msg, "\t"):
		return l.filter(b, i, msg[1:])
	case strings.HasPrefix(msg, "New client connected from "):
		return l.connected(strings.TrimPrefix(msg, "New client connected from "))
	case strings.HasPrefix(msg, "Received PUBLISH from "):
		return l.publish(strings.TrimPrefix(msg, "Received PUBLISH from "), "PUBLISH", false)
	case strings.HasPrefix(msg, "Sending PUBLISH to "):
		return l.publish(strings.TrimPrefix(msg, "Sending PUBLISH to "), "DELIVER", false)
	case strings.HasPrefix(msg, "Denied PUBLISH from "):
		return l.publish(strings.TrimPrefix(msg, "Denied PUBLISH from "), "PUBLISH", true)
	case strings.HasPrefix(msg, "Denied PUBLISH to "):
		return l.publish(strings.TrimPrefix(msg, "Denied PUBLISH to "), "DELIVER", true)
	case strings.HasPrefix(msg, "Client ") && strings.HasSuffix(msg, " disconnected, not authorised."):
		l.refused(b, i, strings.TrimSuffix(strings.TrimPrefix(msg, "Client "), " disconnected, not authorised."))
		return true
	}
	for _, q := range mosquittoQuiet {
		if strings.HasPrefix(msg, q) {
			l.answersFilter(b, i, msg) // by a client whose id looks like such a message
			return true
		}
	}
	return l.subscribed(b, i, msg)
}

// connected reads ADDRESS:PORT as ID (p2, c1, k60, u'user'). The bracket that
// counts is the last one: an id may look like one.
func (l *mqttLine) connected(s string) bool {
	peer, rest, ok := strings.Cut(s, " as ")
	at := strings.LastIndex(rest, " (p")
	if !ok || at < 0 || !strings.HasSuffix(rest, ").") {
		return false
	}
	flags := rest[at+2 : len(rest)-2]
	if _, user, ok := strings.Cut(flags, ", u'"); ok {
		l.user = strings.TrimSuffix(user, "'")
		l.ambiguous = strings.Contains(l.user, "'")
	}
	l.method, l.peer, l.client = "CONNECT", peer, rest[:at]
	l.ambiguous = l.ambiguous || strings.IndexByte(peer, ' ') >= 0 || strings.Contains(l.client, ", u'") || hasQoS(rest)
	return true
}

// publish reads ID (d0, q1, r0, m1, 'topic', ... (9 bytes)).
func (l *mqttLine) publish(s, method string, denied bool) bool {
	at := strings.LastIndex(s, " (d")
	if at < 0 || !strings.HasSuffix(s, " bytes))") {
		return false
	}
	begin := strings.Index(s[at:], ", '")
	end := strings.LastIndex(s, "', ... (")
	if begin < 0 || end < at+begin+3 {
		return false
	}
	l.method, l.client, l.topic, l.denied = method, s[:at], s[at+begin+3:end], denied
	l.ambiguous = strings.Count(s, "', ... (") > 1 || strings.Contains(l.client, "', ... (") || hasQoS(s)
	return true
}

// refused is a client that was not let in. Its address stands in the line
// before: Sending CONNACK to ADDRESS (0, 5).
func (l *mqttLine) refused(b *audit.Batch, i int, client string) {
	l.method, l.denied = "CONNECT", true
	if client != "<unknown>" {
		l.client = client
	}
	l.ambiguous = hasQoS(client)
	if i == 0 {
		return
	}
	before := b.Lines[i-1].Text.Reveal(access)
	if _, rest, ok := strings.Cut(before, ": Sending CONNACK to "); ok {
		if addr, _, ok := strings.Cut(rest, " ("); ok && strings.IndexByte(addr, ' ') < 0 && strings.ContainsAny(addr, ".:") {
			l.peer = addr
		}
	}
}

// filter reads FILTER (QoS 1), which follows Received SUBSCRIBE from ID. The
// broker writes granted ones again, with the client: only a denial counts.
func (l *mqttLine) filter(b *audit.Batch, i int, s string) bool {
	s, denied := strings.CutSuffix(s, " (denied)")
	at := strings.LastIndex(s, " (QoS ")
	if at < 0 || !denied {
		return true // a granted one, or the topic of a will
	}
	l.method, l.topic, l.denied = "SUBSCRIBE", s[:at], true
	for k := i - 1; k >= 0 && k > i-64; k-- {
		if _, id, ok := strings.Cut(b.Lines[k].Text.Reveal(access), ": Received SUBSCRIBE from "); ok {
			l.client = id
			return true
		}
	}
	return true
}

// subscribed reads ID QOS FILTER. Where the id or the filter has a blank, a
// digit and a blank in it, the line before says which is which: TAB, FILTER and
// (QoS n).
func (l *mqttLine) subscribed(b *audit.Batch, i int, s string) bool {
	at := qosAt(s, 0)
	if at <= 0 {
		return false
	}
	l.method = "SUBSCRIBE"
	l.client, l.topic = s[:at], s[at+3:]
	if qosAt(s, at+1) < 0 {
		return l.topic != ""
	}
	l.ambiguous = !l.answersFilter(b, i, s)
	return true
}

// answersFilter reads ID QOS FILTER by the line before, which has the filter
// and its QoS.
func (l *mqttLine) answersFilter(b *audit.Batch, i int, s string) bool {
	if i == 0 {
		return false
	}
	_, detail, ok := strings.Cut(b.Lines[i-1].Text.Reveal(access), ": \t")
	if !ok {
		return false
	}
	filter, qos, ok := strings.Cut(detail, " (QoS ")
	if !ok || len(qos) != 2 {
		return false
	}
	id, ok := strings.CutSuffix(s, " "+qos[:1]+" "+filter)
	if ok {
		l.method, l.client, l.topic = "SUBSCRIBE", id, filter
	}
	return ok
}

// qosAt finds a blank, 0 to 2 and a blank, -1 if there are none.
func qosAt(s string, from int) int {
	for k := from; k+2 < len(s); k++ {
		if s[k] == ' ' && s[k+1] >= '0' && s[k+1] <= '2' && s[k+2] == ' ' {
			return k
		}
	}
	return -1
}

// hasQoS reports whether a line's free text could be the line of a subscription.
func hasQoS(s string) bool { return qosAt(s, 0) >= 0 }

// fill sets the event.
func (l *mqttLine) fill(e *audit.Event) {
	e.Method, e.DeviceID = plain.New(l.method), plain.New(l.client)
	if l.topic != "" {
		e.ResourceType, e.ResourceName = plain.New("Topic"), plain.New(l.topic)
	}
	if l.peer != "" {
		mqttPeer(e, l.peer)
	}
	e.Auth = "none"
	if l.client != "" {
		e.Auth = "unverified"
		addField(e, "client_id", l.client)
	}
	if l.user != "" {
		e.User, e.UserVerified, e.Auth = plain.New(l.user), true, "basic"
	}
	if l.denied {
		e.Denied, e.DenyBy = true, "authz"
	}
	if l.ambiguous {
		e.Integrity = audit.IntegrityAmbiguous
	}
}

// mqttPeer reads ADDRESS:PORT; IPv6 has no brackets, so the last colon counts,
// unless it is an address without a port.
func mqttPeer(e *audit.Event, s string) {
	c := strings.LastIndexByte(s, ':')
	if c < 0 || strings.HasPrefix(s, "[") || strings.Count(s, ":") > 1 && c > 0 && s[c-1] == ':' {
		splitAddr(e, s)
		return
	}
	e.PeerAddr = plain.New(s[:c])
	if n, ok := parseUint(s[c+1:]); ok && n < 1<<16 {
		e.PeerPort = uint16(n)
	}
}
