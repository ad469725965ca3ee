package detect

import (
	"net/netip"
	"strings"
)

// maxIPv6 is the length of the longest address as text.
const maxIPv6 = 45

// ipv6 reads the address around the colon s[i]; next is where the scan goes
// on. Clock times, MAC addresses and names with double colons have colons too,
// so an address has to parse and to be a global, unique local or link-local
// unicast address (RFC 4291).
func ipv6(s string, i int) (m Match, next int, ok bool) {
	start := i
	for start > 0 && i-start < 5 && isHex(s[start-1]) {
		start--
	}
	end := i
	colons := 0
	for end < len(s) && end-start <= maxIPv6 && (isHex(s[end]) || s[end] == ':' || s[end] == '.') {
		if s[end] == ':' {
			colons++
		}
		end++
	}
	next = end
	if colons < 2 || i-start > 4 || start > 0 && (isAlnum(s[start-1]) || s[start-1] == '_' || s[start-1] >= 0x80) {
		return m, next, false
	}
	if end < len(s) && (isAlnum(s[end]) || s[end] == '_' || s[end] >= 0x80) {
		return m, next, false
	}
	for end > start && (s[end-1] == '.' || s[end-1] == ':' && !strings.HasSuffix(s[start:end], "::")) {
		end--
	}
	text := s[start:end]
	if !strings.Contains(text, "::") && strings.Count(text, ":") < 6 {
		return m, next, false
	}
	a, err := netip.ParseAddr(strings.Clone(text)) // its errors keep the text
	if err != nil || !a.Is6() {
		return m, next, false
	}
	b := a.As16()
	if b[0]&0xe0 != 0x20 && b[0]&0xfe != 0xfc && (b[0] != 0xfe || b[1]&0xc0 != 0x80) {
		return m, next, false
	}
	return Match{Kind: IPv6, Start: start, End: end, Confidence: 90, Validated: true}, next, true
}
