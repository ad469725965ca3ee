// Package generalise makes values coarser: addresses to networks, user agents
// to family and major version.
//
// What it returns is made of a closed list or of the kept part of a number,
// never of the client's text. What it does not understand is plain.Redacted or
// "other". Package masking calls it.
package generalise

import (
	"net/netip"
	"strings"

	"github.com/tallystick/tallystick/masking/plain"
)

// The kept bits of an address.
const (
	keepIPv4 = 24
	keepIPv6 = 48
)

// Address is the network of an address, 203.0.113.0/24 or 2001:db8:7::/48. What
// is no address is redacted; an absent one stays absent.
func Address(s string) string {
	if s == "" {
		return ""
	}
	if i := lastOctet(s); i > 0 {
		return s[:i] + "0/24"
	}
	if strings.IndexByte(s, '%') >= 0 {
		return plain.Redacted // a zone is free text
	}
	if noAddress(s) {
		return plain.Redacted
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return plain.Redacted
	}
	a = a.Unmap()
	bits := keepIPv4
	if a.Is6() {
		bits = keepIPv6
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return plain.Redacted
	}
	var buf [48]byte
	return string(p.AppendTo(buf[:0]))
}

// lastOctet is where the last number of a dotted IPv4 address begins, 0 if s is
// no such address. What stands before it is the network of keepIPv4 bits.
func lastOctet(s string) int {
	at, dots, v := 0, 0, -1 // v is the number that is read, -1 before its first digit
	for i := 0; i < len(s); i++ {
		switch d := int(s[i]) - '0'; {
		case s[i] == '.':
			if v < 0 || dots == 3 {
				return 0
			}
			at, dots, v = i+1, dots+1, -1
		case d < 0 || d > 9 || v == 0:
			return 0
		case v < 0:
			v = d
		default:
			if v = v*10 + d; v > 255 {
				return 0
			}
		}
	}
	if dots < 3 || v < 0 {
		return 0
	}
	return at
}

// noAddress reports of most names of hosts, without making an error, that they
// are no address: one has a colon or ends in a digit.
func noAddress(s string) bool {
	return strings.IndexByte(s, ':') < 0 && (s == "" || s[len(s)-1]-'0' > 9)
}

// HostPort is Address for an address with a port, which is kept:
// 10.4.1.0/24:8080. What is no address and port is redacted.
func HostPort(s string) string {
	if s == "" {
		return ""
	}
	if i := strings.Index(s, "://"); i >= 0 {
		s = s[i+3:]
	}
	if noAddress(s) {
		return plain.Redacted
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return Address(s)
	}
	var buf [64]byte
	out := append(buf[:0], Address(ap.Addr().String())...)
	return string(append(append(out, ':'), s[strings.LastIndexByte(s, ':')+1:]...))
}
