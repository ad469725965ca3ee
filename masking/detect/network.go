package detect

import "strings"

// ipv4 emits the address that the dotted number begins with and returns where it
// ends, 0 if it is none. Versions (Chrome/128.0.0.0, v1.2.3.4, rv:1.9.3.20) have
// the same shape and are told apart by what stands before them; addresses that
// name no one (loopback, unspecified, broadcast, multicast) are left out.
func (sc *scanner) ipv4(g *groups) int {
	s, start, end := sc.s, g.start[0], g.end[3]
	if !sc.d.on.has(ipv4) || g.n > 4 && (g.separator(3) == dot || g.separator(3) == dash) {
		return 0
	}
	first := octet(s, g.start[0], g.end[0])
	for k := 1; k < 4; k++ {
		if octet(s, g.start[k], g.end[k]) < 0 {
			return 0
		}
	}
	if start > 0 {
		if c := s[start-1]; c == '.' || c == '-' || c == '_' || c >= 0x80 {
			return 0
		}
	}
	if end < len(s) {
		c := s[end]
		if isAlnum(c) || c == '_' || c >= 0x80 || (c == '.' || c == '-') && end+1 < len(s) && isAlnum(s[end+1]) {
			return 0
		}
	}
	if end+1 < len(s) && s[end] == '/' && isDigit(s[end+1]) && s[end-1] == '0' && s[end-2] == '.' {
		return 0 // a network
	}
	if first <= 0 || first == 127 || first >= 224 || versionBefore(s, start) {
		return 0
	}
	if !sc.emit(ipv4, start, end, 85, true) {
		return 0
	}
	return end
}

// lowest are the lowest numbers by how many digits they have.
var lowest = [4]int{0, 0, 10, 100}

// octet is the value of the digits s[start:end], or -1 if they are no number of
// 0 to 255 without leading zeros.
func octet(s string, start, end int) int {
	n, v := end-start, 0
	if n > 3 {
		return -1
	}
	if start+8 <= len(s) {
		// Shifted so that the last digit is highest; what is missing is zero.
		w := eight(s, start) << (8 * (8 - uint(n)) & 63)
		v = int(w>>56&0x0f + w>>48&0x0f*10 + w>>40&0x0f*100)
	} else {
		v = small(s, start, end)
	}
	if v > 255 || v < lowest[n&3] {
		return -1
	}
	return v
}

// versionBefore reports whether what stands before offset i makes the number
// there a version: a product token NAME/ of a user agent, or a word for it.
func versionBefore(s string, i int) bool {
	if i == 0 {
		return false
	}
	if s[i-1] == '/' {
		w := i - 1
		for w > 0 && (isAlnum(s[w-1]) || s[w-1] == '-' || s[w-1] == '_' || s[w-1] == '.') {
			w--
		}
		// In a path another slash stands before the word.
		return w < i-1 && (w == 0 || strings.IndexByte(" (;\"'", s[w-1]) >= 0)
	}
	end := i
	for end > 0 && i-end < 4 && strings.IndexByte("=: \"'", s[end-1]) >= 0 {
		end--
	}
	start := end
	for start > 0 && end-start <= 12 && isAlnum(s[start-1]) {
		start--
	}
	if start == end || strings.IndexByte("vVrRbBfFkK", s[start]) < 0 {
		return false
	}
	for _, w := range [...]string{"version", "ver", "rv", "release", "build", "v", "firmware", "kernel"} {
		if strings.EqualFold(s[start:end], w) {
			return true
		}
	}
	return false
}

// position emits a pair of coordinates: latitude, comma, longitude with four to
// eight decimals each. It returns where the pair ends, 0 if there is none.
func (sc *scanner) position(g *groups) int {
	s, comma := sc.s, g.end[1]
	if !sc.d.on.has(gps) || g.separator(0) != dot || comma >= len(s) || s[comma] != ',' || !isDecimal(s, g.start[0], 2, g.end[0], comma) {
		return 0
	}
	start := g.start[0]
	if start > 0 && s[start-1] == '-' {
		start--
	}
	if start > 0 && (isAlnum(s[start-1]) || s[start-1] == '.' || s[start-1] == ',') {
		return 0
	}
	i := comma + 1
	if i < len(s) && (s[i] == ' ' || s[i] == '+') {
		i++
	}
	if i < len(s) && s[i] == '-' {
		i++
	}
	point := i
	for point < len(s) && isDigit(s[point]) {
		point++
	}
	end := point + 1
	for end < len(s) && isDigit(s[end]) {
		end++
	}
	if point >= len(s) || s[point] != '.' || !isDecimal(s, i, 3, point, end) || end < len(s) && (isAlnum(s[end]) || s[end] == '.' || s[end] == ',' && end+1 < len(s) && isDigit(s[end+1])) {
		return 0
	}
	lat, lon := small(s, g.start[0], g.end[0]), small(s, i, point)
	if lat > 90 || lon > 180 || lat == 0 && lon == 0 { // two fractions are measurements
		return 0
	}
	if !sc.emit(gps, start, end, 75, false) {
		return 0
	}
	return end
}

// isDecimal reports whether s[start:end] with its point at point has up to most
// digits before it and four to eight after it.
func isDecimal(s string, start, most, point, end int) bool {
	n := end - point - 1
	return point > start && point-start <= most && n >= 4 && n <= 8
}

func small(s string, start, end int) (v int) {
	for i := start; i < end; i++ {
		v = v*10 + int(s[i]-'0')
	}
	return v
}

// colon handles a colon that no number led to: the end of a field's name, or
// an address whose first group has letters alone.
func (sc *scanner) colon(i int) int {
	s := sc.s
	if i == 0 || i+1 == len(s) {
		return i + 1
	}
	before, after := s[i-1], s[i+1]
	switch {
	case before == '"' || before == '\'' || after == ' ' || after == '"':
		sc.field(i)
	case isHex(before) && (after == ':' || isHex(after)):
		start := i
		for start > 0 && i-start < 5 && isHex(s[start-1]) {
			start--
		}
		if i-start <= 4 {
			return max(i+1, sc.colons(start))
		}
	}
	return i + 1
}

// colons handles groups of hex digits between colons, which begin at start:
// clock times, IPv6 addresses (RFC 4291) and MAC addresses. It returns where the
// scan goes on. An IPv6 address has to be a global, unique local or link-local
// unicast address.
func (sc *scanner) colons(start int) int {
	s, p, n, first, double, pairs, last := sc.s, start, 0, 0, false, true, start
	for n < 9 {
		for last = p; p < len(s) && p-last < 5 && plainClass[s[p]]&hex != 0; p++ {
		}
		if p-last > 4 {
			return p
		}
		pairs = pairs && p-last == 2
		if n++; n == 1 {
			for _, c := range []byte(s[last:p]) {
				first = first<<4 | int(unhex(c))
			}
		}
		if p+1 >= len(s) || s[p] != ':' {
			break
		}
		if s[p+1] == ':' {
			if double {
				return p + 2
			}
			double, pairs = true, false
			if p += 2; p == len(s) || !isHex(s[p]) {
				break
			}
			continue
		}
		if !isHex(s[p+1]) {
			break
		}
		p++
	}
	if p < len(s) && s[p] == '.' && last > start {
		return last // an IPv4 address in the last groups, or a fraction of a second
	}
	if start > 0 && (isAlnum(s[start-1]) || s[start-1] == '_' || s[start-1] == ':' || s[start-1] >= 0x80) ||
		p < len(s) && (isAlnum(s[p]) || s[p] == '_' || s[p] >= 0x80) {
		return p
	}
	switch {
	case n == 6 && pairs:
		sc.mac(start, p)
	case n == 8 && !double || n < 8 && double:
		if first&0xe000 == 0x2000 || first&0xfe00 == 0xfc00 || first&0xffc0 == 0xfe80 {
			sc.emit(ipv6, start, p, 90, true)
		}
	}
	return p
}

// mac emits a hardware address, unless it is a broadcast. Digits alone are
// more often a time.
func (sc *scanner) mac(start, end int) {
	if t := sc.s[start:end]; strings.Trim(t, "0123456789:-") != "" && strings.Trim(t, "fF:-") != "" {
		sc.emit(mac, start, end, 90, false)
	}
}

// macDashed handles 00-1B-44-11-3A-B7, whose first group is s[i:e].
func (sc *scanner) macDashed(i, e int) int {
	s, end := sc.s, i+17
	if end > len(s) || !sc.d.on.has(mac) || i > 0 && (isAlnum(s[i-1]) || s[i-1] == '-') || end < len(s) && (isAlnum(s[end]) || s[end] == '-') {
		return e
	}
	letters := false
	for k := i; k < end; k++ {
		if (k-i)%3 == 2 {
			if s[k] != '-' {
				return e
			}
		} else if !isHex(s[k]) {
			return e
		}
		letters = letters || s[k] > '9'
	}
	if !letters {
		return e
	}
	sc.mac(i, end)
	return end
}

// uuid handles a UUID whose first group begins at i: nothing in it is read as
// a number. It returns where the UUID ends, 0 if there is none.
func (sc *scanner) uuid(i int) int {
	s, end := sc.s, i+36
	if end > len(s) || s[i+13] != '-' || s[i+18] != '-' || s[i+23] != '-' || s[i+8] != '-' {
		return 0
	}
	for k := i; k < end; k++ {
		if !isHex(s[k]) && s[k] != '-' {
			return 0
		}
	}
	if sc.d.on.has(pix) && s[i+14] == '4' && sc.context(i).kinds.has(pix) {
		sc.emit(pix, i, end, 85, false)
	}
	return end
}
