package detect

import "strings"

// The lengths of a primary account number that are looked for (ISO/IEC 7812).
const (
	minCard = 13
	maxCard = 19
)

// card reads the number that begins with the run of digits s[i:run]: in one
// run, or in the groups that are printed on cards. It has to begin with an
// issuer's prefix, have that issuer's length and pass the Luhn check. Numbers
// that stand under the name of something else (order, tracking, session...),
// in a UUID or in a decimal are left out.
func card(s string, i, run int) (Match, bool) {
	var d [maxCard]byte
	n, end := 0, run
	if run-i >= minCard {
		n = copy(d[:], s[i:run])
	} else if n, end = grouped(&d, s, i); n == 0 {
		return Match{}, false
	}
	if !issuer(d[:n]) || !luhn(d[:n]) || !standsAlone(s, i, end) {
		return Match{}, false
	}
	w := wordBefore(s, i)
	if !named(w, cardWords) && named(w, otherWords) {
		return Match{}, false
	}
	return Match{Kind: Card, Start: i, End: end, Confidence: 90, Validated: true}, true
}

// grouped reads digits in groups with one kind of separator: 4-4-4-4, 4-6-5
// or 4-6-4. n is 0 if there are none.
func grouped(d *[maxCard]byte, s string, i int) (n, end int) {
	if i+4 >= len(s) || strings.IndexByte(" -+", s[i+4]) < 0 {
		return 0, 0
	}
	sep := s[i+4]
	var groups [5]int
	g := 0
	for end = i; end < len(s); end++ {
		c := s[end]
		if c-'0' <= 9 {
			if n == maxCard {
				return 0, 0
			}
			d[n] = c
			n++
			groups[g]++
			continue
		}
		if c != sep || g == 3 || groups[g] == 0 || end+1 == len(s) || s[end+1]-'0' > 9 {
			break
		}
		g++
	}
	switch groups {
	case [5]int{4, 4, 4, 4}, [5]int{4, 6, 5}, [5]int{4, 6, 4}:
		return n, end
	}
	return 0, 0
}

// issuer reports whether prefix and length are those of a card.
func issuer(d []byte) bool {
	n := len(d)
	p2 := int(d[0]-'0')*10 + int(d[1]-'0')
	p4 := p2*100 + int(d[2]-'0')*10 + int(d[3]-'0')
	switch {
	case d[0] == '4': // Visa
		return n == 13 || n == 16 || n == 19
	case p2 >= 51 && p2 <= 55, p4 >= 2221 && p4 <= 2720: // Mastercard
		return n == 16
	case p2 == 34 || p2 == 37: // American Express
		return n == 15
	case p4 == 6011, p2 == 65, p4 >= 6440 && p4 <= 6499: // Discover
		return n >= 16
	case p4 >= 3000 && p4 <= 3059, p4 == 3095, p2 == 36, p2 == 38, p2 == 39: // Diners Club
		return n == 14 || n == 16
	case p4 >= 3528 && p4 <= 3589: // JCB
		return n >= 16
	case p2 == 62: // UnionPay
		return n >= 16
	case p4 == 5018, p4 == 5020, p4 == 5038, p4 == 5893, p4 == 6304, p4 == 6759, p4 >= 6761 && p4 <= 6763: // Maestro
		return n >= 16
	}
	return false
}

func luhn(d []byte) bool {
	sum := 0
	for k, double := len(d)-1, false; k >= 0; k, double = k-1, !double {
		v := int(d[k] - '0')
		if double {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum%10 == 0
}

// standsAlone reports whether s[start:end] is not a part of a longer token.
func standsAlone(s string, start, end int) bool {
	if start > 0 {
		c := s[start-1]
		if isAlnum(c) || c >= 0x80 || c == '.' && start > 1 && isAlnum(s[start-2]) {
			return false
		}
		if c == '-' && start > 1 && hexWord(s, start-1) {
			return false
		}
	}
	if end < len(s) {
		c := s[end]
		if isAlnum(c) || c >= 0x80 || (c == '.' || c == '-') && end+1 < len(s) && isAlnum(s[end+1]) {
			return false
		}
	}
	return true
}

// hexWord reports whether the word that ends at offset end has only hex
// digits, as the groups of a UUID have.
func hexWord(s string, end int) bool {
	i := end
	for i > 0 && isAlnum(s[i-1]) {
		if i--; !isHex(s[i]) {
			return false
		}
	}
	return i < end
}

// cardWords name a card; otherWords name numbers that are none.
var (
	cardWords  = []string{"card", "pan", "cc", "visa", "payment", "kredit", "cartao"}
	otherWords = []string{
		"order", "track", "parcel", "ship", "invoice", "session", "sid", "time", "ts", "date", "epoch", "click", "clid",
		"ref", "request", "trace", "span", "id", "uid", "txn", "transaction", "imei", "iccid", "sku", "ean", "isbn", "build",
		"seq", "offset", "version", "serial", "nonce", "batch", "ticket", "hash", "expires", "cache",
	}
)

// named reports whether a name has one of the words in it; words of up to
// three letters have to be a whole part of the name (order_id has id).
func named(name string, words []string) bool {
	if name == "" {
		return false
	}
	var b [32]byte
	n := copy(b[:], name)
	for i := range b[:n] {
		if c := b[i]; c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	lower := b[:n]
	for _, w := range words {
		at := strings.Index(string(lower), w)
		if at < 0 {
			continue
		}
		if len(w) > 3 {
			return true
		}
		end := at + len(w)
		if (at == 0 || !isAlnum(lower[at-1])) && (end == n || !isAlnum(lower[end])) || at > 0 && name[at] >= 'A' && name[at] <= 'Z' && end == n {
			return true
		}
	}
	return false
}
