package parse

import (
	"strings"

	"github.com/tallystick/tallystick/audit"
)

// kafkaNames are the names in a request or response.
type kafkaNames struct {
	names          []string // of topics, no name twice, at most maxTopics
	group          string
	id             string // of a topic without a name
	kind, resource string
	size           uint64 // of the records
}

const maxTopics = 8

// scan walks over a JSON value that stands under a key.
func (r *kafkaNames) scan(s, under string, depth int) {
	if len(s) < 2 || depth > jsonDepth {
		return
	}
	eachMember(s, func(key, value string, kind jsonKind) {
		switch {
		case kind == jsonNested:
			if key == "topicNames" || key == "topics" && strings.HasPrefix(value, `["`) {
				eachElement(value, func(v string, k jsonKind) {
					if k == jsonString {
						r.add(v)
					}
				})
				return
			}
			r.scan(value, key, depth+1)
		case kind == jsonNull:
		case key == "topic" || key == "name" && (under == "topics" || under == "topicData"):
			r.add(value)
		case key == "topicId" && value != "AAAAAAAAAAAAAAAAAAAAAA" && r.id == "":
			r.id = value
		case key == "groupId" || key == "group":
			if v, ok := unescapeJSON(value); ok && r.group == "" {
				r.group = v
			}
		case (key == "resourceType" || key == "resourceTypeFilter") && r.kind == "":
			r.kind = value
		case (key == "resourceName" || key == "resourceNameFilter") && r.resource == "":
			if v, ok := unescapeJSON(value); ok {
				r.resource = v
			}
		case key == "recordsSizeInBytes":
			if n, ok := parseUint(value); ok {
				r.size += n
			}
		}
	})
}

func (r *kafkaNames) add(name string) {
	name, ok := unescapeJSON(name)
	for _, n := range r.names {
		ok = ok && n != name
	}
	if ok && name != "" && len(r.names) < maxTopics {
		r.names = append(r.names, name)
	}
}

// eachMember calls f for the members of an object, or of the objects in an
// array.
func eachMember(s string, f func(key, value string, kind jsonKind)) {
	if s[0] == '[' {
		eachElement(s, func(v string, k jsonKind) {
			if k == jsonNested && v[0] == '{' {
				eachMember(v, f)
			}
		})
		return
	}
	j := jsonScanner{s: s}
	if !j.open() {
		return
	}
	for first := true; ; first = false {
		key, value, kind, more, ok := j.member(first)
		if !ok || !more {
			return
		}
		f(key, value, kind)
	}
}

// eachElement calls f for the elements of an array.
func eachElement(s string, f func(value string, kind jsonKind)) {
	j := jsonScanner{s: s, pos: 1}
	for {
		j.space()
		if j.pos >= len(s) || s[j.pos] == ']' {
			return
		}
		v, kind, ok := j.value(1)
		if !ok {
			return
		}
		f(v, kind)
		j.space()
		if j.pos < len(s) && s[j.pos] == ',' {
			j.pos++
		}
	}
}

// errorCodes counts the results in a response: those of its parts, or its own
// when it has none.
type errorCodes struct {
	ok, denied, other int
	top, first        string
}

func (c *errorCodes) scan(s string, depth int) {
	if len(s) < 2 || depth > jsonDepth {
		return
	}
	eachMember(s, func(key, value string, kind jsonKind) {
		switch {
		case kind == jsonNested:
			if key != "configs" && key != "apiKeys" {
				c.scan(value, depth+1)
			}
		case key != "errorCode":
		case depth == 0:
			c.top = value
		default:
			c.count(value)
		}
	})
}

func (c *errorCodes) count(code string) {
	switch code {
	case "0":
		c.ok++
		return
	case "29", "30", "31", "53", "58", "65": // *_AUTHORIZATION_FAILED, SASL_AUTHENTICATION_FAILED
		c.denied++
	default:
		c.other++
	}
	if c.first == "" {
		c.first = code
	}
}

// fill sets what the codes say. A request of which a part was refused is
// partial.
func (c *errorCodes) fill(e *audit.Event) {
	if c.ok+c.denied+c.other == 0 && c.top != "" || c.top != "" && c.top != "0" {
		c.count(c.top)
	}
	switch {
	case c.denied > 0 && c.ok == 0:
		e.Denied, e.DenyBy = true, "authz"
	case c.denied > 0:
		e.ParseStatus = audit.ParsePartial
	case c.other > 0 && c.ok == 0:
		addField(e, "error_code", c.first)
	}
}
