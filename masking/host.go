package masking

import (
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/detect"
	"github.com/tallystick/tallystick/masking/generalise"
	"github.com/tallystick/tallystick/masking/plain"
)

// maxHost is the length of the longest host name with a port.
const maxHost = 253 + 6

// maxHostDigits is how many digits a host name may have: more are a number of
// something, such as an address with dashes or a card.
const maxHostDigits = 8

// host keeps the name of a server that the operator chose, with its port, if no
// detector sees anything in it; an address is truncated and everything else
// redacted. Names that clients choose go through shown.
func host(s string) string {
	if s == "" {
		return ""
	}
	if len(s) > maxHost || !hostName(s) {
		if strings.HasPrefix(s, "[") || strings.Count(s, ":") > 1 {
			return generalise.HostPort(s)
		}
		return plain.Redacted
	}
	if c := s[len(s)-1]; c-'0' <= 9 { // an address or a port at the end
		if n := generalise.HostPort(s); n != plain.Redacted {
			return n
		}
	}
	if detect.Any(s) {
		return plain.Redacted
	}
	return strings.Clone(s) // not the whole line
}

// hostName reports whether s consists of what host names do, with at most one
// colon and a port after it.
func hostName(s string) bool {
	name, port, has := strings.Cut(s, ":")
	if has && (port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "") {
		return false
	}
	digits := 0
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c-'0' <= 9 {
			digits++
		} else if (c|0x20 < 'a' || c|0x20 > 'z') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return name != "" && name[0] != '.' && name[0] != '-' && (digits <= maxHostDigits || strings.Trim(name, "0123456789.") == "")
}

// shown is a host name that a client chose, as enrich says that it may be shown;
// an address is truncated and everything else redacted.
func shown(name plain.Text, may string) string {
	if name.Empty() {
		return ""
	}
	if n := generalise.HostPort(name.Reveal(access)); n != plain.Redacted {
		return n
	}
	if may == "" {
		return plain.Redacted
	}
	return may
}

// referer keeps scheme and shown host of a referer. Path and query are another
// site's and never kept.
func referer(s, may string) string {
	if s == "" {
		return ""
	}
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme != "http" && scheme != "https" && scheme != "android-app" {
		return plain.Redacted
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	if rest == "" || strings.IndexByte(rest, '@') >= 0 {
		return plain.Redacted
	}
	if h := shown(plain.New(rest), may); h != plain.Redacted {
		return scheme + "://" + h
	}
	return plain.Redacted
}

// upstream keeps the server that answered: addresses truncated, names as host
// does, and the name of a unix socket's kind only.
func upstream(s string) string {
	if s == "" {
		return ""
	}
	if strings.HasPrefix(s, "unix:") || strings.HasPrefix(s, "envoy://") {
		return "local"
	}
	if n := generalise.HostPort(s); n != plain.Redacted {
		return n
	}
	return host(s)
}

// word keeps a technical word such as a cipher suite: upper-case letters,
// digits, dashes and underscores.
func word(s string) string {
	if len(s) > 64 {
		return plain.Redacted
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c-'0' > 9 && (c < 'A' || c > 'Z') && c != '-' && c != '_' {
			return plain.Redacted
		}
	}
	if detect.Any(s) {
		return plain.Redacted
	}
	return strings.Clone(s)
}

// carried has the words for every combination of audit.Carries. The lists are
// shared and never written to.
var carried = func() (all [32][]string) {
	words := [5]string{"tls", "purpose", "principal", "target", "outcome"}
	for n := range all {
		for bit, w := range words {
			if n&(1<<bit) != 0 {
				all[n] = append(all[n], w)
			}
		}
	}
	return all
}()

func carries(c audit.Carries) []string {
	n := 0
	for bit, has := range [5]bool{c.TLS, c.Purpose, c.Principal, c.Target, c.Outcome} {
		if has {
			n |= 1 << bit
		}
	}
	return carried[n]
}
