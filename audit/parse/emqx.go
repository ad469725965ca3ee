package parse

import (
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// emqxValues are the values of a line that matter.
type emqxValues struct {
	msg, client, user, peer, topic, action, result string
}

// emqxText parses the text log of EMQX 5 and 6: TIME [LEVEL] KEY: VALUE, ...
// Values are free text, so a key that is there twice makes a line ambiguous.
type emqxText struct{ opt options }

func newEMQXText(o options) *emqxText { return &emqxText{opt: o} }

// Parse implements Parser.
func (p *emqxText) Parse(b *audit.Batch, i int) {
	line, e, ok := begin(b, i, "emqx:text", true)
	if !ok {
		return
	}
	e.Protocol, e.Carries = "mqtt", audit.Carries{Principal: true, Target: true, Outcome: true}
	offset := 0
	t, n, zoned, ok := isoTime(line, p.opt.loc)
	if !ok {
		offset = carrier(line)
		t, n, zoned, ok = isoTime(line[offset:], p.opt.loc)
	}
	body := line[min(offset+n, len(line)):]
	if !ok || !strings.HasPrefix(body, " [") {
		b.Reject(i, audit.ReasonSyntax, offset+1, "a time such as 2006-01-02T15:04:05.000000+00:00 and [level]")
		return
	}
	_, body, ok = strings.Cut(body, "] ")
	if !ok {
		b.Reject(i, audit.ReasonSyntax, offset+n+1, "[level] and keys with values")
		return
	}
	var v emqxValues
	if twice := v.read(body); twice {
		e.Integrity = audit.IntegrityAmbiguous
	}
	if !v.fill(b, i) || !setTime(b, i, t, true, offset+1, "a time") {
		return
	}
	if e.TimeQuality = audit.TimeAssumed; zoned {
		e.TimeQuality = audit.TimeZoned
	}
}

// read takes the values that are needed from KEY: VALUE, KEY: VALUE. A value
// ends where a known key follows. Of a key that is there twice the first counts.
func (v *emqxValues) read(body string) (twice bool) {
	var seen uint32 // a bit for each first letter: no two of the needed keys share one
	var open *string
	start := 0
	for at := 0; ; {
		key, to := v.key(body[at:])
		if key != "" {
			if open != nil {
				*open = body[start : at-2]
			}
			if open = to; to != nil {
				bit := uint32(1) << (key[0] - 'a')
				if seen&bit != 0 {
					twice, open = true, nil
				}
				seen |= bit
			}
			start = at + len(key) + 2
		}
		c := strings.Index(body[at:], ", ")
		if c < 0 {
			break
		}
		at += c + 2
	}
	if open != nil {
		*open = body[start:]
	}
	return twice
}

// key is the known key at the beginning of s, "" if there is none, and where
// its value goes, nil if it is not needed.
func (v *emqxValues) key(s string) (key string, to *string) {
	end := strings.IndexByte(s[:min(len(s), 16)], ':')
	if end < 0 || end+1 >= len(s) || s[end+1] != ' ' {
		return "", nil
	}
	switch key = s[:end]; key {
	case "msg":
		return key, &v.msg
	case "clientid":
		return key, &v.client
	case "username":
		return key, &v.user
	case "peername":
		return key, &v.peer
	case "topic":
		return key, &v.topic
	case "action":
		return key, &v.action
	case "tag", "reason", "ipaddr", "source", "pid", "mfa", "matched_rule", "node", "authorizer", "rule", "module", "namespace":
		return key, nil
	}
	return "", nil
}

// newEMQXJSON makes the parser of EMQX's log in JSON and of the events that its
// rule engine sends: client.connected, client.check_authz_complete,
// message.delivered, session.subscribed.
func newEMQXJSON(o options) *jsonTree {
	t := newJSONTree("emqx:json", o)
	t.protocol, t.needs = "mqtt", ", such as time and msg, or timestamp and event"
	t.at("time", variable{field: fTimeAny})
	t.at("timestamp", variable{field: fTimeAny})
	notes := map[string]int{}
	for _, k := range []string{"msg", "event", "clientid", "username", "peername", "peerhost", "topic", "action", "result"} {
		notes[k] = t.see(k)
	}
	kind := t.see("action.action_type")
	t.locate(o, "")
	t.carries = audit.Carries{Principal: true, Target: true, Outcome: true, Purpose: t.carries.Purpose}
	t.finish = func(b *audit.Batch, i int, _ *values, raw *jsonRaw) bool {
		v := emqxValues{msg: raw[notes["msg"]], client: raw[notes["clientid"]], user: raw[notes["username"]], peer: raw[notes["peername"]],
			topic: raw[notes["topic"]], action: raw[notes["action"]], result: raw[notes["result"]]}
		if raw[kind] != "" {
			v.action = raw[kind]
		}
		if ev := raw[notes["event"]]; ev != "" {
			v.msg = ev
		}
		if v.peer == "" {
			v.peer = raw[notes["peerhost"]]
		}
		return v.fill(b, i)
	}
	return t
}

// fill sets the event, or rejects a line that tells of no access.
func (v *emqxValues) fill(b *audit.Batch, i int) bool {
	e := &b.Events[i]
	action := strings.ToLower(v.action)
	switch {
	case strings.Contains(action, "subscribe"):
		action = "SUBSCRIBE"
	case strings.Contains(action, "publish"):
		action = "PUBLISH"
	default:
		action = ""
	}
	denied := false
	switch v.msg {
	case "authorization_permission_allowed", "authorization_permission_denied", "client.check_authz_complete":
		denied = v.msg == "authorization_permission_denied" || v.result == "deny"
	case "cannot_publish_to_topic_due_to_not_authorized":
		action, denied = "PUBLISH", true
	case "cannot_subscribe_topic_filter":
		action, denied = "SUBSCRIBE", true
	case "message.publish":
		action = "PUBLISH"
	case "message.delivered":
		action = "DELIVER"
	case "session.subscribed":
		action = "SUBSCRIBE"
	case "client.connected":
		action = "CONNECT"
	case "client.check_authn_complete", "client.connack":
		action = "CONNECT"
		denied = v.msg == "client.check_authn_complete" && v.result != "" && v.result != "success" && v.result != "ok" && v.result != "allow"
	case "":
		b.Reject(i, audit.ReasonSyntax, 1, "a message of EMQX: msg or event")
		return false
	default:
		b.Reject(i, audit.ReasonNotAccess, 1, "a connection, a publication, a delivery, a subscription or a decision of authorisation")
		return false
	}
	e.Method, e.DeviceID = plain.New(action), plain.New(v.client)
	if v.topic != "" {
		e.ResourceType, e.ResourceName = plain.New("Topic"), plain.New(v.topic)
	}
	if v.peer != "" {
		mqttPeer(e, v.peer)
	}
	e.Auth = "none"
	if v.client != "" {
		e.Auth = "unverified"
		addField(e, "client_id", v.client)
	}
	if v.user != "" && v.user != "undefined" {
		e.User, e.UserVerified, e.Auth = plain.New(v.user), true, "basic"
		if action == "CONNECT" && denied {
			e.UserVerified, e.Auth = false, "unverified"
		}
	}
	if denied {
		e.Denied, e.DenyBy = true, "authz"
	}
	return true
}
