package detect

// The lengths of a primary account number that are looked for (ISO/IEC 7812).
const (
	minCard = 13
	maxCard = 19
)

// card emits the number s[start:end], in one run or in the groups that are
// printed on cards. It has to begin with an issuer's prefix, have that
// issuer's length and pass the Luhn check, and must not stand under the name
// of something else (order, tracking, session...).
func (sc *scanner) card(start, end int) bool {
	if end-start < minCard || !sc.d.on.has(card) {
		return false
	}
	var d [maxDigits]byte
	n := digits(&d, sc.s, start, end)
	if n > maxCard || !issuer(&d, n) || !validLuhn(&d, n) || !alone(sc.s, start, end) {
		return false
	}
	if c := sc.context(start); c.other && !c.kinds.has(card) {
		return false
	}
	return sc.emit(card, start, end, 90, true)
}

// issuer reports whether prefix and length are those of a card.
func issuer(d *[maxDigits]byte, n int) bool {
	p2, p4 := number(d, 0, 2), number(d, 0, 4)
	switch {
	case d[0] == 4: // Visa
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
	case p4 == 6363, p4 == 4011, p4 == 5067, p4 == 5090, p4 == 6277, p4 == 6500: // Elo
		return n == 16
	case p4 == 6062: // Hipercard
		return n == 16
	}
	return false
}
