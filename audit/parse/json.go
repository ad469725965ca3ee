package parse

import "strings"

// jsonScanner walks over the members of one JSON object without building it.
// Values stay substrings of the line.
type jsonScanner struct {
	s     string
	pos   int
	clean bool // s is known to hold no control character
}

// jsonKind is the kind of a JSON value.
type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonString
	jsonNumber // and true, false
	jsonNested // object or array
)

// jsonDepth bounds nesting.
const jsonDepth = 16

func (j *jsonScanner) space() {
	for j.pos < len(j.s) && (j.s[j.pos] == ' ' || j.s[j.pos] == '\t' || j.s[j.pos] == '\n' || j.s[j.pos] == '\r') {
		j.pos++
	}
}

// open steps into an object.
func (j *jsonScanner) open() bool {
	j.space()
	if j.pos >= len(j.s) || j.s[j.pos] != '{' {
		return false
	}
	j.pos++
	return true
}

// member reads the next member; first says that none was read before. more is
// false at the closing brace. Key and string values are raw: still escaped and
// without their quotes.
func (j *jsonScanner) member(first bool) (key, value string, kind jsonKind, more, ok bool) {
	if key, more, ok = j.key(first); !ok || !more {
		return "", "", 0, false, ok
	}
	value, kind, ok = j.value(0)
	return key, value, kind, ok, ok
}

// key reads the next key and steps to its value.
func (j *jsonScanner) key(first bool) (key string, more, ok bool) {
	j.space()
	if j.pos >= len(j.s) {
		return "", false, false
	}
	if j.s[j.pos] == '}' {
		j.pos++
		return "", false, true
	}
	if !first {
		if j.s[j.pos] != ',' {
			return "", false, false
		}
		j.pos++
		j.space()
	}
	if key, ok = j.text(); !ok {
		return "", false, false
	}
	j.space()
	if j.pos >= len(j.s) || j.s[j.pos] != ':' {
		return "", false, false
	}
	j.pos++
	j.space()
	return key, true, true
}

// text reads a string.
func (j *jsonScanner) text() (string, bool) {
	if j.pos >= len(j.s) || j.s[j.pos] != '"' {
		return "", false
	}
	start := j.pos + 1
	if j.clean {
		if end := strings.IndexByte(j.s[start:], '"'); end >= 0 && strings.IndexByte(j.s[start:start+end], '\\') < 0 {
			j.pos = start + end + 1
			return j.s[start : start+end], true
		}
	}
	for i := start; i < len(j.s); i++ {
		switch c := j.s[i]; {
		case c == '"':
			j.pos = i + 1
			return j.s[start:i], true
		case c == '\\':
			i++
		case c < 0x20:
			j.pos = i
			return "", false
		}
	}
	j.pos = len(j.s)
	return "", false
}

// value reads a value; an object or array is returned as it stands.
func (j *jsonScanner) value(depth int) (string, jsonKind, bool) {
	if j.pos >= len(j.s) || depth > jsonDepth {
		return "", 0, false
	}
	start := j.pos
	switch c := j.s[j.pos]; {
	case c == '"':
		v, ok := j.text()
		return v, jsonString, ok
	case c == '{' || c == '[':
		if !j.skip(depth) {
			return "", 0, false
		}
		return j.s[start:j.pos], jsonNested, true
	}
	for j.pos < len(j.s) && strings.IndexByte(",]} \t\r\n", j.s[j.pos]) < 0 {
		j.pos++
	}
	v := j.s[start:j.pos]
	switch {
	case v == "null":
		return "", jsonNull, true
	case v == "true" || v == "false" || isNumber(v):
		return v, jsonNumber, true
	}
	j.pos = start
	return "", 0, false
}

// skip passes over an object or an array.
func (j *jsonScanner) skip(depth int) bool {
	if j.s[j.pos] == '{' {
		j.pos++
		for first := true; ; first = false {
			j.space()
			if j.pos < len(j.s) && j.s[j.pos] == '}' {
				j.pos++
				return true
			}
			if !first {
				if j.pos >= len(j.s) || j.s[j.pos] != ',' {
					return false
				}
				j.pos++
				j.space()
			}
			if _, ok := j.text(); !ok {
				return false
			}
			j.space()
			if j.pos >= len(j.s) || j.s[j.pos] != ':' {
				return false
			}
			j.pos++
			j.space()
			if _, _, ok := j.value(depth + 1); !ok {
				return false
			}
		}
	}
	j.pos++
	for first := true; ; first = false {
		j.space()
		if j.pos < len(j.s) && j.s[j.pos] == ']' {
			j.pos++
			return true
		}
		if !first {
			if j.pos >= len(j.s) || j.s[j.pos] != ',' {
				return false
			}
			j.pos++
			j.space()
		}
		if _, _, ok := j.value(depth + 1); !ok {
			return false
		}
	}
}

// hasControl reports whether s holds a byte below 0x20. It looks at eight bytes
// at a time: subtracting 0x20 from each borrows into the top bit of those that
// are smaller.
func hasControl(s string) bool {
	const low, top = 0x2020202020202020, 0x8080808080808080
	i := 0
	for ; i+8 <= len(s); i += 8 {
		if x := word(s, i); (x-low)&^x&top != 0 {
			return true
		}
	}
	for ; i < len(s); i++ {
		if s[i] < 0x20 {
			return true
		}
	}
	return false
}

// isNumber reports whether v can be a JSON number.
func isNumber(v string) bool {
	if v == "" || (v[0] != '-' && (v[0] < '0' || v[0] > '9')) {
		return false
	}
	for i := 1; i < len(v); i++ {
		if strings.IndexByte("0123456789.eE+-", v[i]) < 0 {
			return false
		}
	}
	return v != "-"
}
