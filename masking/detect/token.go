package detect

import (
	"bytes"
	"encoding/base64"
	"strings"
)

// maxToken bounds how far behind a word the rest of a token is looked for, so
// that no text takes time that grows with its square.
const maxToken = 4096

// jwt handles a capital J: eyJ begins a JSON object in base64 and with it the
// header of a token (RFC 7519). It returns where the scan goes on.
func (sc *scanner) jwt(i int) int {
	s := sc.s
	if i < 2 || s[i-1] != 'y' || s[i-2] != 'e' || i > 2 && (isAlnum(s[i-3]) || s[i-3] == '_') {
		return i + 1
	}
	start, p, parts := i-2, i-2, [3]int{}
	for k := range parts {
		from := p
		for p < len(s) && p-from < maxToken && (isAlnum(s[p]) || s[p] == '-' || s[p] == '_') {
			p++
		}
		parts[k] = p - from
		if k < 2 && (p >= len(s) || s[p] != '.') {
			return sc.long(start, p)
		}
		if k < 2 {
			p++
		}
	}
	var head [192]byte
	n := min(parts[0], len(head)) &^ 3
	k, _ := base64.RawURLEncoding.Decode(head[:], []byte(s[start:start+n]))
	if parts[0] < 10 || parts[1] < 4 || !bytes.Contains(head[:k], []byte(`"alg"`)) && !bytes.Contains(head[:k], []byte(`"typ"`)) {
		return i + 1
	}
	sc.emit(jwt, start, p, 95, true)
	return p
}

// keyPrefixes begin the secrets of well-known services; min is the length that
// follows at least.
var keyPrefixes = [...]struct {
	prefix string
	min    int
}{
	{"AKIA", 16}, {"ASIA", 16}, {"AIza", 35}, {"ghp_", 36}, {"gho_", 36}, {"ghu_", 36}, {"ghs_", 36}, {"ghr_", 36}, {"github_pat_", 22},
	{"glpat-", 20}, {"xoxb-", 20}, {"xoxp-", 20}, {"xoxa-", 20}, {"xapp-", 20}, {"sk_live_", 16}, {"rk_live_", 16}, {"sk_test_", 16},
	{"sk-ant-", 20}, {"sk-proj-", 20}, {"npm_", 36}, {"dop_v1_", 64}, {"hf_", 30}, {"shpat_", 32}, {"ya29.", 20}, {"SG.", 40},
}

// long handles a word of 16 characters and more with a digit in it: keys of
// services, and what may be base64. It returns where the scan goes on.
func (sc *scanner) long(start, end int) int {
	s := sc.s
	from, to, upper, lower := start, end, false, false
	for from > 0 && start-from < 24 && (isAlnum(s[from-1]) || s[from-1] == '_' || s[from-1] == '-') {
		from--
	}
	for to < len(s) && to-end < maxToken && (isAlnum(s[to]) || s[to] == '_' || s[to] == '-' || s[to] == '+') {
		to++
	}
	if sc.d.on.has(apiKey) {
		for _, k := range keyPrefixes {
			if s[from] == k.prefix[0] && to-from >= len(k.prefix)+k.min && strings.HasPrefix(s[from:], k.prefix) && sc.emit(apiKey, from, to, 90, false) {
				return to
			}
		}
	}
	for i := start; i < min(end, start+64); i++ {
		upper, lower = upper || isUpper(s[i]), lower || s[i]-'a' <= 25
	}
	if !upper || !lower || sc.packed == maxPacked || !startsAsText(s, from, to) {
		return end
	}
	for to < len(s) && s[to] == '=' {
		to++
	}
	sc.words[sc.packed] = place{from, to}
	sc.packed++
	return to
}

// startsAsText reports whether the first 16 characters of a word decode to
// text: few ids do.
func startsAsText(s string, start, end int) bool {
	var b [12]byte
	if end-start < 16 {
		return false
	}
	enc := base64.RawURLEncoding
	if strings.IndexByte(s[start:start+16], '+') >= 0 {
		enc = base64.RawStdEncoding
	}
	n, err := enc.Decode(b[:], []byte(s[start:start+16]))
	if err != nil {
		return false
	}
	for _, c := range b[:n] {
		if c < 0x20 && c != '\n' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// mrz handles a filler of a machine-readable zone (ICAO Doc 9303): the line
// around it has one of three lengths and check digits over number, birth and
// expiry, or is the first line of a passport, with the name.
func (sc *scanner) mrz(i int) int {
	s, start, end := sc.s, i, i
	for start > 0 && isMRZ(s[start-1]) && i-start < 90 {
		start--
	}
	for end < len(s) && isMRZ(s[end]) {
		end++
	}
	l := s[start:end]
	ok := false
	switch len(l) {
	case 44, 88:
		l = l[len(l)-44:]
		ok = mrzChecks(l[0:10]) && mrzChecks(l[13:20]) && mrzChecks(l[21:28])
	case 36, 72:
		l = l[len(l)-36:]
		ok = mrzChecks(l[0:10]) && mrzChecks(l[13:20]) && mrzChecks(l[21:28])
	case 30:
		ok = mrzChecks(l[5:15]) && !isDigit(l[0]) || mrzChecks(l[0:7]) && mrzChecks(l[8:15])
	}
	if ok {
		sc.emit(mrz, start, end, 95, true)
		return end
	}
	if (len(l) == 44 || len(l) == 36) && l[0] == 'P' && strings.Contains(l, "<<") && !strings.ContainsAny(l, "0123456789") {
		sc.emit(mrz, start, end, 80, false)
	}
	return end
}

func isMRZ(c byte) bool { return c == '<' || isDigit(c) || isUpper(c) }

// mrzChecks reports whether the last digit of s is the check of the rest: weights
// 7, 3, 1, letters from 10 on, fillers 0. Fillers alone prove nothing.
func mrzChecks(s string) bool {
	sum, filled := 0, false
	for i := 0; i < len(s)-1; i++ {
		v := 0
		switch c := s[i]; {
		case isDigit(c):
			v = int(c - '0')
		case isUpper(c):
			v = int(c-'A') + 10
		}
		filled = filled || s[i] != '<'
		sum += v * [3]int{7, 3, 1}[i%3]
	}
	return filled && s[len(s)-1] == byte('0'+sum%10)
}

// pixCode emits the payload of a PIX payment (EMV QR code with the account
// information of br.gov.bcb.pix) that begins at start, if its CRC fits. It
// returns where it ends, 0 if there is none.
func (sc *scanner) pixCode(start int) int {
	s := sc.s[start:min(len(sc.s), start+512)]
	if !sc.d.on.has(pix) || !strings.HasPrefix(s, "000201") || !strings.Contains(s, "br.gov.bcb.pix") && !strings.Contains(s, "BR.GOV.BCB.PIX") {
		return 0
	}
	crc := uint16(0xffff)
	for i := 0; i+4 <= len(s); i++ {
		if i > 4 && s[i-4:i] == "6304" && allHex(s, i, i+4) {
			v := uint16(unhex(s[i]))<<12 | uint16(unhex(s[i+1]))<<8 | uint16(unhex(s[i+2]))<<4 | uint16(unhex(s[i+3]))
			if v == crc && sc.emit(pix, start, start+i+4, 98, true) {
				return start + i + 4
			}
		}
		crc ^= uint16(s[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return 0
}
