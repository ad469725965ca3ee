package detect

import "strings"

// fieldKinds are found by the name before a value.
var fieldKinds = set(rg, bic, passport, plate, phone, gps, birthDate, password, bearer, apiKey, session, personName, address, health, sensitive, userName)

// maxValue bounds the value of a field.
const maxValue = 1024

// field handles the sign s[i], = or :, behind a name: if the name is one of the
// vocabulary's fields, the value is emitted.
func (sc *scanner) field(i int) {
	s, end, quoted := sc.s, i, false
	if end > 0 && (s[end-1] == '"' || s[end-1] == '\'') {
		end--
		quoted = true
		if end > 0 && s[end-1] == '\\' {
			return // JSON in a text: what is decoded says more
		}
	}
	if s[i] == '=' && end > 1 && s[end-1] == ' ' {
		end--
	}
	if end == 0 || !isAlnum(s[end-1]) && s[end-1] != ']' && s[end-1] != '_' && s[end-1] < 0x80 {
		return
	}
	if !sc.d.tails.may(s, end) {
		return
	}
	l := readLabel(s, end)
	if l.field == noKind || !sc.d.on.has(l.field) {
		return
	}
	p := i + 1
	for p < len(s) && s[p] == ' ' && p-i < 4 {
		p++
	}
	if p < len(s) && s[p] == '[' && quoted {
		sc.list(l, p+1)
		return
	}
	sc.value(l, p, s[i] == ':' && !quoted && p > i+1)
}

// list emits the values of a JSON array.
func (sc *scanner) list(l label, p int) {
	s := sc.s
	for range 64 {
		for p < len(s) && (s[p] == ' ' || s[p] == ',') {
			p++
		}
		if p >= len(s) || s[p] == ']' || s[p] == '{' || s[p] == '[' {
			return
		}
		p = sc.value(l, p, false)
	}
}

// ends are the bytes that end a value without quotes.
var ends = func() (t [256]bool) {
	for c := range 0x21 {
		t[c] = true
	}
	for _, c := range `&;"',<>{}[]()|` {
		t[c] = true
	}
	return t
}()

// value reads the value that begins at p and emits it if it fits the kind. prose
// says that it stands behind "name: " and may have spaces without quotes. It
// returns where the value ends.
func (sc *scanner) value(l label, p int, prose bool) int {
	s := sc.s
	if p >= len(s) || p < sc.end {
		return p + 1
	}
	start, end, next := p, p, p
	switch q := s[p]; {
	case q == '"' || q == '\'':
		start = p + 1
		for end = start; end < len(s) && end-start < maxValue && s[end] != q; end++ {
			if s[end] == '\\' && end+1 < len(s) {
				end++
			}
		}
		end = min(end, len(s))
		next = min(end+1, len(s))
	default:
		for limit := min(len(s), start+maxValue); end < limit && !ends[s[end]]; end++ {
		}
		if prose {
			end = sc.prose(l.field, start, end)
		}
		next = max(end, p+1)
	}
	if end > start && start >= sc.end {
		sc.fits(l, start, end)
	}
	return next
}

// prose lets a value go on over spaces as far as its kind does.
func (sc *scanner) prose(k id, start, end int) int {
	s := sc.s
	switch k {
	case bearer:
		if t := s[start:end]; (strings.EqualFold(t, "bearer") || strings.EqualFold(t, "basic") || strings.EqualFold(t, "token")) && end < len(s) {
			for end++; end < len(s) && !ends[s[end]]; end++ {
			}
		}
	case phone:
		if e, n := dialled(s, start+len(s[start:end])-len(strings.TrimLeft(s[start:end], "+(")), 15); n >= 7 {
			return max(e, end)
		}
	case personName:
		for range 3 {
			if end+1 >= len(s) || s[end] != ' ' || !isUpper(s[end+1]) && s[end+1] < 0x80 {
				break
			}
			for end++; end < len(s) && !ends[s[end]]; end++ {
			}
		}
	case address, health, sensitive:
		for end < len(s) && (!ends[s[end]] || s[end] == ' ') && end-start < 120 {
			end++
		}
		for end > start && s[end-1] == ' ' {
			end--
		}
	}
	return end
}

// whole emits the scanner's whole text, if its field's name says what it is.
func (sc *scanner) whole() {
	if l := readLabel(sc.name, len(sc.name)); l.field != noKind && sc.d.on.has(l.field) && len(sc.s) <= maxValue && sc.s != "" {
		sc.fits(l, 0, len(sc.s))
	}
}

// fits emits s[start:end] if it can be a value of the kind.
func (sc *scanner) fits(l label, start, end int) {
	k, v := l.field, sc.s[start:end]
	if placeholder(v) {
		return
	}
	ok, confidence := false, uint8(75)
	switch k {
	case rg:
		ok = len(v) <= 14 && count(v, isDigit) >= 5 && count(v, isDigit) <= 10 && only(v, "0123456789.-xX/")
	case bic:
		ok = isBIC(v)
		confidence = 90
	case passport:
		ok = len(v) >= 6 && len(v) <= 9 && count(v, isDigit) >= 4 && count(v, isAlnum) == len(v)
	case plate:
		ok = len(v) >= 4 && len(v) <= 10 && count(v, isDigit) > 0 && count(v, func(c byte) bool { return isUpper(c) || isDigit(c) || c == ' ' || c == '-' }) == len(v)
	case phone:
		sc.phoneField(start, end)
		return
	case gps:
		point := strings.IndexByte(v, '.')
		ok = point > 0 && len(v)-point > 3 && len(v) <= 24 && only(v, "-0123456789.") && strings.Count(v, ".") == 1 && small(strings.TrimPrefix(v, "-"), 0, point-strings.Count(v, "-")) <= 180
	case birthDate:
		ok, confidence = isDate(v), 90
	case password:
		ok, confidence = len(v) <= 256 && v[0] != '/' && (len(v) > 3 || count(v, isDigit) < len(v)), 85 // PWD=/home is a folder
	case bearer:
		sc.bearerField(start, end, l.exact)
		return
	case apiKey:
		ok = len(v) >= 12 && len(v) <= 512 && hasDigit(v) && strings.IndexByte(v, ' ') < 0 && !strings.HasPrefix(v, "eyJ")
	case session:
		ok = len(v) >= 8 && len(v) <= 512 && hasDigit(v) && strings.IndexByte(v, ' ') < 0 && !strings.HasPrefix(v, "eyJ")
	case personName:
		ok, confidence = isName(v), 70
		if l.exact {
			ok, confidence = fullName(v), 60
		}
	case address:
		ok = len(v) >= 3 && len(v) <= 200 && (count(v, isDigit) > 0 || strings.IndexAny(v, " +%") > 0) && strings.IndexByte(v, '@') < 0 && strings.Count(v, ".") < 3 && strings.IndexByte(v, ':') < 0
	case health, sensitive:
		ok = len(v) >= 2 && strings.IndexByte(v, '{') < 0
	case userName:
		ok, confidence = len(v) >= 2 && len(v) <= 64 && !strings.ContainsAny(v, " @/"), 60
	}
	if ok {
		sc.emit(k, start, end, confidence, false)
	}
}

// placeholder reports whether a value says that there is none.
func placeholder(v string) bool {
	if filled(v) || len(v) > 2 && (v[0] == '[' || v[0] == '{' || v[0] == '<' || v[0] == '$') || strings.HasPrefix(v, "v1.") || strings.HasPrefix(v, "%5B") || strings.HasPrefix(v, "***") {
		return true
	}
	if len(v) > len("undefined") {
		return false
	}
	for _, w := range [...]string{"null", "none", "nil", "undefined", "unknown", "n/a", "na", "false", "redacted", "masked", "hidden", "filtered", "anonymous", "guest", "test"} {
		if strings.EqualFold(v, w) {
			return true
		}
	}
	return false
}

// filled reports whether a value has nothing but what stands for hidden
// characters.
func filled(v string) bool {
	for i := 0; i < len(v); i++ {
		switch v[i] {
		case '*', 'x', 'X', '.', '-', '_', '0':
		default:
			if !strings.HasPrefix(v[i:], "•") {
				return false
			}
			i += len("•") - 1
		}
	}
	return true
}

func count(v string, f func(byte) bool) (n int) {
	for i := 0; i < len(v); i++ {
		if f(v[i]) {
			n++
		}
	}
	return n
}

func hasDigit(v string) bool {
	for i := 0; i < len(v); i++ {
		if isDigit(v[i]) {
			return true
		}
	}
	return false
}

func only(v, set string) bool { return strings.Trim(v, set) == "" }

// isBIC: four letters of a bank, a country that has IBANs or is US, and a place
// (ISO 9362).
func isBIC(v string) bool {
	if len(v) != 8 && len(v) != 11 {
		return false
	}
	for i := 0; i < len(v); i++ {
		if !isUpper(v[i]) && (i < 6 || !isDigit(v[i])) {
			return false
		}
	}
	switch v[4:6] {
	case "US", "CA", "JP", "CN", "IN", "AU", "NZ", "SG", "HK", "ZA", "MX", "KR", "AR", "CL", "CO":
		return true
	}
	return ibanLengths[v[4:6]] > 0
}

// phoneField emits a value under the name of a telephone number.
func (sc *scanner) phoneField(start, end int) {
	s := sc.s
	if strings.HasPrefix(s[start:end], "+") {
		if e := international(s, start+1); e > 0 && e <= end {
			sc.emit(phone, start, e, 95, true)
			return
		}
	}
	first := start
	for first < end && !isDigit(s[first]) {
		first++
	}
	if first-start > 2 {
		return
	}
	if e, n := dialled(s, first, 15); n >= 7 && e <= end && end-e <= 1 && !isTimestamp(s[first:e]) {
		sc.emit(phone, start, e, 75, false)
	}
}

// isTimestamp reports whether digits are a Unix time of these years.
func isTimestamp(v string) bool {
	return (len(v) == 10 || len(v) == 13) && (v[:2] == "16" || v[:2] == "17" || v[:2] == "18") && count(v, isDigit) == len(v)
}

// bearerField emits the credential behind Bearer, Basic or a token's name. scheme
// says that the name alone is not enough.
func (sc *scanner) bearerField(start, end int, scheme bool) {
	v := sc.s[start:end]
	if space := strings.IndexByte(v, ' '); space > 0 {
		basic := strings.EqualFold(v[:space], "basic")
		scheme = scheme && !basic && !strings.EqualFold(v[:space], "bearer")
		start += space + 1
		v = v[space+1:]
		if basic {
			if len(v) >= 4 {
				sc.emit(password, start, end, 90, false)
			}
			return
		}
	}
	if !scheme && len(v) >= 12 && !strings.HasPrefix(v, "eyJ") && strings.IndexByte(v, ' ') < 0 {
		sc.emit(bearer, start, end, 85, false)
	}
}

// isName reports whether a value can be a person's: words of letters.
func isName(v string) bool {
	letters := 0
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c >= 0x80 || c|0x20 >= 'a' && c|0x20 <= 'z':
			letters++
		case c == '%' && escaped(v, i) == 3, c == '\\' && escaped(v, i) > 0:
			i += escaped(v, i) - 1
		case strings.IndexByte(" +-'.,", c) < 0:
			return false
		}
	}
	return letters >= 2 && len(v) <= 80
}

// fullName reports whether a value is two words and more that begin with capitals.
func fullName(v string) bool {
	words, capital := 0, 0
	for w := range strings.FieldsFuncSeq(v, func(r rune) bool { return r == ' ' || r == '+' }) {
		words++
		if isUpper(w[0]) || w[0] >= 0x80 {
			capital++
		}
	}
	return words >= 2 && words <= 5 && capital >= 2 && isName(v)
}

// ssnOrITIN emits a number in the groups of both.
func (sc *scanner) ssnOrITIN(start, end int, dashed bool) bool {
	var d [maxDigits]byte
	n := digits(&d, sc.s, start, end)
	k := ssn
	switch {
	case validITIN(&d, n):
		k = itin
	case !validSSN(&d, n):
		return false
	}
	if !alone(sc.s, start, end) {
		return false
	}
	c := sc.context(start)
	switch {
	case c.kinds.has(k):
		return sc.emit(k, start, end, 90, false)
	case c.other || !dashed && sc.d.countries&us == 0:
		return false
	}
	return sc.emit(k, start, end, 70, false)
}
