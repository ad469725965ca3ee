package detect

import (
	"encoding/binary"
	bits64 "math/bits"
	"unsafe"
)

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
	groups      groups // of the number that is looked at
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
	sc.dst = append(sc.dst, Match{Kind: kinds[k].Kind, Start: start, End: end, Confidence: confidence, Validated: validated})
	sc.end = end
	return true
}

// scan is the pass.
func (sc *scanner) scan() {
	s, class := sc.s, &sc.d.class
	if sc.name != "" && sc.d.on&fieldKinds != 0 {
		sc.whole()
	}
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for i := 0; i < len(s); {
		c := class[s[i]] & trigger
		if c == 0 {
			if i++; i < len(s) && class[s[i]]&trigger == 0 {
				i = next(b, i+1)
			}
			continue
		}
		switch c {
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
		}
	}
}

// next is the offset of the first byte from i on that may trigger something,
// looked for eight bytes at a time: 0 to 9 and their neighbours up to ?, @, J, %
// and the backslash.
func next(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		d := w&(0xf0*ones) ^ 0x30*ones
		at, j, percent, slash := w^'@'*ones, w^'J'*ones, w^'%'*ones, w^'\\'*ones
		// A byte of x is zero where (x - 1) &^ x has its high bit; bytes above
		// the first such may be wrong, which only costs another look.
		hit := ((d-ones)&^d | (at-ones)&^at | (j-ones)&^j | (percent-ones)&^percent | (slash-ones)&^slash) & highs
		if hit != 0 {
			return i + bits64.TrailingZeros64(hit)>>3
		}
	}
	return i
}

// digitsEnd is where the run of digits from s[i] on ends. Eight bytes are looked
// at together, because the lengths of numbers are hard to predict.
func digitsEnd(s string, i int) int {
	const zeros, over, highs = 0x3030303030303030, 0x7676767676767676, 0x8080808080808080
	b := unsafe.Slice(unsafe.StringData(s), len(s))
	for ; i+8 <= len(b); i += 8 {
		// A digit becomes 0 to 9; with 0x76 on top only more than that has the
		// high bit. A carry changes bytes above the first such alone.
		x := binary.LittleEndian.Uint64(b[i:]) ^ zeros
		if other := (x + over | x) & highs; other != 0 {
			return i + bits64.TrailingZeros64(other)>>3
		}
	}
	for i < len(b) && isDigit(b[i]) {
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
