package detect

import "encoding/binary"

// instant reads a time of RFC 3339 at s[i], up to its zone, and returns where
// that begins, 0 if there is none. Nothing in it is a value: the letter in the
// middle makes date and time parts of a longer word.
func instant(s string, i int) int {
	end := i + len("2026-11-21T13:05:22")
	if end >= len(s) {
		return 0
	}
	if !dayLayout.is(eight(s, i)) || !middleLayout.is(eight(s, i+8)) || !clockLayout.is(eight(s, i+11)) {
		return 0
	}
	switch c := s[end]; {
	case c == '.': // decimals, if the zone behind them is a letter
		p := digitsEnd(s, end+1)
		if p == end+1 || p == len(s) || s[p] != 'Z' {
			return 0
		}
		return p
	case c == ':' || isHex(c):
		return 0
	}
	return end
}

// layout is how eight bytes are written: in want a zero is any digit, and more
// brings every byte that is none, or another than the one in want, to 0x80.
type layout struct{ want, more uint64 }

var dayLayout, middleLayout, clockLayout = layoutOf("0000-00-"), layoutOf("00T00:00"), layoutOf("00:00:00")

func layoutOf(s string) layout {
	l := layout{want: binary.LittleEndian.Uint64([]byte(s))}
	for i := range 8 {
		more := uint64(0x7f)
		if s[i] == '0' {
			more = 0x76
		}
		l.more |= more << (8 * i)
	}
	return l
}

// is reports whether eight bytes are as the layout says. A carry comes from a byte
// that does not fit, so it changes nothing.
func (l *layout) is(x uint64) bool {
	const highs = 0x8080808080808080
	x ^= l.want
	return (x+l.more|x)&highs == 0
}
