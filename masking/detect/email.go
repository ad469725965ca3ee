package detect

// The longest parts of an address, RFC 5321 section 4.5.3.1.
const (
	maxLocal  = 64
	maxDomain = 253
	maxLabel  = 63
)

// email reads the address around the at sign s[i] and returns where the scan
// goes on. It takes the addresses that people have, not quoted local parts and
// literals; bytes from 0x80 on are letters (RFC 6531).
func (sc *scanner) email(i int) int {
	s := sc.s
	start := i
	for start > 0 && i-start < maxLocal && isLocal(s[start-1]) {
		start--
	}
	for start < i && !isAlnum(s[start]) && s[start] != '_' && s[start] < 0x80 {
		start++
	}
	if start == i || s[i-1] == '.' {
		return i + 1
	}
	end, ok := domain(s, i+1)
	if !ok || s[start:i] == "git" || inAuthority(s, start) || start < sc.end || !sc.emit(email, start, end, 95, false) {
		return i + 1
	}
	return end
}

// locals are the bytes of a local part.
var locals = func() (t [256]bool) {
	for c := range t {
		t[c] = isAlnum(byte(c)) || c == '.' || c == '_' || c == '-' || c == '+' || c == '\'' || c >= 0x80
	}
	return t
}()

func isLocal(c byte) bool { return locals[c] }

// hosts are the bytes of a label of a host name.
var hosts = func() (t [256]bool) {
	for c := range t {
		t[c] = isAlnum(byte(c)) || c == '-' || c >= 0x80
	}
	return t
}()

// domain reads a host name with at least two labels whose last can be a
// top-level domain.
func domain(s string, from int) (end int, ok bool) {
	label, labels, last := from, 0, from
	i := from
	for limit := min(len(s), from+maxDomain); i < limit; i++ {
		c := s[i]
		if hosts[c] {
			continue
		}
		if c != '.' || i == label || i-label > maxLabel || s[i-1] == '-' || i+1 >= len(s) || !isAlnum(s[i+1]) && s[i+1] < 0x80 {
			break
		}
		labels++
		label, last = i+1, i+1
	}
	for i > last && s[i-1] == '-' {
		i--
	}
	if labels == 0 || !isAlnum(s[from]) && s[from] < 0x80 {
		return 0, false
	}
	return i, topLevel(s[last:i])
}

// topLevel reports whether a label can be a top-level domain: letters, and no
// extension of a file such as logo@2x.png.
func topLevel(l string) bool {
	if len(l) < 2 || len(l) > maxLabel {
		return false
	}
	if len(l) > 4 && (l[:4] == "xn--" || l[:4] == "XN--") {
		return true
	}
	for i := 0; i < len(l); i++ {
		if c := l[i] | 0x20; (c < 'a' || c > 'z') && l[i] < 0x80 {
			return false
		}
	}
	if len(l) > 5 {
		return true
	}
	var b [5]byte
	for i := 0; i < len(l); i++ {
		b[i] = l[i] | 0x20
	}
	switch string(b[:len(l)]) {
	case "png", "jpg", "jpeg", "gif", "webp", "svg", "css", "js", "mjs", "json", "html", "htm", "xml", "txt", "pdf",
		"ico", "woff", "ttf", "map", "gz", "tgz", "zst", "php", "jsp", "asp", "aspx", "yaml", "yml", "log", "csv", "avif":
		return false
	}
	return true
}

// inAuthority reports whether the name at start is the user of a URL
// (scheme://name@host or scheme://user:name@host).
func inAuthority(s string, start int) bool {
	i := start
	for limit := start - maxLocal; i > 0 && i > limit && (isLocal(s[i-1]) || s[i-1] == ':'); {
		i--
	}
	return i >= 3 && s[i-1] == '/' && s[i-2] == '/' && s[i-3] == ':'
}
