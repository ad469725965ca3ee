package detect

import "strings"

// country is a set of countries.
type country uint16

const (
	us country = 1 << iota
	br
	gb
	de
	fr
	es
	it
	pt
	nl
	be
	pl
	ca
)

// countries are the known ones in the order of their bits.
var countries = [...]string{"US", "BR", "GB", "DE", "FR", "ES", "IT", "PT", "NL", "BE", "PL", "CA"}

// Countries are the country codes that Options.Countries may have.
func Countries() []string { return append([]string(nil), countries[:]...) }

func countryOf(code string) (country, bool) {
	for i, c := range countries {
		if strings.EqualFold(c, code) {
			return 1 << i, true
		}
	}
	return 0, false
}

// homes are the countries of the numbers that need a hint.
var homes = [firstCustom]country{
	ssn: us, ein: us, itin: us, nhs: gb, cpf: br, cnpj: br, rg: br, pis: br, cnh: br, steuerID: de, bsn: nl, pesel: pl, nif: pt, rijksregister: be,
}

// nationalPhone emits a number as it is dialled within one of the countries of
// the options. It begins at s[i] with a digit or a bracket and has separators:
// a bare run of digits says too little. It returns where the number ends, 0 if
// there is none.
func (sc *scanner) nationalPhone(i int) int {
	s, first := sc.s, i
	if s[i] == '(' {
		first++
	}
	if !sc.d.on.has(phone) || i > 0 && (isAlnum(s[i-1]) || strings.IndexByte("+-./_", s[i-1]) >= 0 || s[i-1] >= 0x80) {
		return 0
	}
	end, n := dialled(s, first, 12)
	if n < 9 || end-first == n || end < len(s) && (isAlnum(s[end]) || s[end] == '_' || s[end] == '-' || s[end] == '.' && end+1 < len(s) && isDigit(s[end+1])) {
		return 0
	}
	var d [maxDigits]byte
	digits(&d, s, first, end)
	if !dialledIn(sc.d.countries, &d, n) || sc.context(first).other || !sc.emit(phone, i, end, 65, false) {
		return 0
	}
	return end
}

// dialledIn reports whether a number of n digits is one of a country's plan.
func dialledIn(c country, d *[maxDigits]byte, n int) bool {
	switch {
	case c&(us|ca) != 0 && n == 10 && d[0] >= 2 && d[1] != 9 && d[3] >= 2:
		return true
	case c&br != 0 && d[0] != 0 && d[1] != 0 && (n == 11 && d[2] == 9 || n == 10 && d[2] >= 2 && d[2] <= 5):
		return true
	case c&gb != 0 && d[0] == 0 && (n == 10 || n == 11) && d[1] >= 1 && d[1] != 4 && d[1] != 6:
		return true
	case c&de != 0 && d[0] == 0 && d[1] != 0 && n >= 9 && n <= 12:
		return true
	case c&(fr|nl) != 0 && d[0] == 0 && d[1] != 0 && n == 10, c&be != 0 && d[0] == 0 && d[1] != 0 && (n == 9 || n == 10):
		return true
	case c&es != 0 && n == 9 && d[0] >= 6, c&pt != 0 && n == 9 && (d[0] == 9 || d[0] == 2), c&pl != 0 && n == 9 && d[0] >= 1:
		return true
	case c&it != 0 && (n == 9 || n == 10) && (d[0] == 3 || d[0] == 0 && d[1] != 0):
		return true
	}
	return false
}

// plateIn reports whether a word of capitals and digits is a plate of one of
// the countries, by the shape of the word: A for a letter, 9 for a digit.
func plateIn(c country, word string) bool {
	var shape [10]byte
	n := 0
	for i := 0; i < len(word); i++ {
		switch b := word[i]; {
		case isDigit(b):
			b = '9'
			fallthrough
		case isUpper(b):
			if isUpper(b) {
				b = 'A'
			}
			if n == len(shape) {
				return false
			}
			shape[n] = b
			n++
		case b != ' ' && b != '-' && b != '.':
			return false
		}
	}
	switch string(shape[:n]) {
	case "AAA9999", "AAA9A99":
		return c&(br|us) != 0
	case "AA99AAA":
		return c&gb != 0
	case "AA999AA":
		return c&(fr|it) != 0
	case "9999AAA":
		return c&es != 0
	case "AA99AA", "99AA99", "AA9999":
		return c&pt != 0
	case "9AAA999":
		return c&(be|us) != 0
	case "AAA9999A", "A9999", "AA999", "AAA99", "AAA999", "AAAA99", "AAAA999", "AAA9", "AA99", "AA9", "A999", "AAAA9":
		return c&de != 0
	}
	return false
}
