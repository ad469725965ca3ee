package parse

// word is the eight bytes of s at an offset, the first the lowest. There have
// to be eight.
func word(s string, at int) uint64 {
	s = s[at : at+8]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// allASCII reports whether s is ASCII without NUL, eight bytes at a time: a
// byte of ASCII that is not zero sets its high bit when 0x7f is added.
func allASCII(s string) bool {
	const low, high = 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	for len(s) >= 32 {
		a, b, c, d := word(s, 0), word(s, 8), word(s, 16), word(s, 24)
		if (a|b|c|d|^((a+low)&(b+low)&(c+low)&(d+low)))&high != 0 {
			return false
		}
		s = s[32:]
	}
	for len(s) >= 8 {
		a := word(s, 0)
		if (a|^(a+low))&high != 0 {
			return false
		}
		s = s[8:]
	}
	for i := 0; i < len(s); i++ {
		if s[i] == 0 || s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// literal is a short text that lines are compared with at once.
type literal struct {
	text string
	bits uint64 // its bytes as in word, where it has at most eight
	mask uint64 // which bytes of a word they are; 0 where it has more
}

func newLiteral(text string) literal {
	l := literal{text: text}
	if n := len(text); n <= 8 && n > 0 {
		l.bits, l.mask = word(text+"\x00\x00\x00\x00\x00\x00\x00\x00", 0), ^uint64(0)>>(64-8*n)
	}
	return l
}

// at reports whether it stands in s at an offset, which may be past the end.
func (l *literal) at(s string, offset int) bool {
	if l.mask != 0 && offset+8 <= len(s) {
		return word(s, offset)&l.mask == l.bits
	}
	return offset <= len(s) && len(s)-offset >= len(l.text) && s[offset:offset+len(l.text)] == l.text
}
