package pseudonym

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Normalise gives the spellings of one value one form, by kind: numbers keep
// their digits, kinds without case are lower case, and every kind is trimmed
// and in Unicode form NFKC. A value that is in its form already is returned as
// it is.
func Normalise(kind, value string) string {
	switch kind {
	case "card", "phone", "cpf", "ssn":
		if d := digits(value); d != "" {
			return d
		}
	}
	v := strings.TrimSpace(value)
	if !ascii(v) {
		v = strings.TrimSpace(norm.NFKC.String(v))
	}
	switch kind {
	case "email", "username", "iban", "host":
		v = strings.ToLower(v)
		if !ascii(v) {
			v = norm.NFKC.String(v)
		}
	}
	return v
}

// digits is the ASCII digits of s.
func digits(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i]-'0' > 9 {
			out := make([]byte, 0, len(s))
			for k := 0; k < len(s); k++ {
				if s[k]-'0' <= 9 {
					out = append(out, s[k])
				}
			}
			return string(out)
		}
	}
	return s
}

func ascii(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
