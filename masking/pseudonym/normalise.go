package pseudonym

import (
	"net/netip"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Normalise gives the spellings of one value one form, by kind: numbers keep
// their digits, numbers with letters those too, kinds without case are lower
// case, addresses have their shortest form, and every kind is trimmed and in
// Unicode form NFKC. A value that is in its form already is returned as it is.
func Normalise(kind, value string) string {
	switch kind {
	case "card", "phone", "cpf", "ssn", "itin", "ein", "nhs_number", "pis", "cnh", "steuer_id", "bsn", "pesel", "nif", "rijksregister", "imei", "imsi", "iccid":
		if d := digits(value); d != "" {
			return d
		}
	case "ipv4", "ipv6":
		if a, err := netip.ParseAddr(strings.TrimSpace(value)); err == nil {
			return a.Unmap().String()
		}
	}
	v := strings.TrimSpace(value)
	if !ascii(v) {
		v = strings.TrimSpace(norm.NFKC.String(v))
	}
	switch kind {
	case "email", "username", "host":
		v = strings.ToLower(v)
		if !ascii(v) {
			v = norm.NFKC.String(v)
		}
	case "iban", "bic", "cnpj", "rg", "dni", "nie", "nino", "nir", "codice_fiscale", "vin", "plate", "passport", "mac":
		v = strings.ToLower(strings.Map(func(r rune) rune {
			if strings.ContainsRune(" -./:+", r) {
				return -1
			}
			return r
		}, v))
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
