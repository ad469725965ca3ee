package parse

import "strings"

// unescapeHex decodes nginx's escape=default: \xNN. It returns s itself when
// there is no backslash. A backslash that begins nothing known stays.
func unescapeHex(s string) string {
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	out = append(out, s[:at]...)
	for i := at; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x' {
			h, l := hexValue(s[i+2]), hexValue(s[i+3])
			if h < 16 && l < 16 {
				out = append(out, h<<4|l)
				i += 3
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// unescapeJSON decodes the inside of a JSON string. It returns s itself when
// there is no backslash. Bytes that are not UTF-8 stay as they are.
func unescapeJSON(s string) (string, bool) {
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return s, true
	}
	out := make([]byte, 0, len(s))
	out = append(out, s[:at]...)
	for i := at; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		if i == len(s) {
			return "", false
		}
		if c, ok := simpleEscape(s[i]); ok {
			out = append(out, c)
			continue
		}
		switch s[i] {
		case '/':
			out = append(out, '/')
		case 'f':
			out = append(out, '\f')
		case 'u':
			r, n := jsonRune(s[i-1:])
			if n == 0 {
				return "", false
			}
			out = append(out, string(r)...)
			i += n - 2
		default:
			return "", false
		}
	}
	return string(out), true
}

// simpleEscape is what a backslash and c stand for in JSON, Apache and Squid
// alike.
func simpleEscape(c byte) (byte, bool) {
	switch c {
	case '"', '\\':
		return c, true
	case 'b':
		return '\b', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	}
	return 0, false
}

// jsonRune decodes \uXXXX, or a surrogate pair of two, at the start of s; n is
// 0 if it is malformed. A lone surrogate is U+FFFD as in encoding/json.
func jsonRune(s string) (r rune, n int) {
	u := hex4(s, 2)
	if u < 0 {
		return 0, 0
	}
	if u < 0xD800 || u > 0xDFFF {
		return u, 6
	}
	if u < 0xDC00 && len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if l := hex4(s, 8); l >= 0xDC00 && l <= 0xDFFF {
			return (u-0xD800)<<10 | (l - 0xDC00) + 0x10000, 12
		}
	}
	return '\uFFFD', 6
}

func hex4(s string, at int) rune {
	if at+4 > len(s) {
		return -1
	}
	var v rune
	for i := at; i < at+4; i++ {
		h := hexValue(s[i])
		if h > 15 {
			return -1
		}
		v = v<<4 | rune(h)
	}
	return v
}

// hexValue is the value of a hex digit, 255 if c is none.
func hexValue(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	}
	return 255
}

// unescapeBackslash decodes what Apache and Squid write: \" \\ \b \n \r \t \v
// and \xnn. It returns s itself when there is no backslash; a backslash that
// begins nothing known stays.
func unescapeBackslash(s string) string {
	at := strings.IndexByte(s, '\\')
	if at < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	out = append(out, s[:at]...)
	for i := at; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			out = append(out, s[i])
			continue
		}
		i++
		if c, ok := simpleEscape(s[i]); ok {
			out = append(out, c)
			continue
		}
		switch s[i] {
		case 'v':
			out = append(out, '\v')
		case 'x':
			if i+2 < len(s) && hexValue(s[i+1]) < 16 && hexValue(s[i+2]) < 16 {
				out = append(out, hexValue(s[i+1])<<4|hexValue(s[i+2]))
				i += 2
				continue
			}
			out = append(out, '\\', 'x')
		default:
			out = append(out, '\\', s[i])
		}
	}
	return string(out)
}

// unescapeHash decodes HAProxy's #NN. It returns s itself when there is none.
func unescapeHash(s string) string {
	at := strings.IndexByte(s, '#')
	if at < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	out = append(out, s[:at]...)
	for i := at; i < len(s); i++ {
		if s[i] == '#' && i+2 < len(s) && hexValue(s[i+1]) < 16 && hexValue(s[i+2]) < 16 {
			out = append(out, hexValue(s[i+1])<<4|hexValue(s[i+2]))
			i += 2
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}
