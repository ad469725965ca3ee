package parse

import (
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// kafkaRequestName is the name of the format.
const kafkaRequestName = "kafka:request"

// requestLog parses kafka-request.log at DEBUG: JSON since 2.8 (KIP-673), text
// before. FETCH and PRODUCE are the reads and writes. From version 13 on they
// name a topic by its id only; then the resource is unknown and the line
// partial.
type requestLog struct {
	header kafka
	tree   *jsonTree

	api, client, principal, connection, listener, security int // notes
	request, response, forwarded                           int
}

func newKafkaRequest(o options) *requestLog {
	k := &requestLog{header: kafka{opt: o}, tree: newJSONTree(kafkaRequestName, o)}
	t := k.tree
	t.protocol, t.needs = "kafka", ", such as requestHeader and principal"
	t.at("totalTimeMs", variable{field: fMillis})
	k.api, k.client = t.see("requestHeader.requestApiKeyName"), t.see("requestHeader.clientId")
	k.principal, k.connection, k.listener = t.see("principal"), t.see("connection"), t.see("listener")
	k.security, k.request, k.response = t.see("securityProtocol"), t.see("request"), t.see("response")
	k.forwarded = t.see("isForwarded")
	t.locate(o, "")
	t.carries = audit.Carries{Principal: true, Target: true, Outcome: true}
	t.finish = k.finish
	return k
}

// Parse implements Parser.
func (k *requestLog) Parse(b *audit.Batch, i int) {
	const start = "Completed request:"
	line, e, ok := begin(b, i, kafkaRequestName, true)
	if !ok {
		return
	}
	line, offset := kafkaCarrier(line)
	h, ok := k.header.header(line)
	if !ok {
		b.Reject(i, audit.ReasonSyntax, offset+1, "a time such as [2006-01-02 15:04:05,000]")
		return
	}
	at := strings.Index(line[h.end:], start)
	if at < 0 || at > 200 {
		b.Reject(i, audit.ReasonNotAccess, offset+h.end+1, "a completed request, which the logger writes at DEBUG")
		return
	}
	at += h.end + len(start)
	body := strings.TrimSuffix(line[at:], " (kafka.request.logger)")
	g := values{loc: k.header.opt.loc, time: h.time, timeOK: h.timeOK, zoned: h.zoned, timed: true, timeAt: offset + h.timeAt + 1}
	if strings.HasPrefix(body, "{") {
		k.tree.parse(b, i, e, body, offset+at, g)
		return
	}
	k.text(b, i, e, body, offset+at, &g)
}

// finish sets the event from the notes.
func (k *requestLog) finish(b *audit.Batch, i int, _ *values, raw *jsonRaw) bool {
	e := &b.Events[i]
	if raw[k.api] == "" || raw[k.principal] == "" {
		b.Reject(i, audit.ReasonSyntax, 1, "a request with requestApiKeyName and principal")
		return false
	}
	e.Method, e.UserAgent = plain.New(raw[k.api]), plain.New(raw[k.client])
	kafkaPeer(e, raw[k.connection])
	kafkaUser(e, raw[k.principal], raw[k.security])
	addField(e, "listener", raw[k.listener])
	if raw[k.forwarded] == "true" {
		addField(e, "forwarded", "true") // by a broker, which logs it as well
	}
	kafkaTarget(e, raw[k.api], raw[k.request], raw[k.response])
	var c errorCodes
	c.scan(raw[k.response], 0)
	c.fill(e)
	return true
}

// kafkaPeer reads LOCAL:PORT-REMOTE:PORT-INDEX.
func kafkaPeer(e *audit.Event, s string) {
	_, remote, ok := strings.Cut(s, "-")
	c := strings.LastIndexByte(remote, ':')
	if !ok || c < 0 {
		return
	}
	e.PeerAddr = plain.New(strings.Trim(remote[:c], "[]"))
	port, _, _ := strings.Cut(remote[c+1:], "-")
	if n, ok := parseUint(port); ok && n < 1<<16 {
		e.PeerPort = uint16(n)
	}
}

// kafkaUser reads TYPE:NAME.
func kafkaUser(e *audit.Event, principal, security string) {
	kind, name, ok := strings.Cut(principal, ":")
	if !ok {
		kind, name = "", principal
	}
	addField(e, "principal_type", kind)
	e.Auth = "none"
	if name == "" || name == "ANONYMOUS" || kind == "None" {
		return
	}
	e.User, e.UserVerified = plain.New(name), true
	e.Auth = "sasl"
	if security == "SSL" || security == "" && strings.Contains(name, "CN=") {
		e.Auth = "mtls"
	}
}

// kafkaTarget finds what a request is about: the first topic or the group.
// A fetch of a session names in its request only what changed; what was read
// stands in the response.
func kafkaTarget(e *audit.Event, api, request, response string) {
	var r kafkaNames
	r.scan(request, "", 0)
	if len(r.names) == 0 && r.id == "" && api == "FETCH" {
		r.scan(response, "", 0)
	}
	switch {
	case r.group != "" && (len(r.names) == 0 || !strings.HasPrefix(api, "OFFSET")):
		e.ResourceType, e.ResourceName = plain.New("Group"), plain.New(r.group)
	case len(r.names) > 0:
		e.ResourceType, e.ResourceName = plain.New("Topic"), plain.New(r.names[0])
		for _, n := range r.names[1:] {
			e.ParseStatus = audit.ParsePartial // an event has one resource
			addField(e, "further_topic", n)
		}
	case r.id != "":
		e.ResourceType, e.ParseStatus = plain.New("Topic"), audit.ParsePartial
		addField(e, "topic_id", r.id)
	case r.resource != "":
		e.ResourceType, e.ResourceName = plain.New(kafkaResourceType(r.kind)), plain.New(r.resource)
	}
	switch api {
	case "FETCH":
		var read kafkaNames
		read.scan(response, "", 0)
		e.BytesOut = read.size
	case "PRODUCE":
		e.BytesIn = r.size
	}
}

// kafkaResourceType is the name of a resource type by its number (ConfigResource
// and ResourceType of the protocol).
func kafkaResourceType(n string) string {
	switch n {
	case "2":
		return "Topic"
	case "3":
		return "Group"
	case "4", "8":
		return "Cluster"
	case "5":
		return "TransactionalId"
	}
	return "Other"
}

// text reads the form before 2.8. Its values are not escaped: the beginning is
// read from the left, the end from the right, and a literal that is there twice
// makes the line ambiguous.
func (k *requestLog) text(b *audit.Batch, i int, e *audit.Event, s string, offset int, g *values) {
	const connection = " from connection "
	e.Protocol, e.Carries = "kafka", k.tree.carries
	from := strings.LastIndex(s, connection)
	api, okAPI := between(s, "apiKey=", ",")
	client, okClient := between(s, "clientId=", ", correlationId=")
	if !okAPI || !okClient || from < 0 {
		b.Reject(i, audit.ReasonSyntax, offset+1, "RequestHeader(apiKey=, clientId=) and from connection")
		return
	}
	tail := s[from+len(connection):]
	peer, rest, _ := strings.Cut(tail, ";")
	principal, okPrincipal := between(rest, ",principal:", ",listener:")
	if !okPrincipal {
		b.Reject(i, audit.ReasonSyntax, offset+from+1, "principal: and listener: after the connection")
		return
	}
	if strings.Count(s, connection) > 1 || strings.Count(s, ", correlationId=") > 1 || strings.Count(rest, ",listener:") > 1 || strings.Count(rest, ",principal:") > 1 {
		e.Integrity = audit.IntegrityAmbiguous
	}
	e.Method, e.UserAgent = plain.New(api), plain.New(client)
	kafkaPeer(e, peer)
	security, _ := between(rest, ",securityProtocol:", ",")
	kafkaUser(e, principal, security)
	request, response, _ := strings.Cut(s[:from], ",response=")
	if name, ok := between(request, "groupId=", ","); ok {
		e.ResourceType, e.ResourceName = plain.New("Group"), plain.New(name)
	}
	for _, before := range [...]string{"{topic=", "topics=[{name=", "topicData=[{name=", "partitionSizes=["} {
		_, name, ok := strings.Cut(request, before)
		if !ok {
			continue
		}
		if end := strings.IndexAny(name, ",]}"); end >= 0 {
			name = name[:end]
		}
		if before == "partitionSizes=[" {
			name, _, _ = strings.Cut(name, "=")
			name = name[:max(strings.LastIndexByte(name, '-'), 0)]
			name = name[strings.IndexByte(name, ':')+1:]
		}
		e.ResourceType, e.ResourceName = plain.New("Topic"), plain.New(name)
		break
	}
	var c errorCodes
	for _, key := range [...]string{"errorCode=", "error_code="} {
		for rest := response; ; {
			_, after, ok := strings.Cut(rest, key)
			if !ok {
				break
			}
			end := 0
			for end < len(after) && after[end]-'0' <= 9 {
				end++
			}
			c.count(after[:end])
			rest = after
		}
	}
	c.fill(e)
	if setTime(b, i, g.time, g.timeOK, g.timeAt, "a time such as 2006-01-02 15:04:05,000") {
		e.TimeQuality = audit.TimeAssumed
		if g.zoned {
			e.TimeQuality = audit.TimeZoned
		}
	}
}

// between is what stands between the first a and the next z.
func between(s, a, z string) (string, bool) {
	_, s, ok := strings.Cut(s, a)
	if !ok {
		return "", false
	}
	s, _, ok = strings.Cut(s, z)
	return s, ok
}

// kafkaCarrier takes off what carries a broker's line: CRI, Docker, syslog, and
// the JSON of CloudWatch (MSK) with the line under message.
func kafkaCarrier(line string) (string, int) {
	if line == "" || line[0] == '[' || line[0] >= '0' && line[0] <= '9' && criPrefix(line) == 0 {
		return line, 0
	}
	if !strings.HasPrefix(line, "{") {
		n := carrier(line)
		return line[n:], n
	}
	inner := ""
	eachMember(line, func(key, value string, kind jsonKind) {
		if kind == jsonString && (key == "message" || key == "log" || key == "@message") {
			if v, ok := unescapeJSON(value); ok {
				inner = strings.TrimRight(v, "\r\n")
			}
		}
	})
	if inner == "" || strings.IndexByte(inner, '\n') >= 0 {
		return line, 0
	}
	return inner, 0
}
