package detect

import "encoding/binary"

// digits copies the digits of s[start:end] to d and returns how many there are.
func digits(d *[maxDigits]byte, s string, start, end int) int {
	const zeros, over, highs = 0x3030303030303030, 0x7676767676767676, 0x8080808080808080
	n, i := 0, start
	for ; i+8 <= end && n+8 <= maxDigits; i += 8 {
		x := eight(s, i) ^ zeros
		if (x+over|x)&highs != 0 { // as in digitsEnd
			break
		}
		binary.LittleEndian.PutUint64(d[n:], x)
		n += 8
	}
	for ; i < end && n < maxDigits; i++ {
		if c := s[i] - '0'; c <= 9 {
			d[n] = c
			n++
		}
	}
	return n
}

// maxDigits is more than any number that is looked for has.
const maxDigits = 36

// number handles the run of digits that begins at i and returns where the scan
// goes on. Most runs are times, sizes and versions: they leave by their length
// and the byte behind them, before anything is read twice.
func (sc *scanner) number(i int) int {
	s := sc.s
	if i < sc.end {
		return sc.end // within a value that its name told
	}
	e := digitsEnd(s, i)
	var before, after byte
	if i > 0 {
		before = s[i-1]
	}
	if e < len(s) {
		after = s[e]
	}
	if (plainClass[before]|plainClass[after])&alnum != 0 {
		return sc.word(i, e)
	}
	if before == '+' && s[i] != '0' {
		if end := sc.phone(i); end > 0 {
			return end
		}
	}
	if separators[after] != 0 && e+1 < len(s) && isDigit(s[e+1]) {
		p := digitsEnd(s, e+1)
		if sc.d.countries == 0 && (p+1 >= len(s) || separators[s[p]] == 0 || !isDigit(s[p+1])) {
			// Two groups: a decimal or a short version, unless a comma makes it a
			// coordinate, or numbers beside each other, as in most logs.
			switch {
			case after == '.' && e-i <= 3 && (p == len(s) || s[p] != ','):
				return p
			case (after == ' ' || after == '+') && e-i <= 4:
				return e
			}
		}
		return sc.grouped(i, e, after)
	}
	switch after {
	case '-':
		if e-i == 2 && e+1 < len(s) && isHex(s[e+1]) {
			return sc.macDashed(i, e)
		}
		if e-i == 8 {
			if end := sc.uuid(i); end > 0 {
				return end
			}
			return sc.dniDashed(i, e)
		}
	case ':':
		if end := clock(s, e); end > 0 {
			return end
		}
		if e-i <= 4 && e+1 < len(s) && (isHex(s[e+1]) || s[e+1] == ':') {
			return sc.colons(i)
		}
	case ')':
		if before == '(' && e-i <= 3 && sc.d.countries != 0 {
			return max(e, sc.nationalPhone(i-1))
		}
	}
	if e-i >= 9 {
		sc.plain(i, e)
	}
	return e
}

// clock reads the pairs of digits behind colons from s[e] on, as in times of
// day: most colons of a log. It returns where they end, 0 if it is no time.
func clock(s string, e int) int {
	p := e
	for p+3 < len(s) && s[p] == ':' && isDigit(s[p+1]) && isDigit(s[p+2]) && !isHex(s[p+3]) {
		p += 3
	}
	if p == e || s[p] == ':' || p-e > 9 {
		return 0
	}
	return p
}

// grouped handles a number in groups, which begins with the run s[i:e] and the
// separator after it.
func (sc *scanner) grouped(i, e int, after byte) int {
	s := sc.s
	if after == '-' && e-i == 4 && sc.d.countries == 0 {
		if end := instant(s, i); end > 0 {
			return end
		}
	}
	switch n := e - i; {
	case (after == ' ' || after == '+') && n <= 4 && sc.d.countries == 0 && !third(s, e+1):
		return e // two numbers beside each other, as in most logs
	case after == '.' && n <= 3, after == '-' && (n == 2 || n == 3 || n == 4 || n == 8), after == '/' && (n == 2 || n == 4),
		(after == ' ' || after == '+') && n <= 4:
	default:
		if n >= 9 {
			sc.plain(i, e)
		}
		return e
	}
	return sc.groups(i, e, after)
}

// groups is grouped for the lengths that a first group has.
func (sc *scanner) groups(i, e int, after byte) int {
	s, g := sc.s, &groups{}
	g.read(s, i, e)
	if after == '-' && e-i == 8 {
		if u := sc.uuid(i); u > 0 {
			return u
		}
	}
	if after == ' ' && e-i == 2 {
		if last := sc.ninoSpaced(i); last > 0 {
			return last
		}
	}
	switch {
	case g.dotted():
		if last := sc.ipv4(g); last > 0 {
			return last
		}
	case g.n == 2 && after == '.': // no number is written so, but a coordinate is
		if last := sc.position(g); last > 0 {
			return last
		}
	default:
		if last := sc.longest(g); last > 0 {
			return last
		}
	}
	if after == '-' && e-i == 2 {
		if last := sc.macDashed(i, e); last > e {
			return last
		}
	}
	if sc.d.countries != 0 {
		if last := sc.nationalPhone(i); last > 0 {
			return last
		}
	}
	// What is behind a dot or a dash does not begin a number.
	k := 0
	for k+1 < g.n && (g.separator(k) == dot || g.separator(k) == dash) {
		k++
	}
	return g.end[k]
}

// longest asks named for all groups, then without the last ones that stand
// behind a space. It returns where the number ends, 0 if it is none.
func (sc *scanner) longest(g *groups) int {
	n, shape := g.n, g.shape
	for !sc.named(g) {
		if !g.cut() {
			g.n, g.shape = n, shape
			return 0
		}
	}
	return g.end[g.n-1]
}

// third reports whether a space and a digit come behind the run of digits at p:
// no number is written in two groups with a space.
func third(s string, p int) bool {
	p = digitsEnd(s, p)
	return p+1 < len(s) && (s[p] == ' ' || s[p] == '+') && isDigit(s[p+1])
}

// named asks the checks of the number's way of writing.
func (sc *scanner) named(g *groups) bool {
	s, start, end := sc.s, g.start[0], g.end[g.n-1]
	k, confidence := noKind, uint8(95)
	switch ways.of(g.shape) {
	case wayCPF:
		k = cpf
	case wayCNPJ:
		k = cnpj
	case wayPIS:
		k = pis
	case wayRijksregister:
		k = rijksregister
	case wayNIR:
		k = nir
	case waySteuerID:
		k, confidence = steuerID, 90
	case waySSN:
		return sc.ssnOrITIN(start, end, true)
	case waySSNSpaced:
		return sc.ssnOrITIN(start, end, false)
	case wayEIN:
		return sc.weak(ein, start, end, 75)
	case wayRG:
		return sc.weak(rg, start, end, 80)
	case wayNHS:
		return sc.weak(nhs, start, end, 90)
	case wayIMEI:
		return sc.weak(imei, start, end, 90)
	case wayNIF:
		if sc.weak(nif, start, end, 85) {
			return true
		}
		return sc.weak(bsn, start, end, 85)
	case wayCard:
		return sc.card(start, end)
	case wayDate:
		return sc.bornOn(start, end)
	default:
		return false
	}
	var d [maxDigits]byte
	n := digits(&d, s, start, end)
	return alone(s, start, end) && valid(k, &d, n) && sc.emit(k, start, end, confidence, true)
}

// weak emits a number whose check alone proves little: it needs its name
// before it, or its country among the hints.
func (sc *scanner) weak(k id, start, end int, confidence uint8) bool {
	if !sc.d.on.has(k) {
		return false
	}
	var d [maxDigits]byte
	if n := digits(&d, sc.s, start, end); !valid(k, &d, n) || !alone(sc.s, start, end) {
		return false
	}
	c := sc.context(start)
	switch {
	case c.kinds.has(k):
	case c.other || sc.d.countries&homes[k] == 0:
		return false
	default:
		confidence -= 20
	}
	return sc.emit(k, start, end, confidence, kinds[k].Checked)
}

// plain handles a run of nine digits and more.
func (sc *scanner) plain(start, end int) bool {
	switch end - start {
	case 9:
		return sc.weak(nif, start, end, 85) || sc.weak(bsn, start, end, 85) ||
			sc.weak(ssn, start, end, 80) || sc.weak(itin, start, end, 80) || sc.weak(ein, start, end, 70)
	case 10:
		return sc.weak(nhs, start, end, 90)
	case 11:
		return sc.weak(cpf, start, end, 95) || sc.weak(pis, start, end, 90) || sc.weak(cnh, start, end, 90) ||
			sc.weak(pesel, start, end, 90) || sc.weak(steuerID, start, end, 90) ||
			sc.weak(rijksregister, start, end, 90)
	case 14:
		return sc.weak(cnpj, start, end, 95) || sc.card(start, end)
	case 15:
		return sc.weak(imei, start, end, 90) || sc.weak(imsi, start, end, 80) || sc.strong(nir, start, end) || sc.card(start, end)
	case 18, 19, 20, 22:
		if sc.s[start] == '8' && sc.s[start+1] == '9' && sc.strong(iccid, start, end) {
			return true
		}
	}
	return sc.card(start, end)
}

// strong emits a number whose check is enough, unless it stands under the name
// of something else.
func (sc *scanner) strong(k id, start, end int) bool {
	var d [maxDigits]byte
	if n := digits(&d, sc.s, start, end); !sc.d.on.has(k) || !valid(k, &d, n) || !alone(sc.s, start, end) {
		return false
	}
	if c := sc.context(start); c.other && !c.kinds.has(k) {
		return false
	}
	return sc.emit(k, start, end, 85, true)
}
