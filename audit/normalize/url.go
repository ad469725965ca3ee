package normalize

import (
	"bytes"
	"strings"

	"github.com/tallystick/tallystick/audit"
	"github.com/tallystick/tallystick/masking/plain"
)

// maxQuery bounds the parameters of a query that are looked at; the rest stays
// one value under the last key.
const maxQuery = 256

// setURL splits the request target (RFC 9112 section 3.2) into path and query.
func setURL(e *audit.Event) {
	target := e.Target.Reveal(access)
	if target == "" {
		return
	}
	if e.Operation == "CONNECT" { // authority form
		if e.Host.Empty() {
			e.Host = e.Target
		}
		return
	}
	host, rest := absolute(target)
	if host != "" && e.Host.Empty() {
		e.Host = plain.New(host)
	}
	path := rest
	if q := strings.IndexByte(rest, '?'); q >= 0 {
		path = rest[:q]
		e.Query = splitQuery(e.Query[:0], rest[q+1:])
	}
	if !isClean(path) {
		path = cleanPath(decode(path, false))
	}
	e.Path = plain.New(path)
}

// absolute takes scheme and authority off an absolute-form target.
func absolute(target string) (host, rest string) {
	if strings.HasPrefix(target, "/") {
		return "", target
	}
	for _, scheme := range [...]string{"http://", "https://"} {
		if len(target) > len(scheme) && strings.EqualFold(target[:len(scheme)], scheme) {
			rest = target[len(scheme):]
			if end := strings.IndexAny(rest, "/?"); end >= 0 {
				host, rest = rest[:end], rest[end:]
			} else {
				host, rest = rest, ""
			}
			if at := strings.LastIndexByte(host, '@'); at >= 0 {
				host = host[at+1:]
			}
			if !strings.HasPrefix(rest, "/") {
				rest = "/" + rest
			}
			return host, rest
		}
	}
	return "", target
}

// splitQuery appends the decoded parameters of a query.
func splitQuery(dst []audit.Field, query string) []audit.Field {
	encoded := strings.IndexByte(query, '%') >= 0 || strings.IndexByte(query, '+') >= 0
	for query != "" {
		part, rest := query, ""
		if end := strings.IndexByte(query, '&'); end >= 0 && len(dst) < maxQuery-1 {
			part, rest = query[:end], query[end+1:]
		}
		if query = rest; part == "" {
			continue
		}
		key, value := part, ""
		if eq := strings.IndexByte(part, '='); eq >= 0 {
			key, value = part[:eq], part[eq+1:]
		}
		if encoded {
			key, value = decode(key, true), decode(value, true)
		}
		dst = append(dst, audit.Field{Name: key, Value: plain.New(value)})
	}
	return dst
}

// isClean reports whether a path has nothing that decode or cleanPath change:
// no percent sign, and no slash or dot behind a slash. Eight bytes are looked at
// together; it may say no to a path that has only bytes over 0x7f.
func isClean(p string) bool {
	const ones, low, high = 0x0101010101010101, 0x7f7f7f7f7f7f7f7f, 0x8080808080808080
	i := 0
	for ; i+9 <= len(p); i += 8 {
		w := uint64(p[i]) | uint64(p[i+1])<<8 | uint64(p[i+2])<<16 | uint64(p[i+3])<<24 |
			uint64(p[i+4])<<32 | uint64(p[i+5])<<40 | uint64(p[i+6])<<48 | uint64(p[i+7])<<56
		next := w>>8 | uint64(p[i+8])<<56
		// A byte of ASCII that is not zero sets its high bit when 0x7f is added.
		slash, percent, dot := w^'/'*ones+low, w^'%'*ones+low, (next&^ones^'.'*ones)+low // . and / differ in their last bit
		if (w|next|^percent|^(slash|dot))&high != 0 {
			return false
		}
	}
	for ; i < len(p); i++ {
		if p[i] == '%' || p[i] == '/' && i+1 < len(p) && (p[i+1] == '/' || p[i+1] == '.') {
			return false
		}
	}
	return true
}

// decode decodes percent-encoding once; a percent sign that begins no valid
// escape stays. In a query a plus sign is a space. It returns s itself when
// there is nothing to decode.
func decode(s string, query bool) string {
	at := strings.IndexByte(s, '%')
	if query {
		if p := strings.IndexByte(s, '+'); p >= 0 && (at < 0 || p < at) {
			at = p
		}
	}
	if at < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	out = append(out, s[:at]...)
	for i := at; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
		case c == '+' && query:
			c = ' '
		}
		out = append(out, c)
	}
	return string(out)
}

// cleanPath resolves dot segments (RFC 3986 section 5.2.4) and double slashes,
// as servers do before they choose a resource. It never leaves the root.
func cleanPath(p string) string {
	if !hasDots(p) {
		return p
	}
	out := make([]byte, 0, len(p))
	rest := p
	for rest != "" {
		rest = rest[1:] // the slash
		var seg string
		if end := strings.IndexByte(rest, '/'); end >= 0 {
			seg, rest = rest[:end], rest[end:]
		} else {
			seg, rest = rest, ""
		}
		last := rest == ""
		switch seg {
		case ".", "":
			if last {
				out = append(out, '/')
			}
		case "..":
			if i := bytes.LastIndexByte(out, '/'); i >= 0 {
				out = out[:i]
			}
			if last {
				out = append(out, '/')
			}
		default:
			out = append(append(out, '/'), seg...)
		}
	}
	if len(out) == 0 {
		return "/"
	}
	return string(out)
}

// hasDots reports whether a path from the root has a slash or a dot behind a
// slash.
func hasDots(p string) bool {
	if p == "" || p[0] != '/' {
		return false
	}
	for i := 1; i < len(p); i++ {
		if p[i-1] == '/' && (p[i] == '/' || p[i] == '.') {
			return true
		}
	}
	return false
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
