package parse

import (
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// newKroxylicious makes the parser of Kroxylicious' log in a JSON layout: its
// decisions of authorisation and the results of SASL authentication. The
// key-values of a message stand at the top or under contextMap, mdc or
// keyValues, as the layout puts them. Allowances are at DEBUG.
func newKroxylicious(o options) *jsonTree {
	t := newJSONTree("kroxylicious:json", o)
	t.protocol, t.needs = "kafka", ", such as a time and a message"
	for _, p := range []string{"time", "timestamp", "@timestamp", "timeMillis", "instant.epochSecond"} {
		t.at(p, variable{field: fTimeAny})
	}
	message := t.either("message", "msg")
	places := []string{"", "contextMap.", "mdc.", "keyValues."}
	notes := map[string][]int{}
	for _, key := range []string{"subject", "deniedActions", "allowedActions", "authorizedId"} {
		for _, p := range places {
			notes[key] = append(notes[key], t.see(p+key))
		}
	}
	for _, p := range places {
		t.at(p+"sessionId", variable{field: fSession})
	}
	t.locate(o, "")
	t.carries.Principal, t.carries.Target, t.carries.Outcome = true, true, true
	t.finish = func(b *audit.Batch, i int, _ *values, raw *jsonRaw) bool {
		e := &b.Events[i]
		get := func(key string) string {
			for _, n := range notes[key] {
				if raw[n] != "" {
					return raw[n]
				}
			}
			return ""
		}
		text := raw[message[0]] + raw[message[1]]
		who, actions := get("subject"), ""
		switch {
		case strings.Contains(text, "Authorization DENY decision"):
			actions = get("deniedActions")
			e.Denied, e.DenyBy = true, "proxy"
		case strings.Contains(text, "Authorization ALLOW decision"):
			actions = get("allowedActions")
		case strings.Contains(text, "has passed SASL authentication"):
			e.Method = plain.New("CONNECT")
		case strings.Contains(text, "failed SASL authentication"):
			e.Method, who = plain.New("CONNECT"), get("authorizedId")
			e.Denied, e.DenyBy = true, "proxy"
		default:
			b.Reject(i, audit.ReasonNotAccess, 1, "an authorisation decision or the result of an authentication")
			return false
		}
		kafkaUser(e, kroxySubject(who), "SASL_SSL")
		if e.Denied && e.Method.Reveal(access) == "CONNECT" {
			e.Auth, e.UserVerified = "unverified", false
		}
		if actions != "" {
			kroxyAction(e, actions)
		}
		return true
	}
	return t
}

// kroxySubject finds the user in a subject as Java prints it,
// Subject[principals=[User[name=alice]]], or takes a plain name.
func kroxySubject(s string) string {
	if name, ok := between(s, "name=", "]"); ok {
		return "User:" + name
	}
	if strings.IndexByte(s, ':') < 0 {
		return "User:" + s
	}
	return s
}

// kroxyAction reads the first action as Java prints it:
// [Action[operation=READ, resourceName=orders]]. What it can't read becomes a
// field, and the line is partial: an event has one resource.
func kroxyAction(e *audit.Event, s string) {
	op, ok := between(s, "operation=", ",")
	if !ok {
		e.ParseStatus = audit.ParsePartial
		addField(e, "actions", s)
		return
	}
	e.Method = plain.New(op)
	if name, ok := between(s, "resourceName=", "]"); ok {
		e.ResourceName = plain.New(name)
	}
	e.ResourceType = plain.New("Topic")
	if kind, ok := between(s, "resourceType=", ","); ok {
		e.ResourceType = plain.New(kind)
	}
	if strings.Count(s, "operation=") > 1 {
		e.ParseStatus = audit.ParsePartial
	}
}
