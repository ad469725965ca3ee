package detect

// maxPacked bounds the words of one text that are tried as base64.
const maxPacked = 8

// word handles the word of letters and digits around the run of digits s[i:e]
// and returns where the scan goes on.
func (sc *scanner) word(i, e int) int {
	s, start := sc.s, i
	for start > 0 && isAlnum(s[start-1]) {
		start--
	}
	if start > 0 && (s[start-1] == '%' || s[start-1] == '\\') {
		start = min(i, start-1+max(1, escaped(s, start-1)))
	}
	for e < len(s) && isAlnum(s[e]) {
		e++
	}
	n := e - start
	var after byte
	if e+1 < len(s) {
		after = s[e]
	}
	if n <= 4 {
		return sc.short(start, e, after)
	}
	if n >= 14 && s[start] == '0' && s[start+1] == '0' {
		if end := sc.pixCode(start); end > 0 {
			return end
		}
	}
	if n == 8 && after == '-' {
		if end := sc.uuid(start); end > 0 {
			return end
		}
	}
	if n < 7 {
		return e
	}
	if n >= 15 && n <= 34 && isIBANHead(s, start) && sc.iban(start, e) {
		return e
	}
	if sc.d.on&wordKinds == 0 {
		return e
	}
	switch n {
	case 7:
		if sc.d.countries != 0 && sc.d.on.has(plate) && plateIn(sc.d.countries, s[start:e]) && alone(s, start, e) {
			sc.emit(plate, start, e, 50, false)
		}
	case 9:
		sc.lettered(start, e)
	case 14:
		sc.cnpjLetters(start, e)
	case 15:
		sc.nirCorsica(start, e)
	case 16:
		sc.codiceFiscale(start, e)
	case 17:
		sc.vin(start, e)
	}
	if n >= 16 {
		return sc.long(start, e)
	}
	return e
}

// short handles a word of up to four characters: the first group of an address
// or of an IBAN.
func (sc *scanner) short(start, e int, after byte) int {
	s, n := sc.s, e-start
	switch {
	case after == ':' && (isHex(s[e+1]) || s[e+1] == ':') && allHex(s, start, e):
		return max(e, sc.colons(start))
	case after == '-' && n == 2 && isHex(s[e+1]):
		return max(e, sc.macDashed(start, e))
	case (after == ' ' || after == '+') && n == 4 && isIBANHead(s, start):
		return max(e, sc.ibanSpaced(start, e))
	}
	return e
}

// wordKinds are the kinds that begin with a word of letters and digits.
var wordKinds = set(nino, dni, nie, codiceFiscale, vin, plate, cnpj, nir, apiKey, mrz)

func allHex(s string, start, end int) bool {
	for i := start; i < end; i++ {
		if !isHex(s[i]) {
			return false
		}
	}
	return true
}

// ibanLengths are the lengths of the IBAN registry by country.
var ibanLengths = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22,
	"CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22,
	"GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30,
	"KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20,
	"MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
	"RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26,
	"UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}

// ibanTable is ibanLengths by the country's letters.
var ibanTable = func() (t [26 * 26]uint8) {
	for c, n := range ibanLengths {
		t[int(c[0]-'A')*26+int(c[1]-'A')] = uint8(n)
	}
	return t
}()

// ibanLength is the length of the IBANs of a country, of two capitals; 0 if it
// has none.
func ibanLength(a, b byte) int { return int(ibanTable[int(a-'A')*26+int(b-'A')]) }

// isIBANHead reports whether s[i:] begins as an IBAN does: two capitals (or two
// small letters) and two check digits.
func isIBANHead(s string, i int) bool {
	return (isUpper(s[i]) && isUpper(s[i+1]) || s[i]-'a' <= 25 && s[i+1]-'a' <= 25) && isDigit(s[i+2]) && isDigit(s[i+3])
}

// iban emits the word s[start:end] if country, length and check digits (ISO
// 13616, ISO/IEC 7064) fit.
func (sc *scanner) iban(start, end int) bool {
	s := sc.s
	if !sc.d.on.has(iban) {
		return false
	}
	head := [2]byte{s[start] &^ 0x20, s[start+1] &^ 0x20}
	if ibanLength(head[0], head[1]) != end-start {
		return false
	}
	rest := uint64(0)
	for i := start + 4; i < end; i++ {
		rest = mod97(rest, s[i])
	}
	for i := start; i < start+4; i++ {
		rest = mod97(rest, s[i])
	}
	return rest%97 == 1 && alone(s, start, end) && sc.emit(iban, start, end, 98, true)
}

// ibanSpaced reads an IBAN in groups of four, whose first group is s[start:e].
func (sc *scanner) ibanSpaced(start, e int) int {
	s := sc.s
	if !sc.d.on.has(iban) {
		return e
	}
	head := [2]byte{s[start] &^ 0x20, s[start+1] &^ 0x20}
	want := ibanLength(head[0], head[1])
	rest, n, end := uint64(0), 4, e
	for i := e; i < len(s) && n < want; i++ {
		switch c := s[i]; {
		case isAlnum(c):
			rest, n, end = mod97(rest, c), n+1, i+1
		case c != ' ' && c != '+' || n%4 != 0:
			return e
		}
	}
	for i := start; i < start+4; i++ {
		rest = mod97(rest, s[i])
	}
	if want == 0 || n != want || rest%97 != 1 || !alone(s, start, end) || !sc.emit(iban, start, end, 98, true) {
		return e
	}
	return end
}

// lettered handles words of nine: NINO, DNI and NIE.
func (sc *scanner) lettered(start, end int) {
	s := sc.s
	w, last := s[start:end], s[end-1]&^0x20
	if isDigit(s[end-1]) || !alone(s, start, end) {
		return
	}
	for i := 2; i < 8; i++ {
		if !isDigit(w[i]) {
			return
		}
	}
	first := w[0] &^ 0x20
	switch v := small(w, 1, 8); {
	case isDigit(w[0]) && isDigit(w[1]):
		if dniLetters[small(w, 0, 8)%23] == last {
			sc.unless(dni, start, end)
		}
	case first >= 'X' && first <= 'Z' && isDigit(w[1]):
		if dniLetters[(int(first-'X')*10_000_000+v)%23] == last {
			sc.unless(nie, start, end)
		}
	case isUpper(w[0]) && isUpper(w[1]) && isUpper(w[8]):
		if ninoPrefix(w[0], w[1]) && w[8] <= 'D' {
			sc.shaped(nino, start, end, 70)
		}
	}
}

// dniLetters are the check letters by the rest of the number over 23.
const dniLetters = "TRWAGMYFPDXBNJZSQVHLCKE"

// dniDashed handles eight digits s[i:e] and a dash: 12345678-Z.
func (sc *scanner) dniDashed(i, e int) int {
	s, end := sc.s, e+2
	if end > len(s) || isDigit(s[end-1]) || s[end-1]&^0x20 != dniLetters[small(s, i, e)%23] || !alone(s, i, end) || !sc.unless(dni, i, end) {
		return e
	}
	return end
}

// ninoSpaced handles the first digits of AB 12 34 56 C. It returns where the
// number ends, 0 if it is none.
func (sc *scanner) ninoSpaced(i int) int {
	s, start, end := sc.s, i-3, i+10
	if start < 0 || end > len(s) || s[i-1] != ' ' || !isUpper(s[start]) || !isUpper(s[start+1]) || !ninoPrefix(s[start], s[start+1]) || s[end-1] < 'A' || s[end-1] > 'D' {
		return 0
	}
	for k := i; k < end-1; k++ {
		if space := (k-i)%3 == 2; space && s[k] != ' ' || !space && !isDigit(s[k]) {
			return 0
		}
	}
	if !alone(s, start, end) || !sc.shaped(nino, start, end, 70) {
		return 0
	}
	return end
}

// ninoPrefix reports whether HMRC gives out numbers with these two letters.
func ninoPrefix(a, b byte) bool {
	for _, c := range [...]byte{'D', 'F', 'I', 'Q', 'U', 'V'} {
		if a == c || b == c {
			return false
		}
	}
	switch string([]byte{a, b}) {
	case "BG", "GB", "NK", "KN", "TN", "NT", "ZZ":
		return false
	}
	return b != 'O'
}

// unless emits a checked word, if it does not stand under another name.
func (sc *scanner) unless(k id, start, end int) bool {
	if !sc.d.on.has(k) {
		return false
	}
	if c := sc.context(start); c.other && !c.kinds.has(k) {
		return false
	}
	return sc.emit(k, start, end, 85, true)
}

// shaped emits a word that has a shape only; its name makes it sure.
func (sc *scanner) shaped(k id, start, end int, confidence uint8) bool {
	if !sc.d.on.has(k) {
		return false
	}
	c := sc.context(start)
	if c.other && !c.kinds.has(k) {
		return false
	}
	if c.kinds.has(k) {
		confidence += 20
	}
	return sc.emit(k, start, end, confidence, false)
}

// cnpjLetters handles the alphanumeric CNPJ in one word.
func (sc *scanner) cnpjLetters(start, end int) {
	var d [maxDigits]byte
	for i := start; i < end; i++ {
		c := sc.s[i]
		if !isDigit(c) && !isUpper(c) {
			return
		}
		d[i-start] = c - '0' // letters are 17 to 42
	}
	if d[12] > 9 || d[13] > 9 || !validCNPJ(&d, 14) || !alone(sc.s, start, end) || !sc.d.on.has(cnpj) {
		return
	}
	c := sc.context(start)
	if c.kinds.has(cnpj) || !c.other && sc.d.countries&br != 0 {
		sc.emit(cnpj, start, end, 90, true)
	}
}

// nirCorsica handles a NIR of the departments 2A and 2B, which count as 19 and 18.
func (sc *scanner) nirCorsica(start, end int) {
	var d [maxDigits]byte
	for i := start; i < end; i++ {
		d[i-start] = sc.s[i] - '0'
	}
	switch {
	case d[5] == 2 && sc.s[start+6]&^0x20 == 'A':
		d[5], d[6] = 1, 9
	case d[5] == 2 && sc.s[start+6]&^0x20 == 'B':
		d[5], d[6] = 1, 8
	default:
		return
	}
	for _, v := range d[:15] {
		if v > 9 {
			return
		}
	}
	if validNIR(&d, 15) && alone(sc.s, start, end) {
		sc.unless(nir, start, end)
	}
}

// Values of the characters at odd places of a codice fiscale (Decreto
// ministeriale 23 December 1976); at even places digits and letters count as
// themselves.
var codiceOdd = [26]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

// codiceFiscale emits a word of 16: six letters, date, place and check letter.
// Letters stand for digits where two people would have the same code.
func (sc *scanner) codiceFiscale(start, end int) {
	w, sum := sc.s[start:end], 0
	for i := 0; i < 16; i++ {
		c, letter := w[i], true
		v := int(c|0x20) - 'a'
		if isDigit(c) {
			v, letter = int(c-'0'), false
		}
		switch i {
		case 0, 1, 2, 3, 4, 5, 8, 11, 15:
			if !letter {
				return
			}
		default:
			if letter && (c&^0x20 < 'L' || c&^0x20 > 'V') {
				return
			}
		}
		if i == 15 {
			break
		}
		if i%2 == 0 {
			v = codiceOdd[v]
		}
		sum += v
	}
	if sum%26 == int(w[15]|0x20-'a') && alone(sc.s, start, end) {
		sc.unless(codiceFiscale, start, end)
	}
}

// vin emits a vehicle identification number (ISO 3779): validated with the
// check digit that North America has, named without it.
func (sc *scanner) vin(start, end int) {
	const weights = "8765432X098765432"
	w, sum, digits := sc.s[start:end], 0, 0
	for i := 0; i < 17; i++ {
		c, v := w[i], 0
		switch {
		case isDigit(c):
			v = int(c - '0')
			digits++
		case !isUpper(c) || c == 'I' || c == 'O' || c == 'Q':
			return
		case c <= 'H':
			v = int(c-'A') + 1
		case c <= 'R':
			v = int(c-'J') + 1
		default:
			v = int(c-'S') + 2
		}
		weight := int(weights[i] - '0')
		if weights[i] == 'X' {
			weight = 10
		}
		sum += v * weight
	}
	if digits == 17 || !alone(sc.s, start, end) || !sc.d.on.has(vin) {
		return
	}
	check := byte('0' + sum%11)
	if sum%11 == 10 {
		check = 'X'
	}
	serial := isDigit(w[16]) && isDigit(w[15]) && isDigit(w[14]) && isDigit(w[13])
	switch c := sc.context(start); {
	case c.other && !c.kinds.has(vin):
	case check == w[8] && (serial || c.kinds.has(vin)):
		sc.emit(vin, start, end, 90, true)
	case c.kinds.has(vin):
		sc.emit(vin, start, end, 75, false)
	}
}
