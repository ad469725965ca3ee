package detect

import "strings"

// ipv4 reads the address that begins with the run of digits s[i:run]. Versions
// (Chrome/128.0.0.0, v1.2.3.4, rv:1.9.3.20) have the same shape and are told
// apart by what stands before them; addresses that name no one (loopback,
// unspecified, broadcast, multicast) are left out.
func ipv4(s string, i, run int) (Match, bool) {
	if i > 0 {
		if c := s[i-1]; isAlnum(c) || c == '.' || c == '-' || c == '_' || c >= 0x80 {
			return Match{}, false
		}
	}
	var first, n int
	end := run
	for part := 0; ; part++ {
		if end-i > 3 || end == i || s[i] == '0' && end-i > 1 {
			return Match{}, false
		}
		v := 0
		for k := i; k < end; k++ {
			v = v*10 + int(s[k]-'0')
		}
		if v > 255 {
			return Match{}, false
		}
		if part == 0 {
			first, n = v, i
		}
		if part == 3 {
			break
		}
		if end+1 >= len(s) || s[end] != '.' {
			return Match{}, false
		}
		i = end + 1
		for end = i; end < len(s) && s[end]-'0' <= 9 && end-i < 4; end++ {
		}
	}
	if end < len(s) {
		c := s[end]
		if isAlnum(c) || c == '_' || c >= 0x80 ||
			(c == '.' || c == '-') && end+1 < len(s) && isAlnum(s[end+1]) {
			return Match{}, false
		}
	}
	if first == 0 || first == 127 || first >= 224 || versionBefore(s, n) {
		return Match{}, false
	}
	return Match{Kind: IPv4, Start: n, End: end, Confidence: 85, Validated: true}, true
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
		return w < i-1 && (w == 0 || s[w-1] == ' ' || s[w-1] == '(' || s[w-1] == ';')
	}
	return contextWord(s, i, "version", "ver", "rv", "release", "build", "v")
}

// contextWord reports whether the word before offset i, over a few characters
// such as = and :, is one of the words (in lower case).
func contextWord(s string, i int, words ...string) bool {
	w := wordBefore(s, i)
	for _, x := range words {
		if strings.EqualFold(w, x) {
			return true
		}
	}
	return false
}

// wordBefore is the name that a value at offset i has: the letters, digits,
// dashes and underscores before the separator.
func wordBefore(s string, i int) string {
	end := i
	for end > 0 && i-end < 4 && strings.IndexByte("=: \"'/[(", s[end-1]) >= 0 {
		end--
	}
	if end == i {
		return ""
	}
	start := end
	for start > 0 && end-start < 32 && (isAlnum(s[start-1]) || s[start-1] == '_' || s[start-1] == '-') {
		start--
	}
	return s[start:end]
}
