package detect

// The checks of numbers, over their digits as values of 0 to 9. Sources: the
// issuing authorities' published algorithms, as ISO/IEC 7064 and ISO/IEC 7812
// name them where they do.

// valid is the check of a kind. It is a switch and no function that is passed
// along, which would send the digits to the heap.
func valid(k id, d *[maxDigits]byte, n int) bool {
	switch k {
	case cpf:
		return validCPF(d, n)
	case cnpj:
		return validCNPJ(d, n)
	case pis:
		return validPIS(d, n)
	case cnh:
		return validCNH(d, n)
	case rg:
		return validRG(d, n)
	case ssn:
		return validSSN(d, n)
	case itin:
		return validITIN(d, n)
	case ein:
		return validEIN(d, n)
	case nhs:
		return validNHS(d, n)
	case bsn:
		return validBSN(d, n)
	case nif:
		return validNIF(d, n)
	case pesel:
		return validPESEL(d, n)
	case rijksregister:
		return validRijksregister(d, n)
	case steuerID:
		return validSteuerID(d, n)
	case nir:
		return validNIR(d, n)
	case imei, iccid, card:
		return validLuhn(d, n)
	}
	return true // imsi has none
}

// validLuhn is the check of ISO/IEC 7812-1, annex B: cards, IMEI and ICCID.
func validLuhn(d *[maxDigits]byte, n int) bool {
	sum, k := 0, n-1
	for ; k > 0; k -= 2 {
		sum += int(d[k]) + int(doubled[d[k-1]&15])
	}
	if k == 0 {
		sum += int(d[0])
	}
	return sum%10 == 0 && !same(d, n)
}

// doubled has the sum of the digits of twice a digit.
var doubled = [16]uint8{0, 2, 4, 6, 8, 1, 3, 5, 7, 9}

// same reports whether all digits are one, which no issuer gives out.
func same(d *[maxDigits]byte, n int) bool {
	for i := 1; i < n; i++ {
		if d[i] != d[0] {
			return false
		}
	}
	return true
}

// weighted is the sum of the first digits times the weights.
func weighted(d *[maxDigits]byte, weights ...int) (sum int) {
	for i, w := range weights {
		sum += int(d[i]) * w
	}
	return sum
}

// mod11 is the check digit of Brazilian numbers: 11 minus the rest, 0 if that
// has two digits.
func mod11(sum int) int {
	if r := sum % 11; r >= 2 {
		return 11 - r
	}
	return 0
}

func validCPF(d *[maxDigits]byte, n int) bool {
	return n == 11 && !same(d, 11) &&
		mod11(weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[9]) &&
		mod11(weighted(d, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[10])
}

// validCNPJ also takes the values 17 to 42 of the letters in the alphanumeric
// form that is given out from July 2026 on (Receita Federal, IN 2.229/2024).
func validCNPJ(d *[maxDigits]byte, n int) bool {
	return n == 14 && !same(d, 14) &&
		mod11(weighted(d, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[12]) &&
		mod11(weighted(d, 6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[13])
}

func validPIS(d *[maxDigits]byte, n int) bool {
	return n == 11 && !same(d, 11) && mod11(weighted(d, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[10])
}

func validCNH(d *[maxDigits]byte, n int) bool {
	if n != 11 || same(d, 11) {
		return false
	}
	first, less := weighted(d, 9, 8, 7, 6, 5, 4, 3, 2, 1)%11, 0
	if first >= 10 {
		first, less = 0, 2
	}
	second := weighted(d, 1, 2, 3, 4, 5, 6, 7, 8, 9)%11 - less
	if second < 0 {
		second += 11
	}
	if second >= 10 {
		second = 0
	}
	return first == int(d[9]) && second == int(d[10])
}

// validRG is the check of the identity cards of São Paulo.
func validRG(d *[maxDigits]byte, n int) bool {
	return n == 9 && weighted(d, 2, 3, 4, 5, 6, 7, 8, 9, 100)%11 == 0
}

// validSSN rules out what the Social Security Administration never gives out.
func validSSN(d *[maxDigits]byte, n int) bool {
	area := number(d, 0, 3)
	return n == 9 && area != 0 && area != 666 && area < 900 && number(d, 3, 5) != 0 && number(d, 5, 9) != 0
}

// validITIN: 9 first, and a group that the IRS gives out.
func validITIN(d *[maxDigits]byte, n int) bool {
	g := number(d, 3, 5)
	return n == 9 && d[0] == 9 && (g >= 50 && g <= 65 || g >= 70 && g <= 88 || g >= 90 && g <= 92 || g >= 94)
}

// validEIN: a prefix that the IRS gives out.
func validEIN(d *[maxDigits]byte, n int) bool {
	p := number(d, 0, 2)
	switch p {
	case 0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97:
		return false
	}
	return n == 9
}

func validNHS(d *[maxDigits]byte, n int) bool {
	if n != 10 || same(d, 10) {
		return false
	}
	c := 11 - weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11
	return c%11 == int(d[9]) && c != 10
}

func validBSN(d *[maxDigits]byte, n int) bool {
	return n == 9 && !same(d, 9) && weighted(d, 9, 8, 7, 6, 5, 4, 3, 2, -1)%11 == 0
}

// validNIF: persons begin with 1, 2, 3 or 45, the rest are organisations.
func validNIF(d *[maxDigits]byte, n int) bool {
	if n != 9 || d[0] == 0 || d[0] == 4 && d[1] != 5 {
		return false
	}
	return mod11(weighted(d, 9, 8, 7, 6, 5, 4, 3, 2)) == int(d[8])
}

func validPESEL(d *[maxDigits]byte, n int) bool {
	if n != 11 {
		return false
	}
	month := number(d, 2, 4) % 20 // the century is in the month
	return (10-weighted(d, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3)%10)%10 == int(d[10]) && date(month, number(d, 4, 6))
}

func validRijksregister(d *[maxDigits]byte, n int) bool {
	if n != 11 {
		return false
	}
	month := number(d, 2, 4)
	if month > 12 && month != 20 && month != 40 { // bis numbers add 20 or 40
		month %= 20
	}
	day := number(d, 4, 6)
	if month > 12 || day > 31 {
		return false
	}
	body, check := number(d, 0, 9), number(d, 9, 11)
	return 97-body%97 == check || 97-(2_000_000_000+body)%97 == check
}

// validSteuerID: ISO/IEC 7064 mod 11, 10, and of the first ten digits one stands
// two or three times, all others at most once.
func validSteuerID(d *[maxDigits]byte, n int) bool {
	if n != 11 || d[0] == 0 {
		return false
	}
	var count [10]int
	product := 10
	for _, v := range d[:10] {
		count[v]++
		sum := (int(v) + product) % 10
		if sum == 0 {
			sum = 10
		}
		product = sum * 2 % 11
	}
	repeated := 0
	for _, c := range count {
		if c > 3 {
			return false
		}
		if c > 1 {
			repeated++
		}
	}
	return repeated == 1 && (11-product)%10 == int(d[10])
}

// validNIR is the number of the French social security with its key. Corsican
// departments (2A, 2B) are letters and handled as words.
func validNIR(d *[maxDigits]byte, n int) bool {
	if n != 15 || d[0] != 1 && d[0] != 2 {
		return false
	}
	month := number(d, 3, 5)
	if month == 0 || month > 12 && month < 20 || month > 42 && month < 50 {
		return false
	}
	return 97-number(d, 0, 13)%97 == number(d, 13, 15)
}

// number is the value of d[from:to].
func number(d *[maxDigits]byte, from, to int) (v int) {
	for _, c := range d[from:to] {
		v = v*10 + int(c)
	}
	return v
}

// date reports whether month and day can be ones.
func date(month, day int) bool {
	return month >= 1 && month <= 12 && day >= 1 && day <= 31
}

// mod97 continues the number of ISO/IEC 7064 mod 97, 10 by one character. It is
// reduced now and then; the caller reduces it at the end.
func mod97(v uint64, c byte) uint64 {
	if c <= '9' {
		v = v*10 + uint64(c-'0')
	} else {
		v = v*100 + uint64(c|0x20-'a') + 10
	}
	if v >= 1<<56 {
		v %= 97
	}
	return v
}
