package datamap

import (
	"errors"
	"fmt"
	"sort"
	"strings"
)

// MaxSubjects is the most subjects that one pattern can name.
const MaxSubjects = 8

// maxSegments is the most path segments that a pattern can have.
const maxSegments = 24

// pattern is a compiled Resource.Match.
type pattern struct {
	method   string // GET, *, or topic, group, cluster, transactional
	kafka    bool
	name     string    // Kafka: the name without a final *
	segments []segment // HTTP
	query    []queryKey
	tail     bool // a final * or /*
}

// segment is a literal, or a placeholder; a placeholder with a kind is a
// subject.
type segment struct {
	literal     string
	placeholder bool
	kind        string
}

// queryKey must be present; with a kind its values are subjects.
type queryKey struct{ key, kind string }

var kafkaTypes = []string{"topic", "group", "cluster", "transactional"}

func parsePattern(s string) (pattern, error) {
	method, rest, ok := strings.Cut(strings.TrimSpace(s), " ")
	rest = strings.TrimSpace(rest)
	if !ok || rest == "" {
		return pattern{}, errors.New("write a method and a path, or topic or group and a name")
	}
	for _, k := range kafkaTypes {
		if method == k {
			return parseKafka(k, rest)
		}
	}
	if method != "*" && strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_") != "" {
		return pattern{}, fmt.Errorf("%q is not a method in capital letters, *, topic or group", method)
	}
	if rest[0] != '/' {
		return pattern{}, errors.New("the path must begin with /")
	}
	return parseHTTP(method, rest)
}

func parseKafka(kind, name string) (pattern, error) {
	p := pattern{method: kind, kafka: true}
	p.name, p.tail = strings.CutSuffix(name, "*")
	if strings.ContainsAny(p.name, "* \t") {
		return pattern{}, errors.New("a name has no spaces, and * only at its end")
	}
	return p, nil
}

func parseHTTP(method, target string) (pattern, error) {
	p := pattern{method: method}
	path, query, _ := strings.Cut(target, "?")
	if strings.ContainsAny(path, " \t#%") {
		return pattern{}, errors.New("write the path decoded, without spaces, # and %")
	}
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
	if len(parts) > 0 && parts[len(parts)-1] == "*" {
		p.tail, parts = true, parts[:len(parts)-1]
	}
	if len(parts) > maxSegments {
		return pattern{}, fmt.Errorf("more than %d segments", maxSegments)
	}
	subjects := 0
	for _, part := range parts {
		kind, placeholder, err := parsePlace(part)
		if err != nil {
			return pattern{}, err
		}
		if kind != "" {
			subjects++
		}
		seg := segment{placeholder: placeholder, kind: kind}
		if !placeholder {
			seg.literal = part
		}
		p.segments = append(p.segments, seg)
	}
	seen := map[string]bool{}
	for _, item := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' }) {
		key, value, ok := strings.Cut(item, "=")
		if key == "" || strings.ContainsAny(key, "{}*") || seen[key] {
			return pattern{}, errors.New("a query is KEY or KEY={subject:KIND}, each key once, joined by &")
		}
		seen[key] = true
		q := queryKey{key: key}
		if ok {
			kind, placeholder, err := parsePlace(value)
			if err != nil {
				return pattern{}, err
			}
			if !placeholder {
				return pattern{}, errors.New("a query can't ask for a fixed value: write KEY alone or KEY={subject:KIND}")
			}
			q.kind = kind
		}
		if q.kind != "" {
			subjects++
		}
		p.query = append(p.query, q)
	}
	if subjects > MaxSubjects {
		return pattern{}, fmt.Errorf("more than %d subjects", MaxSubjects)
	}
	return p, nil
}

// parsePlace reads a literal, {name} or {subject:KIND}.
func parsePlace(s string) (kind string, placeholder bool, err error) {
	if !strings.ContainsAny(s, "{}*") {
		return "", false, nil
	}
	inner, open := strings.CutPrefix(s, "{")
	inner, shut := strings.CutSuffix(inner, "}")
	if !open || !shut || inner == "" || strings.ContainsAny(inner, "{}*") {
		return "", false, fmt.Errorf("%q: a placeholder is a whole segment, {name} or {subject:KIND}; * stands only at the end, after /", s)
	}
	name, kind, typed := strings.Cut(inner, ":")
	if !typed {
		return "", true, nil
	}
	if name != "subject" || kind == "" || strings.Trim(kind, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" {
		return "", false, fmt.Errorf("%q: a subject is {subject:KIND} with a kind of lower-case letters, digits and _", s)
	}
	return kind, true, nil
}

// canonical is equal for patterns that fit exactly the same.
func (p *pattern) canonical() string {
	var b strings.Builder
	b.WriteString(p.method)
	b.WriteByte(' ')
	b.WriteString(p.name)
	for _, s := range p.segments {
		b.WriteByte('/')
		if s.placeholder {
			b.WriteString("{}")
		}
		b.WriteString(s.literal)
	}
	if p.tail {
		b.WriteString("/*")
	}
	keys := make([]string, len(p.query))
	for i, q := range p.query {
		keys[i] = q.key
	}
	sort.Strings(keys)
	b.WriteString("?" + strings.Join(keys, "&"))
	return b.String()
}
