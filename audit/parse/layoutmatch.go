package parse

import "strings"

// layoutMatch finds the spans of one line. A variable ends at the first place
// where its literal follows and the rest of the line matches too.
type layoutMatch struct {
	l      *layout
	line   string
	sp     *spans
	budget int // tries left, so that no line takes long
	far    int // how far any try came
	farVar int // the variable that was expected there, -1 for a literal
	first  int // variable that ends at limit at the latest, if that is not 0
	limit  int
	open   bool // the end of the line may be missing
	full   bool // the line is as long as the server's limit
	wasCut bool // and it is
}

func (m *layoutMatch) run() bool {
	if !strings.HasPrefix(m.line, m.l.head) {
		m.farVar = -1
		return false
	}
	return !m.open && m.straight() || m.match(0, len(m.l.head))
}

// straight takes the first possible end of every variable. It is what nearly
// every line needs; when it fails, match tries the others.
func (m *layoutMatch) straight() bool {
	line, pos := m.line, len(m.l.head)
	for k := range m.l.slots {
		v := &m.l.slots[k]
		if pos > len(line) {
			return false
		}
		end := pos
		switch v.ends {
		case endsWide:
			end += v.width
		case endsDigits:
			for end < len(line) && line[end]-'0' <= 9 {
				end++
			}
			if end == pos && strings.HasPrefix(line[pos:], "-") {
				end++
			}
		case endsBlank:
			end += strings.IndexByte(line[pos:], ' ')
		case endsPort:
			blank := strings.IndexByte(line[pos:], ' ')
			if blank < 0 {
				return false
			}
			end += strings.LastIndexByte(line[pos:pos+blank], ':')
		case endsQuote:
			end += strings.IndexByte(line[pos:], '"')
		case endsSign:
			if end = v.find(line, pos); end < 0 {
				return false
			}
			m.sp[k], pos = [2]int32{int32(pos), int32(end)}, end+len(v.until)
			continue
		default:
			var ok bool
			if pos, ok = m.step(k, pos); !ok {
				return false
			}
			continue
		}
		if end < pos {
			return false
		}
		follows := false
		if end+8 <= len(line) && v.after.mask != 0 {
			follows = word(line, end)&v.after.mask == v.after.bits
		} else {
			follows = v.after.at(line, end)
		}
		if !follows || v.ends == endsDigits && end-pos > maxDigits || v.ends == endsWide && !v.shape.fits(line[pos:end]) {
			return false
		}
		m.sp[k], pos = [2]int32{int32(pos), int32(end)}, end+len(v.until)
	}
	return pos == len(line)
}

// step takes the first possible end of variable k and returns where the next
// one begins.
func (m *layoutMatch) step(k, pos int) (next int, ok bool) {
	v := &m.l.slots[k]
	if v.padded {
		for pos < len(m.line) && m.line[pos] == ' ' {
			pos++
		}
	}
	if v.shape == shapeBlock && (pos >= len(m.line) || m.line[pos] != '{') {
		rest := strings.TrimPrefix(v.until, " ")
		m.sp[k] = [2]int32{int32(pos), int32(pos)}
		return pos + len(rest), strings.HasPrefix(m.line[min(pos, len(m.line)):], rest)
	}
	end, ok := m.end(v, pos, pos)
	if !ok || !v.blank && v.also == "" && v.shape != shapeAny && !v.shape.fits(m.line[pos:end]) {
		return 0, false
	}
	m.sp[k] = [2]int32{int32(pos), int32(end)}
	return end + len(v.until), true
}

// match sets the spans from variable k on, which begins at pos.
func (m *layoutMatch) match(k, pos int) bool {
	if k == len(m.l.slots) {
		if pos != len(m.line) {
			m.failed(k, pos)
			return false
		}
		return true
	}
	return m.matchFrom(k, pos, pos)
}

// matchFrom is match with an end of variable k not before from.
func (m *layoutMatch) matchFrom(k, pos, from int) bool {
	v := &m.l.slots[k]
	if v.padded {
		for pos < len(m.line) && m.line[pos] == ' ' {
			pos++
		}
		from = max(from, pos)
	}
	if v.shape == shapeBlock && (pos >= len(m.line) || m.line[pos] != '{') {
		// Captures are left out with their blank when there are none.
		rest := strings.TrimPrefix(v.until, " ")
		if !strings.HasPrefix(m.line[min(pos, len(m.line)):], rest) {
			m.failed(k, pos)
			return false
		}
		m.sp[k] = [2]int32{int32(pos), int32(pos)}
		return m.match(k+1, pos+len(rest))
	}
	for {
		if m.budget--; m.budget < 0 {
			m.failed(k, pos)
			return false
		}
		end, ok := m.end(v, pos, from)
		if !ok {
			if m.open && m.cut(k, pos) {
				return true
			}
			m.failed(k, pos)
			return false
		}
		if m.limit > 0 && k == m.first && end > m.limit {
			return false
		}
		m.sp[k] = [2]int32{int32(pos), int32(end)}
		if v.blank && from == pos || v.also != "" || v.shape == shapeAny || v.shape.fits(m.line[pos:end]) {
			if m.match(k+1, end+len(v.until)) {
				return true
			}
		} else {
			m.failed(k, pos)
		}
		if v.quoted || v.run || v.blank || v.width > 0 || v.until == "" || v.shape == shapeBlock {
			return false // there is no other end
		}
		from = end + 1
	}
}

// end is the next possible end of v from a position on.
func (m *layoutMatch) end(v *slot, pos, from int) (int, bool) {
	switch {
	case v.width > 0:
		end := pos + v.width
		if end > len(m.line) || !strings.HasPrefix(m.line[end:], v.until) {
			return 0, false
		}
		return end, true
	case v.run:
		end := numberEnd(m.line, pos)
		for i := 0; i < len(v.also); i++ {
			if end >= len(m.line) || m.line[end] != v.also[i] {
				return end, false
			}
			end = numberEnd(m.line, end+1)
		}
		return end, strings.HasPrefix(m.line[end:], v.until)
	case v.until == "":
		return len(m.line), true
	case v.shape == shapeBlock:
		end := strings.IndexByte(m.line[pos:], '}') + pos + 1
		return end, end > pos && strings.HasPrefix(m.line[end:], v.until)
	case v.quoted:
		end := from + quoteEnd(m.line[from:], m.l.escape)
		if end < from || !strings.HasPrefix(m.line[end:], v.until) {
			return 0, false
		}
		return end, true
	}
	if from > len(m.line) {
		return 0, false
	}
	if v.blank {
		end := pos + strings.IndexByte(m.line[pos:], ' ')
		return end, end >= pos && v.after.at(m.line, end)
	}
	at := v.find(m.line, from)
	return at, at >= 0
}

// numberEnd is where a number ends that begins at pos.
func numberEnd(s string, pos int) int {
	end := pos
	if end < len(s) && (s[end] == '-' || s[end] == '+') {
		end++
	}
	for end < len(s) && (s[end]-'0' <= 9 || s[end] == '.') {
		end++
	}
	return end
}

// find is the offset of the literal after the variable in s from a position on,
// -1 if there is none.
func (v *slot) find(s string, from int) int {
	if len(v.until) == 1 {
		if from > len(s) {
			return -1
		}
		if j := strings.IndexByte(s[from:], v.until[0]); j >= 0 {
			return from + j
		}
		return -1
	}
	return find(s, v.until, v.anchor, from)
}

// find is the offset of a literal in s from a position on, -1 if there is none.
// Its rarest byte, at anchor, is looked for: strings.Index would stop at every
// space.
func find(s, literal string, anchor, from int) int {
	for from += anchor; from < len(s); from++ {
		j := strings.IndexByte(s[from:], literal[anchor])
		if j < 0 {
			return -1
		}
		from += j
		if strings.HasPrefix(s[from-anchor:], literal) {
			return from - anchor
		}
	}
	return -1
}

// quoteEnd is the offset of the closing quote. A quote in a value is written in
// hex by some servers, and follows a backslash with others.
func quoteEnd(s string, e escape) int {
	end := strings.IndexByte(s, '"')
	if e == escapeHex || e == escapeHash || end < 0 || strings.IndexByte(s[:end], '\\') < 0 {
		return end
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
// later: then the line can be read in two ways. Where the server escapes
// nothing, a quote of the client's own is enough.
func (m *layoutMatch) ambiguous() bool {
	if len(m.l.loose) == 0 {
		return false
	}
	bounded := m.bounded()
	for _, k := range m.l.loose {
		v := &m.l.slots[k]
		pos, end := int(m.sp[k][0]), int(m.sp[k][1])
		if v.raw && strings.IndexByte(m.line[pos:end], '"') >= 0 || m.l.escape == escapeQuote && bareQuote(m.line[pos:end]) {
			return true
		}
		if v.cookie && end == pos+1 && m.line[pos] == '-' {
			continue
		}
		if bounded && v.until[0] == '"' {
			continue
		}
		limit := len(m.line)
		if bounded {
			if q := strings.IndexByte(m.line[pos:], '"'); q >= 0 {
				limit = pos + q
			}
		}
		if next := v.find(m.line[:min(limit+len(v.until), len(m.line))], end+1); next < 0 || next > limit {
			continue
		}
		var other spans
		alt := layoutMatch{l: m.l, line: m.line, sp: &other, budget: 256, first: k, limit: limit}
		if alt.matchFrom(k, pos, end+1) || alt.budget < 0 {
			return true
		}
	}
	return false
}

// bounded reports whether the line has no more quotes than the format string:
// then none stands in a value, and no value can reach past the quote after it.
func (m *layoutMatch) bounded() bool {
	if e := m.l.escape; m.l.quotes == 0 || e != escapeHex && e != escapeHash || len(m.l.bare) > 3 {
		return m.l.quotes > 0 && strings.Count(m.line, `"`) == m.l.quotes
	}
	for _, k := range m.l.bare {
		if strings.IndexByte(m.line[m.sp[k][0]:m.sp[k][1]], '"') >= 0 {
			return false
		}
	}
	return true
}

// bareQuote reports whether s has a double quote without a backslash.
func bareQuote(s string) bool {
	for from := 0; ; from++ {
		j := strings.IndexByte(s[from:], '"')
		if j < 0 {
			return false
		}
		if from += j; from == 0 || s[from-1] != '\\' {
			return true
		}
	}
}

// cutShort matches a line whose end is missing: in the request or after it a
// variable may take the rest of the line. It sets the spans; those of the
// variables that are missing are empty.
func (m *layoutMatch) cutShort() bool {
	far, farVar := m.far, m.farVar
	m.open, m.budget = true, 1024
	if m.run() && m.wasCut {
		return true
	}
	m.far, m.farVar = far, farVar
	return false
}

// cut ends a match in variable k, which begins at pos.
func (m *layoutMatch) cut(k, pos int) bool {
	v := &m.l.slots[k]
	if k != m.l.request && (k < m.l.request || !m.full) || v.shape == shapeFixed || pos > len(m.line) {
		return false
	}
	if v.quoted && quoteEnd(m.line[pos:], m.l.escape) >= 0 {
		return false // it is whole; something else follows it
	}
	m.wasCut = true
	m.sp[k] = [2]int32{int32(pos), int32(len(m.line))}
	if v.shape != shapeAny { // half a number is none
		m.sp[k][1] = m.sp[k][0]
	}
	for k++; k < len(m.l.slots); k++ {
		m.sp[k] = [2]int32{int32(len(m.line)), int32(len(m.line))}
	}
	return true
}

func (m *layoutMatch) failed(k, pos int) {
	if pos >= m.far {
		m.far, m.farVar = min(pos, len(m.line)), k
	}
}

// expected says what should stand at far.
func (m *layoutMatch) expected() string {
	switch {
	case m.farVar < 0:
		return "the beginning of the " + m.l.what
	case m.farVar == len(m.l.slots):
		return "the end of the line"
	}
	v := &m.l.slots[m.farVar]
	s := m.l.sigil + v.name + " (" + v.shape.String() + ")"
	if v.until != "" {
		s += " and after it " + v.until
	}
	return s
}
