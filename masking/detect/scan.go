package detect

import bits64 "math/bits"

// class is what a byte can be the sign of, and which words it stands in.
type class uint8

// The lower bits say what a byte triggers, the upper ones what it is part of.
const (
	at class = iota + 1
	digit
	colon
	equals
	escape
	letterJ
	angle

	trigger class = 0x0f
	alnum   class = 0x10
	hex     class = 0x20
)

// classes is the table of bytes for a set of kinds: bytes that can only begin
// kinds outside of the set trigger nothing.
func classes(on bits) (t [256]class) {
	for c := '0'; c <= '9'; c++ {
		t[c] = digit | alnum | hex
	}
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-0x20] = alnum, alnum
	}
	for c := 'a'; c <= 'f'; c++ {
		t[c], t[c-0x20] = alnum|hex, alnum|hex
	}
	t['%'], t['\\'] = escape, escape
	t[':'] = colon
	if on.has(email) {
		t['@'] = at
	}
	if on&fieldKinds != 0 {
		t['='] = equals
	}
	if on.has(jwt) {
		t['J'] |= letterJ
	}
	if on.has(mrz) {
		t['<'] = angle
	}
	return t
}

// plainClass is the table for what bytes are part of.
var plainClass = classes(0)

func isAlnum(c byte) bool { return plainClass[c]&alnum != 0 }
func isHex(c byte) bool   { return plainClass[c]&hex != 0 }
func isDigit(c byte) bool { return c-'0' <= 9 }
func isUpper(c byte) bool { return c-'A' <= 'Z'-'A' }

// scanner is one pass over one level of encoding.
type scanner struct {
	d    *Detector
	s    string
	name string // of the field that s is the value of, if that is known
	dst  []Match

	end         int  // of the last match, which later ones do not enter
	encoded     bool // there are escapes in s, the first and the last at
	first, last int
	slashed     bool // some of them have a backslash
	packed      int  // words that look like base64
	words       [maxPacked]place
}

// begin sets what an empty scanner looks at. A literal would be made beside it
// and copied.
func (sc *scanner) begin(d *Detector, name, s string, dst []Match) {
	sc.d, sc.s, sc.name, sc.dst = d, s, name, dst
}

// place is s[start:end] of a level.
type place struct{ start, end int }

// emit notes a match, unless its kind is off, it enters the one before or the
// allow-list has it.
func (sc *scanner) emit(k id, start, end int, confidence uint8, validated bool) bool {
	if start < sc.end || !sc.d.on.has(k) {
		return false
	}
	if len(sc.d.allow) > 0 && sc.d.allowed(kinds[k].Kind, sc.s[start:end]) {
		sc.end = end
		return true
	}
	sc.dst = append(sc.dst, Match{})
	m := &sc.dst[len(sc.dst)-1] // set in its place: a copy would wait for the fields of a literal
	m.Kind, m.Start, m.End = kinds[k].Kind, start, end
	m.Index, m.Confidence, m.Validated = sc.d.index[k], confidence, validated
	sc.end = end
	return true
}

// scan is the pass.
func (sc *scanner) scan() {
	s, class := sc.s, &sc.d.class
	if sc.name != "" && sc.d.on&fieldKinds != 0 {
		sc.whole()
	}
	for i, from := 0, 0; from < len(s); from = max(from+blockSize, i) {
		for hits := triggersFrom(s, from); hits != 0; hits &= ^uint64(0) << uint(i-from) {
			i = from + bits64.TrailingZeros64(hits)
			switch class[s[i]] & trigger {
			case digit:
				i = sc.number(i)
			case colon:
				i = sc.colon(i)
			case equals:
				sc.field(i)
				i++
			case at:
				i = sc.email(i)
			case escape:
				i += sc.escape(i)
			case letterJ:
				i = sc.jwt(i)
			case angle:
				i = sc.mrz(i)
			default:
				i++
			}
		}
	}
}

// digitsEnd is where the run of digits from s[i] on ends. Eight bytes are looked
// at together, because the lengths of numbers are hard to predict.
func digitsEnd(s string, i int) int {
	const zeros, over, highs = 0x3030303030303030, 0x7676767676767676, 0x8080808080808080
	for ; i+8 <= len(s); i += 8 {
		// A digit becomes 0 to 9; with 0x76 on top only more than that has the
		// high bit. A carry changes bytes above the first such alone.
		x := eight(s, i) ^ zeros
		if other := (x + over | x) & highs; other != 0 {
			return i + bits64.TrailingZeros64(other)>>3
		}
	}
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

// all is the pass and the detectors of the rules.
func (sc *scanner) all() {
	base := len(sc.dst)
	sc.scan()
	for i := range sc.d.custom {
		sc.dst = sc.d.custom[i].find(sc.dst, base, sc)
	}
}

// escape notes an escape and returns its length. The digits of a percent escape
// are not read as numbers.
func (sc *scanner) escape(i int) int {
	n := escaped(sc.s, i)
	if n == 0 {
		return 1
	}
	if !sc.encoded {
		sc.encoded, sc.first = true, i
	}
	sc.last = i
	sc.slashed = sc.slashed || sc.s[i] == '\\'
	if n == 2 {
		return 1 // a quote ends a value
	}
	return n
}

// alone reports whether s[start:end] is not a part of a longer token: of a
// word, a decimal, or a group of a UUID.
func alone(s string, start, end int) bool {
	if start > 0 {
		c := s[start-1]
		if isAlnum(c) || c >= 0x80 || c == '_' || c == '.' && start > 1 && isAlnum(s[start-2]) {
			return false
		}
		if c == '-' && start > 1 && hexWord(s, start-1) {
			return false
		}
	}
	if end < len(s) {
		c := s[end]
		if isAlnum(c) || c >= 0x80 || c == '_' || (c == '.' || c == '-') && end+1 < len(s) && isAlnum(s[end+1]) {
			return false
		}
	}
	return true
}

// hexWord reports whether the word that ends at offset end has only hex
// digits, as the groups of a UUID have.
func hexWord(s string, end int) bool {
	i := end
	for i > 0 && isAlnum(s[i-1]) {
		if i--; !isHex(s[i]) {
			return false
		}
	}
	return i < end
}
