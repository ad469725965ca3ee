package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// errGuard is what a refused address wraps.
var errGuard = errors.New("the address is not allowed")

// Addresses that no webhook goes to: instance metadata services, and ranges in
// which another address hides. Link-local and unspecified ones are refused by
// their kind.
var refused = []netip.Prefix{
	netip.MustParsePrefix("fd00:ec2::254/128"),  // AWS metadata
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud metadata
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure platform
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("240.0.0.0/4"),    // reserved, with broadcast
	netip.MustParsePrefix("64:ff9b::/96"),   // NAT64 (RFC 6052)
	netip.MustParsePrefix("64:ff9b:1::/48"), // NAT64 (RFC 8215)
	netip.MustParsePrefix("2002::/16"),      // 6to4
	netip.MustParsePrefix("2001::/32"),      // Teredo
}

// Private beyond what netip calls so.
var private = []netip.Prefix{
	netip.MustParsePrefix("100.64.0.0/10"), // shared address space (RFC 6598)
	netip.MustParsePrefix("198.18.0.0/15"), // benchmarking (RFC 2544)
	netip.MustParsePrefix("192.0.0.0/24"),  // protocol assignments (RFC 6890)
	netip.MustParsePrefix("fec0::/10"),     // site-local (RFC 3879)
}

// guard checks the address that is about to be dialled, after resolution, so
// that a name cannot point somewhere else between check and use.
func guard(allowPrivate bool) func(network, address string, _ syscall.RawConn) error {
	return func(network, address string, _ syscall.RawConn) error {
		if network != "tcp4" && network != "tcp6" {
			return fmt.Errorf("%w: not TCP", errGuard)
		}
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: not an IP address", errGuard)
		}
		return checkAddr(ap.Addr(), allowPrivate)
	}
}

func checkAddr(a netip.Addr, allowPrivate bool) error {
	a = a.WithZone("").Unmap()
	if a.IsUnspecified() || a.IsMulticast() || a.IsLinkLocalUnicast() || in(a, refused) {
		return fmt.Errorf("%w: it is link-local, metadata or not for hosts", errGuard)
	}
	if (a.IsLoopback() || a.IsPrivate() || in(a, private)) && !allowPrivate {
		return fmt.Errorf("%w: it is loopback or private, which needs allow_private: true", errGuard)
	}
	return nil
}

func in(a netip.Addr, ps []netip.Prefix) bool {
	for _, p := range ps {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
