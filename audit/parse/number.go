package parse

import "time"

// maxDigits is how many digits a number may have: any such fits 64 bits.
const maxDigits = 19

// parseUint reads a decimal number.
func parseUint(s string) (uint64, bool) {
	if len(s) == 0 || len(s) > maxDigits {
		return 0, false
	}
	var n uint64
	for i := 0; i < len(s); i++ {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		n = n*10 + uint64(c)
	}
	return n, true
}

// maxBytes bounds the bytes of one access: what has thirteen digits or more is
// the number of something else, such as a card, under the wrong key.
const maxBytes = 1_000_000_000_000

// parseBytes reads a count of bytes.
func parseBytes(s string) (uint64, bool) {
	n, ok := parseUint(s)
	if n >= maxBytes {
		return 0, false
	}
	return n, ok
}

// parseSeconds reads seconds with up to nine decimals.
func parseSeconds(s string) (time.Duration, bool) {
	whole, i := uint64(0), 0
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		if i > 9 {
			return 0, false
		}
		whole = whole*10 + uint64(s[i]-'0')
	}
	if i == 0 {
		return 0, false
	}
	d := time.Duration(whole) * time.Second
	if i == len(s) {
		return d, true
	}
	if s[i] != '.' || i+1 == len(s) {
		return 0, false
	}
	unit := time.Second
	for i++; i < len(s); i++ {
		c := s[i] - '0'
		if c > 9 {
			return 0, false
		}
		unit /= 10
		d += time.Duration(c) * unit
	}
	return d, true
}

// digits reads a fixed number of digits at s[at:], -1 if they are none.
func digits(s string, at, n int) int {
	if at+n > len(s) {
		return -1
	}
	v := 0
	for i := at; i < at+n; i++ {
		c := s[i] - '0'
		if c > 9 {
			return -1
		}
		v = v*10 + int(c)
	}
	return v
}

// parseSigned reads a decimal number with an optional sign.
func parseSigned(s string) (n uint64, sign byte, ok bool) {
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, s = s[0], s[1:]
	}
	n, ok = parseUint(s)
	return n, sign, ok
}

// durationOf is a number of seconds, to the microsecond.
func durationOf(seconds float64) time.Duration {
	return time.Duration(seconds*1e6) * time.Microsecond
}
