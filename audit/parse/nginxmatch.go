package parse

import "strings"

// nginxMatch finds the spans of one line. A variable ends at the first place
// where its literal follows and the rest of the line matches too.
type nginxMatch struct {
	n      *nginx
	line   string
	sp     *spans
	budget int // tries left, so that no line takes long
	far    int // how far any try came
	farVar int // the variable that was expected there, -1 for a literal
}

func (m *nginxMatch) run() bool {
	if !strings.HasPrefix(m.line, m.n.head) {
		m.farVar = -1
		return false
	}
	return m.match(0, len(m.n.head))
}

// match sets the spans from variable k on, which begins at pos.
func (m *nginxMatch) match(k, pos int) bool {
	if k == len(m.n.vars) {
		if pos != len(m.line) {
			m.failed(k, pos)
			return false
		}
		return true
	}
	return m.matchFrom(k, pos, pos)
}

// matchFrom is match with an end of variable k not before from.
func (m *nginxMatch) matchFrom(k, pos, from int) bool {
	v := &m.n.vars[k]
	for {
		if m.budget--; m.budget < 0 {
			m.failed(k, pos)
			return false
		}
		end, ok := m.end(v, pos, from)
		if !ok {
			m.failed(k, pos)
			return false
		}
		m.sp[k] = [2]int32{int32(pos), int32(end)}
		if v.shape.fits(m.line[pos:end]) {
			if m.match(k+1, end+len(v.until)) {
				return true
			}
		} else {
			m.failed(k, pos)
		}
		if v.quoted || v.shape == shapeTimeLocal || v.until == "" {
			return false
		}
		from = end + 1
	}
}

// end is the next possible end of v from a position on.
func (m *nginxMatch) end(v *nginxVar, pos, from int) (int, bool) {
	switch {
	case v.shape == shapeTimeLocal:
		end := pos + localTimeLen
		if end > len(m.line) || !strings.HasPrefix(m.line[end:], v.until) {
			return 0, false
		}
		return end, true
	case v.until == "":
		return len(m.line), true
	case v.quoted:
		end := from + quoteEnd(m.line[from:], m.n.json)
		if end < from || !strings.HasPrefix(m.line[end:], v.until) {
			return 0, false
		}
		return end, true
	}
	if from > len(m.line) {
		return 0, false
	}
	at := v.find(m.line, from)
	return at, at >= 0
}

// find is the offset of the literal after the variable in s from a position on,
// -1 if there is none. Its rarest byte is looked for: strings.Index would stop
// at every space.
func (v *nginxVar) find(s string, from int) int {
	for from += v.anchor; from < len(s); from++ {
		j := strings.IndexByte(s[from:], v.until[v.anchor])
		if j < 0 {
			return -1
		}
		from += j
		if strings.HasPrefix(s[from-v.anchor:], v.until) {
			return from - v.anchor
		}
	}
	return -1
}

// quoteEnd is the offset of the closing quote. In escape=default a quote in a
// value is \x22, in escape=json it follows a backslash.
func quoteEnd(s string, json bool) int {
	if !json {
		return strings.IndexByte(s, '"')
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i
		case '\\':
			i++
		}
	}
	return -1
}

// ambiguous reports whether a client-controlled variable could as well end
// later: then the line can be read in two ways.
func (m *nginxMatch) ambiguous() bool {
	for _, k := range m.n.loose {
		v := &m.n.vars[k]
		pos, end := int(m.sp[k][0]), int(m.sp[k][1])
		if v.shape != shapeAny || v.find(m.line, end+1) < 0 {
			continue
		}
		var other spans
		alt := nginxMatch{n: m.n, line: m.line, sp: &other, budget: 256}
		if alt.matchFrom(k, pos, end+1) {
			return true
		}
	}
	return false
}

func (m *nginxMatch) failed(k, pos int) {
	if pos >= m.far {
		m.far, m.farVar = pos, k
	}
}

// expected says what should stand at far.
func (m *nginxMatch) expected() string {
	switch {
	case m.farVar < 0:
		return "the beginning of the log_format"
	case m.farVar == len(m.n.vars):
		return "the end of the line"
	}
	v := &m.n.vars[m.farVar]
	s := "$" + v.name + " (" + v.shape.String() + ")"
	if v.until != "" {
		s += " and after it " + v.until
	}
	return s
}
