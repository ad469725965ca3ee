package detecttest

import (
	"encoding/base64"
	"fmt"
	"math/rand"
	"strings"
)

// maker makes values with their check digits, by code of its own: what detect
// computes to check, this computes to give out.
type maker struct{ *rand.Rand }

func (m maker) pick(s ...string) string { return s[m.Intn(len(s))] }

// digits is n random digits, the first of them not zero.
func (m maker) digits(n int) string {
	b := []byte{byte('1' + m.Intn(9))}
	for len(b) < n {
		b = append(b, byte('0'+m.Intn(10)))
	}
	return string(b)
}

func (m maker) from(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[m.Intn(len(alphabet))]
	}
	return string(b)
}

const (
	upperCase = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lowerCase = "abcdefghijklmnopqrstuvwxyz"
	base62    = upperCase + lowerCase + "0123456789"
)

// sum weighs the digits of s.
func sum(s string, weights ...int) (t int) {
	for i, w := range weights {
		t += int(s[i]-'0') * w
	}
	return t
}

func luhnDigit(s string) string {
	t := 0
	for i := range len(s) {
		v := int(s[len(s)-1-i] - '0')
		if i%2 == 0 {
			if v *= 2; v > 9 {
				v = v/10 + v%10
			}
		}
		t += v
	}
	return fmt.Sprint((10 - t%10) % 10)
}

func elevenDigit(t int) string {
	if r := 11 - t%11; r < 10 {
		return fmt.Sprint(r)
	}
	return "0"
}

func group(s, sep string, sizes ...int) string {
	var parts []string
	for _, n := range sizes {
		parts = append(parts, s[:n])
		s = s[n:]
	}
	return strings.Join(parts, sep)
}

func (m maker) email() string {
	return m.pick("anna", "joao.silva", "li_wang", "m-huber", "sofia+news", "o.ivanova7", "x") + m.pick("", "", "42") + "@" +
		m.pick("example.com", "mail.example.org", "empresa.com.br", "firma.de", "gmail.com", "uni-kiel.de", "xn--mller-kva.example")
}

func (m maker) phone() string {
	n := m.digits(12)
	switch m.Intn(8) {
	case 0:
		return "+55 11 9" + n[:4] + "-" + n[4:8]
	case 1:
		return "+1-" + m.pick("415", "212", "650") + "-" + m.pick("555", "234") + "-" + n[:4]
	case 2:
		return "+49 151 " + n[:4] + " " + n[4:8]
	case 3:
		return "+4930" + n[:7]
	case 4:
		return "+44 20 7" + n[:3] + " " + n[3:7]
	case 5:
		return "+351 91" + n[:1] + " " + n[1:4] + " " + n[4:7]
	case 6:
		return "+33 6 " + group(n[:8], " ", 2, 2, 2, 2)
	}
	return "+1 (415) 555-" + n[:4]
}

func (m maker) ipv4() string {
	return fmt.Sprintf("%s.%d.%d.%d", m.pick("203", "198", "10", "192", "172", "81", "1"), m.Intn(256), m.Intn(256), 1+m.Intn(254))
}

func (m maker) ipv6() string {
	switch m.Intn(3) {
	case 0:
		return fmt.Sprintf("2001:db8:%x::%x", 1+m.Intn(65535), 1+m.Intn(65535))
	case 1:
		return fmt.Sprintf("fe80::%x:%xff:fe%02x:%x", 1+m.Intn(65535), 1+m.Intn(255), m.Intn(256), 1+m.Intn(65535))
	}
	return fmt.Sprintf("2a02:%x:%x:%x:%x:%x:%x:%x", 1+m.Intn(65535), m.Intn(65536), m.Intn(65536), m.Intn(65536), m.Intn(65536), m.Intn(65536), m.Intn(65536))
}

func (m maker) mac() string {
	b := m.from("0123456789abcdef", 12)
	return group("5a"+b[2:], m.pick(":", ":", "-"), 2, 2, 2, 2, 2, 2)
}

func (m maker) card() string {
	if m.Intn(5) == 0 {
		n := m.pick("34", "37") + m.digits(12)
		n += luhnDigit(n)
		return m.pick(n, group(n, " ", 4, 6, 5))
	}
	n := m.pick("4", "51", "55", "2221", "6011", "3528", "6363")
	n += m.digits(15 - len(n))
	n += luhnDigit(n)
	return m.pick(n, group(n, " ", 4, 4, 4, 4), group(n, "-", 4, 4, 4, 4))
}

func (m maker) imei() string { n := m.pick("35", "86", "01") + m.digits(12); return n + luhnDigit(n) }

func (m maker) iccid() string {
	n := "89" + m.pick("49", "55", "44", "351") + m.digits(14)
	n = n[:18]
	return n + luhnDigit(n)
}

func (m maker) iban() string {
	country := m.pick("DE", "GB", "FR", "ES", "NL", "PT", "IT", "BE", "BR", "PL", "CH", "NO")
	var account string
	switch country {
	case "GB", "NL":
		account = m.from(upperCase, 4) + m.digits(map[string]int{"GB": 14, "NL": 10}[country])
	case "IT":
		account = m.from(upperCase, 1) + m.digits(22)
	case "BR":
		account = m.digits(23) + "C1"
	default:
		account = m.digits(map[string]int{"DE": 18, "FR": 23, "ES": 20, "PT": 21, "BE": 12, "PL": 24, "CH": 17, "NO": 11}[country])
	}
	rest := 0
	for _, c := range account + country + "00" {
		if c >= 'A' {
			rest = (rest*100 + int(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + int(c-'0')) % 97
		}
	}
	n := fmt.Sprintf("%s%02d%s", country, 98-rest, account)
	if m.Intn(3) > 0 {
		return n
	}
	var parts []string
	for ; len(n) > 4; n = n[4:] {
		parts = append(parts, n[:4])
	}
	return strings.Join(append(parts, n), " ")
}

func mrzDigit(s string) string {
	t := 0
	for i, c := range s {
		v := 0
		switch {
		case c >= 'A':
			v = int(c-'A') + 10
		case c != '<':
			v = int(c - '0')
		}
		t += v * []int{7, 3, 1}[i%3]
	}
	return fmt.Sprint(t % 10)
}

func (m maker) mrz() string {
	number := m.from(upperCase, 1) + m.digits(7) + "<"
	birth, expiry := fmt.Sprintf("%02d%02d%02d", m.Intn(100), 1+m.Intn(12), 1+m.Intn(28)), fmt.Sprintf("%02d%02d%02d", 26+m.Intn(9), 1+m.Intn(12), 1+m.Intn(28))
	n := number + mrzDigit(number) + m.pick("UTO", "D<<", "BRA", "PRT") + birth + mrzDigit(birth) + m.pick("F", "M") + expiry + mrzDigit(expiry)
	n += strings.Repeat("<", 14) + "<"
	return n + mrzDigit(n[:10]+n[13:20]+n[21:43])
}

func (m maker) vin() string {
	const alphabet, values, weights = "ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", "8765432X098765432"
	n := []byte(m.pick("1HG", "WBA", "WVW", "5YJ", "9BW") + m.from(alphabet, 2) + m.digits(3) + "0" + m.from(alphabet, 2) + m.digits(6))
	t := 0
	for i, c := range n {
		v := int(c - '0')
		if c >= 'A' {
			v = int(values[strings.IndexByte(alphabet, c)] - '0')
		}
		w := int(weights[i] - '0')
		if weights[i] == 'X' {
			w = 10
		}
		t += v * w
	}
	n[8] = "0123456789X"[t%11]
	return string(n)
}

func (m maker) pixCode() string {
	n := "00020126360014br.gov.bcb.pix0114+55119" + m.digits(8) + "52040000530398654041.005802BR5905MARIA6008BRASILIA62070503***6304"
	crc := uint16(0xffff)
	for _, c := range []byte(n) {
		crc ^= uint16(c) << 8
		for range 8 {
			if crc&0x8000 == 0 {
				crc <<= 1
			} else {
				crc = crc<<1 ^ 0x1021
			}
		}
	}
	return n + fmt.Sprintf("%04X", crc)
}

func (m maker) jwt() string {
	enc := base64.RawURLEncoding
	return enc.EncodeToString([]byte(`{"alg":"`+m.pick("HS256", "RS256", "ES384")+`","typ":"JWT"}`)) + "." +
		enc.EncodeToString([]byte(`{"sub":"`+m.digits(6)+`","iat":17`+m.digits(8)+`}`)) + "." + m.from(base62+"-_", 43)
}

func (m maker) ssn() string {
	return fmt.Sprintf("%03d-%02d-%04d", 100+m.Intn(500), 1+m.Intn(98), 1+m.Intn(9998))
}

func (m maker) itin() string {
	return fmt.Sprintf("9%02d-%02d-%04d", m.Intn(100), 70+m.Intn(19), 1+m.Intn(9998))
}

func (m maker) nino() string {
	return m.pick("AB", "CE", "JK", "SH", "WM") + m.digits(6) + m.from("ABCD", 1)
}

func (m maker) gps() string {
	return fmt.Sprintf("%.6f,%s%.6f", m.Float64()*140-70+1, m.pick("", " "), m.Float64()*300-150)
}

func (m maker) date() string {
	y, mo, d := 1930+m.Intn(80), 1+m.Intn(12), 1+m.Intn(28)
	return m.pick(fmt.Sprintf("%d-%02d-%02d", y, mo, d), fmt.Sprintf("%02d/%02d/%d", d, mo, y), fmt.Sprintf("%02d.%02d.%d", d, mo, y))
}

func (m maker) uuid() string {
	h := m.from("0123456789abcdef", 32)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}
